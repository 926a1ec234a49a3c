//! Values that fields of configurations cannot have.

use std::fmt;
use std::ops::RangeInclusive;

/// A value that a field of a configuration cannot have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidConfig {
    /// Name of the field.
    pub name: &'static str,
    /// Its value.
    pub value: String,
    /// What it must be.
    pub expected: String,
}

impl InvalidConfig {
    /// Checks that `value`, that of the field `name`, is in `range`; NaN is in none.
    ///
    /// # Errors
    /// It is not.
    pub fn check_range<T: PartialOrd + fmt::Display>(
        name: &'static str,
        value: T,
        range: RangeInclusive<T>,
    ) -> Result<(), Self> {
        if range.contains(&value) {
            return Ok(());
        }
        let expected = format!("in {} to {}", range.start(), range.end());
        Err(Self { name, value: value.to_string(), expected })
    }
}

impl fmt::Display for InvalidConfig {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "has {} {}; it must be {}", self.name, self.value, self.expected)
    }
}

impl std::error::Error for InvalidConfig {}
