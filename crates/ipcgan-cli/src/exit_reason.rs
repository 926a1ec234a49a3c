//! Exits that are neither success nor failure.

use std::fmt;

/// Exit code of a failure.
pub(crate) const FAILED: u8 = 1;
/// Exit code of invalid arguments.
pub(crate) const MISUSED: u8 = 2;

/// Why the command exits early although nothing failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ExitReason {
    /// Invalid arguments, with the reason (exit code 2).
    Misused(String),
    /// Interrupted, with how to continue (exit code 130).
    Stopped(String),
}

impl ExitReason {
    /// The exit code: that of clap for misuse, that of a shell for an interrupt.
    pub(crate) fn code(&self) -> u8 {
        match self {
            Self::Misused(_) => MISUSED,
            Self::Stopped(_) => 130,
        }
    }
}

impl fmt::Display for ExitReason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Misused(text) | Self::Stopped(text)) = self;
        formatter.write_str(text)
    }
}

impl std::error::Error for ExitReason {}

/// An error of invalid arguments.
pub(crate) fn usage_error(text: impl fmt::Display) -> anyhow::Error {
    ExitReason::Misused(text.to_string()).into()
}
