//! Presets: network sizes that go together.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{AlexNetConfig, DiscriminatorConfig, GeneratorConfig, GeneratorOutput, ModelError};

/// A preset of network sizes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Preset {
    /// The published networks, 128 pixels.
    Paper,
    /// What two cores of a CPU train in one to two and a half hours, 128 pixels.
    Compact,
    /// For tests and a first look, 64 pixels, minutes on a CPU.
    Tiny,
}

impl Preset {
    /// All presets, largest first.
    pub const ALL: [Self; 3] = [Self::Paper, Self::Compact, Self::Tiny];

    /// Its name on the command line and in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Paper => "paper",
            Self::Compact => "compact",
            Self::Tiny => "tiny",
        }
    }

    /// Its generator.
    pub fn generator(self) -> GeneratorConfig {
        let published = GeneratorConfig::new();
        match self {
            Self::Paper => published,
            Self::Compact => {
                published.with_width(16).with_residual_blocks(4).with_output(GeneratorOutput::LuminanceResidual)
            }
            Self::Tiny => published
                .with_image_size(64)
                .with_width(8)
                .with_residual_blocks(2)
                .with_output(GeneratorOutput::Residual),
        }
    }

    /// Its discriminator.
    pub fn discriminator(self) -> DiscriminatorConfig {
        let published = DiscriminatorConfig::new();
        match self {
            Self::Paper => published,
            Self::Compact => published.with_width(24).with_batch_norm(false).with_score_channels(1),
            Self::Tiny => published.with_width(16).with_batch_norm(false).with_score_channels(1),
        }
    }

    /// Its AlexNet, for `identities` identities.
    pub fn alexnet(self, identities: usize) -> AlexNetConfig {
        let published = AlexNetConfig::new(identities);
        match self {
            Self::Paper => published,
            // Inputs near the size of the faces: enlarging them to 227 pixels would cost three times as much and show
            // nothing more. With dropout, heads as small as these did not begin to learn within the steps they have.
            Self::Compact => published.with_input_size(131).with_width(16).with_hidden(512).with_dropout(0.0),
            Self::Tiny => {
                published.with_input_size(67).with_width(8).with_hidden(128).with_embedding(64).with_dropout(0.0)
            }
        }
    }
}

impl fmt::Display for Preset {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for Preset {
    type Err = ModelError;

    fn from_str(name: &str) -> Result<Self, ModelError> {
        let found = Self::ALL.into_iter().find(|preset| preset.name() == name);
        found.ok_or_else(|| ModelError::UnknownPreset(name.into()))
    }
}
