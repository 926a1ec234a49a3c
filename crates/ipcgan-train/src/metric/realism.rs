//! Validation metrics of the ageing stage: realism of aged faces, on features of a frozen network.
//!
//! The objective of the ageing stage cannot select a checkpoint: it contains the adversarial loss against a discriminator
//! that also learns, so it can rise while faces improve. These metrics depend only on the generator.

use burn::tensor::{ExecutionError, Int, Tensor, TensorReadError};
use burn::train::ItemLazy;
use burn::train::metric::Adaptor;

use crate::metric::epoch::{EpochMetric, EpochOutputs, rows};
use crate::step::metrics::StepMetrics;

/// Names of the two metrics.
pub(crate) const KERNEL_DISTANCE: &str = "kernel distance";
pub(crate) const REALISM_AND_AGE: &str = "realism and age";

/// Outputs of the ageing stage on a batch of held-out faces.
#[derive(Clone, Debug)]
pub struct AgingValidation {
    /// Losses.
    pub metrics: StepMetrics,
    /// Features of the aged faces, `[batch, features]`.
    pub aged: Tensor<2>,
    /// Features of as many real faces of the target groups, `[batch, features]`.
    pub real: Tensor<2>,
    /// Target groups, `[batch]`.
    pub target: Tensor<1, Int>,
    /// Predicted groups of the aged faces, `[batch]`.
    pub aged_group: Tensor<1, Int>,
    /// Predicted groups of the real faces, `[batch]`.
    pub real_group: Tensor<1, Int>,
    /// Number of age groups.
    pub groups: usize,
}

impl ItemLazy for AgingValidation {
    fn sync(self) -> Result<Self, ExecutionError> {
        Ok(Self { metrics: self.metrics.read()?, ..self })
    }
}

impl Adaptor<StepMetrics> for AgingValidation {
    fn adapt(&self) -> StepMetrics {
        self.metrics.clone()
    }
}

impl Adaptor<AgingValidation> for AgingValidation {
    fn adapt(&self) -> AgingValidation {
        self.clone()
    }
}

/// Aged faces of a validation with real faces of the same groups.
#[derive(Clone, Debug, Default)]
pub(crate) struct AgedAndReal {
    groups: usize,
    faces: Vec<FacePair>,
}

/// An aged face, and a real face of its target group.
#[derive(Clone, Debug)]
struct FacePair {
    target: usize,
    aged: Vec<f32>,
    real: Vec<f32>,
    /// Whether the age classifier predicts the target group for each.
    aged_is_of_target: bool,
    real_is_of_target: bool,
}

impl EpochOutputs for AgedAndReal {
    type Item = AgingValidation;

    fn add(&mut self, item: &AgingValidation) -> Result<(), TensorReadError> {
        let groups = |tensor: &Tensor<1, Int>| -> Result<Vec<i64>, TensorReadError> {
            Ok(tensor.clone().try_into_data()?.iter::<i64>().collect())
        };
        let (target, aged_group, real_group) =
            (groups(&item.target)?, groups(&item.aged_group)?, groups(&item.real_group)?);
        let features = rows(item.aged.clone())?.into_iter().zip(rows(item.real.clone())?);
        self.groups = item.groups;
        self.faces.extend(features.enumerate().map(|(index, (aged, real))| FacePair {
            target: target[index] as usize,
            aged,
            real,
            aged_is_of_target: aged_group[index] == target[index],
            real_is_of_target: real_group[index] == target[index],
        }));
        Ok(())
    }
}

/// Why the metrics are not defined.
const TOO_FEW: &str = "the held-out faces need two different faces of one age group";

impl EpochMetric<AgedAndReal> {
    pub(crate) fn kernel_distance() -> Self {
        Self::lower(KERNEL_DISTANCE, TOO_FEW, AgedAndReal::kernel_distance)
    }

    pub(crate) fn realism_and_age() -> Self {
        Self::higher(REALISM_AND_AGE, TOO_FEW, AgedAndReal::realism_and_age)
    }
}

