//! Evaluation metrics, as stored in `metrics.json`.

use std::fmt;

use ipcgan_model::AgeGroups;
use serde::{Deserialize, Serialize};

use super::statistics::Interval;
use super::subject::age;

/// False accept rates (FAR) of the two verification thresholds.
pub const FALSE_ACCEPT_RATES: [f64; 2] = [1e-2, 1e-3];

/// Evaluation metrics of a generator and of baselines.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Metrics {
    /// Names of the age groups.
    pub groups: Vec<String>,
    /// Metrics of all faces.
    #[serde(flatten)]
    pub all: Comparison,
    /// Metrics of women and of men; empty unless the data have faces of both.
    pub genders: Vec<GenderMetrics>,
    /// Metrics of the networks that the generator was trained with, if they are known.
    pub teachers: Option<Teachers>,
}

/// A generator and baselines, compared with real faces.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// Verdict on the generator in one sentence.
    pub verdict: Verdict,
    /// Number of aged faces.
    pub faces: usize,
    /// Reference values of real faces.
    pub real: RealFaces,
    /// The generator first, then the baselines.
    pub methods: Vec<Method>,
}

/// Metrics of the faces of one gender.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GenderMetrics {
    /// `female` or `male`.
    pub gender: String,
    /// Metrics of the faces of this gender, compared with real faces of the same gender.
    #[serde(flatten)]
    pub comparison: Comparison,
}

/// Metrics of real faces.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RealFaces {
    /// Number of faces of each group.
    pub counts: Vec<usize>,
    /// Estimated age of each group's faces, in years.
    pub years: Vec<Option<Interval>>,
    /// Fraction of faces whose estimated age is in their group.
    pub accuracy: Option<Interval>,
    /// Fraction of the largest group: accuracy of the majority-class baseline.
    pub majority_class_rate: f64,
    /// Pairs of different identities that the thresholds are computed from.
    pub impostor_pairs: usize,
    /// Cosine distance thresholds of verification at [`FALSE_ACCEPT_RATES`]; none with too few pairs.
    pub thresholds: [Option<f64>; 2],
    /// Ages by the second age estimator.
    pub second_ages: SecondAges,
    /// Distances between two halves of the faces.
    pub distribution: Distribution,
    /// For each group, realism of one half of its faces compared with the other.
    pub realism: Vec<Option<Realism>>,
}

/// Ages by the second age estimator, the recogniser's output for the age: of another architecture and trained on other
/// faces than the first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SecondAges {
    /// Age of the faces of each group (aged faces: of each target group), in years.
    pub years: Vec<Option<Interval>>,
    /// Fraction of faces whose age is in their group (aged faces: in the target group).
    pub accuracy: Option<Interval>,
}

impl SecondAges {
    /// Of faces that should be of each group, from their `years`, a list for each group.
    pub(super) fn of(years: &[Vec<f64>], groups: &AgeGroups) -> Self {
        let hits = years
            .iter()
            .enumerate()
            .flat_map(|(group, years)| years.iter().map(move |years| groups.group_of(age(*years)) == Some(group)));
        Self { accuracy: Interval::of_fraction(hits), years: years.iter().map(|years| Interval::of(years)).collect() }
    }
}

/// Distribution distances of two sets of faces on the recogniser's embeddings; not comparable with values on
/// Inception features.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Distribution {
    /// Faces in each set.
    pub faces: usize,
    /// Fréchet distance (the estimator of FID); none for fewer faces than embedding dimensions.
    pub frechet_distance: Option<f64>,
    /// Kernel distance (the estimator of KID).
    pub kernel_distance: Option<f64>,
}

/// Faces aged to a group from other groups, compared with real faces of the group; no identity is in both sets.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Realism {
    /// Number of aged faces.
    pub aged: usize,
    /// Number of real faces.
    pub real: usize,
    /// On the recogniser's embeddings.
    pub recogniser: TwoSample,
    /// On the penultimate features of the age estimator.
    pub age_estimator: TwoSample,
}

/// Two-sample comparison of two sets of faces on features of a network.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct TwoSample {
    /// Kernel distance (the estimator of KID); zero for the same distribution, slightly below by chance.
    pub kernel_distance: f64,
    /// Kernel distance relative to that of the unchanged sources; `None` if theirs is not above zero.
    pub relative_to_unchanged: Option<f64>,
    /// Classifier two-sample test: cross-validated accuracy of a logistic regression that separates the two sets,
    /// with as many faces of both and five folds by identity; chance is 0.5. None with fewer than ten of either.
    pub two_sample_accuracy: Option<f64>,
}

