//! How far prototype ageing changes shape, colour and detail.

use burn::config::Config;

/// Strength of each part of prototype ageing; 0 is no change, 1 the mean difference.
///
/// The defaults age faces of FairFace about as far as real faces of the groups; more shape makes them easier to tell from
/// real ones (docs/experiments.md).
#[derive(Config, Debug, PartialEq)]
pub struct PrototypeStrength {
    /// Factor of the displacements. Default: 0.7.
    #[config(default = 0.7)]
    pub shape: f64,
    /// Exponent of the ratio of colours. Default: 4.5.
    #[config(default = 4.5)]
    pub colour: f64,
    /// Exponent of the ratio of magnitudes of each frequency band. Default: 5.
    #[config(default = 5.0)]
    pub detail: f64,
}
