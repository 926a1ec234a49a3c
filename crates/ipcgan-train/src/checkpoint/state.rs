//! What a checkpoint says of itself, and whether its records are as they were written.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufReader, Read};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::loss_scale::LossScaleState;

/// The file that says that all records are there, and what they must be.
pub(super) const STATE: &str = "state.json";

/// How far a stage has come, beside its records.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct StageProgress {
    /// Step after which the newest validation was.
    pub(crate) validated: usize,
    /// What the newest validation measured, by name.
    pub(crate) held_out: BTreeMap<String, f64>,
    /// The best validation so far, if one is better than others.
    pub(crate) best: Option<Best>,
    /// How losses are scaled, if they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) loss_scale: Option<LossScaleState>,
}

/// The best validation of a stage.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Best {
    /// Step after which it was; its checkpoint is kept.
    pub(crate) step: usize,
    /// What it measured.
    pub(crate) value: f64,
    /// Name of what was measured: numbers of other names are not to be compared with it.
    #[serde(default)]
    pub(crate) metric: String,
    /// Validations since.
    pub(crate) since: usize,
}

/// What a complete checkpoint holds.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct State {
    /// Steps done.
    pub(super) step: usize,
    #[serde(flatten)]
    pub(super) progress: StageProgress,
    /// CRC-32 of each record's file, by its name.
    pub(super) checksums: BTreeMap<String, u32>,
}

/// Whether `folder` is a complete checkpoint, whole or damaged.
pub(crate) fn is_checkpoint(folder: &Path) -> bool {
    folder.join(STATE).is_file()
}

/// Whether every record of the checkpoint is what it was when it was written; else what is wrong.
pub(crate) fn check(folder: &Path) -> Result<(), String> {
    for (name, expected) in state(folder)?.checksums {
        match checksum(&folder.join(&name)) {
            Err(error) => return Err(format!("{name} cannot be read: {error}")),
            Ok(found) if found != expected => return Err(format!("{name} is damaged: its checksum does not match")),
            Ok(_) => (),
        }
    }
    Ok(())
}

pub(super) fn state(folder: &Path) -> Result<State, String> {
    let text = fs::read(folder.join(STATE)).map_err(|error| error.to_string())?;
    serde_json::from_slice(&text).map_err(|error| format!("{STATE} is damaged: {error}"))
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
