//! Loads the generator of a command.

use std::path::Path;
use std::sync::Arc;

use anyhow::Result;
use ipcgan::train::{GeneratorSource, LineSink};
use ipcgan::{Device, FaceAging};
use log::info;

/// Loads the generator `named` (a weights file, a run folder or a checkpoint), or the one that ships with the
/// program.
pub(crate) fn face_aging(named: Option<&Path>, device: &Device) -> Result<FaceAging> {
    match named {
        Some(path) => face_aging_of(&source(path)?, device),
        None => Ok(FaceAging::embedded(device)?),
    }
}

/// Loads the generator of `source`.
pub(crate) fn face_aging_of(source: &GeneratorSource, device: &Device) -> Result<FaceAging> {
    Ok(FaceAging::of_weights(source.load(device, &notices())?, &source.file(), device))
}

/// Locates the generator at `path`.
pub(crate) fn source(path: &Path) -> Result<GeneratorSource> {
    Ok(GeneratorSource::find(path, &notices())?)
}

/// Reports the selected checkpoint, and slow work.
pub(crate) fn notices() -> LineSink {
    Arc::new(|line| info!("{line}"))
}
