//! The files in which Burn saves models, optimizers and learning rates.

use std::fs::{self, File};
use std::io;
use std::path::PathBuf;

use burn::train::checkpoint::{
    Checkpoint, Checkpointer, CheckpointerError, CheckpointingAction, CheckpointingStrategy,
};
use burn::train::metric::store::EventStoreClient;

use super::{CheckpointFault, Checkpoints};
use crate::TrainingError;

/// A record of a checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RecordKind {
    /// Weights of the model.
    Model,
    /// State of the optimizers.
    Optimizer,
    /// State of the learning-rate schedules.
    Scheduler,
}

impl RecordKind {
    /// All records of a checkpoint.
    pub(super) const ALL: [Self; 3] = [Self::Model, Self::Optimizer, Self::Scheduler];

    /// Name of its file in the folder of a checkpoint.
    pub(crate) fn file_name(self) -> &'static str {
        match self {
            Self::Model => "model.bpk",
            Self::Optimizer => "optimizer.bpk",
            Self::Scheduler => "scheduler.bpk",
        }
    }
}

/// One of the records of each checkpoint of a stage.
pub(crate) struct RecordFiles {
    checkpoints: Checkpoints,
    kind: RecordKind,
}

impl Checkpoints {
    /// Files of one record in all checkpoints.
    pub(crate) fn record(&self, kind: RecordKind) -> RecordFiles {
        RecordFiles { checkpoints: self.clone(), kind }
    }
}

impl RecordFiles {
    fn path(&self, step: usize) -> PathBuf {
        self.checkpoints.at(step).join(self.kind.file_name())
    }

    /// The record of the checkpoint at `step`.
    ///
    /// # Errors
    /// It cannot be loaded.
    pub(crate) fn load<R: Checkpoint>(&self, step: usize) -> Result<R, TrainingError> {
        let path = self.path(step);
        R::load(path.clone()).map_err(|error| {
            let reason = CheckpointFault::Record(error.to_string());
            TrainingError::Checkpoint { path, reason }
        })
    }
}

impl<R: Checkpoint> Checkpointer<R> for RecordFiles {
    fn save(&self, step: usize, record: R) -> Result<(), CheckpointerError> {
        let folder = self.checkpoints.part(step);
        let path = folder.join(self.kind.file_name());
        let named = |error: io::Error| {
            CheckpointerError::IOError(io::Error::new(error.kind(), format!("{}: {error}", path.display())))
        };
        fs::create_dir_all(&folder).map_err(named)?;
        record.save(path.clone())?;
        File::open(&path).and_then(|file| file.sync_all()).map_err(named)?;
        self.checkpoints.saved_one(step, &path).map_err(named)
    }

    fn delete(&self, _step: usize) -> Result<(), CheckpointerError> {
        Ok(())
    }

    fn restore(&self, step: usize) -> Result<R, CheckpointerError> {
        R::load(self.path(step))
    }
}

/// A strategy that always saves; [`Checkpoints`] removes old checkpoints.
pub(crate) struct SaveAlways;

impl CheckpointingStrategy for SaveAlways {
    fn checkpointing(&mut self, _: usize, _: &EventStoreClient) -> Vec<CheckpointingAction> {
        vec![CheckpointingAction::Save]
    }
}
