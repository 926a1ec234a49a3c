//! Settings files: a preset to start from, and the settings that differ from it.

mod entry;

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use ipcgan_model::{AlexNetConfig, DiscriminatorConfig, GeneratorConfig};
use serde_json::Value;

use super::fault::SettingsFileFault;
use super::preset::Preset;
use super::settings::IDENTITIES;
use super::training::TrainingConfig;
use crate::TrainingError;
use entry::Entry;

/// Maximum size of a settings file, in bytes: a larger file is not a settings file.
const MAX_BYTES: u64 = 1 << 20;

/// A user's own preset: a JSON file like the `config.json` of a run.
///
/// `preset` names the shipped preset that it starts from; all other settings are optional, as nested objects or by
/// their path, and an optional `description` says what the file is for:
///
/// ```json
/// { "preset": "compact", "generator.width": 24, "aging": { "steps": 8000, "weights": { "age": 20 } } }
/// ```
///
/// `alexnet.identities` is replaced by the number of identities in the data.
#[derive(Debug)]
pub struct SettingsFile {
    path: PathBuf,
    settings: Settings,
}

impl SettingsFile {
    /// Reads the file at `path`.
    ///
    /// # Errors
    /// It cannot be read, is not a JSON object, gives a setting twice or names no preset to start from.
    pub fn read(path: &Path) -> Result<Self, TrainingError> {
        let mut text = Vec::new();
        let read = File::open(path).and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut text));
        read.map_err(|source| TrainingError::Access { path: path.into(), source })?;
        let invalid = |reason| TrainingError::SettingsFile { path: path.into(), reason };
        if text.len() as u64 > MAX_BYTES {
            return Err(invalid(SettingsFileFault::TooLarge(MAX_BYTES)));
        }
        let settings = Settings::try_from(&text[..]).map_err(invalid)?;
        match settings.preset {
            Some(_) => Ok(Self { path: path.into(), settings }),
            None => Err(invalid(SettingsFileFault::NoPreset)),
        }
    }

    /// The configuration that it describes.
    ///
    /// # Errors
    /// An unknown setting, a value of the wrong type, or one outside its valid range.
    pub fn config(&self) -> Result<TrainingConfig, TrainingError> {
        let config = self.settings.config();
        let config = config.and_then(|config| config.check().map(|()| config));
        config.map_err(|error| {
            let reason = SettingsFileFault::Setting(Box::new(error));
            TrainingError::SettingsFile { path: self.path.clone(), reason }
        })
    }

    /// Checks that each setting of the file has in `run` the value that it has in `config`.
    ///
    /// # Errors
    /// The first setting that differs, with both values.
    pub fn check_same(&self, config: &TrainingConfig, run: &TrainingConfig) -> Result<(), TrainingError> {
        let [config, run] =
            [config, run].map(|config| serde_json::to_value(config).expect("plain data turn into JSON"));
        let keys = self.settings.values.iter().map(|(key, _)| key.as_str());
        for key in keys.chain(["preset"]).filter(|key| *key != IDENTITIES) {
            let [file, run] =
                [&config, &run].map(|config| key.split('.').try_fold(config, |place, name| place.get(name)));
            if file != run {
                let [file, run] = [file, run].map(|value| value.unwrap_or(&Value::Null).to_string());
                return Err(TrainingError::OtherSettings { path: self.path.clone(), setting: key.into(), file, run });
            }
        }
        Ok(())
    }
}

impl TrainingConfig {
    /// Settings of `preset`.
    pub fn of(preset: Preset) -> Self {
        let config = Settings::of(preset).config().expect("shipped presets are tested");
        Self { preset, ..config }
    }
}

impl Preset {
    /// Its generator.
    pub fn generator(self) -> GeneratorConfig {
        TrainingConfig::of(self).generator
    }

    /// Its discriminator.
    pub fn discriminator(self) -> DiscriminatorConfig {
        TrainingConfig::of(self).discriminator
    }

    /// Its AlexNet, for `identities` identities.
    pub fn alexnet(self, identities: usize) -> AlexNetConfig {
        AlexNetConfig { identities, ..TrainingConfig::of(self).alexnet }
    }
}

/// Contents of a settings file.
#[derive(Debug)]
struct Settings {
    /// The preset that it starts from; the published settings if it is none.
    preset: Option<Preset>,
    /// The settings by their paths.
    values: Vec<(String, Value)>,
}

impl Settings {
    /// Those of a shipped preset.
    fn of(preset: Preset) -> Self {
        preset.json().as_bytes().try_into().expect("shipped presets are tested")
    }

    /// The configuration, before its ranges are checked.
    fn config(&self) -> Result<TrainingConfig, TrainingError> {
        let mut config = self.preset.map_or_else(TrainingConfig::published, TrainingConfig::of);
        for (key, value) in &self.values {
            config = config
                .with_value(key, value.clone())
                .map_err(|reason| TrainingError::Setting { setting: key.clone(), reason })?;
        }
        Ok(config)
    }
}

impl TryFrom<&[u8]> for Settings {
    type Error = SettingsFileFault;

