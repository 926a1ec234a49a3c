//! Where a training leaves what it makes.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use ipcgan_model::{JsonPath, write_whole};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{Stage, TrainingConfig, TrainingError};

/// The folder of one training run.
///
/// ```text
/// run/config.json, data.json    samples/000500.png    weights/{alexnet,generator,discriminator}.safetensors
///     log/{identity,age,aging}/train.jsonl, valid.jsonl, config.json, summary.json once the stage is complete
///     plots/{identity,age,aging}.png    tensorboard/{identity,age,aging}/events.out.tfevents.*
///     checkpoints/{identity,age,aging}/000500/{model,optimizer,scheduler}.bpk, state.json
/// ```
#[derive(Clone, Debug)]
pub struct RunFolder {
    path: PathBuf,
}

impl RunFolder {
    /// The folder at `path`, made if it is not there.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn create(path: &Path) -> Result<Self, TrainingError> {
        let run = Self::at(path);
        for folder in [run.path.clone(), run.path.join("samples"), run.path.join("weights")] {
            create_folder(&folder)?;
        }
        Ok(run)
    }

    /// The folder at `path`, which need not be there: to look at, and to plan with.
    pub fn at(path: &Path) -> Self {
        Self { path: path.into() }
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

    /// The configuration that the run has, if it has begun. Settings that were not there when it began have the values
    /// of its preset.
    ///
    /// # Errors
    /// It cannot be read, or is none.
    pub fn config(&self) -> Result<Option<TrainingConfig>, TrainingError> {
        self.config_in("config.json")
    }

    /// The configuration that `stage` was last run with, if it has begun.
    ///
    /// # Errors
    /// As [`RunFolder::config`].
    pub(crate) fn config_of(&self, stage: Stage) -> Result<Option<TrainingConfig>, TrainingError> {
        self.config_in(&format!("log/{stage}/config.json"))
    }

    fn config_in(&self, name: &str) -> Result<Option<TrainingConfig>, TrainingError> {
        let Some(saved) = self.read::<Value>(name)? else { return Ok(None) };
        let invalid = |error| TrainingError::Access {
            path: self.path.join(name),
            source: io::Error::new(io::ErrorKind::InvalidData, error),
        };
        let preset = saved.get("preset").cloned().unwrap_or_default();
        let preset = serde_json::from_value(preset).map_err(invalid)?;
        let mut config = serde_json::to_value(TrainingConfig::of(preset)).expect("plain data turn into JSON");
        put_into(&mut config, saved);
        serde_json::from_value(config).map(Some).map_err(invalid)
    }

    /// The prepared folder that the run began with; none if its faces are drawn, or if it has not begun.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn data_folder(&self) -> Result<Option<PathBuf>, TrainingError> {
        Ok(self.read::<Option<JsonPath>>("data.json")?.flatten().map(JsonPath::into_path))
    }

    /// Keeps which prepared folder the run begins with; none if its faces are drawn.
    pub(crate) fn save_data_folder(&self, folder: Option<&Path>) -> Result<(), TrainingError> {
        self.write("data.json", &folder.map(JsonPath::from))
    }

    /// What the JSON file `name` holds, if it is there.
    pub(crate) fn read<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, TrainingError> {
        let path = self.path.join(name);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(TrainingError::Access { path, source }),
        };
        let invalid = |error| TrainingError::Access { path, source: io::Error::new(io::ErrorKind::InvalidData, error) };
        serde_json::from_slice(&text).map(Some).map_err(invalid)
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
        self.write("config.json", config)?;
        self.write(&format!("log/{stage}/config.json"), config)
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
        let run = RunFolder::create(folder.path()).unwrap();
        let mut config = serde_json::to_value(TrainingConfig::of(Preset::Compact).with_seed(7)).unwrap();
        config["aging"].as_object_mut().unwrap().remove("average").unwrap();
        run.write("config.json", &config).unwrap();

        let config = run.config().unwrap().unwrap();

        assert_eq!((config.seed, config.aging.average), (7, TrainingConfig::of(Preset::Compact).aging.average));
    }
}
