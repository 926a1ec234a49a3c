//! Checkpoints by step, each in a folder of its own that is marked once it is complete.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use burn::train::checkpoint::{
    Checkpoint, Checkpointer, CheckpointerError, CheckpointingAction, CheckpointingStrategy,
};
use burn::train::metric::store::EventStoreClient;
use ipcgan_model::write_whole;

/// Records in a checkpoint: model, optimizer, scheduler.
const RECORDS: usize = 3;
/// Complete checkpoints that are kept; the one before the newest serves if that is damaged.
const KEPT: usize = 2;
/// The file that says that all records are there.
const COMPLETE: &str = "complete";

/// The checkpoints of one stage.
///
/// Burn saves the records of a checkpoint on threads of their own; the last one to arrive marks
/// the checkpoint as complete and removes old ones.
#[derive(Clone)]
pub(crate) struct Checkpoints {
    folder: PathBuf,
    saved: Arc<Mutex<HashMap<usize, usize>>>,
}

impl Checkpoints {
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self { folder, saved: Arc::default() }
    }

    /// Step of the newest complete checkpoint.
    pub(crate) fn newest(&self) -> Option<usize> {
        self.complete().into_iter().max()
    }

    /// Where one record of each checkpoint goes.
    pub(crate) fn record(&self, name: &'static str) -> RecordFiles {
        RecordFiles { checkpoints: self.clone(), name }
    }

    fn at(&self, step: usize) -> PathBuf {
        self.folder.join(format!("{step:06}"))
    }

    fn complete(&self) -> Vec<usize> {
        let entries = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        entries
            .filter(|entry| entry.path().join(COMPLETE).is_file())
            .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
            .collect()
    }

    fn saved_one(&self, step: usize) -> Result<(), CheckpointerError> {
        let mut saved = self.saved.lock().expect("no save panics while it holds the lock");
        let count = saved.entry(step).or_insert(0);
        *count += 1;
        if *count == RECORDS {
            write_whole(&self.at(step).join(COMPLETE), b"").map_err(CheckpointerError::IOError)?;
            self.remove_old()?;
        }
        Ok(())
    }

    fn remove_old(&self) -> Result<(), CheckpointerError> {
        let mut steps = self.complete();
        steps.sort_unstable();
        let old = steps.len().saturating_sub(KEPT);
        for step in &steps[..old] {
            let folder = self.at(*step);
            // The mark goes first: what is left after a crash in between is no checkpoint.
            fs::remove_file(folder.join(COMPLETE)).map_err(CheckpointerError::IOError)?;
            fs::remove_dir_all(folder).map_err(CheckpointerError::IOError)?;
        }
        Ok(())
    }
}

/// One of the records of each checkpoint of a stage.
pub(crate) struct RecordFiles {
    checkpoints: Checkpoints,
    name: &'static str,
}

impl RecordFiles {
    fn path(&self, step: usize) -> PathBuf {
        self.checkpoints.at(step).join(format!("{}.bpk", self.name))
    }

    /// The record of the checkpoint at `step`.
    pub(crate) fn load<R: Checkpoint>(&self, step: usize) -> Result<R, (PathBuf, String)> {
        let path = self.path(step);
        R::load(path.clone()).map_err(|error| (path, error.to_string()))
    }
}

impl<R: Checkpoint> Checkpointer<R> for RecordFiles {
    fn save(&self, step: usize, record: R) -> Result<(), CheckpointerError> {
        let path = self.path(step);
        let folder = path.parent().map(Path::to_path_buf).unwrap_or_default();
        fs::create_dir_all(folder).map_err(CheckpointerError::IOError)?;
        record.save(path)?;
        self.checkpoints.saved_one(step)
    }

    fn delete(&self, _step: usize) -> Result<(), CheckpointerError> {
        Ok(())
    }

    fn restore(&self, step: usize) -> Result<R, CheckpointerError> {
        R::load(self.path(step))
    }
}

/// Saves whenever it is asked to; [`Checkpoints`] removes old ones.
pub(crate) struct SaveAlways;

impl CheckpointingStrategy for SaveAlways {
    fn checkpointing(&mut self, _: usize, _: &EventStoreClient) -> Vec<CheckpointingAction> {
        vec![CheckpointingAction::Save]
    }
}