/// Faces aged from one group to another.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pair {
    /// Number of faces.
    pub faces: usize,
    /// Mean estimated age.
    pub years: f64,
    /// Mean absolute difference in years between the estimated age and the mean of real faces of the target group;
    /// `None` if there are no such faces.
    pub error: Option<f64>,
    /// Fraction whose estimated age is in the target group.
    pub accuracy: f64,
}

/// Cycle consistency: faces aged to the farthest group and back to their own.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cycle {
    /// Mean absolute pixel difference from the source, in 0..255.
    pub change: Interval,
    /// Cosine distance of the embedding from that of the source.
    pub distance: Interval,
    /// Absolute difference of the estimated age from that of the source, in years.
    pub years: Interval,
}

/// Metrics on real faces of the networks that the generator was trained with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Teachers {
    /// Accuracy of the age classifier.
    pub age_accuracy: Option<Interval>,
    /// Fraction of faces for which the age classifier is at most one group off.
    pub age_within_one: Option<Interval>,
    /// ROC AUC of verification with the identity network; none if no identity has two images.
    pub verification_auc: Option<f64>,
    /// Number of faces with an identity label.
    pub known_faces: usize,
}

/// Metrics of an ageing method.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Method {
    /// Its name.
    pub name: String,
    /// Estimated age of the faces aged to each group.
    pub years: Vec<Option<Interval>>,
    /// By source group, then by target group.
    pub pairs: Vec<Vec<Option<Pair>>>,
    /// Confusion matrix: for each target group, the fraction of aged faces in each group by estimated age. The rest
    /// of a row looks younger than the first group.
    pub confusion: Vec<Vec<f64>>,
    /// Mean age error: mean over target groups of the absolute difference, in years, between the mean estimated ages
    /// of aged and of real faces; none if no group has both.
    pub mean_age_error: Option<f64>,
    /// Fraction of aged faces whose estimated age is in the target group.
    pub accuracy: Option<Interval>,
    /// Ages by the second age estimator.
    pub second_ages: SecondAges,
    /// Correlation of estimated age and target group, averaged over faces; 1 is linear.
    pub age_correlation: Option<Interval>,
    /// Verification rate: fraction of aged faces that are verified as their source (true accept rate) at
    /// [`FALSE_ACCEPT_RATES`].
    pub verification_rate: [Option<Interval>; 2],
    /// Cosine distance of the embedding to that of the source, by the number of groups between source and target.
    pub distance_by_gap: Vec<Option<f64>>,
    /// Laplacian variance ratio of the aged face to its source: below 1 it is blurred, above 1 it has more texture.
    pub laplacian_variance_ratio: Option<Interval>,
    /// Mean absolute pixel change of the background, in 0..255.
    pub background_change: Option<Interval>,
    /// Mean absolute pixel change of a face aged to its own group, in 0..255.
    pub own_group_change: Option<Interval>,
    /// Perceptual distance (as LPIPS, on the recogniser) of a face aged to its own group from its source.
    pub own_group_perceptual_distance: Option<Interval>,
    /// One half of the faces, each aged to the next group, compared with the other half unchanged.
    pub distribution: Distribution,
    /// For each target group, the faces aged to it compared with its real faces.
    pub realism: Vec<Option<Realism>>,
    /// Cycle consistency; not defined for the baselines.
    pub cycle: Option<Cycle>,
}

/// Quality of a generator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Quality {
    /// Target ages and identities are met, and faces are neither blurred nor covered with patterns.
    Good,
    /// Identities are kept, but some criterion is missed.
    Weak,
    /// Identities are lost, or the images do not show faces.
    Unusable,
    /// No criterion is missed, but some could not be measured.
    Undecided,
}

/// Quality of a generator and the reasons.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// Quality.
    pub quality: Quality,
    /// Deciding metrics with the values of good weights, in a fixed order: identity, realism, ages.
    pub reasons: Vec<String>,
    /// Undefined metrics, with reasons.
    pub not_defined: Vec<String>,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.quality {
            Quality::Good => "These weights are good: ",
            Quality::Weak => "These weights are weak: ",
            Quality::Unusable => "These weights are unusable: ",
            Quality::Undecided => "The quality of these weights is undecided: ",
        })?;
        let not_defined = self.not_defined.iter().map(|what| format!("not defined: {what}"));
        let all: Vec<String> = self.reasons.iter().cloned().chain(not_defined).collect();
        write!(f, "{}.", all.join("; "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accuracy_and_mean_age_are_those_of_the_group_that_faces_should_be_in() {
        let years = [vec![12.0, 72.0], vec![], vec![], vec![], vec![72.0]];

        let ages = SecondAges::of(&years, &AgeGroups::default());

        assert_eq!(ages.accuracy.unwrap().value, 2.0 / 3.0);
        assert_eq!(ages.years[0].unwrap().value, 42.0);
        assert_eq!(ages.years[1], None);
    }
}
