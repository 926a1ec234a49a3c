//! The folder of a training run and its files.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use ipcgan_system::{JsonPath, write_atomic};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{ConfigFault, Stage, TrainingConfig, TrainingError};

/// Name of the file that marks a folder as a run and contains its settings.
const CONFIG: &str = "config.json";
/// Name of the file that stores which data the run uses.
const DATA: &str = "data.json";
/// Name of the file that the training process locks.
const LOCK: &str = ".lock";
/// Folder in the run for `tensorboard --logdir`.
pub const TENSORBOARD_FOLDER: &str = "tensorboard";
/// Contents of a run besides its configuration.
const CONTENTS: [&str; 7] = [DATA, "log", "checkpoints", "weights", "samples", "plots", TENSORBOARD_FOLDER];

/// The folder of one training run.
///
/// ```text
/// run/config.json, data.json    samples/000500.png    weights/{alexnet,generator,discriminator}.safetensors
///     log/{identity,age,aging}/train.jsonl, valid.jsonl, config.json, checkpoint.json, summary.json once the stage is complete
///     plots/{identity,age,aging}.png    tensorboard/{identity,age,aging}/events.out.tfevents.*
///     checkpoints/{identity,age,aging}/000500/{model,optimizer,scheduler}.bpk, state.json
///     .lock, locked by the process that trains
/// ```
#[derive(Clone, Debug)]
pub struct RunFolder {
    path: PathBuf,
}

/// Exclusive lock of a run; the operating system releases it when the process ends.
#[derive(Debug)]
pub(crate) struct RunLock {
    _file: File,
}

impl RunFolder {
    /// The folder at `path`, which does not have to exist: training creates it after all checks.
    pub fn at(path: &Path) -> Self {
        Self { path: path.into() }
    }

    /// Path of the folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Creates the folder and locks it.
    ///
    /// # Errors
    /// It cannot be created, or another process holds the lock.
    pub(crate) fn lock(&self) -> Result<RunLock, TrainingError> {
        for folder in [self.path.clone(), self.path.join("samples"), self.path.join("weights")] {
            create_folder(&folder)?;
        }
        let path = self.path.join(LOCK);
        let opened = OpenOptions::new().write(true).create(true).truncate(false).open(&path);
        let file = opened.map_err(|source| TrainingError::Access { path: path.clone(), source })?;
        match file.try_lock() {
            Ok(()) => Ok(RunLock { _file: file }),
            Err(TryLockError::WouldBlock) => Err(TrainingError::RunInUse { path: self.path.clone() }),
            // Some network file systems do not support locks; training without one is better than failing.
            Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {
                Ok(RunLock { _file: file })
            }
            Err(TryLockError::Error(source)) => Err(TrainingError::Access { path, source }),
        }
    }

    /// Checks that the folder can be used for training: it is not locked by another process, and a folder that is not a
    /// run contains no files that a run would overwrite. A new folder is not created.
    ///
    /// # Errors
    /// [`TrainingError::RunInUse`], [`TrainingError::NoRunFolder`] with the first such file or folder, or those of
    /// [`RunFolder::config`].
    pub fn check_usable(&self) -> Result<(), TrainingError> {
        self.check_contents()?;
        // Checked only if the lock file exists, because creating it would leave a folder behind.
        if self.path.join(LOCK).exists() { self.lock().map(drop) } else { Ok(()) }
    }

    /// Checks that the folder contains a run.
    ///
    /// # Errors
    /// [`TrainingError::NoRun`].
    pub fn check_resumable(&self) -> Result<(), TrainingError> {
        self.check_contents()?;
        match self.config()? {
            Some(_) => Ok(()),
            None => Err(TrainingError::NoRun { path: self.path.clone() }),
        }
    }

