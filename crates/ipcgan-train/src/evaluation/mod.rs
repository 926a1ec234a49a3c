//! Evaluation of a generator with networks that are independent of its training.

mod comparison;
mod distribution;
mod gender;
mod image_metrics;
mod judges;
mod method;
mod metrics;
mod realism;
mod report;
mod statistics;
mod subject;
mod teachers;
mod two_sample;
mod verdict;

pub use judges::Judges;
pub use metrics::{
    Comparison, Cycle, Distribution, FALSE_ACCEPT_RATES, GenderMetrics, Method, Metrics, Pair, Quality, RealFaces,
    Realism, SecondAges, Teachers, TwoSample, Verdict,
};
pub use report::report;
pub use statistics::Interval;

use std::collections::HashMap;
use std::sync::Arc;

use burn::tensor::{Int, Tensor};
use image::RgbImage;
use ipcgan_data::{FaceSet, IdentityLabels, MeanDifference, pixels};
use ipcgan_model::AgeGroups;

use crate::TrainingError;
use crate::samples::at_every_age;
use comparison::{GENERATOR, comparison};
use gender::by_gender;
use method::AgedFaces;
pub use subject::EvaluatedGenerator;
use subject::{RealFace, age};
use teachers::teachers;

/// Maximum number of faces of an evaluation by default, the `count` of [`evaluate`].
pub const DEFAULT_MAX_FACES: usize = 500;

/// Progress callback: done, total.
type Progress<'a> = &'a dyn Fn(usize, usize);

/// Result of an evaluation.
pub struct Evaluation {
    /// Metrics.
    pub metrics: Metrics,
    /// Rows of a source face and the generator's outputs for each age group.
    pub strips: Vec<Vec<RgbImage>>,
    /// For each target group, a generated face of each group by its estimated age, if there is one.
    pub examples: Vec<Vec<Option<RgbImage>>>,
}

/// Ages at most `count` of `faces`, balanced over the age groups, and measures the results, with two baselines: the
/// unchanged face, and ageing by the [`MeanDifference`] of the target and the source group. The mean faces are computed
/// from `known`, which need not be held out.
///
/// # Errors
/// An image cannot be read, or there are fewer than two faces of known age.
pub fn evaluate(
    subject: &EvaluatedGenerator<'_>,
    faces: &dyn FaceSet,
    known: &dyn FaceSet,
    count: usize,
    judges: &Judges,
    progress: Progress<'_>,
) -> Result<Evaluation, TrainingError> {
    let selected = selected(faces, subject.groups, count);
    if selected.len() < 2 {
        return Err(TrainingError::TooFewFaces { found: selected.len() });
    }
    // Ageing each face, and estimating two methods.
    let steps = 3 * selected.len();
    let real = real_faces(subject, faces, selected, judges)?;
    let mut ours = Vec::new();
    for face in &real {
        ours.push(at_every_age(subject.generator, &face.image, subject.device));
        progress(ours.len(), steps);
    }
    let back: Vec<RgbImage> = real.iter().zip(&ours).map(|(face, aged)| back(subject, face, aged)).collect();
    let estimates_back = judges.estimates(&back);
    let back: Vec<_> = back.into_iter().zip(estimates_back).collect();
    let strips = strips(&real, &ours);
    let groups = subject.groups.count();
    let unchanged = AgedFaces {
        images: real.iter().map(|face| vec![face.image.clone(); groups].into()).collect(),
        estimates: real.iter().map(|face| vec![face.estimate.clone(); groups]).collect(),
        back: None,
        perceptual: vec![0.0; real.len()],
    };
    let baseline = MeanDifference::new(known, subject.groups, subject.size)?;
    let mean_difference = real.iter().map(|face| baseline.at_every_age(&face.image, face.group)).collect();
    let with_estimates = |images: Vec<Vec<RgbImage>>, back, done: usize| {
        let mut estimates = Vec::new();
        for aged in &images {
            estimates.push(judges.estimates(aged));
            progress(done + estimates.len(), steps);
        }
        let own: Vec<&RgbImage> = real.iter().zip(&images).map(|(face, aged)| &aged[face.group]).collect();
        let sources: Vec<&RgbImage> = real.iter().map(|face| &face.image).collect();
        let perceptual = judges.perceptual_distances(&sources, &own);
        AgedFaces { images: images.into_iter().map(Arc::from).collect(), estimates, back, perceptual }
    };
    let aged_faces = [
        ("generator", with_estimates(ours, Some(back), real.len())),
        ("unchanged source", unchanged),
        ("mean difference x 2.5", with_estimates(mean_difference, None, 2 * real.len())),
    ];
    let teachers = subject.alexnet.map(|alexnet| teachers(alexnet, faces, subject)).transpose()?;
    let all = comparison(&real, &aged_faces, subject.groups);
    let genders = by_gender(&real, &aged_faces, subject.groups);
    let metrics = Metrics { groups: subject.groups.names(), all, genders, teachers };
    let examples = examples(&aged_faces[GENERATOR].1, subject.groups);
    Ok(Evaluation { metrics, strips, examples })
}

