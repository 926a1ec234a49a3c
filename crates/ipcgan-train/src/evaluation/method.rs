//! Metrics of one ageing method.

use std::sync::Arc;

use image::RgbImage;
use ipcgan_data::source::sharpness;
use ipcgan_model::AgeGroups;

use super::distribution::distribution;
use super::image_metrics::{background_difference, difference};
use super::judges::FaceEstimate;
use super::metrics::{Cycle, Distribution, Method, Pair, RealFaces, SecondAges};
use super::realism::realism;
use super::statistics::{Interval, correlation_with_order, cosine_distance, mean};
use super::subject::{RealFace, age};

/// Outputs of an ageing method.
pub(super) struct AgedFaces {
    /// Each face at each age; shared by the subsets.
    pub(super) images: Vec<Arc<[RgbImage]>>,
    /// Estimates for them.
    pub(super) estimates: Vec<Vec<FaceEstimate>>,
    /// Each face aged and brought back, with its estimate, if the method supports it.
    pub(super) back: Option<Vec<(RgbImage, FaceEstimate)>>,
    /// Perceptual distance of each face at its own age to its source.
    pub(super) perceptual: Vec<f64>,
}

impl AgedFaces {
    /// The outputs for the faces at `indices`.
    pub(super) fn subset(&self, indices: &[usize]) -> Self {
        Self {
            images: indices.iter().map(|index| self.images[*index].clone()).collect(),
            estimates: indices.iter().map(|index| self.estimates[*index].clone()).collect(),
            back: self.back.as_ref().map(|back| indices.iter().map(|index| back[*index].clone()).collect()),
            perceptual: indices.iter().map(|index| self.perceptual[*index]).collect(),
        }
    }
}

pub(super) fn method_metrics(
    name: &str,
    real: &[RealFace],
    aged: &AgedFaces,
    reference: &RealFaces,
    groups: &AgeGroups,
) -> Method {
    let faces = MethodFaces { real, aged, groups };
    let years: Vec<_> = groups.indices().map(|target| Interval::of(&faces.years(target))).collect();
    let errors = years.iter().zip(&reference.years).filter_map(|(aged, real)| Some((aged.as_ref()?, real.as_ref()?)));
    let errors: Vec<f64> = errors.map(|(aged, real)| (aged.value - real.value).abs()).collect();
    let is_of_target =
        |face: usize, target: usize| groups.group_of(age(faces.estimate(face, target).years)) == Some(target);
    let is_verified = |limit: f64| faces.fraction(&|face, target| faces.identity_distance(face, target) <= limit);
    Method {
        name: name.into(),
        pairs: pairs_of_groups(real, aged, reference, groups),
        confusion: confusion(aged, groups),
        years,
        mean_age_error: (!errors.is_empty()).then(|| mean(&errors)),
        accuracy: faces.fraction(&is_of_target),
        second_ages: SecondAges::of(&faces.second_years(), groups),
        age_correlation: faces.age_correlation(),
        verification_rate: reference.thresholds.map(|limit| limit.and_then(is_verified)),
        distance_by_gap: groups.indices().map(|gap| faces.distance_of_gap(gap)).collect(),
        laplacian_variance_ratio: faces.laplacian_variance_ratio(),
        background_change: faces.change(&background_difference),
        own_group_change: faces.own_group_change(),
        own_group_perceptual_distance: Interval::of(&aged.perceptual),
        distribution: faces.distribution(),
        realism: groups.indices().map(|target| realism(real, &aged.estimates, target)).collect(),
        cycle: aged.back.as_ref().and_then(|back| cycle(real, back)),
    }
}

/// Real faces and the outputs of a method.
struct MethodFaces<'a> {
    real: &'a [RealFace],
    aged: &'a AgedFaces,
    groups: &'a AgeGroups,
}