    fn check_contents(&self) -> Result<(), TrainingError> {
        if self.path.exists() && !self.path.is_dir() {
            return Err(TrainingError::NotAFolder { path: self.path.clone() });
        }
        if self.path.join(CONFIG).exists() {
            return self.config().map(|_| ());
        }
        match CONTENTS.iter().map(|name| self.path.join(name)).find(|path| is_file_or_non_empty_folder(path)) {
            None => Ok(()),
            Some(found) => Err(TrainingError::NoRunFolder { path: self.path.clone(), found }),
        }
    }

    /// Weights file of the network `network`.
    pub fn weights(&self, network: &str) -> PathBuf {
        self.path.join("weights").join(weights_file(network))
    }

    /// Sample grid of step `step`.
    pub fn sample(&self, step: usize) -> PathBuf {
        self.path.join("samples").join(format!("{step:06}.png"))
    }

    /// Newest sample grid, if there is one.
    pub fn newest_sample(&self) -> Option<PathBuf> {
        let entries = fs::read_dir(self.path.join("samples")).ok()?;
        let images = entries.flatten().map(|entry| entry.path());
        let images = images.filter(|path| path.extension().is_some_and(|kind| kind == "png"));
        // By number: names have at least six digits, so from step 1,000,000 on they do not sort by name.
        let step = |path: &PathBuf| path.file_stem()?.to_str()?.parse::<usize>().ok();
        images.filter_map(|path| Some((step(&path)?, path))).max().map(|(_, path)| path)
    }

    pub(crate) fn log(&self, stage: Stage) -> Result<PathBuf, TrainingError> {
        let folder = self.path.join("log").join(stage.name());
        create_folder(&folder)?;
        Ok(folder)
    }

    pub(crate) fn checkpoints(&self, stage: Stage) -> PathBuf {
        self.path.join("checkpoints").join(stage.name())
    }

    /// Configuration of the run, if it exists. Settings that an older version did not store have the values of the
    /// preset.
    ///
    /// # Errors
    /// It cannot be read, or is invalid.
    pub fn config(&self) -> Result<Option<TrainingConfig>, TrainingError> {
        self.config_in(CONFIG)
    }

    /// Configuration that `stage` was last run with, if it exists.
    ///
    /// # Errors
    /// As [`RunFolder::config`].
    pub(crate) fn config_of(&self, stage: Stage) -> Result<Option<TrainingConfig>, TrainingError> {
        self.config_in(&format!("log/{stage}/{CONFIG}"))
    }

    fn config_in(&self, name: &str) -> Result<Option<TrainingConfig>, TrainingError> {
        let Some(saved) = self.read::<Value>(name)? else { return Ok(None) };
        let invalid = |reason| TrainingError::NoConfig { path: self.path.join(name), reason };
        let preset = saved.get("preset").cloned().ok_or_else(|| invalid(ConfigFault::NoPreset))?;
        let preset = serde_json::from_value(preset).map_err(|error| invalid(ConfigFault::Type(error)))?;
        let mut config = serde_json::to_value(TrainingConfig::of(preset)).expect("plain data turn into JSON");
        merge(&mut config, saved);
        serde_json::from_value(config).map(Some).map_err(|error| invalid(ConfigFault::Type(error)))
    }

    /// Configuration that `stage` was last run with, as JSON, if it exists.
    pub(crate) fn stage_config(&self, stage: Stage) -> Result<Option<Value>, TrainingError> {
        self.read(&format!("log/{stage}/{CONFIG}"))
    }