/// The `selected` faces, with the estimates of the judges.
///
/// # Errors
/// An image cannot be read.
fn real_faces(
    subject: &EvaluatedGenerator<'_>,
    faces: &dyn FaceSet,
    selected: Vec<(usize, usize)>,
    judges: &Judges,
) -> Result<Vec<RealFace>, TrainingError> {
    let indices: Vec<usize> = selected.iter().map(|(index, _)| *index).collect();
    let images = subject.images(faces, &indices)?;
    let estimates = judges.estimates(&images);
    let real = selected.into_iter().zip(identities(faces, &indices)).zip(images).zip(estimates);
    let real = real.map(|((((index, group), identity), image), estimate)| {
        let gender = faces.label(index).gender;
        RealFace { image, group, identity, gender, estimate }
    });
    Ok(real.collect())
}

/// Faces of known group, spread evenly over each group, with their groups.
fn selected(faces: &dyn FaceSet, groups: &AgeGroups, count: usize) -> Vec<(usize, usize)> {
    let of_group = |group: usize| {
        // The remainder goes to the first groups.
        let quota = count / groups.count() + usize::from(group < count % groups.count());
        let all: Vec<usize> = (0..faces.len()).filter(|index| faces.label(*index).group == Some(group)).collect();
        let kept = quota.min(all.len());
        (0..kept).map(move |place| (all[place * all.len() / kept], group)).collect::<Vec<_>>()
    };
    groups.indices().flat_map(of_group).collect()
}

/// Identity of each of the images at `indices`, as [`RealFace::identity`]. A face without identity label is its own
/// identity.
fn identities(faces: &dyn FaceSet, indices: &[usize]) -> Vec<usize> {
    let labels = IdentityLabels::of(faces).labels;
    let mut known = HashMap::new();
    let identity = |index: &usize| {
        let next = known.len();
        *known.entry(labels[*index]).or_insert(next)
    };
    indices.iter().map(identity).collect()
}

/// `face` aged to the farthest group, and from there back to its own (cycle consistency).
fn back(subject: &EvaluatedGenerator<'_>, face: &RealFace, aged: &[RgbImage]) -> RgbImage {
    let farthest = if face.group * 2 < aged.len() { aged.len() - 1 } else { 0 };
    let there = pixels::faces_tensor(&aged[farthest..=farthest], subject.device);
    let target = Tensor::<1, Int>::from_data([face.group as i64], subject.device);
    pixels::images(subject.generator.forward(there, target)).remove(0)
}

/// For each target group, the first face of each group by its estimated age.
fn examples(aged: &AgedFaces, groups: &AgeGroups) -> Vec<Vec<Option<RgbImage>>> {
    let example = |target: usize, group: usize| {
        let place =
            aged.estimates.iter().position(|estimates| groups.group_of(age(estimates[target].years)) == Some(group));
        place.map(|face| aged.images[face][target].clone())
    };
    groups.indices().map(|target| groups.indices().map(|group| example(target, group)).collect()).collect()
}

/// Example faces, spread over all.
fn strips(real: &[RealFace], aged: &[Vec<RgbImage>]) -> Vec<Vec<RgbImage>> {
    const SHOWN: usize = 50;
    let shown = SHOWN.min(real.len());
    let places = (0..shown).map(|row| row * real.len() / shown);
    places.map(|place| [std::slice::from_ref(&real[place].image), &aged[place]].concat()).collect()
}
