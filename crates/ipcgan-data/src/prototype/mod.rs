//! Prototype ageing: ages a face by the differences between the mean face of an age group and that of all ages.
//!
//! The change does not depend on the age of the face, which can only be guessed from the face.
//!
//! Sources: Benson and Perrett, "Extracting prototypical facial images from exemplars" (1993), for the differences of
//! means; Burt and Perrett, "Perception of age in adult Caucasian male faces" (1995), for shape and colour; Tiddeman,
//! Burt and Perrett, "Prototyping and transforming facial textures for perception research" (2001), for the detail that
//! means lack: each frequency band of the face is scaled by the ratio of its magnitudes in the two groups.

mod glasses;
mod mean_difference;
mod optical_flow;
mod plane;
mod statistics;
mod strength;
mod transition;

pub use mean_difference::MeanDifference;
pub use strength::PrototypeStrength;

use image::RgbImage;
use ipcgan_model::AgeGroups;
use rayon::prelude::*;

use crate::{DataError, FaceSet, Gender, check_groups, photo};
use glasses::weight_without_glasses;
use plane::ordered_sum;
use statistics::{Prototype, channels, frequency_bands, luminance};
use transition::Transition;

/// Ages faces by prototypes: statistics of a set of labelled faces, by age group and gender.
pub struct PrototypeAging {
    side: usize,
    groups: usize,
    /// By gender: female, male, and all faces (for faces of unknown gender); then by target group.
    transitions: Vec<Option<Transition>>,
}

impl PrototypeAging {
    /// Number of classes of faces: two genders and all.
    const CLASSES: usize = 3;
    const ALL: usize = 2;

    /// Statistics of `faces` at `side` x `side` pixels, for changes of `strength`.
    ///
    /// Faces without an age group do not contribute, and faces that seem to wear glasses contribute little. Statistics are
    /// those of the faces and of their mirror images, so that ageing a flipped face flips the result. Takes about a
    /// millisecond per face and a few seconds besides.
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
        let mut sums = vec![(0.0, Prototype::zeros(side)); Self::CLASSES * count];
        let statistics = |index: usize| -> Result<_, DataError> {
            let label = faces.label(index);
            let Some(group) = label.group.filter(|group| *group < count) else { return Ok(None) };
            let face = photo::resized(&photo::centred_square(&faces.image(index)?), side as u32);
            let channels = channels(&face);
            let luminance = luminance(&channels);
            let weight = weight_without_glasses(&luminance);
            Ok(Some((class_of(label.gender), group, weight, channels, frequency_bands(&luminance))))
        };
        ordered_sum(faces.len(), statistics, |statistics| {
            let Some((class, group, weight, channels, bands)) = statistics else { return };
            let classes = if class == Self::ALL { vec![class] } else { vec![class, Self::ALL] };
            for class in classes {
                let (weights, sum) = &mut sums[class * count + group];
                *weights += weight;
                sum.add(weight, &channels, &bands);
            }
        })?;
        let prototypes: Vec<Option<Prototype>> = sums.into_iter().map(|(weights, sum)| sum.averaged(weights)).collect();
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

