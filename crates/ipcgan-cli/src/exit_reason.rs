//! Ends that are neither success nor failure.

use std::fmt;

/// Why the command did not do what it is for, though nothing failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ExitReason {
    /// What was asked for makes no sense, as it says.
    Misused(String),
    /// It was told to stop, and how to go on.
    Stopped(String),
}

impl ExitReason {
    /// What the program ends with: as clap for misuse, as a shell for what Ctrl-C ended.
    pub(crate) fn code(&self) -> u8 {
        match self {
            Self::Misused(_) => crate::MISUSED,
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

/// The error of arguments that make no sense.
pub(crate) fn usage_error(text: impl fmt::Display) -> anyhow::Error {
    ExitReason::Misused(text.to_string()).into()
}
