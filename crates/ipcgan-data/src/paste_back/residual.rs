//! The residual of the network.

use image::{Rgb, RgbImage};

use super::Sample;

/// The residual between a face and its aged version: red, green and blue of each pixel, in levels of 255.
#[derive(Clone, Debug, PartialEq)]
pub struct Residual {
    pub(super) size: u32,
    pub(super) levels: Vec<[f32; 3]>,
}

impl Residual {
    /// Strength by default: the residual that the network learned.
    pub const DEFAULT_STRENGTH: f64 = 1.0;
    /// Maximum strength that users choose.
    pub const MAX_STRENGTH: f64 = 3.0;

    /// The residual from `before` to `after`.
    ///
    /// # Panics
    /// If the images are not square and of one size.
    pub fn between(before: &RgbImage, after: &RgbImage) -> Self {
        let size = before.width();
        assert_eq!(before.dimensions(), (size, size), "a face is square");
        assert_eq!(after.dimensions(), (size, size), "a face keeps its size");
        let difference = |(before, after): (&Rgb<u8>, &Rgb<u8>)| {
            std::array::from_fn(|channel| f32::from(after.0[channel]) - f32::from(before.0[channel]))
        };
        Self { size, levels: before.pixels().zip(after.pixels()).map(difference).collect() }
    }

    /// Adds the residual to a face.
    ///
    /// # Panics
    /// If the face does not have the size of the residual.
    pub fn added_to(&self, before: &RgbImage) -> RgbImage {
        assert_eq!(before.dimensions(), (self.size, self.size), "a face has the size of its residual");
        let mut after = before.clone();
        for (pixel, levels) in after.pixels_mut().zip(&self.levels) {
            for (sample, level) in pixel.0.iter_mut().zip(levels) {
                *sample = u8::nearest((sample.value() + level).clamp(0.0, u8::WHITE));
            }
        }
        after
    }

    /// Scales the residual by `strength`, at least 0; 0 leaves the photo unchanged.
    pub fn scaled(mut self, strength: f32) -> Self {
        self.levels.iter_mut().flatten().for_each(|level| *level *= strength);
        self
    }

    /// Weighted sum of residuals.
    ///
    /// # Panics
    /// If there is none, or if they differ in size.
    pub fn weighted_sum(residuals: &[(&Self, f32)]) -> Self {
        let (first, _) = residuals.first().expect("there is at least one residual");
        let mut sum = Self { size: first.size, levels: vec![[0.0; 3]; first.levels.len()] };
        for (residual, weight) in residuals {
            assert_eq!(residual.size, sum.size, "residuals of one size");
            for (sum, levels) in sum.levels.iter_mut().zip(&residual.levels) {
                sum.iter_mut().zip(levels).for_each(|(sum, level)| *sum += weight * level);
            }
        }
        sum
    }

    /// The residual at a point, in pixels of the face: bicubic, so that the pixel grid of the network stays invisible
    /// when the residual is enlarged many times.
    pub(super) fn at(&self, [x, y]: [f32; 2]) -> [f32; 3] {
        // Pixel centres are at half-integer coordinates.
        let (columns, rows) = (Taps::new(x - 0.5, self.size), Taps::new(y - 0.5, self.size));
        let mut sum = [0.0; 3];
        for (row, weight) in rows.places.iter().zip(rows.weights) {
            for (column, share) in columns.places.iter().zip(columns.weights) {
                let levels = self.levels[row * self.size as usize + column];
                sum.iter_mut().zip(levels).for_each(|(sum, level)| *sum += weight * share * level);
            }
        }
        sum
    }
}

/// Filter taps along one axis: the four source pixels of a point, and their weights.
struct Taps {
    places: [usize; 4],
    weights: [f32; 4],
}

impl Taps {
    fn new(position: f32, size: u32) -> Self {
        let (before, t) = (position.floor(), position - position.floor());
        let last = (size - 1) as f32;
        Self {
            places: [-1.0, 0.0, 1.0, 2.0].map(|step| (before + step).clamp(0.0, last) as usize),
            weights: [1.0 + t, t, 1.0 - t, 2.0 - t].map(mitchell),
        }
    }
}

/// The cubic filter of Mitchell and Netravali (1988), with their B = C = 1/3, at a distance below two.
fn mitchell(distance: f32) -> f32 {
    let x = distance;
    if x < 1.0 {
        ((7.0 * x - 12.0) * x * x + 16.0 / 3.0) / 6.0
    } else {
        (((12.0 - 7.0 / 3.0 * x) * x - 20.0) * x + 32.0 / 3.0) / 6.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: u32 = 32;

    #[test]
    fn a_residual_added_to_its_source_gives_the_aged_face() {
        let face = |step: u32| RgbImage::from_fn(SIZE, SIZE, |x, y| Rgb([(step * x) as u8, (step * y) as u8, 9]));
        let (before, after) = (face(7), face(8));

        assert_eq!(Residual::between(&before, &after).added_to(&before), after);
    }

    #[test]
    fn filter_weights_sum_to_one() {
        for t in [0.0, 0.3, 0.5, 0.99] {
            let sum: f32 = Taps::new(5.0 + t, SIZE).weights.iter().sum();

            assert!((sum - 1.0).abs() < 1e-5, "{t}");
        }
    }
}
