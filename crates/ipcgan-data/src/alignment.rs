//! Face alignment by landmarks.

use image::{Rgb, RgbImage};

use crate::placement::FacePlacement;
use crate::resample;
pub use crate::similarity_transform::{SimilarityTransform, TEMPLATE};

/// Maximum number of samples per output pixel along one axis.
const MAX_SAMPLES: f32 = 32.0;

/// An aligned face crop.
#[derive(Clone, Debug)]
pub struct AlignedFace {
    /// Its pixels.
    pub image: RgbImage,
    /// Its placement in the photo.
    pub placement: FacePlacement,
}

/// Aligns the face with `landmarks` (in pixels, in the order of [`TEMPLATE`]) to `size` x `size` pixels.
///
/// Each pixel is the mean of the part of the photo that it covers. Beyond the photo its edge pixels repeat, so that
/// networks see no black corners. `None` if all landmarks coincide.
pub fn aligned(photo: &RgbImage, landmarks: &[[f32; 2]; 5], size: u32) -> Option<AlignedFace> {
    let placement = FacePlacement::of(landmarks, size)?;
    let to_photo = placement.from_photo.inverse();
    // As many samples as the photo has pixels in the output pixel.
    let points = to_photo.scale().ceil().clamp(1.0, MAX_SAMPLES) as u32;
    let image = RgbImage::from_fn(size, size, |x, y| {
        let mut sum = [0.0; 3];
        for index in 0..points * points {
            let part = |index: u32| (index as f32 + 0.5) / points as f32;
            let [column, row] = to_photo.apply([x as f32 + part(index % points), y as f32 + part(index / points)]);
            // Pixel centres are at half-integer coordinates.
            let value = resample::at(photo, column - 0.5, row - 0.5);
            sum.iter_mut().zip(value).for_each(|(sum, value)| *sum += value);
        }
        Rgb(sum.map(|sum| (sum / (points * points) as f32).round() as u8))
    });
    Some(AlignedFace { image, placement })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::similarity_transform::tests::template_landmarks;

    #[test]
    fn a_face_at_the_border_has_no_black_corners() {
        let photo = RgbImage::from_pixel(40, 40, Rgb([200, 150, 100]));
        let landmarks = template_landmarks().map(|[x, y]| [0.5 * x - 20.0, 0.5 * y - 20.0]);

        let face = aligned(&photo, &landmarks, 64).unwrap();

        assert!(face.image.pixels().all(|pixel| *pixel == Rgb([200, 150, 100])));
    }

    #[test]
    fn an_aligned_face_is_unchanged() {
        let photo = RgbImage::from_fn(100, 100, |x, y| Rgb([(2 * x) as u8, (2 * y) as u8, (x ^ y) as u8]));

        let face = aligned(&photo, &template_landmarks(), 100).unwrap();

        let differs = |(a, b): (&u8, &u8)| a.abs_diff(*b) > 1;
        assert!(!face.image.as_raw().iter().zip(photo.as_raw()).any(differs));
    }

    #[test]
    fn a_large_face_is_averaged() {
        // Stripes finer than an output pixel.
        let photo = RgbImage::from_fn(800, 800, |x, _| Rgb([if x % 4 < 2 { 0 } else { 255 }; 3]));
        let landmarks = template_landmarks().map(|place| place.map(|value| 8.0 * value));

        let face = aligned(&photo, &landmarks, 100).unwrap();

        assert!(face.image.pixels().all(|pixel| pixel.0[0].abs_diff(128) <= 2));
    }
}
