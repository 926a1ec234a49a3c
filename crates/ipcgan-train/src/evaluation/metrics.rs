//! What an evaluation measures, as it stands in `metrics.json`.

use serde::{Deserialize, Serialize};

use super::measures::Interval;

/// False-accept rates of the two thresholds of verification.
pub const FALSE_ACCEPT_RATES: [f64; 2] = [1e-2, 1e-3];

/// An evaluation of a generator, with the same numbers for simpler ways to age a face.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Metrics {
    /// Faces that were aged.
    pub faces: usize,
    /// Names of the age groups.
    pub groups: Vec<String>,
    /// Real faces, by which all else is to be read.
    pub real: RealFaces,
    /// The generator first, then the baselines.
    pub methods: Vec<Method>,
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
    pub commonest: f64,
    /// Pairs of different people from which the thresholds come.
    pub impostor_pairs: usize,
    /// Distances below which two faces are one person, at [`FALSE_ACCEPT_RATES`]; none where the pairs are too few.
    pub thresholds: [Option<f64>; 2],
    /// Kernel distance of one half of the faces to the other.
    pub kernel_distance: Option<f64>,
}

/// One way to age faces.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Method {
    /// Its name.
    pub name: String,
    /// Estimated age of the faces aged to each group.
    pub years: Vec<Option<Interval>>,
    /// The same for each group of the source, then of the target.
    pub years_by_pair: Vec<Vec<Option<f64>>>,
    /// Mean distance in years between a target group's aged faces and its real ones.
    pub years_off: f64,
    /// Share of the aged faces whose estimated age is in the target group.
    pub accuracy: Option<Interval>,
    /// Mean over the faces of the correlation of estimated age and target group; 1 is a straight line.
    pub smoothness: Option<Interval>,
    /// Share of the aged faces that are taken for the source person, at [`FALSE_ACCEPT_RATES`].
    pub verified: [Option<Interval>; 2],
    /// Distance to the source, by the number of groups between source and target.
    pub distance_by_gap: Vec<Option<f64>>,
    /// Detail of the aged face as a share of its source's.
    pub sharpness: Option<Interval>,
    /// Change of the background, in 0..255.
    pub background: Option<Interval>,
    /// Change of a face aged to its own group, in 0..255.
    pub own_group: Option<Interval>,
    /// Kernel distance to real faces, over all groups, in the recogniser's vectors.
    pub kernel_distance: Option<f64>,
    /// Change of a face that was aged to another group and back, in 0..255; the baselines cannot go back.
    pub cycle: Option<Interval>,
}
