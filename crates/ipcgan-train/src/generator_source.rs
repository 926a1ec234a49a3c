//! Locates a trained generator: a weights file, or a checkpoint of a run.

use std::path::{Path, PathBuf};

use burn::tensor::Device;
use ipcgan_model::Generator;
use ipcgan_model::weights::{self, Network, Weights};

use crate::monitor::lines::LineSink;
use crate::run::checkpoint::{CheckpointFault, Checkpoints, RecordKind, check, is_checkpoint};
use crate::run::folder::weights_file;
use crate::stages::gan::load_saved_generator;
use crate::{RunFolder, Stage, TrainingError};

/// The stage that trains generators.
const STAGE: Stage = Stage::Aging;

/// Why a path names no generator.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoGenerator {
    /// The path does not exist.
    #[error("no such file or folder")]
    NoPath,
    /// The folder is a run without a checkpoint of the stage that trains generators.
    #[error("this run has no checkpoint of the {STAGE} stage yet")]
    NoCheckpoint,
    /// The folder is a checkpoint of another stage.
    #[error("this is a checkpoint of the {0} stage; only those of the {STAGE} stage contain a generator")]
    OtherStage(Stage),
    /// The folder contains no weights.
    #[error(
        "it contains no weights; give a weights file, a run folder, or a checkpoint such as \
         RUN/checkpoints/aging/000500"
    )]
    NoWeights,
}

/// Location of a trained generator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GeneratorSource {
    /// A weights file.
    File(PathBuf),
    /// The folder of a checkpoint of the ageing stage in a run.
    Checkpoint(PathBuf),
}

impl GeneratorSource {
    /// Resolves `path`: a weights file; a run folder (its final weights, else its best checkpoint); the checkpoints
    /// of its ageing stage (`RUN/checkpoints/aging`: the best one), or one of them (`RUN/checkpoints/aging/000500`).
    ///
    /// Reports the selected checkpoint to `notices`, if there are several.
    ///
    /// # Errors
    /// Nothing is found, or no checkpoint is intact.
    pub fn find(path: &Path, notices: &LineSink) -> Result<Self, TrainingError> {
        // A pipe is a file as well.
        if path.exists() && !path.is_dir() {
            let folder = path.parent().filter(|folder| path.ends_with(record_file()) && is_checkpoint(folder));
            return folder.map_or_else(|| Ok(Self::File(path.into())), Self::checkpoint);
        }
        let no_generator = |reason| TrainingError::NoGenerator { path: path.into(), reason };
        if !path.exists() {
            return Err(no_generator(NoGenerator::NoPath));
        }
        let finished = [path.join(weights_file(Generator::KIND)), RunFolder::at(path).weights(Generator::KIND)];
        if let Some(file) = finished.into_iter().find(|file| file.is_file()) {
            return Ok(Self::File(file));
        }
        if is_checkpoint(path) {
            return Self::checkpoint(path);
        }
        let absolute = absolute(path)?;
        let of_run = [RunFolder::at(&absolute).checkpoints(STAGE), absolute.join(STAGE.name()), absolute.clone()];
        for folder in of_run.into_iter().filter(|folder| folder.ends_with(STAGE.name())) {
            if let Some((checkpoint, best)) = Checkpoints::in_folder(folder).best()? {
                let selection = best.map_or("the newest one".into(), |best| {
                    format!("the best one by {} ({:.3})", best.metric, best.value)
                });
                notices(&format!("using checkpoint {}, {selection}", checkpoint.display()));
                return Self::checkpoint(&checkpoint);
            }
        }
        if absolute.join("checkpoints").is_dir() || absolute.join("config.json").is_file() {
            return Err(no_generator(NoGenerator::NoCheckpoint));
        }
        Err(no_generator(NoGenerator::NoWeights))
    }

    fn checkpoint(folder: &Path) -> Result<Self, TrainingError> {
        let folder = absolute(folder)?;
        let stage = folder.parent().and_then(Path::file_name).and_then(|name| name.to_str()?.parse::<Stage>().ok());
        match stage {
            Some(stage) if stage != STAGE => {
                Err(TrainingError::NoGenerator { path: folder, reason: NoGenerator::OtherStage(stage) })
            }
            _ => Ok(Self::Checkpoint(folder)),
        }
    }

    /// The file that contains the weights.
    pub fn file(&self) -> PathBuf {
        match self {
            Self::File(path) => path.clone(),
            Self::Checkpoint(folder) => folder.join(record_file()),
        }
    }

    /// The run that contains it, if it is in a run folder.
    pub fn run(&self) -> Option<RunFolder> {
        let file = absolute(&self.file()).ok()?;
        let levels = match self {
            Self::File(_) => 2,       // RUN/weights/generator.safetensors
            Self::Checkpoint(_) => 4, // RUN/checkpoints/aging/000500/model.bpk
        };
        let run = file.ancestors().nth(levels)?;
        run.join("config.json").is_file().then(|| RunFolder::at(run))
    }

    /// Loads the generator onto `device`. From a checkpoint, it is what the stage would save: the exponential moving
    /// average (EMA) if the run has one, with batch-norm recalibration on the faces of the run if it is enabled.
    ///
    /// Reports slow work to `notices`.
    ///
    /// # Errors
    /// The file or checkpoint is damaged or no generator; or the run or its faces, which a checkpoint may need, are missing
    /// or cannot be read.
    pub fn load(&self, device: &Device, notices: &LineSink) -> Result<Weights<Generator>, TrainingError> {
        match self {
            Self::File(path) => Ok(weights::load(path, device)?),
            Self::Checkpoint(folder) => {
                check(folder).map_err(|reason| TrainingError::Checkpoint { path: folder.clone(), reason })?;
                let without_run = || TrainingError::Checkpoint { path: folder.clone(), reason: CheckpointFault::NoRun };
                let run = self.run().ok_or_else(without_run)?;
                let config = run.config_of(STAGE)?.ok_or_else(without_run)?;
                load_saved_generator(&folder.join(record_file()), &run, &config, device, notices)
            }
        }
    }
}

/// Name of the file in a checkpoint that contains the weights.
fn record_file() -> &'static str {
    RecordKind::Model.file_name()
}

fn absolute(path: &Path) -> Result<PathBuf, TrainingError> {
    // Canonical, so that the folders above it are those of the run.
    path.canonicalize().map_err(|source| TrainingError::Access { path: path.into(), source })
}
