//! The settings of a run, from its preset and overrides.

use std::io::ErrorKind;
use std::path::Path;

use anyhow::Result;
use ipcgan::train::{Preset, SettingsFile, TrainingConfig, TrainingError};

use super::request::TrainRequest;
use crate::exit_reason::usage_error;

/// The preset of a run: a shipped one, or a user's settings file.
enum PresetChoice {
    Shipped(Preset),
    File(SettingsFile),
}

impl PresetChoice {
    /// The shipped preset `choice`, else the settings file at that path.
    fn of(choice: &Path) -> Result<Self> {
        if let Ok(preset) = choice.to_string_lossy().parse() {
            return Ok(Self::Shipped(preset));
        }
        match SettingsFile::read(choice) {
            Err(TrainingError::Access { source, .. }) if source.kind() == ErrorKind::NotFound => {
                let (choice, presets) = (choice.display(), Preset::ALL.map(|preset| preset.to_string()).join(", "));
                Err(usage_error(format!(
                    "--preset: `{choice}` is neither a preset ({presets}) nor an existing settings file"
                )))
            }
            file => file.map(Self::File).map_err(usage_error),
        }
    }

    fn config(&self) -> Result<TrainingConfig> {
        match self {
            Self::Shipped(preset) => Ok(TrainingConfig::of(*preset)),
            Self::File(file) => file.config().map_err(usage_error),
        }
    }

    /// Checks that the run in `folder`, with the settings `run`, was started with this preset, whose settings are
    /// `config`.
    fn check_same(&self, config: &TrainingConfig, folder: &Path, run: &TrainingConfig) -> Result<()> {
        let refused = |reason: String| {
            let folder = folder.display();
            usage_error(format!("the run in {folder} {reason}, or choose another folder with --run"))
        };
        let (new, existing) = (config.preset, run.preset);
        match self {
            _ if new != existing => {
                Err(refused(format!("was started with --preset {existing}, not {new}; use that one")))
            }
            Self::Shipped(_) => Ok(()),
            Self::File(file) => file.check_same(config, run).map_err(|error| {
                refused(format!("has other settings: {error}; omit --preset and change the run's setting with --set"))
            }),
        }
    }
}

/// The configuration of a new run, or that of an `existing` one, with the overrides of the request.
pub(super) fn config(request: &TrainRequest, existing: Option<TrainingConfig>) -> Result<TrainingConfig> {
    let with_overrides = |config: TrainingConfig| config.with_settings(&request.overrides).map_err(usage_error);
    let preset = request.preset.as_deref().map(PresetChoice::of).transpose()?;
    let of_preset = preset.as_ref().map(|preset| with_overrides(preset.config()?)).transpose()?;
    let existing = existing.map(with_overrides).transpose()?;
    match (existing, preset, of_preset) {
        (Some(existing), Some(preset), Some(of_preset)) => {
            preset.check_same(&of_preset, &request.run, &existing)?;
            Ok(existing)
        }
        (Some(config), ..) | (None, _, Some(config)) => Ok(config),
        (None, _, None) => with_overrides(TrainingConfig::of(Preset::default())),
    }
}