impl MethodFaces<'_> {
    fn estimate(&self, face: usize, target: usize) -> &FaceEstimate {
        &self.aged.estimates[face][target]
    }

    /// Estimated ages of the faces aged to `target`.
    fn years(&self, target: usize) -> Vec<f64> {
        self.aged.estimates.iter().map(|estimates| estimates[target].years).collect()
    }

    /// Ages, by the second estimator, of the faces aged to each group.
    fn second_years(&self) -> Vec<Vec<f64>> {
        let of_target =
            |target: usize| self.aged.estimates.iter().map(|estimates| estimates[target].second_years).collect();
        self.groups.indices().map(of_target).collect()
    }

    /// Cosine distance of the embedding of a face aged to `target` from its source.
    fn identity_distance(&self, face: usize, target: usize) -> f64 {
        cosine_distance(&self.real[face].estimate.embedding, &self.estimate(face, target).embedding)
    }

    /// Interval over faces of a value per face and age. Ages of one face are not independent, so each face counts by
    /// its mean.
    fn over_faces(&self, of: &dyn Fn(usize, usize) -> f64) -> Option<Interval> {
        let of_face = |face| mean(&self.groups.indices().map(|target| of(face, target)).collect::<Vec<_>>());
        Interval::of(&(0..self.real.len()).map(of_face).collect::<Vec<_>>())
    }

    fn fraction(&self, case: &dyn Fn(usize, usize) -> bool) -> Option<Interval> {
        self.over_faces(&|face, target| f64::from(u8::from(case(face, target))))
    }

    /// Interval of a value per source and aged face.
    fn change(&self, of: &dyn Fn(&RgbImage, &RgbImage) -> f64) -> Option<Interval> {
        self.over_faces(&|face, target| of(&self.real[face].image, &self.aged.images[face][target]))
    }

    fn laplacian_variance_ratio(&self) -> Option<Interval> {
        self.change(&|source, aged| sharpness(aged) / sharpness(source).max(1e-9))
    }

    fn age_correlation(&self) -> Option<Interval> {
        let of = |estimates: &Vec<FaceEstimate>| {
            correlation_with_order(&estimates.iter().map(|estimate| estimate.years).collect::<Vec<_>>())
        };
        Interval::of(&self.aged.estimates.iter().filter_map(of).collect::<Vec<_>>())
    }

    /// Mean embedding distance from the source of faces aged by `gap` groups, up or down.
    fn distance_of_gap(&self, gap: usize) -> Option<f64> {
        let of_face = |face: usize| {
            let targets = self.groups.indices().filter(move |target| self.real[face].group.abs_diff(*target) == gap);
            targets.map(move |target| self.identity_distance(face, target))
        };
        let distances: Vec<f64> = (0..self.real.len()).flat_map(of_face).collect();
        (!distances.is_empty()).then(|| mean(&distances))
    }

    fn own_group_change(&self) -> Option<Interval> {
        let own = |(face, images): (&RealFace, &Arc<[RgbImage]>)| difference(&face.image, &images[face.group]);
        Interval::of(&self.real.iter().zip(&self.aged.images).map(own).collect::<Vec<_>>())
    }

    /// One half of the faces, aged to the next group, compared with the other half unchanged. They are the halves of
    /// [`RealFaces::distribution`], so that both distances are between as many faces, without a common identity.
    fn distribution(&self) -> Distribution {
        let half = |half| self.real.iter().zip(&self.aged.estimates).filter(move |(face, _)| face.is_of_half(half));
        let next = |(face, estimates): (&RealFace, &Vec<FaceEstimate>)| {
            estimates[(face.group + 1) % estimates.len()].embedding.clone()
        };
        let aged: Vec<_> = half(0).map(next).collect();
        let left: Vec<_> = half(1).map(|(face, _)| face.estimate.embedding.clone()).collect();
        distribution(&aged, &left)
    }
}

fn pairs_of_groups(
    real: &[RealFace],
    aged: &AgedFaces,
    reference: &RealFaces,
    groups: &AgeGroups,
) -> Vec<Vec<Option<Pair>>> {
    let pair = |source: usize, target: usize| {
        let of = real.iter().zip(&aged.estimates).filter(|(face, _)| face.group == source);
        let years: Vec<f64> = of.map(|(_, estimates)| estimates[target].years).collect();
        let expected = reference.years[target].as_ref();
        let hit = |years: &f64| f64::from(u8::from(groups.group_of(age(*years)) == Some(target)));
        (!years.is_empty()).then(|| Pair {
            faces: years.len(),
            years: mean(&years),
            error: expected.map(|real| mean(&years.iter().map(|years| (years - real.value).abs()).collect::<Vec<_>>())),
            accuracy: mean(&years.iter().map(hit).collect::<Vec<_>>()),
        })
    };
    groups.indices().map(|source| groups.indices().map(|target| pair(source, target)).collect()).collect()
}

fn confusion(aged: &AgedFaces, groups: &AgeGroups) -> Vec<Vec<f64>> {
    let fraction = |target: usize, group: usize| {
        let found = |estimates: &&Vec<FaceEstimate>| groups.group_of(age(estimates[target].years)) == Some(group);
        aged.estimates.iter().filter(found).count() as f64 / aged.estimates.len() as f64
    };
    groups.indices().map(|target| groups.indices().map(|group| fraction(target, group)).collect()).collect()
}

fn cycle(real: &[RealFace], back: &[(RgbImage, FaceEstimate)]) -> Option<Cycle> {
    let over_faces = |of: &dyn Fn(&RealFace, &(RgbImage, FaceEstimate)) -> f64| {
        Interval::of(&real.iter().zip(back).map(|(face, back)| of(face, back)).collect::<Vec<_>>())
    };
    Some(Cycle {
        change: over_faces(&|face, (image, _)| difference(&face.image, image))?,
        distance: over_faces(&|face, (_, estimate)| cosine_distance(&face.estimate.embedding, &estimate.embedding))?,
        years: over_faces(&|face, (_, estimate)| (face.estimate.years - estimate.years).abs())?,
    })
}