    /// Whether faces of `gender` have prototypes of their own, because there are such faces in all age groups.
    pub fn has_gender(&self, gender: Gender) -> bool {
        self.transitions[class_of(Some(gender)) * self.groups].is_some()
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

#[cfg(test)]
mod tests {
    use image::Rgb;

    use super::*;
    use crate::FaceLabel;

    const SIDE: u32 = 32;

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

    #[test]
    fn local_colours_in_the_face_are_scaled_by_the_ratio_to_the_mean_of_all_ages_but_not_the_light() {
        // Twice as bright in the second group, and a spot that is darker than its surroundings.
        fn young(_: u32, _: u32) -> u8 {
            60
        }
        fn old(x: u32, y: u32) -> u8 {
            if (15..17).contains(&x) && (15..17).contains(&y) { 90 } else { 120 }
        }
        let prototypes = prototypes(vec![labelled(None, 0, young), labelled(None, 1, old)], [0.0, 1.0, 0.0]);

        let aged = prototypes.age(&face(|_, _| 100), None, 1);

        let at = |x: u32, y: u32| f64::from(aged.get_pixel(x, y)[0]);
        // Means of both: 90, and 75 in the spot; ratios 1.33 and 1.2, which differ by a factor of 0.9.
        assert!((at(16, 16) / at(16, 8) - 0.91).abs() < 0.02, "{} {}", at(16, 16), at(16, 8));
        assert!((at(8, 16) - 100.0).abs() <= 2.0, "{}", at(8, 16));
        assert_eq!(at(0, 0), 100.0, "outside of the face nothing changes");
    }

    #[test]
    fn frames_of_glasses_hardly_count_unless_all_faces_wear_them() {
        fn bare(_: u32, _: u32) -> u8 {
            250
        }
        fn glasses(_: u32, y: u32) -> u8 {
            if (9..11).contains(&y) { 0 } else { 250 }
        }
        // Brightness on the bridge of the nose of a face of 200, aged by these older faces.
        let bridge = |older: &[fn(u32, u32) -> u8]| {
            let older = older.iter().map(|face| labelled(None, 1, *face));
            let faces = std::iter::once(labelled(None, 0, bare)).chain(older).collect();
            prototypes(faces, [0.0, 1.0, 0.0]).age(&face(|_, _| 200), None, 1).get_pixel(16, 9)[0]
        };

        let [some, all] = [bridge(&[bare, glasses]), bridge(&[glasses])];

        assert!(some > 190 && all < 180, "{some} {all}");
    }

    #[test]
    fn eyes_keep_their_colour() {
        fn young(_: u32, _: u32) -> u8 {
            100
        }
        // Brighter in the eye at the left and on the cheek below it.
        fn old(x: u32, y: u32) -> u8 {
            if (9..11).contains(&x) && ((9..11).contains(&y) || (18..20).contains(&y)) { 140 } else { 100 }
        }
        let prototypes = prototypes(vec![labelled(None, 0, young), labelled(None, 1, old)], [0.0, 1.0, 0.0]);

        let aged = prototypes.age(&face(|_, _| 100), None, 1);

        let at = |y: u32| i32::from(aged.get_pixel(10, y)[0]);
        assert!((at(9) - 100).abs() <= 1 && at(19) > 105, "{} {}", at(9), at(19));
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
            f64::from(aged.get_pixel(16, 16)[0]) - f64::from(aged.get_pixel(15, 16)[0])
        };

        // Magnitudes 10 and 20, geometric mean 14.1 (all half a level more).
        let [young, old] = [0, 1].map(contrast_at_the_centre);
        assert!((young / 20.0 - 10.5 / 14.7).abs() < 0.08, "{young}");
        assert!((old / 20.0 - 20.5 / 14.7).abs() < 0.08, "{old}");
    }

    #[test]
    fn grey_faces_stay_grey() {
        let faces = vec![labelled(None, 0, |_, _| 100), labelled(None, 1, |x, y| (60 + 3 * x + 2 * y) as u8)];
        let mut prototypes = prototypes(faces, [0.0, 1.0, 0.0]);
        // As if red alone changed with age.
        for transition in prototypes.transitions.iter_mut().flatten() {
            transition.saturation = 0.4;
            transition.colour[0] = transition.colour[0].map(|_| 1.2);
        }

        let aged = prototypes.age(&face(|_, _| 100), None, 1);
        let coloured = prototypes.age(&RgbImage::from_pixel(SIDE, SIDE, Rgb([150, 90, 60])), None, 1);

        assert!(aged.pixels().all(|pixel| pixel[0] == pixel[1] && pixel[1] == pixel[2]));
        assert_eq!(coloured.get_pixel(0, 0), &Rgb([180, 90, 60]));
    }

    #[test]
    fn women_and_men_have_prototypes_of_their_own_where_all_ages_exist() {
        fn bright_above(_: u32, y: u32) -> u8 {
            if y < 16 { 150 } else { 100 }
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

        assert!(prototypes.has_gender(Gender::Female) && !prototypes.has_gender(Gender::Male));
        assert_eq!(aged(woman), source);
        assert_ne!(aged(None), source);
        assert_eq!(aged(man), aged(None), "there is no older man");
    }

    #[test]
    fn a_flipped_face_ages_to_the_flipped_result() {
        let faces =
            vec![labelled(None, 0, |x, y| (40 + 4 * x + 2 * y) as u8), labelled(None, 1, |x, y| (6 * x + y) as u8)];
        let prototypes = prototypes(faces, [1.5, 2.0, 3.0]);
        let flipped = |face: &RgbImage| image::imageops::flip_horizontal(face);
        let young = face(|x, y| (250 - 4 * x - 3 * y) as u8);

        let (one, other) = (prototypes.age(&young, None, 1), prototypes.age(&flipped(&young), None, 1));

        let pairs = one.as_raw().iter().zip(flipped(&other).into_raw()).map(|(a, b)| a.abs_diff(b)).collect::<Vec<_>>();
        assert!(pairs.iter().all(|difference| *difference <= 1), "{pairs:?}");
        assert_ne!(one, young);
    }
}
