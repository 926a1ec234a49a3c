//! All settings of a training.

use burn::config::Config;
use ipcgan_data::SyntheticConfig;
use ipcgan_model::{AgeGroups, AlexNetConfig, DiscriminatorConfig, GeneratorConfig, Precision};
use serde::{Deserialize, Serialize};

use super::preset::Preset;
use super::stages::{AgingTraining, ClassifierTraining};

/// Reaction to a loss that diverges: not finite, or above 1e9.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnDivergence {
    /// Stop the run and report the last good checkpoint.
    Stop,
    /// Return to the last checkpoint, or to step 0, and continue with half the learning rate, at most three times.
    LowerLearningRate,
}

/// All training settings; saved as `config.json` in the run folder.
#[derive(Config, Debug)]
pub struct TrainingConfig {
    /// The shipped preset that the other settings started from.
    pub preset: Preset,
    /// Generator.
    pub generator: GeneratorConfig,
    /// Discriminator.
    pub discriminator: DiscriminatorConfig,
    /// Identity network and age classifier; the number of identities is taken from the data.
    pub alexnet: AlexNetConfig,
    /// Identity stage.
    pub identity: ClassifierTraining,
    /// Age stage.
    pub age: ClassifierTraining,
    /// Ageing stage (GAN).
    pub aging: AgingTraining,
    /// Synthetic faces, the default data set.
    pub synthetic: SyntheticConfig,
    /// Age groups. Default: those of the paper.
    #[config(default = "AgeGroups::default()")]
    pub age_groups: AgeGroups,
    /// Random seed of weight initialization, split and data order. Default: 0.
    #[config(default = 0)]
    pub seed: u64,
    /// Fraction of identities held out for validation, above 0 and below 1, where the data set has no split of its own.
    /// Default: 0.1.
    #[config(default = 0.1)]
    pub valid_fraction: f64,
    /// Maximum number of faces in a validation, at least 1. Default: 400.
    #[config(default = 400)]
    pub valid_faces: usize,
    /// Number of validations per stage, 1 to 100,000, evenly spaced; the last one is at the end. Default: 4.
    #[config(default = 4)]
    pub validations: usize,
    /// Steps between checkpoints, at least 1. Default: 200.
    #[config(default = 200)]
    pub checkpoint_every: usize,
    /// Maximum minutes between checkpoints, above 0 and at most 1,000,000. Default: 1.
    #[config(default = 1.0)]
    pub checkpoint_minutes: f64,
    /// Number of newest checkpoints to keep per stage, at least 1, in addition to the best one. Default: 2.
    #[config(default = 2)]
    pub checkpoints_kept: usize,
    /// Reaction to a diverging loss. Default: stop.
    #[config(default = "OnDivergence::Stop")]
    pub on_divergence: OnDivergence,
    /// Mixed precision: number format of convolutions and matrix products; weights and optimizer state stay float32.
    /// Default: float32.
    #[config(default = "Precision::Float32")]
    pub precision: Precision,
    /// Weight of the age loss in the identity stage (multi-task training of the trunk), 0 or above; 0 trains on
    /// identities alone, as published. Default: 0.
    #[config(default = 0.0)]
    pub trunk_age_weight: f64,
    /// Steps between TensorBoard histograms of the weights; 0 disables them. Default: 0.
    #[config(default = 0)]
    pub histogram_every: usize,
}

impl TrainingConfig {
    /// The published settings, in which the numbers of steps are missing (zero); presets start from them.
    pub(super) fn published() -> Self {
        // The number of identities is replaced by that of the data.
        let alexnet = AlexNetConfig::new(1);
        let classifier = ClassifierTraining::new(0);
        Self::new(
            Preset::Paper,
            GeneratorConfig::new(),
            DiscriminatorConfig::new(),
            alexnet,
            classifier.clone(),
            classifier,
            AgingTraining::new(0),
            SyntheticConfig::new(),
        )
    }
}
