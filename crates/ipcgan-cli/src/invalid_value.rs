//! Values that cannot be parsed.

use std::fmt;

/// Why the value of an option, or of a query parameter of the web service, is invalid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct InvalidValue(String);

impl InvalidValue {
    /// For this `reason`, which says what is valid.
    pub(crate) fn new(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }
}

impl fmt::Display for InvalidValue {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for InvalidValue {}
