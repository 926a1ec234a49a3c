//! Weights files: what PyTorch writes we read, what we write is whole, and what is wrong is said.

use std::path::{Path, PathBuf};

use burn::tensor::{Device, Tensor};
use ipcgan::model::weights::{self, Network};
use ipcgan::model::{
    AgeGroups, AlexNet, Discriminator, DiscriminatorConfig, Generator, GeneratorConfig, GeneratorOutput,
};
use ipcgan::{FaceAging, ModelError};

use crate::reference::{FORWARD_TOLERANCE, Golden, folder, input};

fn from_pytorch() -> PathBuf {
    folder().join("pytorch_generator.safetensors")
}

fn small_generator(folder: &Path) -> (Generator, GeneratorConfig, PathBuf) {
    let config = GeneratorConfig::new()
        .with_image_size(16)
        .with_width(4)
        .with_residual_blocks(1)
        .with_output(GeneratorOutput::Change);
    let groups = AgeGroups::new(vec![0, 18, 60]).unwrap();
    let generator = config.init(&groups, 5, &Device::flex());
    let path = folder.join("generator.safetensors");
    weights::save(&generator, &config, &groups, &path).unwrap();
    (generator, config, path)
}

fn error<N: Network + std::fmt::Debug>(path: &Path) -> String
where
    N::Config: std::fmt::Debug,
{
    let error: ModelError = weights::load::<N>(path, &Device::flex()).unwrap_err();
    let text = error.to_string();
    assert!(!text.contains('\n'), "more than one line: {text}");
    assert!(text.contains(path.to_str().unwrap()), "names no file: {text}");
    text
}

#[test]
fn a_generator_that_pytorch_wrote_gives_pytorchs_numbers() {
    let device = Device::flex();
    let golden = Golden::read("tiny_forward");

    let generator = weights::load::<Generator>(&from_pytorch(), &device).unwrap().network;

    let source = input("input.source", [2, 3, 128, 128], &device);
    let aged = generator.forward(source, Tensor::from_data([1, 4], &device));
    golden.check("generator.eval", aged, FORWARD_TOLERANCE);
}

#[test]
fn weights_that_are_saved_and_loaded_are_the_same_to_the_bit() {
    let folder = tempfile::tempdir().unwrap();
    let device = Device::flex();
    let (generator, config, path) = small_generator(folder.path());

    let loaded = weights::load::<Generator>(&path, &device).unwrap();

    assert_eq!(loaded.config, config);
    assert_eq!(loaded.age_groups.names(), ["0-17", "18-59", "60+"]);
    let face = input("face", [1, 3, 16, 16], &device);
    let aged = |generator: &Generator| generator.forward(face.clone(), Tensor::from_data([2], &device)).into_data();
    assert_eq!(aged(&generator), aged(&loaded.network));
}

#[test]
fn weights_carry_pytorchs_names_and_say_what_they_are_for() {
    let folder = tempfile::tempdir().unwrap();
    let (_, _, path) = small_generator(folder.path());

    let bytes = std::fs::read(path).unwrap();

    let (_, header) = safetensors::SafeTensors::read_metadata(&bytes).unwrap();
    let metadata = header.metadata().as_ref().unwrap();
    assert_eq!(metadata["network"], "generator");
    assert_eq!(metadata["age_groups"], "[0,18,60]");
    let config: serde_json::Value = serde_json::from_str(&metadata["config"]).unwrap();
    assert_eq!(config["width"], 4);
    assert_eq!(config["output"], "change");
    let ours: Vec<String> = header.tensors().into_keys().collect();
    let pytorch = std::fs::read(from_pytorch()).unwrap();
    let (_, header) = safetensors::SafeTensors::read_metadata(&pytorch).unwrap();
    for name in ours {
        assert!(header.tensors().contains_key(&name), "PyTorch has no {name}");
    }
}

#[test]
fn a_truncated_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (_, _, path) = small_generator(folder.path());
    let bytes = std::fs::read(&path).unwrap();
    for length in [0, 7, 100, bytes.len() - 1] {
        std::fs::write(&path, &bytes[..length]).unwrap();

        assert!(error::<Generator>(&path).contains("not a whole safetensors file"));
    }
}

#[test]
fn another_kind_of_network_is_refused_by_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let config = DiscriminatorConfig::new().with_width(2);
    let groups = AgeGroups::default();
    let discriminator = config.init(&groups, 0, &Device::flex());
    let path = folder.path().join("discriminator.safetensors");
    weights::save::<Discriminator>(&discriminator, &config, &groups, &path).unwrap();

    assert!(error::<Generator>(&path).contains("`discriminator`, not `generator`"));
    assert!(error::<AlexNet>(&path).contains("`discriminator`, not `alexnet`"));
}

#[test]
fn a_file_without_our_metadata_is_refused() {
    assert!(error::<Generator>(&folder().join("fill.safetensors")).contains("metadata `network`"));
}

#[test]
fn a_configuration_that_the_tensors_do_not_fit_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (_, _, path) = small_generator(folder.path());
    let bytes = std::fs::read(&path).unwrap();
    // Same length, so that the file stays whole: only the number in the configuration changes.
    let text = String::from_utf8_lossy(&bytes[..2000]).into_owned();
    let at = text.find(r#"\"residual_blocks\":1"#).unwrap() + r#"\"residual_blocks\":"#.len();
    let mut bytes = bytes;
    bytes[at] = b'9';
    std::fs::write(&path, &bytes).unwrap();

    assert!(error::<Generator>(&path).contains("does not fit its own configuration"));
}

#[test]
fn a_missing_file_is_named() {
    assert!(error::<Generator>(Path::new("no-such.safetensors")).contains("cannot access"));
}

#[test]
fn the_weights_that_come_with_the_library_age_a_face_to_every_group() {
    let face_aging = FaceAging::embedded(&Device::flex()).unwrap();
    let face = image::RgbImage::from_pixel(300, 200, image::Rgb([200, 150, 120]));

    let aged = face_aging.at_every_age(&face);

    let size = face_aging.image_size();
    assert_eq!(
        aged.iter().map(|(group, _)| group.as_str()).collect::<Vec<_>>(),
        ["11-20", "21-30", "31-40", "41-50", "51+"]
    );
    assert!(aged.iter().all(|(_, picture)| picture.dimensions() == (size, size)));
    assert_ne!(aged[0].1, aged[4].1);
}
