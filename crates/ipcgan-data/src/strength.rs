//! The range of the strength of the ageing effect.

use crate::Residual;

/// A strength is not a number from 0 to [`Residual::MAX_STRENGTH`].
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[error("a strength is a number from 0 (no change) to {}", Residual::MAX_STRENGTH)]
pub struct InvalidStrength {
    /// The value that was given.
    pub strength: f64,
}

impl Residual {
    /// `strength`, which a user chose, for [`Residual::scaled`].
    ///
    /// # Errors
    /// It is not a number from 0 to [`Residual::MAX_STRENGTH`].
    pub fn checked_strength(strength: f64) -> Result<f32, InvalidStrength> {
        match (0.0..=Self::MAX_STRENGTH).contains(&strength) {
            true => Ok(strength as f32),
            false => Err(InvalidStrength { strength }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_strength_is_a_number_from_zero_to_the_maximum() {
        for strength in [0.0, 1.3, 3.0] {
            assert_eq!(Residual::checked_strength(strength), Ok(strength as f32));
        }
        for strength in [-0.1, 3.000_000_01, f64::NAN, f64::INFINITY] {
            let error = Residual::checked_strength(strength).unwrap_err();

            assert_eq!(error.to_string(), "a strength is a number from 0 (no change) to 3");
        }
    }
}
