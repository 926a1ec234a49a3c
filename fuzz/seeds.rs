//! Writes the seed corpus to `fuzz/seeds/TARGET/`: `cargo run --release --example fuzz_seeds`.

use std::error::Error;
use std::fs;
use std::path::Path;

use burn::tensor::Device;
use image::{DynamicImage, ImageFormat, Rgb, RgbImage};
use ipcgan::model::weights::{FloatWidth, Network, Weights, WeightsFormat};
use ipcgan::model::{
    AgeGroups, AlexNet, AlexNetConfig, Discriminator, DiscriminatorConfig, Generator, GeneratorConfig,
};
use ipcgan::photo;
use ipcgan::train::{Preset, TrainingConfig};

const METADATA: [(&str, &str); 3] = [
    ("ages.csv", "file_name,age,identity\na.png,25,anna\nb.png,61,\n"),
    ("groups.csv", "file_name,group,identity,split\n\"a.png\",0,7,train\nb.png,4,8,valid\n"),
    ("wrong.csv", "file_name,age\nc.png,-1\nb.png,x\n"),
];
const SOURCES: [(&str, &str); 6] = [
    ("utkface", "25_0_1_20170116174525125.jpg.chip.jpg\n39_1_20170116174525125.jpg\n\n"),
    ("morph", "00001_00M47.JPG\n00002_01F19.JPG\n\n"),
    ("fgnet", "001A02.JPG\n010A07b.JPG\n\n"),
    ("cacd", "14_Aaron_Johnson_0001.jpg\n\n"),
    (
        "fairface",
        "train/1.jpg\nfairface_label_train.csv\n\nfile,age,gender,race,service_test\ntrain/1.jpg,20-29,Male,White,True\n",
    ),
    ("people", "anna/1.jpg\nanna/2.jpg\nberta/1.jpg\n\n"),
];
const SETTINGS: [&str; 3] = [
    "aging.steps=5\nseed=7",
    "generator.image_size=64\naging.weights.age=1e3",
    "age_groups=[\"a\",\"b\"]\nprecision=\"float16\"",
];
/// By the number of the file in the target.
const RUN: [(u8, &str); 3] = [
    (0, "{\"preset\":\"tiny\",\"seed\":3}"),
    (1, "\"faces/prepared\""),
    (
        2,
        "{\"step\":1,\"validated\":1,\"held_out\":{\"accuracy\":0.5},\"best\":{\"step\":1,\"value\":0.5,\"since\":0},\"checksums\":{\"model.bpk\":1,\"optimizer.bpk\":2,\"scheduler.bpk\":3}}",
    ),
];

fn write(target: &str, name: &str, bytes: &[u8]) -> std::io::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(target);
    fs::create_dir_all(&folder)?;
    fs::write(folder.join(name), bytes)
}

fn images() -> Result<(), Box<dyn Error>> {
    let drawn = RgbImage::from_fn(6, 5, |x, y| Rgb([40 * x as u8, 50 * y as u8, 99]));
    let formats = [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::Bmp, ImageFormat::Gif, ImageFormat::WebP];
    for format in formats {
        let mut bytes = std::io::Cursor::new(vec![]);
        drawn.write_to(&mut bytes, format)?;
        let name = format.extensions_str()[0];
        write("photo", name, bytes.get_ref())?;
        write("aged_photo", name, bytes.get_ref())?;
    }
    let kinds = [
        ("grey16", DynamicImage::ImageLuma16(DynamicImage::from(drawn.clone()).into_luma16())),
        ("alpha16", DynamicImage::ImageRgba16(DynamicImage::from(drawn.clone()).into_rgba16())),
        ("alpha", DynamicImage::ImageLumaA8(DynamicImage::from(drawn).into_luma_alpha8())),
    ];
    for (name, image) in kinds {
        let mut bytes = std::io::Cursor::new(vec![]);
        image.write_to(&mut bytes, ImageFormat::Png)?;
        write("photo", name, bytes.get_ref())?;
    }
    let assets = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/photos");
    let face = photo::resized(&photo::read(&assets.join("grace-hopper-face.png"))?, 72);
    let mut bytes = std::io::Cursor::new(vec![]);
    face.write_to(&mut bytes, ImageFormat::Jpeg)?;
    write("aged_photo", "face", bytes.get_ref())?;
    Ok(())
}

fn network<N: Network>(name: &str, network: N, config: N::Config) -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let weights = Weights { network, config, age_groups: AgeGroups::default() };
    for format in [WeightsFormat::Safetensors, WeightsFormat::Pytorch, WeightsFormat::Burnpack] {
        let path = folder.path().join("weights");
        weights.write(format, FloatWidth::Float32, &path)?;
        write("weights", &format!("{name}-{format:?}").to_lowercase(), &fs::read(path)?)?;
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let (groups, device) = (AgeGroups::default(), Device::flex());
    images()?;
    let config = GeneratorConfig::new().with_width(1).with_residual_blocks(1).with_image_size(16);
    network::<Generator>("generator", config.init(&groups, 0, &device), config)?;
    let config = DiscriminatorConfig::new().with_width(1);
    network::<Discriminator>("discriminator", config.init(&groups, 0, &device), config)?;
    let config = AlexNetConfig::new(2).with_width(2).with_hidden(1).with_embedding(1).with_input_size(67);
    network::<AlexNet>("alexnet", config.init(&groups, 0, &device), config)?;
    for (name, text) in METADATA {
        write("metadata", name, text.as_bytes())?;
    }
    for (name, text) in SOURCES {
        write("source", name, text.as_bytes())?;
    }
    for (number, text) in SETTINGS.iter().enumerate() {
        write("settings", &number.to_string(), text.as_bytes())?;
    }
    let whole = serde_json::to_string(&TrainingConfig::of(Preset::Tiny))?;
    write("settings", "whole", format!("{whole}\n\nseed=1").as_bytes())?;
    for (which, text) in RUN {
        write("checkpoint", &which.to_string(), &[&[which], text.as_bytes()].concat())?;
    }
    let of_data = Path::new(env!("CARGO_MANIFEST_DIR")).join("crates/ipcgan-data/tests/data");
    write("matlab", "cacd", &fs::read(of_data.join("celebrity2000_meta.mat"))?)?;
    for name in ["cmyk", "progressive", "restarts"] {
        write("photo", name, &fs::read(of_data.join(format!("{name}.jpg")))?)?;
    }
    for name in ["lzw.tif", "fax.tif", "cmyk.tif", "clear.avif", "half-colours.avif", "turned.avif"] {
        write("photo", name, &fs::read(of_data.join(name))?)?;
    }
    for side in ["train", "validation"] {
        write("shard", side, &fs::read(of_data.join(format!("shards/{side}-00000-of-00001.parquet")))?)?;
    }
    Ok(())
}
