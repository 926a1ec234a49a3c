//! Statistics of the faces of an age group: mean colours and the magnitudes of frequency bands.

use image::RgbImage;

use super::optical_flow::REFERENCE_SIDE;
use super::plane::Plane;

/// Standard deviations of the Gaussians between the frequency bands, in pixels at a side of 128.
const BANDS: [f32; 3] = [1.0, 2.0, 4.0];
/// Standard deviation, at a side of 128, of the blur of magnitudes.
const MAGNITUDE_BLUR: f32 = 2.0;
/// Weights of red, green and blue in luminance (ITU-R BT.601).
const LUMINANCE: [f32; 3] = [0.299, 0.587, 0.114];
/// Added to magnitudes before the logarithm: half a level, as flat areas have no detail.
const FLAT: f32 = 0.5;

/// Statistics of the faces of an age group and gender.
#[derive(Clone)]
pub(super) struct Prototype {
    pub(super) mean: [Plane; 3],
    /// Geometric mean of the magnitude of each frequency band of luminance. It hardly depends on the few faces with a beard,
    /// whose bands are many times stronger there.
    pub(super) magnitudes: Vec<Plane>,
}

impl Prototype {
    /// Sums over no faces.
    pub(super) fn zeros(side: usize) -> Self {
        Self {
            mean: [0, 1, 2].map(|_| Plane::zeros(side)),
            magnitudes: BANDS.iter().map(|_| Plane::zeros(side)).collect(),
        }
    }

    /// Adds a face of `weight` to the sums.
    pub(super) fn add(&mut self, weight: f32, channels: &[Plane; 3], bands: &[Plane]) {
        let add = |sum: &mut Plane, other: &Plane, f: fn(f32) -> f32| {
            sum.values.iter_mut().zip(&other.values).for_each(|(sum, value)| *sum += weight * f(*value));
        };
        self.mean.iter_mut().zip(channels).for_each(|(sum, channel)| add(sum, channel, |value| value));
        self.magnitudes.iter_mut().zip(bands).for_each(|(sum, band)| add(sum, band, |value| (value.abs() + FLAT).ln()));
    }

    /// Means from weighted sums and the sum of the weights, made symmetric; none without faces.
    pub(super) fn averaged(self, weights: f32) -> Option<Self> {
        let symmetric = |sum: Plane| sum.zip(&sum.flipped(), |one, other| (one + other) / (2.0 * weights));
        let magnitude = |sum: Plane| {
            let blur = MAGNITUDE_BLUR * sum.side as f32 / REFERENCE_SIDE;
            symmetric(sum).map(f32::exp).blurred(blur)
        };
        (weights > 0.0).then(|| Self {
            mean: self.mean.map(symmetric),
            magnitudes: self.magnitudes.into_iter().map(magnitude).collect(),
        })
    }

    /// Mean of `groups`, each with the same weight; magnitudes are geometric means.
    pub(super) fn mean_of(groups: &[&Self]) -> Self {
        let mean = |plane: &dyn Fn(&Self) -> Plane| {
            let sum = groups.iter().map(|group| plane(group)).reduce(|sum, plane| sum.zip(&plane, |a, b| a + b));
            sum.expect("there are age groups").map(|sum| sum / groups.len() as f32)
        };
        let magnitude = |band: usize| mean(&|group: &Self| group.magnitudes[band].map(f32::ln)).map(f32::exp);
        Self {
            mean: std::array::from_fn(|channel| mean(&|group: &Self| group.mean[channel].clone())),
            magnitudes: (0..BANDS.len()).map(magnitude).collect(),
        }
    }
}

/// Frequency bands of `luminance` (differences of Gaussians), finest first.
pub(super) fn frequency_bands(luminance: &Plane) -> Vec<Plane> {
    let scale = luminance.side as f32 / REFERENCE_SIDE;
    let mut upper = luminance.clone();
    BANDS
        .iter()
        .map(|sigma| {
            let lower = luminance.blurred(sigma * scale);
            let band = upper.zip(&lower, |upper, lower| upper - lower);
            upper = lower;
            band
        })
        .collect()
}

/// The colour channels of `face`, in [0, 255].
pub(super) fn channels(face: &RgbImage) -> [Plane; 3] {
    let side = face.width() as usize;
    [0, 1, 2].map(|channel| Plane::of(face.pixels().map(|pixel| f32::from(pixel[channel])).collect(), side))
}

/// The luminance of colour `channels`.
pub(super) fn luminance(channels: &[Plane; 3]) -> Plane {
    let [red, green, blue] = channels;
    let [r, g, b] = LUMINANCE;
    let both = red.zip(green, |red, green| r * red + g * green);
    both.zip(blue, |both, blue| both + b * blue)
}
