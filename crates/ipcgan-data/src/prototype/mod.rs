//! Prototype ageing: ages a face by the differences between the mean face of an age group and that of all ages.
//!
//! The change does not depend on the age of the face, which can only be guessed from the face.
//!
//! Sources: Benson and Perrett, "Extracting prototypical facial images from exemplars" (1993), for the differences of
//! means; Burt and Perrett, "Perception of age in adult Caucasian male faces" (1995), for shape and colour; Tiddeman,
//! Burt and Perrett, "Prototyping and transforming facial textures for perception research" (2001), for the detail that
//! means lack: each frequency band of the face is scaled by the ratio of its magnitudes in the two groups.

mod optical_flow;
mod plane;

use burn::config::Config;
use image::RgbImage;
use ipcgan_model::AgeGroups;
use rayon::prelude::*;

use crate::{DataError, FaceSet, Gender, check_groups, photo};
use optical_flow::{REFERENCE_SIDE, optical_flow};
use plane::{Plane, ordered_sum};

/// Standard deviations of the Gaussians between the frequency bands, in pixels at a side of 128.
const BANDS: [f32; 4] = [1.0, 2.0, 4.0, 8.0];
/// Standard deviations, at a side of 128, of the blurs of magnitudes and of colours.
const MAGNITUDE_BLUR: f32 = 2.0;
const COLOUR_BLUR: f32 = 1.5;
/// Weights of red, green and blue in luminance (ITU-R BT.601).
const LUMINANCE: [f32; 3] = [0.299, 0.587, 0.114];
/// Limits of the factor of a frequency band.
const DETAIL_LIMITS: [f32; 2] = [0.4, 2.5];

/// Strength of each part of prototype ageing; 0 is no change, 1 the mean difference.
///
/// The defaults lie between two settings that age faces of FairFace about as far as real faces of the groups
/// (docs/experiments.md).
#[derive(Config, Debug, PartialEq)]
pub struct PrototypeStrength {
    /// Factor of the displacements. Default: 2.2.
    #[config(default = 2.2)]
    pub shape: f64,
    /// Exponent of the ratio of colours. Default: 2.8.
    #[config(default = 2.8)]
    pub colour: f64,
    /// Exponent of the ratio of magnitudes of each frequency band. Default: 4.5.
    #[config(default = 4.5)]
    pub detail: f64,
}

/// Ages faces by prototypes: statistics of a set of labelled faces, by age group and gender.
pub struct PrototypeAging {
    side: usize,
    groups: usize,
    /// By gender: female, male, and all faces (for faces of unknown gender); then by target group.
    transitions: Vec<Option<Transition>>,
}

/// The change to an age group.
struct Transition {
    flow: [Plane; 2],
    /// Factor of each frequency band.
    detail: Vec<Plane>,
    /// Factor of each colour channel.
    colour: [Plane; 3],
}

/// Statistics of the faces of an age group and gender.
#[derive(Clone)]
struct Prototype {
    count: usize,
    mean: [Plane; 3],
    /// Root mean square of each frequency band of luminance.
    magnitudes: Vec<Plane>,
}

