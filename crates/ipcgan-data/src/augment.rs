//! Data augmentation of faces.

use burn::config::Config;
use image::RgbImage;
use ipcgan_model::InvalidConfig;
use rand::{Rng, RngExt};

use crate::resample::{self, Region};

/// Ranges of the data augmentation, sampled anew for every face and epoch.
#[derive(Config, Debug, PartialEq)]
pub struct Augmentation {
    /// Whether half of the faces are flipped horizontally. Default: yes.
    #[config(default = true)]
    pub flip: bool,
    /// Maximum shift, as a fraction of the width, 0 to 0.5. Default: 0.04.
    #[config(default = 0.04)]
    pub shift: f32,
    /// Maximum change of scale, as a fraction of the size, 0 to 0.5. Default: 0.06.
    #[config(default = 0.06)]
    pub scale: f32,
    /// Maximum change of brightness, as a fraction of the range of a byte, 0 to 1. Default: 0.08.
    #[config(default = 0.08)]
    pub brightness: f32,
    /// Maximum relative change of contrast, 0 to 1. Default: 0.15.
    #[config(default = 0.15)]
    pub contrast: f32,
    /// Maximum change of each colour channel, as a fraction of the range of a byte, 0 to 1. Default: 0.
    ///
    /// Without it, a classifier learns that old photographs have a tint, and the generator that it trains adds one.
    #[config(default = 0.0)]
    pub colour: f32,
}

impl Augmentation {
    /// Checks that all maxima are in their ranges.
    ///
    /// # Errors
    /// The first field that is out of its range.
    pub fn check(&self) -> Result<(), InvalidConfig> {
        InvalidConfig::check_range("shift", self.shift, 0.0..=0.5)?;
        InvalidConfig::check_range("scale", self.scale, 0.0..=0.5)?;
        InvalidConfig::check_range("brightness", self.brightness, 0.0..=1.0)?;
        InvalidConfig::check_range("contrast", self.contrast, 0.0..=1.0)?;
        InvalidConfig::check_range("colour", self.colour, 0.0..=1.0)
    }

    /// No augmentation.
    pub fn none() -> Self {
        Self { flip: false, shift: 0.0, scale: 0.0, brightness: 0.0, contrast: 0.0, colour: 0.0 }
    }

    /// Horizontal flips only.
    pub fn mirrored() -> Self {
        Self { flip: true, ..Self::none() }
    }

    /// The centre square of `image`, augmented, at `size` x `size` pixels.
    ///
    /// Cropping, shifting and scaling are one step, so that a face is resampled only once.
    pub fn apply(&self, image: &RgbImage, size: u32, random: &mut impl Rng) -> RgbImage {
        let mirrored = self.flip && random.random();
        let mut between = |limit: f32| limit * random.random_range(-1.0..=1.0);
        let square = Region::centred_square(image);
        let side = square.width * (1.0 + between(self.scale));
        let corner = (square.width - side) / 2.0;
        let region = Region {
            left: square.left + corner + square.width * between(self.shift),
            top: square.top + corner + square.width * between(self.shift),
            width: side,
            height: side,
        };
        let brightness = 255.0 * between(self.brightness);
        let brightness = if self.colour == 0.0 {
            // No further random numbers, so that the sequence is that of a config without colour augmentation.
            [brightness; 3]
        } else {
            [(); 3].map(|()| brightness + 255.0 * between(self.colour))
        };
        let contrast = 1.0 + between(self.contrast);

        let mut pixels = resample::resampled(image, region, size);
        // Around the middle of the range, so that a change of contrast changes the mean brightness little.
        for pixel in &mut pixels {
            for (value, brightness) in pixel.iter_mut().zip(brightness) {
                *value = ((*value - 127.5) * contrast + 127.5 + brightness).clamp(0.0, 255.0);
            }
        }
        if mirrored {
            pixels.chunks_exact_mut(size as usize).for_each(<[_]>::reverse);
        }
        resample::to_image(&pixels, size)
    }
}

#[cfg(test)]
mod tests {
    use image::Rgb;

    use super::*;
    use crate::random::random;

    fn gradient() -> RgbImage {
        RgbImage::from_fn(16, 16, |x, y| Rgb([60 + 8 * x as u8, 60 + 8 * y as u8, 99]))
    }

    fn differing(augmentation: &Augmentation) -> Vec<RgbImage> {
        (0..20).map(|index| augmentation.apply(&gradient(), 16, &mut random(1, 0, index))).collect()
    }

    #[test]
    fn a_maximum_out_of_its_range_is_refused_by_its_name() {
        let refused = Augmentation { shift: -0.1, ..Augmentation::none() }.check().unwrap_err();

        assert_eq!(refused.to_string(), "has shift -0.1; it must be in 0 to 0.5");
        assert_eq!(Augmentation::new().check(), Ok(()));
    }

    #[test]
    fn none_changes_nothing() {
        assert!(differing(&Augmentation::none()).iter().all(|image| *image == gradient()));
    }

    #[test]
    fn a_flip_mirrors_about_half_of_the_faces() {
        let mirrored = image::imageops::flip_horizontal(&gradient());

        let images = differing(&Augmentation::mirrored());

        let count = images.iter().filter(|image| **image == mirrored).count();
        assert!((4..=16).contains(&count), "{count}");
        assert!(images.iter().all(|image| *image == mirrored || *image == gradient()));
    }

    #[test]
    fn every_other_change_has_an_effect_within_its_limit() {
        let none = Augmentation::none;
        // At most 0.1 of 16 pixels of 8 levels; half of 0.1 of them, at the edge; 0.1 of 255; 0.1 of half the range.
        let changes = [
            (Augmentation { shift: 0.1, ..none() }, 13),
            (Augmentation { scale: 0.1, ..none() }, 7),
            (Augmentation { brightness: 0.1, ..none() }, 26),
            (Augmentation { contrast: 0.1, ..none() }, 8),
            (Augmentation { colour: 0.1, ..none() }, 26),
        ];
        for (augmentation, limit) in changes {
            let images = differing(&augmentation);

            let change = |image: &RgbImage| {
                image.iter().zip(gradient().iter()).map(|(new, old)| new.abs_diff(*old)).max().unwrap()
            };
            let largest = images.iter().map(change).max().unwrap();
            assert!((1..=limit).contains(&largest), "{augmentation:?}: {largest}");
        }
    }
}
