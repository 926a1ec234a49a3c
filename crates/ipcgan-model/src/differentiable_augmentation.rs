//! Differentiable augmentation (DiffAugment): the inputs of the discriminator and of AlexNet, real and generated faces
//! alike, are randomly flipped, shifted, scaled and recoloured.
//!
//! Source: Zhao et al., "Differentiable Augmentation for Data-Efficient GAN Training", NeurIPS 2020. Differences from
//! its public code:
//! - Faces are flipped and scaled as well, but nothing is cut out.
//! - They are shifted by fractions of a pixel, before the colours change. The border is filled by reflection, where the
//!   source fills with zeros.
//! - The order of colours is saturation, brightness, contrast; in the source it is brightness, saturation, contrast.
//! - Contrast scales the distance from mid-grey, which is 0; in the source, the distance from the mean of the face.

use burn::config::Config;
use burn::tensor::{Tensor, assert_shape};

use crate::InvalidConfig;
use crate::operation::constant;

/// Number of random values for the augmentation of one face.
pub const AUGMENTATION_DRAWS: usize = Draw::Flip as usize + 1;

/// Ranges of the augmentation of a network's inputs. All zero and no flip: no augmentation.
#[derive(Config, Copy, Debug, PartialEq)]
pub struct DifferentiableAugmentation {
    /// Whether half of the faces are flipped horizontally. Default: no.
    ///
    /// A classifier may look at one side of a face only; without flips the generator then changes only that side.
    #[config(default = false)]
    pub flip: bool,
    /// Maximum shift in either direction, as a fraction of the side, 0 to 0.5. Default: 0.
    #[config(default = 0.0)]
    pub translation: f64,
    /// Maximum relative change of the scale, 0 to 0.5. Default: 0.
    #[config(default = 0.0)]
    pub scale: f64,
    /// Maximum change of brightness, of a range of 2, 0 to 1. Default: 0.
    #[config(default = 0.0)]
    pub brightness: f64,
    /// Maximum relative change of contrast (the distance from mid-grey, which is 0), 0 to 1. Default: 0.
    #[config(default = 0.0)]
    pub contrast: f64,
    /// Maximum relative change of saturation (the distance from the mean of the pixel's channels), 0 to 1. Default: 0.
    #[config(default = 0.0)]
    pub saturation: f64,
}

impl DifferentiableAugmentation {
    /// Checks that all maxima are in their ranges.
    ///
    /// # Errors
    /// The first field that is out of its range.
    pub fn check(&self) -> Result<(), InvalidConfig> {
        InvalidConfig::check_range("translation", self.translation, 0.0..=0.5)?;
        InvalidConfig::check_range("scale", self.scale, 0.0..=0.5)?;
        InvalidConfig::check_range("brightness", self.brightness, 0.0..=1.0)?;
        InvalidConfig::check_range("contrast", self.contrast, 0.0..=1.0)?;
        InvalidConfig::check_range("saturation", self.saturation, 0.0..=1.0)
    }

    /// Whether nothing is augmented.
    pub fn is_identity(&self) -> bool {
        *self == Self::new()
    }

    /// Augments each of `faces` with its own row of `draws`; differentiable with respect to the faces.
    ///
    /// Pixels beyond the border are reflected; sampling is bilinear.
    ///
    /// # Shapes
    /// - `faces`: `[batch, 3, height, width]`, RGB, in [-1, 1]
    /// - `draws`: `[batch, AUGMENTATION_DRAWS]`, each in [-1, 1], in this order: horizontal shift (to the left if
    ///   positive), vertical shift (upwards), scale, brightness, contrast, saturation, flip (if negative)
    /// - returns: `[batch, 3, height, width]`, RGB, in `±(1 + 4/3 saturation + brightness) (1 + contrast)` with the
    ///   maxima of `self`: not clipped to [-1, 1], because a clipped value has no gradient
    ///
    /// # Panics
    /// If `faces` does not have three channels, `draws` has another shape, or faces of a side of one pixel are shifted,
    /// scaled or flipped.
    pub fn apply(&self, faces: Tensor<4>, draws: Tensor<2>) -> Tensor<4> {
        assert_shape!(faces, [_, 3, _, _]);
        let [batch, ..] = faces.dims();
        assert_eq!(draws.dims(), [batch, AUGMENTATION_DRAWS], "draws of each face");
        if self.is_identity() {
            return faces;
        }
        self.recoloured(self.resampled(faces, &draws), &draws)
    }

