//! The change of a face to an age group.

use image::RgbImage;

use super::optical_flow::{REFERENCE_SIDE, optical_flow};
use super::plane::Plane;
use super::statistics::{Prototype, channels, frequency_bands, luminance};
use super::strength::PrototypeStrength;

/// Standard deviation, at a side of 128, of the blur of colours.
const COLOUR_BLUR: f32 = 1.5;
/// Limits of the factor of a frequency band.
const DETAIL_LIMITS: [f32; 2] = [0.4, 2.5];
/// Limits of the factor of a colour channel: means differ most where some faces show teeth.
const COLOUR_LIMITS: [f32; 2] = [0.85, 1.25];
/// Standard deviation, at a side of 128, of the blur that leaves the light of a photo, which does not depend on age.
const LIGHT_BLUR: f32 = 20.0;

/// Fraction of the change of hue: prototypes of older faces are grey around the mouth, which bright faces would show as a
/// stain.
const HUE: f32 = 0.6;

/// The change to an age group.
pub(super) struct Transition {
    flow: [Plane; 2],
    /// Factor of each frequency band.
    detail: Vec<Plane>,
    /// Factor of each colour channel.
    pub(super) colour: [Plane; 3],
    /// Saturation of the prototype of all ages; less saturated faces keep their hue.
    pub(super) saturation: f32,
}

impl Transition {
    pub(super) fn new(from: &Prototype, to: &Prototype, strength: &PrototypeStrength) -> Self {
        /// A tenth of a level, so that black areas have ratios.
        const EPSILON: f32 = 0.1;
        let side = from.mean[0].side;
        let blur = COLOUR_BLUR * side as f32 / REFERENCE_SIDE;
        let flow = optical_flow(&luminance(&from.mean), &luminance(&to.mean));
        let mask = face_mask(side);
        let flow = flow.map(|flow| flow.zip(&mask, |flow, mask| flow * mask));
        let power = |exponent: f64| move |to: f32, from: f32| ((to + EPSILON) / (from + EPSILON)).powf(exponent as f32);
        let [low, high] = DETAIL_LIMITS;
        let detail = to.magnitudes.iter().zip(&from.magnitudes).map(|(to, from)| {
            let factor = to.zip(from, power(strength.detail));
            factor.zip(&mask, |factor, mask| 1.0 + (factor.clamp(low, high) - 1.0) * mask)
        });
        // Means of the same shape, so that a moved edge is not a change of colour.
        let colour: [Plane; 3] = std::array::from_fn(|channel| {
            let from = from.mean[channel].warped(&flow).blurred(blur);
            let ratio = to.mean[channel].blurred(blur).zip(&from, power(strength.colour));
            local_colour(ratio, &mask)
        });
        let brightness = luminance(&colour);
        let colour = colour.map(|factor| factor.zip(&brightness, |factor, grey| grey + HUE * (factor - grey)));
        Self {
            detail: detail.collect(),
            colour,
            saturation: saturation(&from.mean),
            flow: flow.map(|flow| flow.map(|value| strength.shape as f32 * value)),
        }
    }

    pub(super) fn applied(&self, face: &RgbImage) -> RgbImage {
        let channels = channels(face).map(|channel| channel.warped(&self.flow));
        let mut added = Plane::zeros(channels[0].side);
        for (band, factor) in frequency_bands(&luminance(&channels)).iter().zip(&self.detail) {
            let more = band.zip(factor, |band, factor| band * (factor - 1.0));
            added = added.zip(&more, |sum, more| sum + more);
        }
        let chroma = (saturation(&channels) / self.saturation.max(f32::EPSILON)).min(1.0);
        let brightness = luminance(&self.colour);
        let [red, green, blue] = std::array::from_fn(|channel| {
            let detailed = channels[channel].zip(&added, |value, added| value + added);
            let factor = self.colour[channel].zip(&brightness, |factor, grey| grey + chroma * (factor - grey));
            detailed.zip(&factor, |value, factor| value * factor)
        });
        let colours = [&red, &green, &blue];
        let value = |index: usize| colours.map(|channel: &Plane| channel.values[index].round().clamp(0.0, 255.0) as u8);
        RgbImage::from_fn(face.width(), face.height(), |x, y| image::Rgb(value((y * face.width() + x) as usize)))
    }
}

