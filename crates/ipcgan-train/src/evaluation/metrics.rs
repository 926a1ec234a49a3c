//! What an evaluation measures, as it stands in `metrics.json`.

use serde::{Deserialize, Serialize};

use super::statistics::Interval;
use super::verdict::Verdict;

/// False-accept rates of the two thresholds of verification.
pub const FALSE_ACCEPT_RATES: [f64; 2] = [1e-2, 1e-3];

/// An evaluation of a generator, with the same numbers for simpler ways to age a face.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Metrics {
    /// Whether the generator is any good, in a sentence.
    pub verdict: Verdict,
    /// Faces that were aged.
    pub faces: usize,
    /// Names of the age groups.
    pub groups: Vec<String>,
    /// Real faces, by which all else is to be read.
    pub real: RealFaces,
    /// The generator first, then the baselines.
    pub methods: Vec<Method>,
    /// The networks that the generator learned from, if they are known.
    pub teachers: Option<Teachers>,
}

/// The judges on real faces.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RealFaces {
    /// Faces of each group.
    pub counts: Vec<usize>,
    /// Estimated age of each group's faces, in years.
    pub years: Vec<Option<Interval>>,
    /// Share of the faces whose estimated age is in their group.
    pub accuracy: Option<Interval>,
    /// Share of the commonest group: what saying it always would reach.
    pub majority_class_rate: f64,
    /// Pairs of different people from which the thresholds come.
    pub impostor_pairs: usize,
    /// Distances below which two faces are one person, at [`FALSE_ACCEPT_RATES`]; none where the pairs are too few.
    pub thresholds: [Option<f64>; 2],
    /// Distances of one half of the faces to the other.
    pub distribution: Distribution,
    /// For each group, one half of its faces to the other.
    pub realism: Vec<Option<Realism>>,
}

/// How far two sets of faces are apart, in the recogniser's vectors; not to be compared with numbers in Inception's.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Distribution {
    /// Faces in each set.
    pub faces: usize,
    /// Fréchet's distance of the normal distributions with their means and covariances, as FID; none for fewer faces than
    /// the vectors have numbers.
    pub frechet_distance: Option<f64>,
    /// Kernel distance, as KID.
    pub kernel_distance: Option<f64>,
}

/// Faces aged to a group from others beside real faces of the group, who share no person.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Realism {
    /// Aged faces.
    pub aged: usize,
    /// Real faces.
    pub real: usize,
    /// In the recogniser's vectors.
    pub recogniser: TwoSample,
    /// In the penultimate features of the age estimator.
    pub age_estimator: TwoSample,
}

/// How much two kinds of faces differ in some network's features.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct TwoSample {
    /// Kernel distance (the estimator of KID); zero for the same distribution, and a little below by chance.
    pub kernel_distance: f64,
    /// The same as a share of that of the unchanged sources; none if theirs is not above zero.
    pub relative_to_unchanged: Option<f64>,
    /// Classifier two-sample test: share of the faces that a logistic regression tells rightly, on as many faces of both kinds, in
    /// five folds by person; half is chance. None for fewer than ten of a kind.
    pub two_sample_accuracy: Option<f64>,
}

/// Faces of one group aged to one group.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pair {
    /// Faces.
    pub faces: usize,
    /// Mean estimated age.
    pub years: f64,
    /// Mean distance of the estimated age from that of the target group's real faces, in years; none if there are no such.
    pub error: Option<f64>,
    /// Share whose estimated age is in the target group.
    pub accuracy: f64,
}

/// Faces that were aged to the farthest group, and from there back to their own.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cycle {
    /// Change from the source, in 0..255.
    pub change: Interval,
    /// Distance of the recogniser's vectors from the source's.
    pub distance: Interval,
    /// Distance of the estimated age from the source's, in years.
    pub years: Interval,
}

/// The networks that the generator learned from, on real faces.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Teachers {
    /// Share of the faces whose group the age classifier tells.
    pub age_accuracy: Option<Interval>,
    /// Share whose group, or one next to it, it tells.
    pub age_within_one: Option<Interval>,
    /// Share of pairs of pictures that the identity net orders rightly (area under the curve); none if no person has two.
    pub verification_auc: Option<f64>,
    /// Faces of people who are known.
    pub known_faces: usize,
}

/// One way to age faces.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Method {
    /// Its name.
    pub name: String,
    /// Estimated age of the faces aged to each group.
    pub years: Vec<Option<Interval>>,
    /// Each group of the source, then each of the target.
    pub pairs: Vec<Vec<Option<Pair>>>,
    /// For each target group, the share of the aged faces in each group by their estimated age; what is missing to one
    /// looks younger than the first group.
    pub confusion: Vec<Vec<f64>>,
    /// Mean distance in years between the mean estimated ages of a target group's aged faces and of its real ones; none if
    /// no group has both.
    pub mean_age_error: Option<f64>,
    /// Share of the aged faces whose estimated age is in the target group.
    pub accuracy: Option<Interval>,
    /// Mean over the faces of the correlation of estimated age and target group; 1 is a straight line.
    pub age_correlation: Option<Interval>,
    /// Share of the aged faces that are taken for the source person, at [`FALSE_ACCEPT_RATES`].
    pub verification_rate: [Option<Interval>; 2],
    /// Distance to the source, by the number of groups between source and target.
    pub distance_by_gap: Vec<Option<f64>>,
    /// Variance of the Laplacian of the aged face as a share of its source's: below 1 it is blurred, above it has more
    /// texture.
    pub laplacian_variance_ratio: Option<Interval>,
    /// Change of the background, in 0..255.
    pub background_change: Option<Interval>,
    /// Change of a face aged to its own group, in 0..255.
    pub own_group_change: Option<Interval>,
    /// Perceptual distance of a face aged to its own group from its source (as LPIPS, on the recogniser).
    pub own_group_perceptual_distance: Option<Interval>,
    /// Of one half of the faces, each aged to the group after its own, to the other half as they are.
    pub distribution: Distribution,
    /// For each target group, the faces aged to it beside its real faces.
    pub realism: Vec<Option<Realism>>,
    /// There and back; the baselines cannot go back.
    pub cycle: Option<Cycle>,
}
