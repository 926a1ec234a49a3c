//! Whether a device computes faces rightly, and how fast.

use std::time::{Duration, Instant};

use burn::tensor::Device;
use image::{Rgb, RgbImage};
use ipcgan_model::{AgeBlend, guarded_try};

use crate::FaceAging;

/// How far a face may be off, in levels of 255: rounding of another order of sums.
const TOLERANCE: u8 = 2;
/// Faces that are aged at a time.
const BATCH: usize = 8;
/// How long speed is measured.
const TIME: Duration = Duration::from_secs(2);

/// What a device does with the faces of the embedded weights.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SelfTest {
    /// The largest difference from the CPU's faces, in levels of 255.
    pub max_difference: u8,
    /// Time until the first face was there, with all that is compiled for it.
    pub first: Duration,
    /// Faces aged in a second, eight at a time, from picture to picture.
    pub faces_per_second: f64,
}

impl SelfTest {
    /// Ages a face on `device` and on the CPU, and again for two seconds.
    ///
    /// # Errors
    /// The device fails, or gives another face.
    pub fn of(device: &Device) -> Result<Self, String> {
        guarded_try(|| {
            let expected = aged(&opened(&Device::flex())?);
            let start = Instant::now();
            let aging = opened(device)?;
            let found = aged(&aging);
            let first = start.elapsed();
            let differences = expected.iter().zip(&found).flat_map(|(a, b)| a.as_raw().iter().zip(b.as_raw()));
            let max_difference = differences.map(|(a, b)| a.abs_diff(*b)).max().unwrap_or(0);
            if max_difference > TOLERANCE {
                return Err(format!(
                    "it computes wrongly: a face differs from the CPU's by {max_difference} levels of 255"
                ));
            }
            Ok(Self { max_difference, first, faces_per_second: speed(&aging) })
        })
    }
}

fn opened(device: &Device) -> Result<FaceAging, String> {
    FaceAging::embedded(device).map_err(|error| error.to_string())
}

/// A drawing of no face in particular, so that nothing need be read.
fn picture(size: u32) -> RgbImage {
    RgbImage::from_fn(size, size, |x, y| Rgb([(x * 7 % 256) as u8, (y * 5 % 256) as u8, ((x ^ y) * 2 % 256) as u8]))
}

fn aged(aging: &FaceAging) -> Vec<RgbImage> {
    aging.at_every_age(&picture(aging.image_size())).into_iter().map(|(_, face)| face).collect()
}

fn speed(aging: &FaceAging) -> f64 {
    let face = picture(aging.image_size());
    let ages = vec![AgeBlend::of_group(0, aging.age_groups()); BATCH];
    // The first batch of this size may be compiled for.
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
    fn the_cpu_agrees_with_itself() {
        let test = SelfTest::of(&Device::flex()).unwrap();

        assert_eq!(test.max_difference, 0);
        assert!(test.faces_per_second > 0.0);
    }
}
