//! The generator that a command uses.

use std::path::Path;
use std::sync::Arc;

use anyhow::Result;
use ipcgan::train::{GeneratorSource, LineSink};
use ipcgan::{Device, FaceAging};

use crate::info;

/// The generator that `named` means (a weights file, a run folder or a checkpoint), or the one that comes with the program.
pub(crate) fn face_aging(named: Option<&Path>, device: &Device) -> Result<FaceAging> {
    match named {
        Some(path) => face_aging_of(&source(path)?, device),
        None => Ok(FaceAging::embedded(device)?),
    }
}

/// The generator of `source`.
pub(crate) fn face_aging_of(source: &GeneratorSource, device: &Device) -> Result<FaceAging> {
    Ok(FaceAging::of_weights(source.load(device, &notices())?, &source.file(), device))
}

/// Where the generator is that `path` means.
pub(crate) fn source(path: &Path) -> Result<GeneratorSource> {
    Ok(GeneratorSource::find(path, &notices())?)
}

/// Says which checkpoint is used, and what takes long.
pub(crate) fn notices() -> LineSink {
    Arc::new(info)
}
