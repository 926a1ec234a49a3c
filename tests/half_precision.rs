//! Forward passes in 16 bits, on the CPU or on the device that `IPCGAN_TEST_DEVICE` names.
//!
//! A program of its own, because the precision is that of the whole program.

#![allow(clippy::unwrap_used, reason = "a test may panic")]
#![allow(clippy::print_stdout, reason = "how far a device is off is worth knowing when it passes too")]

use burn::tensor::{Device, Distribution, Tensor};
use ipcgan::DeviceChoice;
use ipcgan::model::{AgeGroups, CpuKernels, Precision, Preset};

/// A face in [-1, 1] may be off by this much: rounding to eleven bits in each of a dozen layers.
const TOLERANCE: f32 = 0.02;

fn device() -> Device {
    let choice = std::env::var("IPCGAN_TEST_DEVICE").map_or(DeviceChoice::Cpu, |name| name.parse().unwrap());
    choice.resolve().unwrap()
}

#[test]
fn a_generator_in_half_precision_makes_the_faces_that_it_makes_in_whole() {
    // Ours compute in float32 alone.
    CpuKernels::Burn.select();
    let device = device();
    let config = Preset::Tiny.generator();
    let generator = config.init(&AgeGroups::default(), 3, &device).into_inference();
    let size = config.image_size;
    let source = Tensor::<4>::random([2, 3, size, size], Distribution::Uniform(-1.0, 1.0), &device);
    let aged = |precision: Precision| {
        precision.select();
        generator.forward(source.clone(), Tensor::from_data([0, 4], &device))
    };
    let whole = aged(Precision::Float32);

    for precision in [Precision::Float16, Precision::Bfloat16].into_iter().filter(|one| one.works_on(&device)) {
        let difference = (aged(precision) - whole.clone()).abs().max().into_scalar::<f32>();

        println!("{precision}: faces differ by {difference:.1e} at most");
        let tolerance = if precision == Precision::Bfloat16 { 8.0 * TOLERANCE } else { TOLERANCE };
        assert!(difference > 0.0 && difference < tolerance, "{precision}: {difference}");
    }
}
