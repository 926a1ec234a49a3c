//! Checkpoints by step; each is a folder that is complete once it contains `state.json`.

mod record_files;
mod state;

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::{fs, io};

use ipcgan_system::write_atomic;

pub(crate) use record_files::{RecordKind, SaveAlways};
pub use state::CheckpointFault;
pub(crate) use state::{Best, StageProgress, check, is_checkpoint};
use state::{STATE, State, checksum, state};

use crate::{RunFolder, Stage, TrainingConfig, TrainingError};

/// Extension of a checkpoint folder that is being written.
const PART: &str = "part";

/// The checkpoints of one stage.
///
/// Burn writes the records of a checkpoint on separate threads; the last one to finish marks the
/// checkpoint as complete and removes old ones.
#[derive(Clone)]
pub(crate) struct Checkpoints {
    folder: PathBuf,
    /// File that stores the step of the newest complete checkpoint.
    newest_step: PathBuf,
    /// Number of complete checkpoints to keep besides the best one; older ones serve as fallback if the newest is
    /// damaged.
    kept: usize,
    /// Checkpoints that are being written, by step.
    incomplete: Arc<Mutex<HashMap<usize, State>>>,
}

impl RunFolder {
    /// Step of the newest checkpoint that `stage` ever completed. Stored beside the log, so that missing checkpoints
    /// are distinguished from ones that never existed.
    pub(crate) fn checkpoint_step(&self, stage: Stage) -> Result<Option<usize>, TrainingError> {
        self.read(&checkpoint_step_file(stage))
    }
}

/// File with the step of the newest checkpoint of a stage, relative to the run folder.
fn checkpoint_step_file(stage: Stage) -> String {
    format!("log/{stage}/checkpoint.json")
}

/// The checkpoint to resume from.
pub(crate) struct Found {
    /// Step of the newest intact checkpoint; zero if there is none.
    pub(crate) step: usize,
    /// Newer damaged checkpoints, with the reason.
    pub(crate) damaged: Vec<(PathBuf, CheckpointFault)>,
}

impl Checkpoints {
    /// The checkpoints of `stage` in `run`.
    pub(crate) fn of(run: &RunFolder, stage: Stage, config: &TrainingConfig) -> Self {
        let newest_step = run.path().join(checkpoint_step_file(stage));
        Self { folder: run.checkpoints(stage), newest_step, kept: config.checkpoints_kept, incomplete: Arc::default() }
    }

    /// The checkpoints in `folder`, read-only.
    pub(crate) fn in_folder(folder: PathBuf) -> Self {
        Self { newest_step: PathBuf::new(), folder, kept: 1, incomplete: Arc::default() }
    }

    /// Whether there is a complete checkpoint, intact or damaged.
    pub(crate) fn any(&self) -> bool {
        !self.complete().is_empty()
    }

    /// Finds the newest intact checkpoint by verifying all checksums; removes incomplete and damaged checkpoints,
    /// whose steps are repeated.
    ///
    /// # Errors
    /// No checkpoint is intact, or one cannot be removed.
    pub(crate) fn find(&self) -> Result<Found, TrainingError> {
        let access = |path: &Path| {
            let path = path.to_path_buf();
            move |source| TrainingError::Access { path, source }
        };
        for path in self.folders() {
            match step_of_part(&path) {
                // It is complete but was not renamed.
                Some(step) if check(&path).is_ok() => put_in_place(&path, &self.at(step)).map_err(access(&path))?,
                Some(_) => fs::remove_dir_all(&path).map_err(access(&path))?,
                None if is_step(&path) && path.is_dir() && !path.join(STATE).is_file() => {
                    fs::remove_dir_all(&path).map_err(access(&path))?
                }
                None => (),
            }
        }
        let mut complete = self.complete();
        let mut damaged: Vec<(PathBuf, CheckpointFault)> = Vec::new();
        while let Some(step) = complete.pop() {
            let folder = self.at(step);
            let Err(reason) = check(&folder) else {
                for (path, _) in &damaged {
                    remove(path).map_err(access(path))?;
                }
                return Ok(Found { step, damaged });
            };
            damaged.push((folder, reason));
        }
        if damaged.is_empty() { Ok(Found { step: 0, damaged }) } else { Err(none_intact(damaged)) }
    }

    /// The best intact checkpoint with its metric, else the newest one. Nothing is removed.
    ///
    /// # Errors
    /// No checkpoint is intact.
    pub(crate) fn best(&self) -> Result<Option<(PathBuf, Option<Best>)>, TrainingError> {
        let complete = self.complete();
        let newest = complete.iter().rev().find_map(|step| state(&self.at(*step)).ok());
        let best = newest.and_then(|state| state.progress.best);
        if let Some(best) = best
            && check(&self.at(best.step)).is_ok()
        {
            return Ok(Some((self.at(best.step), Some(best))));
        }
        let mut damaged = Vec::new();
        for step in complete.into_iter().rev() {
            match check(&self.at(step)) {
                Ok(()) => return Ok(Some((self.at(step), None))),
                Err(reason) => damaged.push((self.at(step), reason)),
            }
        }
        if damaged.is_empty() { Ok(None) } else { Err(none_intact(damaged)) }
    }

