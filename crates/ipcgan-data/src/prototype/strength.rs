//! How far prototype ageing changes shape, colour and detail.

use burn::config::Config;
use ipcgan_model::InvalidConfig;

/// Strength of each part of prototype ageing; 0 is no change, 1 the mean difference, 10 the maximum.
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

impl PrototypeStrength {
    /// Checks that all strengths are in their range.
    ///
    /// # Errors
    /// The first field that is out of it.
    pub fn check(&self) -> Result<(), InvalidConfig> {
        InvalidConfig::check_range("shape", self.shape, 0.0..=10.0)?;
        InvalidConfig::check_range("colour", self.colour, 0.0..=10.0)?;
        InvalidConfig::check_range("detail", self.detail, 0.0..=10.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_strength_above_ten_is_refused_by_its_name() {
        let refused = PrototypeStrength::new().with_detail(10.5).check().unwrap_err();

        assert_eq!(refused.to_string(), "has detail 10.5; it must be in 0 to 10");
        assert_eq!(PrototypeStrength::new().check(), Ok(()));
    }
}
