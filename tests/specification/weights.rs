//! Weights files: PyTorch compatibility, complete writes, and errors.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use burn::tensor::{Device, Tensor};
use ipcgan::model::weights::{self, Network};
use ipcgan::model::{
    AgeGroups, AlexNet, Discriminator, DiscriminatorConfig, Generator, GeneratorConfig, GeneratorOutput,
};
use ipcgan::{FaceAging, ModelError};
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};

use crate::reference::{FORWARD_TOLERANCE, Golden, folder, input};

fn from_pytorch() -> PathBuf {
    folder().join("pytorch_generator.safetensors")
}

fn small_generator(folder: &Path) -> (Generator, GeneratorConfig, PathBuf) {
    let config = GeneratorConfig::new()
        .with_image_size(16)
        .with_width(4)
        .with_residual_blocks(1)
        .with_output(GeneratorOutput::Residual);
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
    assert_eq!(config["output"], "residual");
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

        assert!(error::<Generator>(&path).contains("not a valid safetensors file"));
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

/// Metadata and tensors (shape and numbers) of a weights file, by name.
struct Edited {
    metadata: HashMap<String, String>,
    tensors: BTreeMap<String, (Vec<usize>, Vec<f32>)>,
}

/// A weights file of a small generator, changed by `edit`.
fn edited(edit: impl FnOnce(&mut Edited)) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let (_, _, path) = small_generator(folder.path());
    let bytes = std::fs::read(&path).unwrap();
    let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap().tensors().into_iter().map(|(name, view)| {
        let numbers = view.data().chunks_exact(4).map(|number| f32::from_le_bytes(number.try_into().unwrap()));
        (name, (view.shape().to_vec(), numbers.collect()))
    });
    let mut edited = Edited { metadata: header.metadata().clone().unwrap(), tensors: tensors.collect() };
    edit(&mut edited);
    let bytes: Vec<_> = edited
        .tensors
        .into_iter()
        .map(|(name, (shape, numbers))| {
            (name, shape, numbers.into_iter().flat_map(f32::to_le_bytes).collect::<Vec<u8>>())
        })
        .collect();
    let views = bytes
        .iter()
        .map(|(name, shape, bytes)| (name.as_str(), TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap()));
    std::fs::write(&path, safetensors::serialize(views, Some(edited.metadata)).unwrap()).unwrap();
    (folder, path)
}

/// What is said of them.
fn refused(edit: impl FnOnce(&mut Edited)) -> String {
    let (_folder, path) = edited(edit);
    error::<Generator>(&path)
}

#[test]
fn weights_with_one_more_layer_are_refused_with_the_names_of_its_tensors() {
    let message = refused(|file| {
        let layer = file.tensors.iter().filter(|(name, _)| name.starts_with("residual.0."));
        let more = layer.map(|(name, tensor)| (name.replace("residual.0.", "residual.1."), tensor.clone()));
        let more: Vec<_> = more.collect();
        file.tensors.extend(more);
    });

    assert!(message.contains("does not fit its own configuration: 10 tensors are unknown: residual.1."), "{message}");
    assert!(message.contains("and 5 more") && !message.contains('│'), "{message}");
}

#[test]
fn weights_without_a_tensor_or_with_one_of_another_shape_are_refused_with_its_name() {
    let message = refused(|file| drop(file.tensors.remove("head.bias")));
    assert!(message.contains("1 tensor is missing: head.bias"), "{message}");

    let message = refused(|file| *file.tensors.get_mut("head.bias").unwrap() = (vec![5], vec![0.0; 5]));
    assert!(message.contains("head.bias is [5], not [3]"), "{message}");
}

#[test]
fn weights_that_are_not_finite_are_refused_with_the_name_of_the_tensor() {
    for number in [f32::NAN, f32::INFINITY] {
        let message = refused(|file| file.tensors.get_mut("head.weight").unwrap().1[7] = number);
        assert!(message.contains("not finite (NaN or infinite) in places: head.weight"), "{message}");
    }
    let message = refused(|file| file.tensors.get_mut("stem.norm.running_var").unwrap().1[0] = -1.0);
    assert!(message.contains("below zero in places: stem.norm.running_var"), "{message}");
}

#[test]
fn settings_that_are_unknown_or_missing_are_refused_by_name() {
    let config = |from: &'static str, to: &'static str| {
        move |file: &mut Edited| {
            let config = file.metadata.get_mut("config").unwrap();
            assert!(config.contains(from), "{config}");
            *config = config.replace(from, to);
        }
    };

    let message = refused(config("{", r#"{"attention":true,"#));
    assert!(message.contains("settings that generator networks do not have: attention"), "{message}");
    let message = refused(config(r#","output":"residual""#, ""));
    assert!(message.contains("lacks settings: output"), "{message}");
    let message = refused(config(r#""output":"residual""#, r#""output":"sideways""#));
    assert!(message.contains("metadata `config` cannot be read"), "{message}");
}

#[test]
fn settings_that_a_file_lacks_come_from_the_weights_that_it_is_like() {
    let folder = tempfile::tempdir().unwrap();
    let (_, config, like) = small_generator(folder.path());
    let (_other, path) = edited(|file| {
        let config = file.metadata.get_mut("config").unwrap();
        *config = config.replace(r#","output":"residual""#, "");
        file.metadata.remove("age_groups");
    });

    let load = |path: &Path| {
        let [file, like] = [path, like.as_path()].map(|path| weights::WeightsFile::read(path).unwrap());
        file.with_metadata_of(like).load::<Generator>(&Device::flex())
    };

    let loaded = load(&path).unwrap();

    assert_eq!(loaded.config, config);
    assert_eq!(loaded.age_groups.count(), 3);
    // The settings come from there, the tensors must still fit.
    let (_more, path) = edited(|file| drop(file.tensors.insert("extra".into(), (vec![1], vec![0.0]))));
    let error = load(&path).unwrap_err();
    assert!(error.to_string().contains("1 tensor is unknown: extra"), "{error}");
}

#[test]
fn a_part_of_a_record_must_be_the_whole_network_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let (_, config, path) = small_generator(folder.path());
    let weights = weights::load::<Generator>(&path, &Device::flex()).unwrap();
    let record = folder.path().join("record.bpk");
    weights.write(weights::WeightsFormat::Burnpack, weights::FloatWidth::Float32, &record).unwrap();

    let error = weights::from_record::<Generator>(&record, "generator", config, weights.age_groups, &Device::flex());

    // Its tensors are called `stem...` and not `generator.stem...`.
    assert!(error.unwrap_err().to_string().contains("tensors are missing: down1."));
}

#[test]
fn weights_too_large_for_half_precision_are_not_written_as_infinite() {
    let (folder, path) = edited(|file| file.tensors.get_mut("head.weight").unwrap().1[0] = 1e5);
    let weights = weights::load::<Generator>(&path, &Device::flex()).unwrap();
    for format in
        [weights::WeightsFormat::Safetensors, weights::WeightsFormat::Pytorch, weights::WeightsFormat::Burnpack]
    {
        let half = folder.path().join("half");

        let error = weights.write(format, weights::FloatWidth::Float16, &half).unwrap_err();

        let error = error.to_string();
        let reason =
            "1 tensor is too large for half precision (above 65504) in places: head.weight; write 32-bit weights";
        assert!(error.ends_with(reason), "{error}");
        assert!(!half.exists());
    }
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
    assert!(aged.iter().all(|(_, image)| image.dimensions() == (size, size)));
    assert_ne!(aged[0].1, aged[4].1);
}
