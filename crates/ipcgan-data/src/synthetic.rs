//! Synthetic faces with identity and age as parameters: no download, exact ground truth.
//!
//! Each image is a pure function of seed, identity, age group and shot. A [`person::Person`] is the same at every age,
//! [`ageing::Ageing`] depends on the age, and [`capture::Capture`] (background, light, pose, expression, noise) depends
//! on neither.

mod ageing;
mod canvas;
mod capture;
mod colour;
mod eyes;
mod hair;
mod head;
mod lines;
mod look;
mod mouth;
mod nose;
mod person;
mod render;

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use burn::config::Config;
use image::RgbImage;
use ipcgan_model::{AgeGroups, InvalidConfig};
use rand::{Rng, RngExt};
use rayon::prelude::*;

use crate::random::{mixed, random};
use crate::{DataError, FaceLabel, FaceSet};
use capture::Capture;
use person::Person;

/// Configuration of the synthetic faces.
#[derive(Config, Debug, PartialEq, Eq)]
pub struct SyntheticConfig {
    /// Number of identities, at least 1. Default: 200.
    #[config(default = 200)]
    pub identities: usize,
    /// Images of each identity in each age group, at least 1. Default: 2.
    #[config(default = 2)]
    pub faces_per_group: usize,
    /// Width and height in pixels, 8 to 4096. Default: 64.
    #[config(default = 64)]
    pub size: u32,
    /// Random seed. Default: 0.
    #[config(default = 0)]
    pub seed: u64,
}

/// Maximum number of identities, and of faces of each in an age group.
const MAX_COUNT: usize = 1_000_000_000;
/// Minimum width and height in pixels: readers of photos reject smaller images.
const MIN_SIZE: u32 = 8;
/// Number of years that the last, open-ended age group covers.
const LAST_GROUP_YEARS: u32 = 25;

impl SyntheticConfig {
    /// Checks that all numbers are in their ranges.
    ///
    /// # Errors
    /// The first field that is out of its range.
    pub fn check(&self) -> Result<(), InvalidConfig> {
        InvalidConfig::check_range("identities", self.identities, 1..=MAX_COUNT)?;
        InvalidConfig::check_range("faces_per_group", self.faces_per_group, 1..=MAX_COUNT)?;
        InvalidConfig::check_range("size", self.size, MIN_SIZE..=4096)
    }
}

/// Synthetic faces of several identities, each in every age group.
///
/// Eyes are at 0.30 and 0.68 of the width and 0.30 of the height, corners of the mouth at 0.70 of the height, as in
/// aligned photos. Images are rendered on demand and cached.
pub struct SyntheticFaces {
    config: SyntheticConfig,
    labels: Vec<FaceLabel>,
    images: Vec<OnceLock<RgbImage>>,
}

impl SyntheticFaces {
    /// The faces of `config` at these age groups, ordered by identity, then by group.
    ///
    /// # Panics
    /// If images are smaller than 8 x 8 pixels, which readers of photos reject.
    pub fn new(config: SyntheticConfig, groups: &AgeGroups) -> Self {
        assert!(
            config.size >= MIN_SIZE,
            "a face is drawn with at least {MIN_SIZE} x {MIN_SIZE} pixels, not {}",
            config.size
        );
        let mut labels = Vec::new();
        for identity in 0..config.identities {
            for group in groups.indices() {
                for shot in 0..config.faces_per_group {
                    let (first, last) = groups.ages(group);
                    let last = last.unwrap_or(first + LAST_GROUP_YEARS - 1);
                    let age = chance(&config, identity, group, shot, Use::Age).random_range(first..=last);
                    labels.push(FaceLabel {
                        group: Some(group),
                        age: Some(age),
                        identity: Some(format!("person-{identity:05}")),
                        split: None,
                        gender: None,
                    });
                }
            }
        }
        let images = labels.iter().map(|_| OnceLock::new()).collect();
        Self { config, labels, images }
    }

    /// Renders all images in parallel; `progress` receives the number done and the total, in no particular order.
    pub fn render_all(&self, progress: &(dyn Fn(usize, usize) + Sync)) {
        let done = AtomicUsize::new(0);
        (0..self.len()).into_par_iter().for_each(|index| {
            self.rendered(index);
            progress(done.fetch_add(1, Ordering::Relaxed) + 1, self.len());
        });
    }