    /// Flips, shifts and scales by two matrix products per face.
    fn resampled(&self, faces: Tensor<4>, draws: &Tensor<2>) -> Tensor<4> {
        if !self.flip && self.translation == 0.0 && self.scale == 0.0 {
            return faces;
        }
        let [batch, channels, height, width] = faces.dims();
        assert!(height > 1 && width > 1, "faces of {width} x {height} pixels cannot be reflected");
        let zoom = column(draws, Draw::Scale) * self.scale + 1.0;
        let across = if self.flip { zoom.clone() * sign(column(draws, Draw::Flip)) } else { zoom.clone() };
        let columns = sampling(width, across, column(draws, Draw::HorizontalShift) * self.translation).swap_dims(1, 2);
        let x = faces.reshape([batch, channels * height, width]).matmul(columns);
        let rows = sampling(height, zoom, column(draws, Draw::VerticalShift) * self.translation);
        let x = x.reshape([batch, channels, height, width]).swap_dims(1, 2);
        let x = rows.matmul(x.reshape([batch, height, channels * width]));
        x.reshape([batch, height, channels, width]).swap_dims(1, 2)
    }

    /// `(grey + (x - grey) saturation + brightness) contrast`.
    fn recoloured(&self, faces: Tensor<4>, draws: &Tensor<2>) -> Tensor<4> {
        let [batch, ..] = faces.dims();
        let change = |draw, maximum: f64| (column(draws, draw) * maximum).reshape([batch, 1, 1, 1]);
        let grey = faces.clone().mean_dim(1);
        let x = (faces - grey.clone()) * (change(Draw::Saturation, self.saturation) + 1.0) + grey;
        (x + change(Draw::Brightness, self.brightness)) * (change(Draw::Contrast, self.contrast) + 1.0)
    }
}

/// The random values for the augmentation of one face, in the order of their columns.
#[derive(Clone, Copy)]
enum Draw {
    /// To the left if positive.
    HorizontalShift,
    /// Upwards if positive.
    VerticalShift,
    Scale,
    Brightness,
    Contrast,
    Saturation,
    /// Negative for a flip.
    Flip,
}

/// The column of `draw` in `draws`, `[batch]`.
fn column(draws: &Tensor<2>, draw: Draw) -> Tensor<1> {
    let [batch, _] = draws.dims();
    draws.clone().narrow(1, draw as usize, 1).reshape([batch])
}

/// 1 for values from zero on, -1 for others.
fn sign(values: Tensor<1>) -> Tensor<1> {
    values.greater_equal_elem(0.0).float() * 2.0 - 1.0
}

