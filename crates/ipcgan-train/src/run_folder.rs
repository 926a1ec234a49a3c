//! Where a training leaves what it makes.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use ipcgan_model::{JsonPath, write_whole};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{Stage, TrainingConfig, TrainingError};

/// The file that says that a folder is a run, and how it is set.
const CONFIG: &str = "config.json";
/// The file that names the faces of a run.
const DATA: &str = "data.json";
/// The file that the process that trains holds locked.
const LOCK: &str = ".lock";
/// What a run makes beside its configuration.
const CONTENTS: [&str; 7] = [DATA, "log", "checkpoints", "weights", "samples", "plots", crate::TENSORBOARD_FOLDER];

/// The folder of one training run.
///
/// ```text
/// run/config.json, data.json    samples/000500.png    weights/{alexnet,generator,discriminator}.safetensors
///     log/{identity,age,aging}/train.jsonl, valid.jsonl, config.json, checkpoint.json, summary.json once the stage is complete
///     plots/{identity,age,aging}.png    tensorboard/{identity,age,aging}/events.out.tfevents.*
///     checkpoints/{identity,age,aging}/000500/{model,optimizer,scheduler}.bpk, state.json
///     .lock, which the process that trains holds locked
/// ```
#[derive(Clone, Debug)]
pub struct RunFolder {
    path: PathBuf,
}

/// A run that this process alone writes to; the system ends the lock with the process, however that ends.
#[derive(Debug)]
pub(crate) struct RunLock {
    _file: File,
}

impl RunFolder {
    /// The folder at `path`, which need not be there: training makes it once all has been checked.
    pub fn at(path: &Path) -> Self {
        Self { path: path.into() }
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Makes the folder, and keeps other processes from writing to it.
    ///
    /// # Errors
    /// It cannot be made, or another process trains in it.
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
            // Some network file systems know no locks; a run there is better than none.
            Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {
                Ok(RunLock { _file: file })
            }
            Err(TryLockError::Error(source)) => Err(TrainingError::Access { path, source }),
        }
    }

    /// Refuses a folder in which nothing can be trained: another process does, or it holds what a run would write over and is
    /// no run. Nothing is written.
    ///
    /// # Errors
    /// [`TrainingError::RunInUse`], [`TrainingError::NoRunFolder`] with the first such file or folder, or those of
    /// [`RunFolder::config`].
    pub fn check_usable(&self) -> Result<(), TrainingError> {
        self.check_contents()?;
        // Asked of a lock that is there already; making one would leave a folder behind.
        if self.path.join(LOCK).exists() { self.lock().map(drop) } else { Ok(()) }
    }

    /// Refuses a folder without a run that could go on.
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
        match CONTENTS.iter().map(|name| self.path.join(name)).find(|path| holds_something(path)) {
            None => Ok(()),
            Some(found) => Err(TrainingError::NoRunFolder { path: self.path.clone(), found }),
        }
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

    /// The configuration that the run has, if it has begun. Settings that were not there when it began have the values
    /// of its preset.
    ///
    /// # Errors
    /// It cannot be read, or is none.
    pub fn config(&self) -> Result<Option<TrainingConfig>, TrainingError> {
        self.config_in(CONFIG)
    }

    /// The configuration that `stage` was last run with, if it has begun.
    ///
    /// # Errors
    /// As [`RunFolder::config`].
    pub(crate) fn config_of(&self, stage: Stage) -> Result<Option<TrainingConfig>, TrainingError> {
        self.config_in(&format!("log/{stage}/{CONFIG}"))
    }

    fn config_in(&self, name: &str) -> Result<Option<TrainingConfig>, TrainingError> {
        let Some(saved) = self.read::<Value>(name)? else { return Ok(None) };
        let invalid = |reason: String| TrainingError::NoConfig { path: self.path.join(name), reason };
        let preset = saved.get("preset").cloned().ok_or_else(|| invalid("it names no preset".into()))?;
        let preset = serde_json::from_value(preset).map_err(|error| invalid(error.to_string()))?;
        let mut config = serde_json::to_value(TrainingConfig::of(preset)).expect("plain data turn into JSON");
        put_into(&mut config, saved);
        serde_json::from_value(config).map(Some).map_err(|error| invalid(error.to_string()))
    }

    /// The configuration with which `stage` was last trained, as it was written.
    pub(crate) fn stage_config(&self, stage: Stage) -> Result<Option<Value>, TrainingError> {
        self.read(&format!("log/{stage}/{CONFIG}"))
    }

    /// The prepared folder that the run began with; none if its faces are synthetic, or if it has not begun.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn data_folder(&self) -> Result<Option<PathBuf>, TrainingError> {
        Ok(self.read::<Option<JsonPath>>(DATA)?.flatten().map(JsonPath::into_path))
    }

    /// Keeps which prepared folder the run begins with; none if its faces are synthetic.
    pub(crate) fn save_data_folder(&self, folder: Option<&Path>) -> Result<(), TrainingError> {
        self.write(DATA, &folder.map(JsonPath::from))
    }

    /// What the JSON file `name` holds, if it is there.
    pub(crate) fn read<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, TrainingError> {
        let path = self.path.join(name);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(TrainingError::Access { path, source }),
        };
        let damaged = |error: serde_json::Error| TrainingError::DamagedFile { path, reason: error.to_string() };
        serde_json::from_slice(&text).map(Some).map_err(damaged)
    }

    /// Writes the JSON file `name`.
    pub(crate) fn write<T: Serialize>(&self, name: &str, contents: &T) -> Result<(), TrainingError> {
        let path = self.path.join(name);
        let text = serde_json::to_vec_pretty(contents).expect("plain data turn into JSON");
        write_whole(&path, &text).map_err(|source| TrainingError::Access { path, source })
    }

    /// Keeps `config`: the newest one at the top, and each stage's own beside its log.
    pub(crate) fn save_config(&self, stage: Stage, config: &TrainingConfig) -> Result<(), TrainingError> {
        self.log(stage)?;
        self.write(CONFIG, config)?;
        self.write(&format!("log/{stage}/{CONFIG}"), config)
    }
}

