//! Self-test of a device: correctness and throughput.

use std::time::{Duration, Instant};

use burn::tensor::Device;
use image::{Rgb, RgbImage};
use ipcgan_model::AgeBlend;
use ipcgan_system::try_catch_device_panic;

use crate::{DeviceError, FaceAging};

/// Maximum pixel difference in levels of 255: sums in a different order round differently.
const TOLERANCE: u8 = 2;
/// Batch size of the throughput measurement.
const BATCH: usize = 8;
/// Duration of the throughput measurement.
const TIME: Duration = Duration::from_secs(2);

/// Result of a self-test with the embedded weights.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SelfTest {
    /// Maximum difference from the CPU's result, in levels of 255.
    pub max_difference: u8,
    /// Time to the first face, including kernel compilation.
    pub first: Duration,
    /// Throughput in faces per second at batch size eight, including the conversion of images.
    pub faces_per_second: f64,
}

impl SelfTest {
    /// Ages a face on `device` and on the CPU, and measures the throughput for two seconds.
    ///
    /// # Errors
    /// [`DeviceError::SelfTest`] if the device fails, or its result differs.
    pub fn of(device: &Device) -> Result<Self, DeviceError> {
        let test = try_catch_device_panic(|| {
            let expected = aged(&opened(&Device::flex())?);
            let start = Instant::now();
            let aging = opened(device)?;
            let found = aged(&aging);
            let first = start.elapsed();
            let differences = expected.iter().zip(&found).flat_map(|(a, b)| a.as_raw().iter().zip(b.as_raw()));
            let max_difference = differences.map(|(a, b)| a.abs_diff(*b)).max().unwrap_or(0);
            if max_difference > TOLERANCE {
                return Err(format!(
                    "it computes wrong results: a face differs from the CPU's by {max_difference} levels of 255"
                ));
            }
            Ok(Self { max_difference, first, faces_per_second: speed(&aging) })
        });
        test.map_err(DeviceError::SelfTest)
    }
}

fn opened(device: &Device) -> Result<FaceAging, String> {
    FaceAging::embedded(device).map_err(|error| error.to_string())
}

/// A synthetic test pattern.
fn image(size: u32) -> RgbImage {
    RgbImage::from_fn(size, size, |x, y| Rgb([(x * 7 % 256) as u8, (y * 5 % 256) as u8, ((x ^ y) * 2 % 256) as u8]))
}

fn aged(aging: &FaceAging) -> Vec<RgbImage> {
    aging.at_every_age(&image(aging.image_size())).into_iter().map(|(_, face)| face).collect()
}

fn speed(aging: &FaceAging) -> f64 {
    let face = image(aging.image_size());
    let ages = vec![AgeBlend::from_group(0, aging.age_groups()); BATCH];
    // Warm-up: kernels for this batch size may be compiled.
    aging.at_ages(&face, &ages);
    let (start, mut faces) = (Instant::now(), 0);
    while start.elapsed() < TIME {
        faces += aging.at_ages(&face, &ages).len();
    }
    faces as f64 / start.elapsed().as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_self_test_of_the_cpu_finds_no_difference() {
        let test = SelfTest::of(&Device::flex()).unwrap();

        assert_eq!(test.max_difference, 0);
        assert!(test.faces_per_second > 0.0);
    }
}
