//! Training configuration and its defaults.

mod check;
mod stages;

pub(crate) use stages::StageSettings;
pub use stages::{AgingTraining, ClassifierTraining, IdentityLoss, LossWeights, SelectionMetric};

use burn::config::Config;
use ipcgan_data::{Augmentation, SyntheticConfig};
use ipcgan_model::{AgeGroups, AlexNetConfig, DiscriminatorConfig, GeneratorConfig, Precision, Preset};
use serde::{Deserialize, Serialize};

/// Reaction to a loss that diverges: not finite, or above 1e9.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnDivergence {
    /// Stop the run and report the last good checkpoint.
    Stop,
    /// Return to the last checkpoint and continue with half the learning rate, at most three times.
    LowerLearningRate,
}

/// All training settings; saved as `config.json` in the run folder.
#[derive(Config, Debug)]
pub struct TrainingConfig {
    /// The preset that the defaults come from.
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
    /// Fraction of identities held out for validation, where the data set has no split of its own. Default: 0.1.
    #[config(default = 0.1)]
    pub valid_fraction: f64,
    /// Maximum number of faces in a validation. Default: 400.
    #[config(default = 400)]
    pub valid_faces: usize,
    /// Number of validations per stage, evenly spaced; the last one is at the end. Default: 4.
    #[config(default = 4)]
    pub validations: usize,
    /// Steps between checkpoints. Default: 200.
    #[config(default = 200)]
    pub checkpoint_every: usize,
    /// Maximum minutes between checkpoints. Default: 1.
    #[config(default = 1.0)]
    pub checkpoint_minutes: f64,
    /// Number of newest checkpoints to keep per stage, in addition to the best one. Default: 2.
    #[config(default = 2)]
    pub checkpoints_kept: usize,
    /// Reaction to a diverging loss. Default: stop.
    #[config(default = "OnDivergence::Stop")]
    pub on_divergence: OnDivergence,
    /// Mixed precision: number format of convolutions and matrix products; weights and optimizer state stay float32.
    /// Default: float32.
    #[config(default = "Precision::Float32")]
    pub precision: Precision,
    /// Weight of the age loss in the identity stage (multi-task training of the trunk); 0 trains on identities alone,
    /// as published. Default: 0.
    #[config(default = 0.0)]
    pub trunk_age_weight: f64,
    /// Steps between TensorBoard histograms of the weights; 0 disables them. Default: 0.
    #[config(default = 0)]
    pub histogram_every: usize,
}

impl TrainingConfig {
    /// Default settings of `preset`.
    pub fn of(preset: Preset) -> Self {
        let generator = preset.generator();
        let size = generator.image_size;
        let (identity, age, aging) = match preset {
            // The published runs: batches of 32 for 500,000 steps.
            Preset::Paper => (
                ClassifierTraining::new(50_000).with_batch_size(64),
                ClassifierTraining::new(50_000).with_batch_size(64),
                with_ema_and_recalibration(AgingTraining::new(500_000).with_batch_size(32).with_sample_every(1000)),
            ),
            Preset::Compact => (
                ClassifierTraining::new(5000),
                ClassifierTraining::new(3000),
                with_ema_and_recalibration(compact_aging(6000)),
            ),
            Preset::Tiny => {
                (robust_classifier(1200).with_adversarial_start(600), robust_classifier(200), tiny_aging(1500))
            }
        };
        // The number of identities is replaced by that of the data.
        let alexnet = preset.alexnet(1);
        let synthetic = SyntheticConfig::new().with_identities(300).with_size(size as u32);
        let config = Self::new(preset, generator, preset.discriminator(), alexnet, identity, age, aging, synthetic);
        match preset {
            Preset::Paper => config.with_checkpoint_every(2000).with_validations(50),
            Preset::Compact => config.with_validations(10),
            Preset::Tiny => config.with_trunk_age_weight(3.0),
        }
    }
}

/// A small classifier that is robust against tints, shadows and patterns (`docs/experiments.md`): adversarial
/// training (FGSM) and colour augmentation. Otherwise the generator learns adversarial patterns.
fn robust_classifier(steps: usize) -> ClassifierTraining {
    ClassifierTraining::new(steps)
        .with_learning_rate(1e-3)
        .with_adversarial_epsilon(3.0)
        .with_augmentation(Augmentation::new().with_colour(0.05))
}

/// Recipe of the tiny networks on synthetic faces (`docs/experiments.md`): AlexNet's input window shifts over the
/// stride of its first layer, so that the generator cannot fit its grid, and an EMA of the generator averages out
/// transient patterns.
fn tiny_aging(steps: usize) -> AgingTraining {
    AgingTraining::new(steps)
        .with_generator_learning_rate(3e-4)
        .with_weights(LossWeights::new().with_identity(1e-3))
        .with_gradient_clip_norm(30.0)
        .with_window_shifts(4)
        .with_suppress_checkerboard(true)
        .with_ema_decay(0.997)
        .with_recalibration_batches(50)
}

/// Recipe of the compact networks on photos (`docs/experiments.md`): the discriminator detects flaws within tens of
/// steps, so a small age weight changes faces without painting over them. Gradient clipping bounds the updates of a
/// discriminator that resumes learning after many steps without errors.
fn compact_aging(steps: usize) -> AgingTraining {
    AgingTraining::new(steps)
        .with_generator_learning_rate(2e-4)
        .with_discriminator_learning_rate(4e-4)
        .with_weights(LossWeights::new().with_identity(2e-3).with_age(15.0))
        .with_gradient_clip_norm(30.0)
        .with_window_shifts(4)
}

/// With EMA and batch-norm recalibration of the generator, for long training.
fn with_ema_and_recalibration(aging: AgingTraining) -> AgingTraining {
    aging.with_ema_decay(0.999).with_recalibration_batches(100)
}