    fn try_from(text: &[u8]) -> Result<Self, SettingsFileFault> {
        let entry: Entry = serde_json::from_slice(text).map_err(SettingsFileFault::Json)?;
        if matches!(entry, Entry::Value(_)) {
            return Err(SettingsFileFault::NoObject);
        }
        let mut values = Vec::new();
        entry.flatten(String::new(), &mut values);
        for (place, (key, _)) in values.iter().enumerate() {
            if values[..place].iter().any(|(other, _)| overlaps(other, key)) {
                return Err(SettingsFileFault::Twice(key.clone()));
            }
        }
        let mut take = |name: &str| values.iter().position(|(key, _)| key == name).map(|place| values.remove(place).1);
        match take("description") {
            None | Some(Value::String(_)) => (),
            Some(_) => return Err(SettingsFileFault::Description),
        }
        let preset = match take("preset") {
            None => None,
            Some(Value::String(name)) => {
                Some(name.parse::<Preset>().map_err(|error| SettingsFileFault::Setting(Box::new(error)))?)
            }
            Some(_) => return Err(SettingsFileFault::PresetName),
        };
        Ok(Self { preset, values })
    }
}

/// Whether two paths name the same setting, or one names a group that holds the other.
fn overlaps(one: &str, other: &str) -> bool {
    let holds =
        |group: &str, key: &str| key.strip_prefix(group).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
    holds(one, other) || holds(other, one)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn read(text: &str) -> Result<TrainingConfig, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mine.json");
        fs::write(&path, text).unwrap();
        let config = SettingsFile::read(&path).and_then(|file| file.config());
        config.map_err(|error| {
            let error = error.to_string();
            assert!(error.contains("mine.json"), "{error}");
            error
        })
    }

    #[test]
    fn a_settings_file_changes_settings_of_its_preset_by_path_or_nested() {
        let config = read(r#"{"preset": "compact", "generator.width": 24, "aging": {"weights.age": 20, "steps": 9}}"#);

        let config = config.unwrap();
        assert_eq!((config.preset, config.generator.width, config.generator.residual_blocks), (Preset::Compact, 24, 4));
        assert_eq!((config.aging.weights.age, config.aging.steps, config.aging.window_shifts), (20.0, 9, 4));
    }

    #[test]
    fn the_config_of_a_run_is_a_settings_file() {
        let config = TrainingConfig::of(Preset::Natural).with_seed(7);
        let text = serde_json::to_string_pretty(&config).unwrap();

        let again = read(&text).unwrap();

        assert_eq!(serde_json::to_string_pretty(&again).unwrap(), text);
    }

    #[test]
    fn an_invalid_settings_file_is_an_error_that_names_file_setting_and_what_is_valid() {
        for (text, expected) in [
            ("", "not valid JSON"),
            ("\u{feff}{}", "not valid JSON"),
            ("[1]", "must be a JSON object"),
            ("{}", "\"preset\" to start from, one of paper, natural, compact, tiny"),
            (r#"{"preset": "huge"}"#, "unknown preset `huge`; use one of paper, natural, compact, tiny"),
            (r#"{"preset": 3}"#, "`preset` must be one of paper"),
            (
                r#"{"preset": "tiny", "aging": {"stepz": 3}}"#,
                "`aging.stepz`: unknown setting `stepz`; did you mean `steps`?",
            ),
            (r#"{"preset": "tiny", "agging": {}}"#, "unknown setting `agging`; did you mean `aging`?"),
            (r#"{"preset": "tiny", "seed": {"of": 1}}"#, "`seed.of`: `seed` has no fields; leave out `.of`"),
            (r#"{"preset": "tiny", "seed": {}}"#, "setting `seed`"),
            (r#"{"preset": "tiny", "aging": 3}"#, "setting `aging`"),
            (r#"{"preset": "tiny", "aging.steps": "many"}"#, "setting `aging.steps`: invalid type"),
            (r#"{"preset": "tiny", "aging.steps": 0}"#, "setting `aging.steps`: must be in 1 to"),
            (r#"{"preset": "tiny", "aging.schedule": "fast"}"#, "unknown variant `fast`, expected one of"),
            (r#"{"preset": "tiny", "seed": 1, "seed": 2}"#, "setting `seed` is given twice"),
            (r#"{"preset": "tiny", "aging.steps": 1, "aging": {"steps": 1}}"#, "setting `aging.steps` is given twice"),
            (r#"{"preset": "tiny", "description": 3}"#, "`description` must be a text"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }

    #[test]
    fn a_run_agrees_with_its_settings_file_unless_one_of_the_files_settings_differs() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mine.json");
        fs::write(&path, r#"{"preset": "tiny", "aging": {"steps": 9}}"#).unwrap();
        let file = SettingsFile::read(&path).unwrap();
        let config = file.config().unwrap();

        let other_seed = config.clone().with_seed(5);
        file.check_same(&config, &other_seed).unwrap();
        let mut other_steps = config.clone();
        other_steps.aging.steps = 7;
        let error = file.check_same(&config, &other_steps).unwrap_err().to_string();

        assert!(error.contains("`aging.steps`") && error.contains('9') && error.contains('7'), "{error}");
    }
}