    /// Progress of the stage at the checkpoint of `step`, which [`Checkpoints::find`] returned; default at step zero.
    ///
    /// # Errors
    /// It cannot be read.
    pub(crate) fn progress(&self, step: usize) -> Result<StageProgress, TrainingError> {
        if step == 0 {
            return Ok(StageProgress::default());
        }
        let path = self.at(step);
        state(&path).map(|state| state.progress).map_err(|reason| TrainingError::Checkpoint { path, reason })
    }

    /// Starts the checkpoint of `step`; its records follow.
    pub(crate) fn begin(&self, step: usize, progress: StageProgress) {
        let mut incomplete = self.incomplete.lock().expect("no save panics while it holds the lock");
        incomplete.insert(step, State { step, progress, checksums: BTreeMap::new() });
    }

    /// The newest complete checkpoint.
    pub(crate) fn newest(&self) -> Option<PathBuf> {
        self.complete().pop().map(|step| self.at(step))
    }

    fn at(&self, step: usize) -> PathBuf {
        self.folder.join(format!("{step:06}"))
    }

    /// Folder of the checkpoint of `step` while it is written.
    fn part(&self, step: usize) -> PathBuf {
        self.at(step).with_extension(PART)
    }

    fn folders(&self) -> impl Iterator<Item = PathBuf> {
        fs::read_dir(&self.folder).into_iter().flatten().flatten().map(|entry| entry.path())
    }

    /// Steps of complete checkpoints, in ascending order.
    fn complete(&self) -> Vec<usize> {
        let complete = self.folders().filter(|folder| folder.join(STATE).is_file());
        let mut steps: Vec<usize> = complete.filter_map(|folder| folder.file_name()?.to_str()?.parse().ok()).collect();
        steps.sort_unstable();
        steps
    }

    fn saved_one(&self, step: usize, file: &Path) -> io::Result<()> {
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let checksum = checksum(file)?;
        let mut incomplete = self.incomplete.lock().expect("no save panics while it holds the lock");
        let Some(state) = incomplete.get_mut(&step) else { return Ok(()) };
        state.checksums.insert(name, checksum);
        if state.checksums.len() == RecordKind::ALL.len() {
            let text = serde_json::to_vec_pretty(state).expect("numbers and names turn into JSON");
            let best = state.progress.best.as_ref().map(|best| best.step);
            incomplete.remove(&step);
            write_atomic(&self.part(step).join(STATE), &text)?;
            put_in_place(&self.part(step), &self.at(step))?;
            write_atomic(&self.newest_step, step.to_string().as_bytes())?;
            self.remove_old(best)?;
        }
        Ok(())
    }

    fn remove_old(&self, best: Option<usize>) -> io::Result<()> {
        let steps = self.complete();
        let old = steps.len().saturating_sub(self.kept);
        let old = steps[..old].iter().filter(|step| Some(**step) != best);
        old.into_iter().try_for_each(|step| remove(&self.at(*step)))
    }
}

/// The error if no checkpoint is intact; `damaged` lists all of them, newest first.
fn none_intact(damaged: Vec<(PathBuf, CheckpointFault)>) -> TrainingError {
    let older = damaged.len() - 1;
    let (path, reason) = damaged.into_iter().next().expect("a checkpoint is damaged");
    TrainingError::NoIntactCheckpoint { path, reason, older }
}

/// Renames the complete checkpoint `part` to `folder`, replacing an older one of the same step.
fn put_in_place(part: &Path, folder: &Path) -> io::Result<()> {
    if folder.exists() {
        remove(folder)?;
    }
    fs::rename(part, folder)
}

