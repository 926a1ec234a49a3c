//! Presets: settings files that are part of the program.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::TrainingError;

/// A shipped preset: sizes of all networks and a training recipe that go together.
///
/// Each is a settings file in `presets/`, as a user can write one ([`SettingsFile`](crate::SettingsFile)).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Preset {
    /// The published networks, 128 pixels.
    Paper,
    /// Trains on two CPU cores in one to two and a half hours, at 128 pixels.
    Compact,
    /// The recipe of the embedded weights, 128 pixels: larger networks than [`Preset::Compact`]; the generator
    /// outputs a residual of all colour channels.
    Natural,
    /// For tests and a first look, 64 pixels, minutes on a CPU. The default.
    #[default]
    Tiny,
}

impl Preset {
    /// All presets, largest first.
    pub const ALL: [Self; 4] = [Self::Paper, Self::Natural, Self::Compact, Self::Tiny];

    /// Its name on the command line and in files, and its settings file.
    fn entry(self) -> (&'static str, &'static str) {
        match self {
            Self::Paper => ("paper", include_str!("../../presets/paper.json")),
            Self::Compact => ("compact", include_str!("../../presets/compact.json")),
            Self::Natural => ("natural", include_str!("../../presets/natural.json")),
            Self::Tiny => ("tiny", include_str!("../../presets/tiny.json")),
        }
    }

    /// Its name on the command line and in files.
    pub fn name(self) -> &'static str {
        self.entry().0
    }

    /// The names of all presets, separated by commas.
    pub(crate) fn names() -> String {
        Self::ALL.map(Self::name).join(", ")
    }

    /// The settings file: what differs from the published settings, or from the preset that it starts from.
    pub(super) fn json(self) -> &'static str {
        self.entry().1
    }
}

impl fmt::Display for Preset {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for Preset {
    type Err = TrainingError;

    fn from_str(name: &str) -> Result<Self, TrainingError> {
        let found = Self::ALL.into_iter().find(|preset| preset.name() == name);
        found.ok_or_else(|| TrainingError::UnknownPreset { name: name.into() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TrainingConfig;

    #[test]
    fn every_preset_is_a_valid_configuration_of_its_name() {
        for preset in Preset::ALL {
            let config = TrainingConfig::of(preset);

            config.check().unwrap();
            assert_eq!((config.preset, preset.name().parse().unwrap()), (preset, preset));
            assert_eq!(config.synthetic.size as usize, config.generator.image_size, "{preset}");
        }
    }

    #[test]
    fn a_preset_changes_only_the_settings_in_its_file() {
        let (natural, compact) = (TrainingConfig::of(Preset::Natural), TrainingConfig::of(Preset::Compact));

        assert_eq!((natural.generator.width, compact.generator.width), (24, 16));
        assert_eq!((natural.aging.weights.prototype, compact.aging.weights.prototype), (200.0, 0.0));
        assert_eq!(natural.generator.residual_blocks, compact.generator.residual_blocks);
        assert_eq!(natural.alexnet.hidden, compact.alexnet.hidden);
    }
}