/// Matrices `[batch, side, side]` that sample a line of `side` pixels, magnified by `zoom` `[batch]` (negative: also
/// flipped) and shifted by `shift` `[batch]` of its length; `side` is at least 2.
fn sampling(side: usize, zoom: Tensor<1>, shift: Tensor<1>) -> Tensor<3> {
    let [batch] = zoom.dims();
    let last = (side - 1) as f64;
    let pixels: Vec<f32> = (0..side).map(|pixel| pixel as f32).collect();
    let pixels = constant(&pixels, [side], &zoom.device());
    let centred = (pixels.clone() - last / 2.0).reshape([1, side]);
    let place = centred / zoom.reshape([batch, 1]) + shift.reshape([batch, 1]) * side as f64 + last / 2.0;
    // Reflected at the first pixel, at the last, and at the first again: that is enough for the ranges of `check`.
    let place = ((place.abs() - last).abs() - last).abs(); // [batch, side]
    let distance = place.reshape([batch, side, 1]) - pixels.reshape([1, 1, side]);
    (distance.abs().neg() + 1.0).clamp_min(0.0)
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;

    fn draws(values: [f32; AUGMENTATION_DRAWS]) -> Tensor<2> {
        Tensor::from_data([values], &Device::flex())
    }

    /// One face of 2 x 4 pixels with equal channels and rows.
    fn line(pixels: [f32; 4]) -> Tensor<4> {
        Tensor::<4>::from_data([[[pixels, pixels]]], &Device::flex()).repeat_dim(1, 3)
    }

    /// The first channel of the first row.
    fn values(faces: Tensor<4>) -> Vec<f32> {
        faces.narrow(1, 0, 1).narrow(2, 0, 1).into_data().try_to_vec().unwrap()
    }

    #[test]
    fn a_maximum_out_of_its_range_is_refused_by_its_name() {
        let refused = DifferentiableAugmentation::new().with_scale(0.6).check().unwrap_err();

        assert_eq!(refused.to_string(), "has scale 0.6; it must be in 0 to 0.5");
        assert!(DifferentiableAugmentation::new().with_saturation(f64::NAN).check().is_err());
        assert_eq!(DifferentiableAugmentation::new().check(), Ok(()));
    }

    #[test]
    fn a_translation_fills_the_border_by_reflection() {
        let augmentation = DifferentiableAugmentation::new().with_translation(0.25);
        let moved =
            |across| values(augmentation.apply(line([0.1, 0.2, 0.3, 0.4]), draws([across, 0., 0., 0., 0., 0., 0.])));

        for (moved, expected) in [(moved(1.0), [0.2, 0.3, 0.4, 0.3]), (moved(-1.0), [0.2, 0.1, 0.2, 0.3])] {
            assert!(moved.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6), "{moved:?}");
        }
    }

    #[test]
    fn the_largest_shift_with_the_smallest_scale_is_reflected_at_both_ends() {
        let augmentation = DifferentiableAugmentation::new().with_translation(0.5).with_scale(0.5);
        assert_eq!(augmentation.check(), Ok(()));

        let sampled = values(augmentation.apply(line([0.1, 0.2, 0.3, 0.4]), draws([1., 0., -1., 0., 0., 0., 0.])));

        // From 0.5, 2.5, 4.5 and 6.5, where 3 is the last pixel: reflected to 0.5, 2.5, 1.5 and 0.5.
        let expected = [0.15, 0.35, 0.25, 0.15];
        assert!(sampled.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6), "{sampled:?}");
    }

    #[test]
    fn a_negative_draw_flips_a_face_and_a_positive_one_does_not() {
        let augmentation = DifferentiableAugmentation::new().with_flip(true);
        let flipped =
            |draw| values(augmentation.apply(line([0.1, 0.2, 0.3, 0.4]), draws([0., 0., 0., 0., 0., 0., draw])));

        assert_eq!(flipped(0.3), [0.1, 0.2, 0.3, 0.4]);
        assert_eq!(flipped(-0.3), [0.4, 0.3, 0.2, 0.1]);
    }

    #[test]
    fn a_scale_above_one_enlarges_the_centre() {
        let augmentation = DifferentiableAugmentation::new().with_scale(0.5);

        let larger = values(augmentation.apply(line([0.0, 0.2, 0.4, 0.6]), draws([0., 0., 1., 0., 0., 0., 0.])));

        // From 0.5, 1 1/6, 1 5/6 and 2.5.
        let expected = [0.1, 0.7 / 3.0, 1.1 / 3.0, 0.5];
        assert!(larger.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6), "{larger:?}");
    }

    #[test]
    fn saturation_brightness_and_contrast_change_in_this_order() {
        let augmentation =
            DifferentiableAugmentation::new().with_brightness(0.1).with_contrast(0.5).with_saturation(1.0);
        let face = Tensor::<4>::from_data([[[[0.3]], [[0.0]], [[0.0]]]], &Device::flex());

        let changed =
            augmentation.apply(face, draws([0., 0., 0., 1., 1., 1., 0.])).into_data().try_to_vec::<f32>().unwrap();

        // Grey 0.1; twice the distance from it: 0.5, -0.1, -0.1; plus 0.1; times 1.5.
        let expected = [0.9, 0.0, 0.0];
        assert!(changed.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6), "{changed:?}");
    }

    #[test]
    fn the_largest_changes_of_colour_reach_the_documented_range() {
        let augmentation =
            DifferentiableAugmentation::new().with_brightness(0.5).with_contrast(1.0).with_saturation(1.0);
        let red = Tensor::<4>::from_data([[[[1.0]], [[-1.0]], [[-1.0]]]], &Device::flex());

        let changed = augmentation.apply(red, draws([0., 0., 0., 1., 1., 1., 0.])).max().into_scalar::<f32>();

        // (1 + 4/3 + 0.5) * 2
        assert!((changed - 17.0 / 3.0).abs() < 1e-5, "{changed}");
    }

    #[test]
    fn a_pixel_that_is_shown_twice_receives_twice_the_gradient() {
        let augmentation = DifferentiableAugmentation::new().with_translation(0.25);
        let device = Device::flex().autodiff();
        let face = Tensor::<4>::zeros([1, 3, 2, 4], &device).require_grad();
        let draws = Tensor::<2>::from_data([[1.0, 0., 0., 0., 0., 0., 0.]], &device);

        let gradients = augmentation.apply(face.clone(), draws).sum().backward();

        assert_eq!(values(face.grad(&gradients).unwrap()), [0.0, 1.0, 2.0, 1.0]);
    }
}
