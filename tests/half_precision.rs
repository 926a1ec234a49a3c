//! Forward passes in half precision, on the CPU or on the device `IPCGAN_TEST_DEVICE`.

#![allow(clippy::unwrap_used, reason = "a test may panic")]
#![allow(clippy::print_stdout, reason = "how far a device is off is worth knowing when it passes too")]

use std::path::Path;

use burn::tensor::{Device, Tensor};
use ipcgan::data::pixels;
use ipcgan::model::{Generator, Precision, weights};
use ipcgan::{DeviceChoice, photo};

/// A face in [-1, 1] may be off by this much: rounding to eleven bits in each of a dozen layers.
const TOLERANCE: f32 = 0.02;

fn device() -> Device {
    let choice = std::env::var("IPCGAN_TEST_DEVICE").map_or(DeviceChoice::Cpu, |name| name.parse().unwrap());
    choice.resolve().unwrap()
}

#[test]
fn the_shipped_generator_makes_the_same_faces_in_half_precision() {
    let device = device();
    let assets = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets");
    let weights = weights::load::<Generator>(&assets.join("weights/generator.safetensors"), &device).unwrap();
    let face = photo::read(&assets.join("photos/eileen-collins-face.png")).unwrap();
    let face = photo::resized(&face, weights.config.image_size as u32);
    let source = pixels::faces_tensor(&[face.clone(), face], &device);
    let aged = |precision: Precision| {
        let generator = weights.network.clone().with_precision(precision).into_inference();
        generator.forward(source.clone(), Tensor::from_data([0, 4], &device))
    };
    let whole = aged(Precision::Float32);

    for precision in [Precision::Float16, Precision::Bfloat16].into_iter().filter(|one| one.is_supported_by(&device)) {
        let difference = (aged(precision) - whole.clone()).abs().max().into_scalar::<f32>();

        println!("{precision}: faces differ by {difference:.1e} at most");
        let tolerance = if precision == Precision::Bfloat16 { 8.0 * TOLERANCE } else { TOLERANCE };
        assert!(difference > 0.0 && difference < tolerance, "{precision}: {difference}");
    }
}
