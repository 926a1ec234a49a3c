//! The generator that a command uses.

use std::path::Path;

use anyhow::Result;
use ipcgan::{Device, FaceAging};

/// The generator of the file `named`, or the one that comes with the program.
pub(crate) fn face_aging(named: Option<&Path>, device: &Device) -> Result<FaceAging> {
    Ok(match named {
        Some(path) => FaceAging::load(path, device)?,
        None => FaceAging::embedded(device)?,
    })
}