/// Frequency bands of `luminance` (differences of Gaussians), finest first.
fn frequency_bands(luminance: &Plane) -> Vec<Plane> {
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
fn channels(face: &RgbImage) -> [Plane; 3] {
    let side = face.width() as usize;
    [0, 1, 2].map(|channel| Plane::of(face.pixels().map(|pixel| f32::from(pixel[channel])).collect(), side))
}

fn luminance(channels: &[Plane; 3]) -> Plane {
    let [red, green, blue] = channels;
    let [r, g, b] = LUMINANCE;
    let both = red.zip(green, |red, green| r * red + g * green);
    both.zip(blue, |both, blue| both + b * blue)
}

impl PrototypeAging {
    /// Number of classes of faces: two genders and all.
    const CLASSES: usize = 3;
    const ALL: usize = 2;

    /// Statistics of `faces` at `side` x `side` pixels, for changes of `strength`.
    ///
    /// Faces without an age group do not contribute. Statistics are those of the faces and of their mirror images, so
    /// that ageing a flipped face flips the result. Takes about a millisecond per face and a few seconds besides.
    ///
    /// # Errors
    /// An age group has no face, or an image cannot be read.
    pub fn new(
        faces: &dyn FaceSet,
        groups: &AgeGroups,
        side: u32,
        strength: &PrototypeStrength,
    ) -> Result<Self, DataError> {
        check_groups(faces, groups, "the set of faces for prototypes")?;
        let (side, count) = (side as usize, groups.count());
        let zero = Prototype {
            count: 0,
            mean: [0, 1, 2].map(|_| Plane::zeros(side)),
            magnitudes: BANDS.iter().map(|_| Plane::zeros(side)).collect(),
        };
        let mut prototypes = vec![zero; Self::CLASSES * count];
        let statistics = |index: usize| -> Result<_, DataError> {
            let label = faces.label(index);
            let Some(group) = label.group.filter(|group| *group < count) else { return Ok(None) };
            let face = photo::resized(&photo::centred_square(&faces.image(index)?), side as u32);
            let channels = channels(&face);
            let bands = frequency_bands(&luminance(&channels));
            Ok(Some((class_of(label.gender), group, channels, bands)))
        };
        ordered_sum(faces.len(), statistics, |statistics| {
            let Some((class, group, channels, bands)) = statistics else { return };
            let classes = if class == Self::ALL { vec![class] } else { vec![class, Self::ALL] };
            for class in classes {
                prototypes[class * count + group].add(&channels, &bands);
            }
        })?;
        let prototypes: Vec<Option<Prototype>> = prototypes.into_iter().map(Prototype::averaged).collect();
        let transitions = prototypes.chunks_exact(count).flat_map(|groups| {
            // A gender that lacks an age group has no mean of all ages.
            let groups: Option<Vec<_>> = groups.iter().map(Option::as_ref).collect();
            let all_ages = groups.as_deref().map(Prototype::mean_of);
            let transition = |group: usize| {
                let (groups, all_ages) = groups.as_ref().zip(all_ages.as_ref())?;
                Some(Transition::new(all_ages, groups[group], strength))
            };
            (0..count).into_par_iter().map(transition).collect::<Vec<_>>()
        });
        let transitions = transitions.collect();
        Ok(Self { side, groups: count, transitions })
    }

    /// `face`, of `gender`, aged to group `to`; by the statistics of all faces if the gender is unknown or has no face in
    /// some age group.
    ///
    /// # Panics
    /// If the face has another size than the statistics, or a group does not exist.
    pub fn age(&self, face: &RgbImage, gender: Option<Gender>, to: usize) -> RgbImage {
        assert_eq!(face.dimensions(), (self.side as u32, self.side as u32), "faces have the size of the prototypes");
        assert!(to < self.groups, "there is a group {to}");
        let transition = |class: usize| self.transitions[class * self.groups + to].as_ref();
        // Without faces of this gender in each age group, the statistics of all faces are used.
        match transition(class_of(gender)).or_else(|| transition(Self::ALL)) {
            Some(transition) => transition.applied(face),
            None => face.clone(),
        }
    }
}

fn class_of(gender: Option<Gender>) -> usize {
    match gender {
        Some(Gender::Female) => 0,
        Some(Gender::Male) => 1,
        None => PrototypeAging::ALL,
    }
}

impl Prototype {
    fn add(&mut self, channels: &[Plane; 3], bands: &[Plane]) {
        let add = |sum: &mut Plane, other: &Plane, f: fn(f32) -> f32| {
            sum.values.iter_mut().zip(&other.values).for_each(|(sum, value)| *sum += f(*value));
        };
        self.count += 1;
        self.mean.iter_mut().zip(channels).for_each(|(sum, channel)| add(sum, channel, |value| value));
        self.magnitudes.iter_mut().zip(bands).for_each(|(sum, band)| add(sum, band, |value| value * value));
    }

    /// Means instead of sums, made symmetric; none without faces.
    fn averaged(self) -> Option<Self> {
        let count = self.count as f32;
        let symmetric = |sum: Plane| sum.zip(&sum.flipped(), |one, other| (one + other) / (2.0 * count));
        let magnitude = |sum: Plane| {
            let blur = MAGNITUDE_BLUR * sum.side as f32 / REFERENCE_SIDE;
            symmetric(sum).blurred(blur).map(f32::sqrt)
        };
        (self.count > 0).then(|| Self {
            count: self.count,
            mean: self.mean.map(symmetric),
            magnitudes: self.magnitudes.into_iter().map(magnitude).collect(),
        })
    }
}

impl Prototype {
    /// Mean of `groups`, each with the same weight; magnitudes are quadratic means.
    fn mean_of(groups: &[&Self]) -> Self {
        let mean = |plane: &dyn Fn(&Self) -> Plane| {
            let sum = groups.iter().map(|group| plane(group)).reduce(|sum, plane| sum.zip(&plane, |a, b| a + b));
            sum.expect("there are age groups").map(|sum| sum / groups.len() as f32)
        };
        let magnitude =
            |band: usize| mean(&|group: &Self| group.magnitudes[band].map(|value| value * value)).map(f32::sqrt);
        Self {
            count: groups.iter().map(|group| group.count).sum(),
            mean: std::array::from_fn(|channel| mean(&|group: &Self| group.mean[channel].clone())),
            magnitudes: (0..BANDS.len()).map(magnitude).collect(),
        }
    }
}

impl Transition {
    fn new(from: &Prototype, to: &Prototype, strength: &PrototypeStrength) -> Self {
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
        let colour = std::array::from_fn(|channel| {
            let from = from.mean[channel].warped(&flow, 1.0).blurred(blur);
            let ratio = to.mean[channel].blurred(blur).zip(&from, power(strength.colour));
            balanced(ratio, &mask)
        });
        Self {
            detail: detail.collect(),
            colour,
            flow: flow.map(|flow| flow.map(|value| strength.shape as f32 * value)),
        }
    }

    fn applied(&self, face: &RgbImage) -> RgbImage {
        let channels = channels(face).map(|channel| channel.warped(&self.flow, 1.0));
        let luminance = luminance(&channels);
        let mut added = Plane::zeros(luminance.side);
        for (band, factor) in frequency_bands(&luminance).iter().zip(&self.detail) {
            let more = band.zip(factor, |band, factor| band * (factor - 1.0));
            added = added.zip(&more, |sum, more| sum + more);
        }
        let [red, green, blue] = std::array::from_fn(|channel| {
            let detailed = channels[channel].zip(&added, |value, added| value + added);
            detailed.zip(&self.colour[channel], |value, factor| value * factor)
        });
        let colours = [&red, &green, &blue];
        let value = |index: usize| colours.map(|channel: &Plane| channel.values[index].round().clamp(0.0, 255.0) as u8);
        RgbImage::from_fn(face.width(), face.height(), |x, y| image::Rgb(value((y * face.width() + x) as usize)))
    }
}

/// `ratio` divided by its geometric mean in the face, as the light of a photo does not depend on age, and 1 outside.
fn balanced(ratio: Plane, mask: &Plane) -> Plane {
    let logarithms = ratio.zip(mask, |ratio, mask| ratio.ln() * mask);
    let mean = logarithms.values.iter().sum::<f32>() / mask.values.iter().sum::<f32>();
    logarithms.zip(mask, |logarithm, mask| (logarithm - mean * mask).exp())
}

/// 1 in the face, falling to 0 before the border: hair and background at the border vary for other reasons than age.
fn face_mask(side: usize) -> Plane {
    /// Half axes and centre of the ellipse, as fractions of the side, and the width of its edge.
    const AXES: [f32; 2] = [0.4375, 0.484];
    const CENTRE: [f32; 2] = [0.496, 0.516];
    const INNER: f32 = 0.7;
    const OUTER: f32 = 1.05;
    let value = |index: usize| {
        let position = [index % side, index / side].map(|position| position as f32 / side as f32);
        let [x, y]: [f32; 2] = std::array::from_fn(|axis| (position[axis] - CENTRE[axis]) / AXES[axis]);
        ((OUTER - x.hypot(y)) / (OUTER - INNER)).clamp(0.0, 1.0)
    };
    let mask = Plane::of((0..side * side).map(value).collect(), side);
    mask.zip(&mask.flipped(), |one, other| (one + other) / 2.0)
}

#[cfg(test)]
mod tests {
    use image::Rgb;

    use super::*;
    use crate::FaceLabel;

    const SIDE: u32 = 16;

    /// A face as a function of x and y.
    type LabelledFace = (FaceLabel, fn(u32, u32) -> u8);

    struct Faces(Vec<LabelledFace>);

    impl FaceSet for Faces {
        fn len(&self) -> usize {
            self.0.len()
        }

        fn label(&self, index: usize) -> &FaceLabel {
            &self.0[index].0
        }

        fn name(&self, index: usize) -> String {
            index.to_string()
        }

        fn image(&self, index: usize) -> Result<RgbImage, DataError> {
            Ok(face(self.0[index].1))
        }
    }

    fn face(grey: impl Fn(u32, u32) -> u8) -> RgbImage {
        RgbImage::from_fn(SIDE, SIDE, |x, y| Rgb([grey(x, y); 3]))
    }

    fn labelled(gender: Option<Gender>, group: usize, grey: fn(u32, u32) -> u8) -> LabelledFace {
        (FaceLabel { group: Some(group), gender, ..FaceLabel::default() }, grey)
    }

    fn prototypes(faces: Vec<LabelledFace>, strength: [f64; 3]) -> PrototypeAging {
        let [shape, colour, detail] = strength;
        let groups: AgeGroups = AgeGroups::new(vec![20, 40]).unwrap();
        PrototypeAging::new(&Faces(faces), &groups, SIDE, &PrototypeStrength { shape, colour, detail }).unwrap()
    }

    fn mean(face: &RgbImage) -> f64 {
        face.as_raw().iter().map(|value| f64::from(*value)).sum::<f64>() / face.as_raw().len() as f64
    }

    #[test]
    fn colours_in_the_face_are_scaled_by_the_ratio_to_the_mean_of_all_ages_but_not_the_light() {
        // Brighter above the centre in the second group, and at least twice as bright everywhere.
        fn young(_: u32, _: u32) -> u8 {
            60
        }
        fn old(_: u32, y: u32) -> u8 {
            if y < 8 { 180 } else { 120 }
        }
        let prototypes = prototypes(vec![labelled(None, 0, young), labelled(None, 1, old)], [0.0, 1.0, 0.0]);

        let aged = prototypes.age(&face(|_, _| 100), None, 1);

        let at = |y: u32| f64::from(aged.get_pixel(8, y)[0]);
        // Means of both: 120 above and 90 below; ratios 1.5 and 1.33 up to a common factor.
        assert!((at(5) / at(11) - 1.125).abs() < 0.03, "{} {}", at(5), at(11));
        assert!((mean(&aged) - 100.0).abs() < 1.5, "{}", mean(&aged));
        assert_eq!(aged.get_pixel(0, 0)[0], 100, "outside of the face nothing changes");
    }

    #[test]
    fn detail_is_amplified_where_the_target_group_has_more_of_it() {
        fn stripes(x: u32) -> u8 {
            if x.is_multiple_of(2) { 1 } else { 0 }
        }
        let faces =
            vec![labelled(None, 0, |x, _| 90 + 20 * stripes(x)), labelled(None, 1, |x, _| 80 + 40 * stripes(x))];
        let prototypes = prototypes(faces, [0.0, 0.0, 1.0]);
        let source = face(|x, _| 90 + 20 * stripes(x));

        let contrast_at_the_centre = |group: usize| {
            let aged = prototypes.age(&source, None, group);
            f64::from(aged.get_pixel(8, 8)[0]) - f64::from(aged.get_pixel(7, 8)[0])
        };

        // Magnitudes 10 and 20, quadratic mean 15.8.
        let [young, old] = [0, 1].map(contrast_at_the_centre);
        assert!((young / 20.0 - 10.0 / 15.8).abs() < 0.08, "{young}");
        assert!((old / 20.0 - 20.0 / 15.8).abs() < 0.08, "{old}");
    }

    #[test]
    fn women_and_men_have_prototypes_of_their_own_where_all_ages_exist() {
        fn bright_above(_: u32, y: u32) -> u8 {
            if y < 8 { 150 } else { 100 }
        }
        let (woman, man) = (Some(Gender::Female), Some(Gender::Male));
        let faces = vec![
            labelled(woman, 0, |_, _| 100),
            labelled(woman, 1, |_, _| 100),
            labelled(man, 0, |_, _| 100),
            labelled(None, 1, bright_above),
        ];
        let prototypes = prototypes(faces, [0.0, 1.0, 0.0]);
        let source = face(|_, _| 50);

        let aged = |gender| prototypes.age(&source, gender, 1);

        assert_eq!(aged(woman), source);
        assert_ne!(aged(None), source);
        assert_eq!(aged(man), aged(None), "there is no older man");
    }

    #[test]
    fn a_flipped_face_ages_to_the_flipped_result() {
        let faces =
            vec![labelled(None, 0, |x, y| (40 + 7 * x + 3 * y) as u8), labelled(None, 1, |x, y| (9 * x + y) as u8)];
        let prototypes = prototypes(faces, [1.5, 2.0, 3.0]);
        let flipped = |face: &RgbImage| image::imageops::flip_horizontal(face);
        let young = face(|x, y| (200 - 5 * x - 4 * y) as u8);

        let (one, other) = (prototypes.age(&young, None, 1), prototypes.age(&flipped(&young), None, 1));

        let pairs = one.as_raw().iter().zip(flipped(&other).into_raw()).map(|(a, b)| a.abs_diff(b)).collect::<Vec<_>>();
        assert!(pairs.iter().all(|difference| *difference <= 1), "{pairs:?}");
        assert_ne!(one, young);
    }
}