    /// Prepared folder of the run; none if its faces are synthetic, or if there is no run.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn data_folder(&self) -> Result<Option<PathBuf>, TrainingError> {
        Ok(self.read::<Option<JsonPath>>(DATA)?.flatten().map(JsonPath::into_path))
    }

    /// Stores the prepared folder of the run; none if its faces are synthetic.
    pub(crate) fn save_data_folder(&self, folder: Option<&Path>) -> Result<(), TrainingError> {
        self.write(DATA, &folder.map(JsonPath::from))
    }

    /// Contents of the JSON file `name`, if it exists.
    pub(crate) fn read<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, TrainingError> {
        let path = self.path.join(name);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(TrainingError::Access { path, source }),
        };
        serde_json::from_slice(&text).map(Some).map_err(|reason| TrainingError::DamagedFile { path, reason })
    }

    /// Writes the JSON file `name`.
    pub(crate) fn write<T: Serialize>(&self, name: &str, contents: &T) -> Result<(), TrainingError> {
        let path = self.path.join(name);
        let text = serde_json::to_vec_pretty(contents).expect("plain data turn into JSON");
        write_atomic(&path, &text).map_err(|source| TrainingError::Access { path, source })
    }

    /// Stores `config` in the run folder and in the log folder of `stage`.
    pub(crate) fn save_config(&self, stage: Stage, config: &TrainingConfig) -> Result<(), TrainingError> {
        self.log(stage)?;
        self.write(CONFIG, config)?;
        self.write(&format!("log/{stage}/{CONFIG}"), config)
    }
}

/// Name of the weights file of the network `network`.
pub(crate) fn weights_file(network: &str) -> String {
    format!("{network}.safetensors")
}

/// Merges `saved` into `config`, field by field.
fn merge(config: &mut Value, saved: Value) {
    match (config, saved) {
        (Value::Object(config), Value::Object(saved)) => {
            for (name, value) in saved {
                merge(config.entry(name).or_insert(Value::Null), value);
            }
        }
        (config, saved) => *config = saved,
    }
}

/// Whether `path` is a file or a non-empty folder.
fn is_file_or_non_empty_folder(path: &Path) -> bool {
    match fs::read_dir(path) {
        Ok(mut entries) => entries.next().is_some(),
        Err(_) => path.exists(),
    }
}

fn create_folder(path: &Path) -> Result<(), TrainingError> {
    fs::create_dir_all(path).map_err(|source| TrainingError::Access { path: path.into(), source })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Preset;

    #[test]
    fn the_newest_sample_grid_is_that_of_the_largest_step() {
        let folder = tempfile::tempdir().unwrap();
        let run = RunFolder::at(folder.path());
        fs::create_dir(folder.path().join("samples")).unwrap();
        for step in [999_999, 1_000_000] {
            fs::write(run.sample(step), "").unwrap();
        }
        fs::write(folder.path().join("samples/notes.png"), "").unwrap();

        assert_eq!(run.newest_sample(), Some(run.sample(1_000_000)));
    }

    #[test]
    fn new_settings_of_an_old_run_have_the_values_of_its_preset() {
        let folder = tempfile::tempdir().unwrap();
        let run = RunFolder::at(folder.path());
        let mut config = serde_json::to_value(TrainingConfig::of(Preset::Compact).with_seed(7)).unwrap();
        config["aging"].as_object_mut().unwrap().remove("ema_decay").unwrap();
        run.write(CONFIG, &config).unwrap();

        let config = run.config().unwrap().unwrap();

        assert_eq!((config.seed, config.aging.ema_decay), (7, TrainingConfig::of(Preset::Compact).aging.ema_decay));
    }

    #[test]
    fn a_run_has_one_writer_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let run = RunFolder::at(&folder.path().join("run"));
        let first = run.lock().unwrap();

        let refused = run.lock().unwrap_err();

        assert!(matches!(&refused, TrainingError::RunInUse { path } if path == run.path()), "{refused}");
        drop(first);
        // The lock file remains, as after a crash.
        assert!(run.path().join(LOCK).exists());
        run.lock().unwrap();
    }

    #[test]
    fn a_folder_with_other_files_is_no_run() {
        let folder = tempfile::tempdir().unwrap();
        let run = RunFolder::at(folder.path());
        fs::write(folder.path().join("notes.txt"), "mine").unwrap();
        run.check_contents().unwrap();

        fs::write(folder.path().join(DATA), "mine").unwrap();
        assert!(run.check_contents().unwrap_err().to_string().contains("data.json"));
        fs::remove_file(folder.path().join(DATA)).unwrap();
        fs::write(folder.path().join(CONFIG), "{\"name\": \"mine\"}").unwrap();
        assert!(run.check_contents().unwrap_err().to_string().contains("config.json"));
    }
}
