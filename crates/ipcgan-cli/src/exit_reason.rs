//! Exits that are neither success nor failure.

use std::fmt;

/// Exit code of a failure.
pub(crate) const FAILED: u8 = 1;
/// Exit code of invalid arguments.
pub(crate) const MISUSED: u8 = 2;
/// Exit code after an interrupt, as in shells.
pub(crate) const INTERRUPTED: u8 = 130;

/// Why the command exits early although nothing failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ExitReason {
    /// Invalid arguments, with the reason (exit code [`MISUSED`]).
    Misused(String),
    /// Interrupted, with how to continue (exit code [`INTERRUPTED`]).
    Stopped(String),
}

impl ExitReason {
    /// The exit code: that of clap for misuse.
    pub(crate) fn code(&self) -> u8 {
        match self {
            Self::Misused(_) => MISUSED,
            Self::Stopped(_) => INTERRUPTED,
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
