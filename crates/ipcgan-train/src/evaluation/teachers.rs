//! Metrics on real faces of the networks that the generator was trained with.

use ipcgan_data::{FaceSet, IdentityLabels, pixels};
use ipcgan_model::AlexNet;

use super::judges::rows;
use super::metrics::Teachers;
use super::statistics::Interval;
use super::subject::EvaluatedGenerator;
use crate::TrainingError;
use crate::metric::verification::verification_auc;

/// Batch size.
const BATCH: usize = 32;

/// Evaluates `alexnet` on all of `faces`.
///
/// # Errors
/// An image cannot be read.
pub(super) fn teachers(
    alexnet: &AlexNet,
    faces: &dyn FaceSet,
    subject: &EvaluatedGenerator<'_>,
) -> Result<Teachers, TrainingError> {
    let mut embeddings: Vec<Vec<f32>> = Vec::new();
    // Absolute group error of the age classifier, where the group is known.
    let mut errors = Vec::new();
    let indices: Vec<usize> = (0..faces.len()).collect();
    for indices in indices.chunks(BATCH) {
        let images = subject.images(faces, indices)?;
        let features = alexnet.features(pixels::faces_tensor(&images, subject.device));
        embeddings.extend(rows(alexnet.embedding(features.clone())));
        let predicted = rows(alexnet.age_logits(features)).into_iter().map(|logits| largest(&logits));
        let known = indices
            .iter()
            .zip(predicted)
            .filter_map(|(index, predicted)| Some((faces.label(*index).group?, predicted)));
        errors.extend(known.map(|(group, predicted)| group.abs_diff(predicted)));
    }
    let known: Vec<usize> = (0..faces.len()).filter(|index| faces.label(*index).identity.is_some()).collect();
    let labels = IdentityLabels::of(faces).labels;
    let identities: Vec<i64> = known.iter().map(|index| labels[*index] as i64).collect();
    let vectors: Vec<Vec<f32>> = known.iter().map(|index| embeddings[*index].clone()).collect();
    Ok(Teachers {
        age_accuracy: Interval::of_fraction(errors.iter().map(|error| *error == 0)),
        age_within_one: Interval::of_fraction(errors.iter().map(|error| *error <= 1)),
        verification_auc: verification_auc(&vectors, &identities),
        known_faces: known.len(),
    })
}

fn largest(values: &[f32]) -> usize {
    (0..values.len()).max_by(|a, b| values[*a].total_cmp(&values[*b])).unwrap_or(0)
}