/// Whether `folder` has the name of a checkpoint; others are not ours.
fn is_step(folder: &Path) -> bool {
    let name = folder.file_name().and_then(|name| name.to_str());
    name.is_some_and(|name| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Step of a checkpoint that was being written to `folder`.
fn step_of_part(folder: &Path) -> Option<usize> {
    let name = folder.file_name()?.to_str()?.strip_suffix(PART)?;
    name.strip_suffix('.')?.parse().ok()
}

/// Removes a checkpoint; its state first, so that a crash in between leaves no checkpoint.
fn remove(folder: &Path) -> io::Result<()> {
    match fs::remove_file(folder.join(STATE)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => (),
    }
    fs::remove_dir_all(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checkpoints at these steps, with three records each.
    fn checkpoints(steps: &[usize], kept: usize) -> (tempfile::TempDir, Checkpoints) {
        let folder = tempfile::tempdir().unwrap();
        let config = TrainingConfig::of(crate::Preset::Tiny).with_checkpoints_kept(kept);
        let run = RunFolder::at(folder.path());
        run.log(Stage::Age).unwrap();
        let checkpoints = Checkpoints::of(&run, Stage::Age, &config);
        for step in steps {
            fs::create_dir_all(checkpoints.part(*step)).unwrap();
            // The second is the best.
            let best = steps.get(1).filter(|best| step >= best);
            let best = best.map(|best| Best { step: *best, value: 0.5, metric: String::new(), since: 0 });
            checkpoints.begin(*step, StageProgress { best, ..StageProgress::default() });
            for name in ["model.bpk", "optimizer.bpk", "scheduler.bpk"] {
                let file = checkpoints.part(*step).join(name);
                fs::write(&file, format!("{name} at {step}")).unwrap();
                checkpoints.saved_one(*step, &file).unwrap();
            }
        }
        (folder, checkpoints)
    }

    #[test]
    fn the_newest_ones_and_the_best_one_are_kept() {
        let (_folder, checkpoints) = checkpoints(&[5, 10, 12, 15, 1_000_000], 2);

        assert_eq!(checkpoints.complete(), [10, 15, 1_000_000]);
        assert_eq!(checkpoints.find().unwrap().step, 1_000_000);
        assert_eq!(checkpoints.progress(15).unwrap().best.unwrap().step, 10);
    }

    #[test]
    fn a_damaged_checkpoint_is_reported_and_the_one_before_is_used() {
        let (_folder, checkpoints) = checkpoints(&[5, 10, 15], 3);
        fs::write(checkpoints.at(15).join("model.bpk"), "modex.bpk at 15").unwrap();
        fs::remove_file(checkpoints.at(10).join("optimizer.bpk")).unwrap();

        let Found { step, damaged } = checkpoints.find().unwrap();

        assert_eq!(step, 5);
        assert_eq!(damaged[0].0, checkpoints.at(15));
        assert_eq!(damaged[0].1.to_string(), "model.bpk is damaged: its checksum does not match");
        assert!(damaged[1].1.to_string().starts_with("optimizer.bpk cannot be read"));
        assert_eq!(checkpoints.complete(), [5]);
    }

    #[test]
    fn a_checkpoint_that_was_half_written_is_removed() {
        let (_folder, checkpoints) = checkpoints(&[5], 2);
        fs::create_dir_all(checkpoints.at(10)).unwrap();
        fs::write(checkpoints.at(10).join("model.bpk"), "half").unwrap();

        assert_eq!(checkpoints.find().unwrap().step, 5);
        assert!(!checkpoints.at(10).exists());
    }

    #[test]
    fn a_folder_of_another_name_is_left_alone() {
        let (_folder, checkpoints) = checkpoints(&[5], 2);
        let backup = checkpoints.at(5).with_file_name("backup");
        fs::create_dir(&backup).unwrap();

        assert_eq!(checkpoints.find().unwrap().step, 5);
        assert!(backup.is_dir());
    }

    #[test]
    fn a_complete_checkpoint_that_was_not_renamed_is_used() {
        let (_folder, checkpoints) = checkpoints(&[5, 10], 2);
        fs::rename(checkpoints.at(10), checkpoints.part(10)).unwrap();
        fs::create_dir_all(checkpoints.part(15)).unwrap();

        assert_eq!(checkpoints.find().unwrap().step, 10);
        assert!(!checkpoints.part(15).exists());
    }

    #[test]
    fn missing_checkpoints_are_distinguished_from_ones_that_never_existed() {
        let (folder, checkpoints) = checkpoints(&[5, 10], 2);
        let run = RunFolder::at(folder.path());
        fs::remove_dir_all(&checkpoints.folder).unwrap();

        assert_eq!(run.checkpoint_step(Stage::Age).unwrap(), Some(10));
        assert_eq!(run.checkpoint_step(Stage::Aging).unwrap(), None);
    }

    #[test]
    fn the_best_checkpoint_is_found_or_the_newest_intact_one_if_it_is_damaged() {
        let (_folder, checkpoints) = checkpoints(&[5, 10, 15, 20], 3);
        let found = |checkpoints: &Checkpoints| {
            let (path, best) = checkpoints.best().unwrap().unwrap();
            (path, best.is_some())
        };

        assert_eq!(found(&checkpoints), (checkpoints.at(10), true));
        for step in [10, 20] {
            fs::write(checkpoints.at(step).join("model.bpk"), "other").unwrap();
        }
        assert_eq!(found(&checkpoints), (checkpoints.at(15), false));
        fs::remove_file(checkpoints.at(15).join("model.bpk")).unwrap();
        assert!(checkpoints.best().unwrap_err().to_string().contains("model.bpk is damaged"));
        assert!(checkpoints.at(20).exists(), "nothing is removed");
    }

    #[test]
    fn if_no_checkpoint_is_intact_none_is_removed() {
        let (_folder, checkpoints) = checkpoints(&[5, 10], 2);
        for step in [5, 10] {
            fs::write(checkpoints.at(step).join(STATE), "{").unwrap();
        }

        let error = checkpoints.find().err().unwrap();

        let error = error.to_string();
        assert!(error.contains("000010: state.json is damaged"), "the newest is named: {error}");
        assert!(error.contains("the older ones (1) are damaged as well"), "{error}");
        assert!(checkpoints.at(5).exists() && checkpoints.at(10).exists());
    }
}