/// `ratio` in the face, divided by its geometric means in the face and nearby, and limited; 1 outside of the face.
fn local_colour(ratio: Plane, mask: &Plane) -> Plane {
    let [low, high] = COLOUR_LIMITS;
    let sum = |plane: &Plane| plane.values.iter().sum::<f32>();
    let logarithms = ratio.zip(mask, |ratio, mask| ratio.ln() * mask);
    let mean = sum(&logarithms) / sum(mask);
    let balanced = logarithms.zip(mask, |logarithm, mask| logarithm - mean * mask);
    let light = balanced.blurred(LIGHT_BLUR * mask.side as f32 / REFERENCE_SIDE);
    let local = balanced.zip(&light, |logarithm, light| logarithm - light);
    let colour = local.zip(mask, |logarithm, mask| (logarithm * mask).exp().clamp(low, high));
    colour.zip(&eyes(mask.side), |colour, eyes| colour.powf(1.0 - eyes))
}

/// 1 in the eyes, falling to 0 on the lids: irises keep their colour. (Means of eyes that differ in gaze and colour are
/// lighter at older ages, where lids and glasses hide more of the iris.)
fn eyes(side: usize) -> Plane {
    const LEFT: Ellipse = Ellipse { axes: [0.078, 0.039], centre: [0.31, 0.304], edge: [0.6, 1.4], pixel_centre: 0.5 };
    let left = LEFT.plane(side);
    left.zip(&left.flipped(), f32::max)
}

/// 1 in the face, falling to 0 before the border: hair and background at the border vary for other reasons than age.
fn face_mask(side: usize) -> Plane {
    const FACE: Ellipse =
        Ellipse { axes: [0.4375, 0.484], centre: [0.496, 0.516], edge: [0.7, 1.05], pixel_centre: 0.0 };
    let mask = FACE.plane(side);
    mask.zip(&mask.flipped(), |one, other| (one + other) / 2.0)
}

/// An ellipse with a soft edge; lengths are fractions of the side.
struct Ellipse {
    /// Half axes.
    axes: [f32; 2],
    centre: [f32; 2],
    /// Where the edge begins and ends, relative to the half axes.
    edge: [f32; 2],
    /// Coordinate of the centre of the first pixel, in pixels.
    pixel_centre: f32,
}

impl Ellipse {
    /// 1 inside, falling to 0 across the edge.
    fn plane(&self, side: usize) -> Plane {
        let [inner, outer] = self.edge;
        let value = |index: usize| {
            let position =
                [index % side, index / side].map(|position| (position as f32 + self.pixel_centre) / side as f32);
            let [x, y]: [f32; 2] = std::array::from_fn(|axis| (position[axis] - self.centre[axis]) / self.axes[axis]);
            ((outer - x.hypot(y)) / (outer - inner)).clamp(0.0, 1.0)
        };
        Plane::of((0..side * side).map(value).collect(), side)
    }
}

/// Saturation of the face, in [0, 1]: range of the channels relative to the largest, averaged over the face.
fn saturation(channels: &[Plane; 3]) -> f32 {
    /// Added to the largest channel: so that noise in black areas has no saturation.
    const DARK: f32 = 8.0;
    let [red, green, blue] = channels;
    let mask = face_mask(red.side);
    let (mut sum, mut weight) = (0.0, 0.0);
    for (index, mask) in mask.values.iter().enumerate() {
        let [r, g, b] = [red, green, blue].map(|channel| channel.values[index]);
        let (largest, smallest) = (r.max(g).max(b), r.min(g).min(b));
        sum += mask * (largest - smallest) / (largest + DARK);
        weight += mask;
    }
    sum / weight
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hue_changes_by_a_fraction_of_the_difference_and_brightness_by_all_of_it() {
        const SIDE: usize = 32;
        let at_the_centre = 16 * SIDE + 16;
        let grey = Plane::zeros(SIDE).map(|_| 100.0);
        let mut red = grey.clone();
        red.values[at_the_centre] = 140.0;
        let from = Prototype { mean: [grey.clone(), grey.clone(), grey.clone()], ..Prototype::zeros(SIDE) };
        let to = Prototype { mean: [red, grey.clone(), grey], ..Prototype::zeros(SIDE) };

        let strength = PrototypeStrength { shape: 0.0, colour: 1.0, detail: 0.0 };
        let transition = Transition::new(&from, &to, &strength);

        let [r, g, b] = transition.colour.map(|factor| f64::from(factor.values[at_the_centre]));
        let brightness = 0.299 * r + 0.587 * g + 0.114 * b;
        assert!(brightness > 1.005 && (g - b).abs() < 1e-5, "{r} {g} {b}");
        // If red alone is `1 + c`, the brightness is `1 + 0.299 c`, and red exceeds green by `0.6 c`.
        assert!(((r - g) / (brightness - 1.0) - 0.6 / 0.299).abs() < 0.02, "{r} {g}");
    }
}
