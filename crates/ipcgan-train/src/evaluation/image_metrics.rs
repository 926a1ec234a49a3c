//! Pixel differences between a face and its aged version.

use image::RgbImage;

/// Side of the background corners relative to the image side.
const CORNER: f64 = 0.12;

/// Mean absolute difference of two images of one size, in 0..255.
pub(super) fn difference(a: &RgbImage, b: &RgbImage) -> f64 {
    let sum: f64 = a.as_raw().iter().zip(b.as_raw()).map(|(a, b)| f64::from(a.abs_diff(*b))).sum();
    sum / a.as_raw().len() as f64
}

/// As [`difference`], in the upper corners only, where an aligned face shows background.
pub(super) fn background_difference(a: &RgbImage, b: &RgbImage) -> f64 {
    let side = ((f64::from(a.width()) * CORNER) as u32).max(1);
    let corner = |left: u32| {
        let of = |image: &RgbImage| image::imageops::crop_imm(image, left, 0, side, side).to_image();
        difference(&of(a), &of(b))
    };
    (corner(0) + corner(a.width() - side)) / 2.0
}

#[cfg(test)]
mod tests {
    use image::Rgb;

    use super::*;

    #[test]
    fn a_change_in_the_middle_does_not_change_the_background() {
        let plain = RgbImage::from_pixel(32, 32, Rgb([100; 3]));
        let mut changed = plain.clone();
        changed.put_pixel(16, 16, Rgb([200; 3]));

        assert_eq!(background_difference(&plain, &changed), 0.0);
        assert!(difference(&plain, &changed) > 0.0);
    }
}