    fn rendered(&self, index: usize) -> &RgbImage {
        self.images[index].get_or_init(|| {
            let (identity, group, shot) = self.place(index);
            let chance = |what| chance(&self.config, identity, group, shot, what);
            let person = Person::random(&mut random(mixed(self.config.seed), 0, identity as u64));
            let age = self.labels[index].age.unwrap_or_default() as f32 + chance(Use::Months).random_range(0.0..1.0);
            let capture = Capture::random(&mut chance(Use::Capture));
            render::render(&person, age, &capture, self.config.size)
        })
    }

    /// Identity, age group and shot of face `index`.
    fn place(&self, index: usize) -> (usize, usize, usize) {
        let shots = self.config.faces_per_group;
        let groups = self.labels.len() / (self.config.identities * shots);
        (index / (shots * groups), index / shots % groups, index % shots)
    }
}

impl FaceSet for SyntheticFaces {
    fn len(&self) -> usize {
        self.labels.len()
    }

    fn label(&self, index: usize) -> &FaceLabel {
        &self.labels[index]
    }

    fn name(&self, index: usize) -> String {
        let (identity, group, shot) = self.place(index);
        format!("person-{identity:05}/group-{group}/{shot}")
    }

    fn image(&self, index: usize) -> Result<RgbImage, DataError> {
        Ok(self.rendered(index).clone())
    }

    /// Covers everything that determines an image in addition to its name.
    fn source_checksum(&self, index: usize) -> Option<u32> {
        let SyntheticConfig { size, seed, .. } = self.config;
        let age = self.labels[index].age.expect("a synthetic face has an age");
        // `Some` keeps the checksums of folders that were prepared with it.
        Some(crc32c::crc32c(format!("{seed} {size} Some({age})").as_bytes()))
    }
}

/// Random aspects of an image, each with its own random stream.
#[derive(Clone, Copy)]
enum Use {
    Age = 1,
    Months,
    Capture,
}

fn chance(config: &SyntheticConfig, identity: usize, group: usize, shot: usize, what: Use) -> impl Rng + use<> {
    let image = mixed(mixed(identity as u64) ^ group as u64) ^ shot as u64;
    random(mixed(config.seed), image, what as u64)
}

#[cfg(test)]
mod tests {
    use image::Rgb;

    use super::*;

    fn faces(identities: usize, faces_per_group: usize, seed: u64) -> SyntheticFaces {
        SyntheticFaces::new(SyntheticConfig { identities, faces_per_group, size: 16, seed }, &AgeGroups::default())
    }

    fn image(faces: &SyntheticFaces, index: usize) -> RgbImage {
        faces.image(index).unwrap()
    }

    #[test]
    fn each_identity_has_every_age_group() {
        let groups = AgeGroups::default();
        let faces = faces(2, 3, 1);

        assert_eq!(faces.len(), 2 * 5 * 3);
        for index in 0..faces.len() {
            let label = faces.label(index);
            assert_eq!(label.identity, Some(format!("person-{:05}", index / 15)));
            assert_eq!(label.group, Some(index / 3 % 5));
            assert_eq!(groups.group_of(label.age.unwrap()), label.group);
        }
        assert_eq!(faces.name(16), "person-00001/group-0/1");
    }

    #[test]
    fn an_image_depends_only_on_seed_identity_group_and_shot() {
        let [few, many] = [faces(2, 1, 1), faces(9, 1, 1)];
        image(&many, 40);

        assert_eq!(image(&few, 7), image(&many, 7));
        assert_eq!(few.label(7), many.label(7));
        assert_ne!(image(&few, 7), image(&faces(2, 1, 2), 7));
        assert_ne!(image(&few, 7), image(&few, 2));
        assert_ne!(image(&few, 7), image(&few, 8));
    }

    #[test]
    fn two_shots_of_an_identity_differ() {
        let faces = faces(1, 2, 1);

        assert_ne!(image(&faces, 0), image(&faces, 1));
    }

