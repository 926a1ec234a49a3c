//! Faults of files whose image data are complete.

use std::fmt;

/// A fault of a file whose image data are complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PhotoWarning {
    /// The end marker after the image data is missing.
    EndMissing,
}

impl fmt::Display for PhotoWarning {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::EndMissing => "the end of the file is missing, but the image is complete",
        })
    }
}
