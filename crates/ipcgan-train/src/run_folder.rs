//! Where a training leaves what it makes.

use std::fs;
use std::path::{Path, PathBuf};

use ipcgan_model::write_whole;

use crate::{Stage, TrainingConfig, TrainingError};

/// The folder of one training run.
///
/// ```text
/// run/config.json    samples/000500.png    weights/{alexnet,generator,discriminator}.safetensors
///     log/{identity,age,aging}/{train,valid}/epoch-*/*.log
///     checkpoints/{identity,age,aging}/000500/{model,optimizer,scheduler}.bpk, complete
/// ```
#[derive(Clone, Debug)]
pub struct RunFolder {
    path: PathBuf,
}

impl RunFolder {
    /// The folder at `path`, made if it is not there.
    ///
    /// # Errors
    /// It cannot be made or written to.
    pub fn create(path: &Path) -> Result<Self, TrainingError> {
        let run = Self { path: path.into() };
        for folder in [run.path.clone(), run.path.join("samples"), run.path.join("weights")] {
            create_folder(&folder)?;
        }
        Ok(run)
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The weights of the network called `network`.
    pub fn weights(&self, network: &str) -> PathBuf {
        self.path.join("weights").join(format!("{network}.safetensors"))
    }

    /// The sample grid after `step` steps.
    pub fn sample(&self, step: usize) -> PathBuf {
        self.path.join("samples").join(format!("{step:06}.png"))
    }

    /// The newest sample grid, if there is one.
    pub fn newest_sample(&self) -> Option<PathBuf> {
        let entries = fs::read_dir(self.path.join("samples")).ok()?;
        let pictures = entries.flatten().map(|entry| entry.path());
        pictures.filter(|path| path.extension().is_some_and(|kind| kind == "png")).max()
    }

    pub(crate) fn log(&self, stage: Stage) -> Result<PathBuf, TrainingError> {
        let folder = self.path.join("log").join(stage.name());
        create_folder(&folder)?;
        Ok(folder)
    }

    pub(crate) fn checkpoints(&self, stage: Stage) -> PathBuf {
        self.path.join("checkpoints").join(stage.name())
    }

    /// Keeps `config`: the newest one at the top, and each stage's own beside its log.
    pub(crate) fn save_config(&self, stage: Stage, config: &TrainingConfig) -> Result<(), TrainingError> {
        let json = serde_json::to_vec_pretty(config).expect("plain data turn into JSON");
        for path in [self.path.join("config.json"), self.log(stage)?.join("config.json")] {
            write_whole(&path, &json).map_err(|source| TrainingError::Access { path, source })?;
        }
        Ok(())
    }
}

fn create_folder(path: &Path) -> Result<(), TrainingError> {
    fs::create_dir_all(path).map_err(|source| TrainingError::Access { path: path.into(), source })
}
