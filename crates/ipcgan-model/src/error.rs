//! Errors of networks and weights files.

use std::path::PathBuf;

use crate::weights::WeightsFormat;

/// An error of a network or of a weights file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// The file cannot be opened, read or written.
    #[error("cannot access weights {path}")]
    Access {
        /// The weights file.
        path: PathBuf,
        /// Why the system refused.
        source: std::io::Error,
    },
    /// The weights cannot be stored in the format.
    #[error("cannot write weights {path}: {reason}")]
    Unrepresentable {
        /// The weights file.
        path: PathBuf,
        /// Which tensors, why, and what to do.
        reason: String,
    },
    /// The file is damaged, or is not a weights file.
    #[error("{path} is not a valid {format} file: {reason}")]
    Damaged {
        /// The weights file.
        path: PathBuf,
        /// The format that was detected.
        format: WeightsFormat,
        /// What is wrong with it.
        reason: String,
    },
    /// The metadata that say what the weights are for are missing or wrong.
    #[error("{path}: metadata `{key}` {reason}")]
    Metadata {
        /// The weights file.
        path: PathBuf,
        /// The entry of the metadata.
        key: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// Metadata that say what the weights are for are missing.
    #[error("{path}: metadata `{key}` {reason}")]
    MissingMetadata {
        /// The weights file.
        path: PathBuf,
        /// The entry of the metadata.
        key: &'static str,
        /// What is missing in it.
        reason: String,
    },
    /// The file holds the weights of another kind of network.
    #[error("{path} holds the weights of a network of kind `{found}`, not `{expected}`")]
    WrongNetwork {
        /// The weights file.
        path: PathBuf,
        /// The expected kind.
        expected: &'static str,
        /// The kind that the file names.
        found: String,
    },
    /// The tensors are not those of the network that the file's own configuration describes, or not finite.
    #[error("{path} does not fit its own configuration: {reason}")]
    Mismatch {
        /// The weights file.
        path: PathBuf,
        /// Which tensors, and how.
        reason: String,
    },
    /// The output of the network is not finite (NaN or infinity).
    #[error(
        "{path} gives values that are not finite (NaN or infinity): the weights are damaged, or their training diverged; use others"
    )]
    NonFinite {
        /// The weights file.
        path: PathBuf,
    },
}