    #[test]
    fn adjacent_age_groups_of_an_identity_differ_clearly() {
        const PEOPLE: u64 = 20;
        // Mean absolute difference of pixels, in levels of 255.
        const CLEARLY: f32 = 7.0;
        let mut differences = [0.0; 4];
        for identity in 0..PEOPLE {
            let person = Person::random(&mut random(1, 0, identity));
            let capture = Capture::random(&mut random(1, 1, identity));
            let faces = [15.5, 25.5, 35.5, 45.5, 60.0].map(|age| render::render(&person, age, &capture, 64));
            for (difference, pair) in differences.iter_mut().zip(faces.windows(2)) {
                let bytes = pair[0].as_raw().iter().zip(pair[1].as_raw());
                let sum: f32 = bytes.map(|(first, second)| f32::from(first.abs_diff(*second))).sum();
                *difference += sum / pair[0].as_raw().len() as f32 / PEOPLE as f32;
            }
        }

        assert!(differences.iter().all(|difference| *difference > CLEARLY), "{differences:?}");
    }

    #[test]
    fn all_faces_are_rendered_and_each_is_reported() {
        let faces = faces(3, 1, 1);
        let reported = AtomicUsize::new(0);

        faces.render_all(&|_, total| {
            assert_eq!(total, 15);
            reported.fetch_add(1, Ordering::Relaxed);
        });

        assert_eq!(reported.into_inner(), 15);
        assert!(faces.images.iter().all(|image| image.get().is_some()));
    }

    #[test]
    fn eyes_are_where_aligned_photos_have_them() {
        let faces = SyntheticFaces::new(
            SyntheticConfig { identities: 12, faces_per_group: 1, size: 64, seed: 1 },
            &AgeGroups::default(),
        );
        let mean_at = |x: f32, y: f32| {
            let sum: f32 = (0..faces.len())
                .map(|index| grey(image(&faces, index).get_pixel((64.0 * x) as u32, (64.0 * y) as u32)))
                .sum();
            sum / faces.len() as f32
        };

        let cheek = mean_at(0.30, 0.46);
        assert!(mean_at(0.30, 0.30) < 0.75 * cheek && mean_at(0.68, 0.30) < 0.75 * cheek);
    }

    /// Largest deviation of a group from the mean of all groups, in standard errors.
    fn largest_deviation(faces: &SyntheticFaces, measure: impl Fn(&RgbImage) -> f32) -> f32 {
        let values: Vec<_> =
            (0..faces.len()).map(|index| (faces.label(index).group, measure(&image(faces, index)))).collect();
        let mean = |values: &[f32]| values.iter().sum::<f32>() / values.len() as f32;
        let all: Vec<f32> = values.iter().map(|(_, value)| *value).collect();
        let variance = mean(&all.iter().map(|value| (value - mean(&all)).powi(2)).collect::<Vec<_>>());
        let deviation = |group: usize| {
            let of_group: Vec<f32> =
                values.iter().filter(|(of, _)| *of == Some(group)).map(|(_, value)| *value).collect();
            (mean(&of_group) - mean(&all)).abs() / (variance / of_group.len() as f32).sqrt()
        };
        (0..5).map(deviation).fold(0.0, f32::max)
    }

    fn grey(Rgb([red, green, blue]): &Rgb<u8>) -> f32 {
        0.299 * f32::from(*red) + 0.587 * f32::from(*green) + 0.114 * f32::from(*blue)
    }

    fn mean_of(image: &RgbImage, wanted: impl Fn(u32, u32) -> bool, measure: impl Fn(&Rgb<u8>) -> f32) -> f32 {
        let of_region = || image.enumerate_pixels().filter(|(x, y, _)| wanted(*x, *y));
        of_region().map(|(_, _, pixel)| measure(pixel)).sum::<f32>() / of_region().count() as f32
    }

    #[test]
    fn age_shows_in_skin_colour_and_not_in_brightness_or_background() {
        let faces = faces(100, 1, 3);
        // Each group has 100 images: one of five such means exceeds four standard errors for one seed in 3000.
        const CHANCE: f32 = 4.0;

        let brightness = largest_deviation(&faces, |image| mean_of(image, |_, _| true, grey));
        let corners = largest_deviation(&faces, |image| mean_of(image, |x, y| !(1..=14).contains(&x) && y > 14, grey));
        let redness = |Rgb([red, _, blue]): &Rgb<u8>| f32::from(*red) - f32::from(*blue);
        let skin = largest_deviation(&faces, |image| mean_of(image, |x, y| x.abs_diff(8) < 5 && y < 14, redness));

        assert!(brightness < CHANCE, "{brightness}");
        assert!(corners < CHANCE, "{corners}");
        assert!(skin > 2.0 * CHANCE, "{skin}");
    }
}