/// Replaces what `saved` has of `config`, field by field.
fn put_into(config: &mut Value, saved: Value) {
    match (config, saved) {
        (Value::Object(config), Value::Object(saved)) => {
            for (name, value) in saved {
                put_into(config.entry(name).or_insert(Value::Null), value);
            }
        }
        (config, saved) => *config = saved,
    }
}

/// Whether there is a file at `path`, or a folder that is not empty.
fn holds_something(path: &Path) -> bool {
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
    use ipcgan_model::Preset;

    use super::*;

    #[test]
    fn a_run_of_an_older_version_has_the_values_of_its_preset_for_what_is_new() {
        let folder = tempfile::tempdir().unwrap();
        let run = RunFolder::at(folder.path());
        let mut config = serde_json::to_value(TrainingConfig::of(Preset::Compact).with_seed(7)).unwrap();
        config["aging"].as_object_mut().unwrap().remove("ema_decay").unwrap();
        run.write(CONFIG, &config).unwrap();

        let config = run.config().unwrap().unwrap();

        assert_eq!((config.seed, config.aging.ema_decay), (7, TrainingConfig::of(Preset::Compact).aging.ema_decay));
    }

    #[test]
    fn a_run_has_one_writer_until_that_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let run = RunFolder::at(&folder.path().join("run"));
        let first = run.lock().unwrap();

        let refused = run.lock().unwrap_err();

        assert!(matches!(&refused, TrainingError::RunInUse { path } if path == run.path()), "{refused}");
        drop(first);
        // The file of the lock is still there, as after a crash.
        assert!(run.path().join(LOCK).exists());
        run.lock().unwrap();
    }

    #[test]
    fn a_folder_of_something_else_is_no_run() {
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
