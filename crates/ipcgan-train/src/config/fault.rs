//! What can be wrong with settings, and with files of settings.

use ipcgan_model::InvalidConfig;

use super::preset::Preset;
use crate::TrainingError;

/// What is wrong with a setting.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SettingFault {
    /// It has no value.
    #[error("must have the form key=value")]
    NoValue,
    /// It is taken from the data.
    #[error("is the number of identities in the data; leave it out")]
    Derived,
    /// It is the preset, which all other settings start from.
    #[error("is chosen when a run is created, before other settings are; leave it out")]
    Preset,
    /// No setting has this name.
    #[error("unknown setting `{name}`{}; valid are {}", did_you_mean(.similar.as_deref()), .valid.join(", "))]
    Unknown {
        /// The name.
        name: String,
        /// A similar name that is valid, if there is one.
        similar: Option<String>,
        /// All valid names.
        valid: Vec<String>,
    },
    /// A single value was given a field.
    #[error("`{parent}` has no fields; leave out `.{name}`")]
    NoFields {
        /// Name of the single value.
        parent: String,
        /// Name of the field.
        name: String,
    },
    /// Its value has another type.
    #[error("{0}")]
    Type(serde_json::Error),
    /// Its value is outside of this range.
    #[error("must be {0}")]
    Range(String),
    /// No network can have this size.
    #[error("is {} and must be {}", .0.value, .0.expected)]
    Size(InvalidConfig),
    /// No network can have as many outputs as the data have identities.
    #[error("for the identities of the data {0}")]
    Identities(InvalidConfig),
    /// The batch size cannot be divided by this number of devices.
    #[error("must be a multiple of {0}, because {0} devices share each batch")]
    Devices(usize),
    /// A device does not support the precision.
    #[error(
        "device {device} of {count} does not support it; float32 works everywhere, float16 and bfloat16 where the \
         device has them, tf32 on NVIDIA GPUs from Ampere on, by CUDA"
    )]
    Precision {
        /// Number of the device, from 1.
        device: usize,
        /// Number of devices.
        count: usize,
    },
}

fn did_you_mean(similar: Option<&str>) -> String {
    similar.map_or(String::new(), |name| format!("; did you mean `{name}`?"))
}

/// What is wrong with a settings file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsFileFault {
    /// It is larger than this number of bytes.
    #[error("it is larger than {0} bytes")]
    TooLarge(u64),
    /// It is not JSON.
    #[error("it is not valid JSON: {0}")]
    Json(serde_json::Error),
    /// It is no JSON object.
    #[error("it must be a JSON object of settings, as {{ \"preset\": \"compact\" }}")]
    NoObject,
    /// A setting is given twice.
    #[error("setting `{0}` is given twice")]
    Twice(String),
    /// The description is no text.
    #[error("`description` must be a text")]
    Description,
    /// There is no preset to start from.
    #[error("it needs \"preset\" to start from, one of {}", Preset::names())]
    NoPreset,
    /// The preset is no name.
    #[error("`preset` must be one of {}", Preset::names())]
    PresetName,
    /// A setting, or the name of the preset, is invalid.
    #[error("{0}")]
    Setting(Box<TrainingError>),
}

/// What is wrong with the configuration of a run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigFault {
    /// It does not name the preset that it started from.
    #[error("it names no preset")]
    NoPreset,
    /// A setting is missing or has another type.
    #[error("{0}")]
    Type(serde_json::Error),
}
