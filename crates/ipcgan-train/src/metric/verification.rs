//! Identity verification on held-out faces: ROC AUC and rank-1 accuracy.

use std::collections::HashMap;

use burn::tensor::{ExecutionError, Int, Tensor, TensorReadError};
use burn::train::ItemLazy;
use burn::train::metric::Adaptor;

use crate::metric::epoch::{EpochMetric, EpochOutputs, rows};

/// Embeddings and identities of a batch of held-out faces.
#[derive(Clone, Debug)]
pub struct IdentityValidation {
    /// `[batch, embedding]`.
    pub embeddings: Tensor<2>,
    /// `[batch]`; equal numbers are the same person.
    pub identities: Tensor<1, Int>,
}

impl ItemLazy for IdentityValidation {
    fn sync(self) -> Result<Self, ExecutionError> {
        Ok(self)
    }
}

impl Adaptor<IdentityValidation> for IdentityValidation {
    fn adapt(&self) -> IdentityValidation {
        self.clone()
    }
}

/// ROC AUC of verification: probability that a pair of images of one identity has a higher cosine similarity than a
/// pair of different identities.
///
/// Chance is 0.5. `None` without a pair of either kind.
pub(crate) fn verification_auc(embeddings: &[Vec<f32>], identities: &[i64]) -> Option<f64> {
    let vectors: Vec<Vec<f32>> = embeddings.iter().map(|vector| unit(vector)).collect();
    let mut pairs: Vec<(f32, bool)> = Vec::new();
    for (i, first) in vectors.iter().enumerate() {
        for (j, second) in vectors.iter().enumerate().skip(i + 1) {
            let cosine = first.iter().zip(second).map(|(a, b)| a * b).sum();
            pairs.push((cosine, identities[i] == identities[j]));
        }
    }
    area_under_curve(pairs)
}

/// Rank-1 accuracy: fraction of faces, of identities with at least two, whose nearest other face has the same
/// identity. `None` if no identity has two faces.
pub(crate) fn rank_1_accuracy(embeddings: &[Vec<f32>], identities: &[i64]) -> Option<f64> {
    let vectors: Vec<Vec<f32>> = embeddings.iter().map(|vector| unit(vector)).collect();
    let mut images = HashMap::new();
    for identity in identities {
        *images.entry(identity).or_insert(0usize) += 1;
    }
    let mut right = 0;
    let mut total = 0;
    for (i, first) in vectors.iter().enumerate() {
        if images[&identities[i]] < 2 {
            continue;
        }
        let cosine = |j: &usize| -> f32 { first.iter().zip(&vectors[*j]).map(|(a, b)| a * b).sum() };
        let others = (0..vectors.len()).filter(|j| *j != i);
        let nearest = others.max_by(|a, b| cosine(a).total_cmp(&cosine(b)))?;
        total += 1;
        right += usize::from(identities[nearest] == identities[i]);
    }
    (total > 0).then(|| right as f64 / total as f64)
}

fn unit(vector: &[f32]) -> Vec<f32> {
    let length = vector.iter().map(|value| value * value).sum::<f32>().sqrt().max(1e-12);
    vector.iter().map(|value| value / length).collect()
}

/// Area under the ROC curve by the Mann-Whitney statistic; ties share their rank.
fn area_under_curve(mut pairs: Vec<(f32, bool)>) -> Option<f64> {
    let same = pairs.iter().filter(|(_, same)| *same).count() as f64;
    let different = pairs.len() as f64 - same;
    if same == 0.0 || different == 0.0 {
        return None;
    }
    pairs.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut rank_sum = 0.0;
    let mut before = 0;
    for equal in pairs.chunk_by(|a, b| a.0 == b.0) {
        let rank = before as f64 + (equal.len() as f64 + 1.0) / 2.0;
        rank_sum += rank * equal.iter().filter(|(_, same)| *same).count() as f64;
        before += equal.len();
    }
    Some((rank_sum - same * (same + 1.0) / 2.0) / (same * different))
}

/// Embeddings and identities of all faces of a validation.
#[derive(Clone, Default)]
pub(crate) struct Embeddings {
    embeddings: Vec<Vec<f32>>,
    identities: Vec<i64>,
}

impl EpochOutputs for Embeddings {
    type Item = IdentityValidation;

    fn add(&mut self, item: &IdentityValidation) -> Result<(), TensorReadError> {
        self.embeddings.extend(rows(item.embeddings.clone())?);
        self.identities.extend(item.identities.clone().try_into_data()?.iter::<i64>());
        Ok(())
    }
}

/// Names of the two metrics; the first selects the best identity network.
pub(crate) const VERIFICATION_AUC: &str = "verification AUC";
const RANK_1_ACCURACY: &str = "rank-1 accuracy";

/// Why the metrics are not defined.
const NO_PAIRS: &str = "the held-out faces need two images of one identity, and two identities";

impl EpochMetric<Embeddings> {
    pub(crate) fn verification_auc() -> Self {
        Self::higher(VERIFICATION_AUC, NO_PAIRS, |set| verification_auc(&set.embeddings, &set.identities))
    }

    pub(crate) fn rank_1_accuracy() -> Self {
        Self::higher(RANK_1_ACCURACY, NO_PAIRS, |set| rank_1_accuracy(&set.embeddings, &set.identities))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EAST: [f32; 2] = [1.0, 0.0];
    const NORTH: [f32; 2] = [0.0, 1.0];
    const NEARLY_EAST: [f32; 2] = [1.0, 0.1];

    fn vectors(vectors: &[[f32; 2]]) -> Vec<Vec<f32>> {
        vectors.iter().map(|vector| vector.to_vec()).collect()
    }

    #[test]
    fn embeddings_that_cluster_by_identity_verify_every_pair() {
        let embeddings = vectors(&[EAST, NEARLY_EAST, NORTH, NORTH]);

        assert_eq!(verification_auc(&embeddings, &[7, 7, 3, 3]), Some(1.0));
        assert_eq!(rank_1_accuracy(&embeddings, &[7, 7, 3, 3]), Some(1.0));
    }

    #[test]
    fn equal_embeddings_are_at_chance() {
        let embeddings = vectors(&[EAST, EAST, EAST, EAST]);

        assert_eq!(verification_auc(&embeddings, &[7, 7, 3, 3]), Some(0.5));
    }

    #[test]
    fn without_two_images_of_an_identity_verification_is_not_defined() {
        let embeddings = vectors(&[EAST, NORTH]);

        assert_eq!(verification_auc(&embeddings, &[1, 2]), None);
        assert_eq!(rank_1_accuracy(&embeddings, &[1, 2]), None);
    }
}
