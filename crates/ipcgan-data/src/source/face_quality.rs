//! Requirements on faces besides their size: sharpness and pose.

use image::RgbImage;

/// Requirements on faces; none by default.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct FaceQuality {
    /// Minimum [`sharpness`] of the aligned face.
    pub min_sharpness: Option<f64>,
    /// Maximum yaw: 0 is frontal, 1 has the nose below an eye.
    pub max_yaw: Option<f64>,
}

/// Variance of the Laplacian of the luminance of `face`, the common measure of sharpness: at 128 x 128 pixels about 100
/// for a blurred face and 1000 for a sharp one. 0 for an image smaller than 3 x 3 pixels.
pub fn sharpness(face: &RgbImage) -> f64 {
    let grey = image::imageops::grayscale(face);
    let (width, height) = grey.dimensions();
    let at = |x: u32, y: u32| f64::from(grey.get_pixel(x, y)[0]);
    let [mut count, mut sum, mut squares] = [0.0; 3];
    for y in 1..height.saturating_sub(1) {
        for x in 1..width.saturating_sub(1) {
            let laplacian = at(x - 1, y) + at(x + 1, y) + at(x, y - 1) + at(x, y + 1) - 4.0 * at(x, y);
            count += 1.0;
            sum += laplacian;
            squares += laplacian * laplacian;
        }
    }
    if count == 0.0 { 0.0 } else { squares / count - (sum / count).powi(2) }
}

/// How far a head is turned to a side, from its landmarks: distance of the nose from the middle between the eyes, along
/// the line through them, relative to half their distance. 0 is frontal, 1 has the nose below an eye.
pub(super) fn yaw(landmarks: &[[f32; 2]; 5]) -> f64 {
    let [right, left, nose, ..] = landmarks.map(|point| point.map(f64::from));
    let axis = [left[0] - right[0], left[1] - right[1]];
    let length_squared = axis[0].powi(2) + axis[1].powi(2);
    let from_middle = [nose[0] - (left[0] + right[0]) / 2.0, nose[1] - (left[1] + right[1]) / 2.0];
    let along = from_middle[0] * axis[0] + from_middle[1] * axis[1];
    2.0 * (along / length_squared.max(1e-9)).abs()
}

#[cfg(test)]
mod tests {
    use image::Rgb;

    use super::*;
    use crate::alignment::TEMPLATE;

    #[test]
    fn a_flat_or_tiny_image_is_not_sharp_and_a_checkerboard_is() {
        let checkerboard = RgbImage::from_fn(8, 8, |x, y| Rgb([if (x + y).is_multiple_of(2) { 0 } else { 100 }; 3]));

        assert_eq!(sharpness(&RgbImage::new(8, 8)), 0.0);
        assert_eq!(sharpness(&RgbImage::new(2, 8)), 0.0);
        // Four neighbours that differ by 100.
        assert_eq!(sharpness(&checkerboard), 400.0 * 400.0);
    }

    #[test]
    fn a_blurred_image_has_a_lower_sharpness() {
        let sharp = RgbImage::from_fn(32, 32, |x, y| Rgb([if (x / 4 + y / 4) % 2 == 0 { 0 } else { 255 }; 3]));

        assert!(sharpness(&image::imageops::blur(&sharp, 1.5)) < sharpness(&sharp) / 2.0);
    }

    #[test]
    fn yaw_is_zero_in_front_and_one_with_the_nose_below_an_eye_however_the_head_is_tilted() {
        let frontal = TEMPLATE.map(|[x, y]| [100.0 * x, 100.0 * y]);
        let mut turned = frontal;
        turned[2][0] = frontal[1][0];
        let tilted = |landmarks: [[f32; 2]; 5]| landmarks.map(|[x, y]| [-y, x]);

        assert!(yaw(&frontal) < 0.1, "{}", yaw(&frontal));
        assert!((yaw(&turned) - 1.0).abs() < 0.1, "{}", yaw(&turned));
        assert!((yaw(&tilted(turned)) - yaw(&turned)).abs() < 1e-6);
    }
}