impl AgedAndReal {
    /// Normalized kernel distance (MMD) of aged from real faces of the target group: 0 for the same distribution
    /// (slightly below by chance), 1 for aged faces unlike any real face.
    ///
    /// The unbiased squared maximum mean discrepancy (Gretton et al., 2012) of each target group `g`,
    /// `MMD_g^2 = K_g(aged, aged) + K_g(real, real) - 2 K_g(aged, real)`, where `K_g` is the mean over pairs of different
    /// faces of `k(x, y) = exp(-|x - y|^2 / s)` and `s` the mean of `|x - y|^2` over real faces; then
    /// `sum_g MMD_g^2 / sum_g (K_g(aged, aged) + K_g(real, real))`.
    pub(crate) fn kernel_distance(&self) -> Option<f64> {
        let spread = self.spread_of_real_faces()?;
        let kernel = |x: &[f32], y: &[f32]| (-squared_distance(x, y) / spread).exp();
        let (mut distance, mut within_all) = (0.0, 0.0);
        for group in 0..self.groups {
            let faces: Vec<&FacePair> = self.faces.iter().filter(|face| face.target == group).collect();
            if faces.len() < 2 {
                continue;
            }
            let mean = |one: fn(&FacePair) -> &[f32], other: fn(&FacePair) -> &[f32]| {
                let pairs = faces.iter().enumerate().flat_map(|(i, x)| {
                    let others = faces.iter().enumerate().filter(move |(j, _)| i != *j);
                    others.map(move |(_, y)| kernel(one(x), other(y)))
                });
                pairs.sum::<f64>() / (faces.len() * (faces.len() - 1)) as f64
            };
            let within = mean(aged, aged) + mean(real, real);
            distance += within - 2.0 * mean(aged, real);
            within_all += within;
        }
        (within_all > 0.0).then(|| distance / within_all)
    }

    /// `min(1, a / r) (1 - d)`: `a` and `r` are the accuracies of the age classifier on the aged and on the real
    /// faces, `d` is the [`AgedAndReal::kernel_distance`]. Accuracy above that of real faces does not count: it is
    /// adversarial against the classifier. `r` is at least chance.
    pub(crate) fn realism_and_age(&self) -> Option<f64> {
        let distance = self.kernel_distance()?.clamp(0.0, 1.0);
        let count = self.faces.len() as f64;
        let fraction =
            |of_target: fn(&FacePair) -> bool| self.faces.iter().filter(|face| of_target(face)).count() as f64 / count;
        let accuracy = fraction(|face| face.aged_is_of_target);
        let real_accuracy = fraction(|face| face.real_is_of_target).max(1.0 / self.groups as f64);
        Some((accuracy / real_accuracy).min(1.0) * (1.0 - distance))
    }

    /// Mean squared distance of two real faces of one group; `None` if no two differ.
    fn spread_of_real_faces(&self) -> Option<f64> {
        let (mut sum, mut pairs) = (0.0, 0usize);
        for (index, face) in self.faces.iter().enumerate() {
            for other in self.faces[..index].iter().filter(|other| other.target == face.target) {
                sum += squared_distance(&face.real, &other.real);
                pairs += 1;
            }
        }
        (sum > 0.0).then(|| sum / pairs as f64)
    }
}

fn aged(face: &FacePair) -> &[f32] {
    &face.aged
}

fn real(face: &FacePair) -> &[f32] {
    &face.real
}

fn squared_distance(x: &[f32], y: &[f32]) -> f64 {
    x.iter().zip(y).map(|(x, y)| f64::from(x - y).powi(2)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ten faces in each of two groups: `aged` maps the features of a real face to those of an aged one.
    fn faces(aged: impl Fn([f32; 2]) -> [f32; 2], recognised: bool) -> AgedAndReal {
        let faces = (0..20).map(|index| {
            let target = index % 2;
            let place = [(index * 7 % 20) as f32, (index * 3 % 20) as f32 + 100.0 * target as f32];
            let other = [(index * 3 % 20) as f32, (index * 11 % 20) as f32 + 100.0 * target as f32];
            let (real, aged) = (place.to_vec(), aged(other).to_vec());
            // The classifier is right on half of the real faces.
            FacePair { target, aged, real, aged_is_of_target: recognised, real_is_of_target: index % 4 < 2 }
        });
        AgedAndReal { groups: 2, faces: faces.collect() }
    }

    #[test]
    fn faces_of_the_target_distribution_are_near_and_others_far() {
        let same = faces(|face| face, true).kernel_distance().unwrap();
        let other_group = faces(|[x, y]| [x, (y + 100.0) % 200.0], true).kernel_distance().unwrap();
        let collapsed = faces(|_| [500.0, 500.0], true).kernel_distance().unwrap();

        assert!(same < 0.1, "{same}");
        assert!((0.99..=1.0).contains(&other_group), "{other_group}");
        assert!((0.99..=1.0).contains(&collapsed), "{collapsed}");
    }

    #[test]
    fn the_best_faces_are_both_real_and_of_their_age() {
        let score = |faces: AgedAndReal| faces.realism_and_age().unwrap();

        let good = score(faces(|face| face, true));
        let of_no_age = score(faces(|face| face, false));
        let painted = score(faces(|_| [500.0, 500.0], true));

        assert!(good > 0.9, "{good}");
        assert!(of_no_age == 0.0 && painted < 0.01, "{of_no_age} {painted}");
    }

    #[test]
    fn with_too_few_faces_the_metrics_are_not_defined() {
        let mut faces = faces(|face| face, true);
        faces.faces.truncate(2);

        assert_eq!(faces.kernel_distance(), None);
        assert_eq!(AgedAndReal::default().realism_and_age(), None);
    }
}
