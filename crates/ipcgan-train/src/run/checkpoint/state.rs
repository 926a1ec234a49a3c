//! State file of a checkpoint, and verification of its records by checksum.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufReader, Read};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::step::loss_scale::LossScaleState;

/// File that marks a checkpoint as complete and stores the checksums of its records.
pub(super) const STATE: &str = "state.json";

/// What is wrong with a checkpoint.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointFault {
    /// A file cannot be read.
    #[error("{file} cannot be read: {error}")]
    Unreadable {
        /// Name of the file.
        file: String,
        /// The I/O error.
        error: io::Error,
    },
    /// The checksum of a record does not match.
    #[error("{file} is damaged: its checksum does not match")]
    Checksum {
        /// Name of the file.
        file: String,
    },
    /// The state file is not valid JSON.
    #[error("{STATE} is damaged: {0}")]
    State(serde_json::Error),
    /// A record cannot be loaded, for the reason that Burn gives.
    #[error("{0}")]
    Record(String),
    /// The weights are those of another configuration.
    #[error("does not fit this configuration: {0}")]
    Mismatch(String),
    /// The settings of its run are missing.
    #[error("is not in a run folder, whose config.json has its settings; use it in its original location")]
    NoRun,
}

/// Progress of a stage, stored with its records.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct StageProgress {
    /// Step of the newest validation.
    pub(crate) validated: usize,
    /// Metrics of the newest validation, by name.
    pub(crate) held_out: BTreeMap<String, f64>,
    /// The best validation so far, if there is one.
    pub(crate) best: Option<Best>,
    /// State of dynamic loss scaling, if it is enabled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) loss_scale: Option<LossScaleState>,
}

/// The best validation of a stage.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Best {
    /// Its step; the checkpoint of that step is kept.
    pub(crate) step: usize,
    /// Value of its metric.
    pub(crate) value: f64,
    /// Name of its metric: values of other metrics are not comparable.
    #[serde(default)]
    pub(crate) metric: String,
    /// Number of validations since then.
    pub(crate) since: usize,
}

/// Contents of a complete checkpoint's state file.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct State {
    /// Number of steps done.
    pub(super) step: usize,
    #[serde(flatten)]
    pub(super) progress: StageProgress,
    /// CRC-32 of each record file, by name.
    pub(super) checksums: BTreeMap<String, u32>,
}

/// Whether `folder` is a complete checkpoint, intact or damaged.
pub(crate) fn is_checkpoint(folder: &Path) -> bool {
    folder.join(STATE).is_file()
}

/// Verifies the checksums of all records.
///
/// # Errors
/// The first fault.
pub(crate) fn check(folder: &Path) -> Result<(), CheckpointFault> {
    for (file, expected) in state(folder)?.checksums {
        match checksum(&folder.join(&file)) {
            Err(error) => return Err(CheckpointFault::Unreadable { file, error }),
            Ok(found) if found != expected => return Err(CheckpointFault::Checksum { file }),
            Ok(_) => (),
        }
    }
    Ok(())
}

pub(super) fn state(folder: &Path) -> Result<State, CheckpointFault> {
    let unreadable = |error| CheckpointFault::Unreadable { file: STATE.into(), error };
    let text = fs::read(folder.join(STATE)).map_err(unreadable)?;
    serde_json::from_slice(&text).map_err(CheckpointFault::State)
}

pub(super) fn checksum(file: &Path) -> io::Result<u32> {
    let mut reader = BufReader::with_capacity(1 << 20, File::open(file)?);
    let mut hasher = crc32fast::Hasher::new();
    let mut bytes = vec![0; 1 << 20];
    loop {
        match reader.read(&mut bytes)? {
            0 => return Ok(hasher.finalize()),
            count => hasher.update(&bytes[..count]),
        }
    }
}
