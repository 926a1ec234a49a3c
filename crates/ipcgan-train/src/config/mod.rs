//! Everything that can be set about a training, with its defaults.

mod check;
mod stages;

pub use stages::{AgingTraining, ClassifierTraining, IdentityLoss, LossWeights, SelectionMetric};

use burn::config::Config;
use ipcgan_data::{Augmentation, SyntheticConfig};
use ipcgan_model::{AgeGroups, AlexNetConfig, DiscriminatorConfig, GeneratorConfig, Precision, Preset};
use serde::{Deserialize, Serialize};

use crate::Stage;

/// What happens when a loss is no number any more, or beyond all bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnDivergence {
    /// The run stops, and says what to go on from.
    Stop,
    /// The run goes back to its last checkpoint and goes on with half the rates, three times at most.
    LowerLearningRate,
}

/// Everything that can be set about a training; saved as `config.json` in the run folder.
#[derive(Config, Debug)]
pub struct TrainingConfig {
    /// Where the sizes below come from.
    pub preset: Preset,
    /// Size and form of the generator.
    pub generator: GeneratorConfig,
    /// Size of the discriminator.
    pub discriminator: DiscriminatorConfig,
    /// Size of the identity net and age classifier; the identities are counted from the data.
    pub alexnet: AlexNetConfig,
    /// The identity stage.
    pub identity: ClassifierTraining,
    /// The age stage.
    pub age: ClassifierTraining,
    /// The ageing stage.
    pub aging: AgingTraining,
    /// Drawn faces, the data when no other are given.
    pub synthetic: SyntheticConfig,
    /// The age groups. Default: the paper's.
    #[config(default = "AgeGroups::default()")]
    pub age_groups: AgeGroups,
    /// Decides the initial weights, the split and the order of faces. Default: 0.
    #[config(default = 0)]
    pub seed: u64,
    /// Share of the people held out for validation, where the data set does not say. Default: 0.1.
    #[config(default = 0.1)]
    pub valid_fraction: f64,
    /// Faces in validation at most, so that it stays short beside training. Default: 400.
    #[config(default = 400)]
    pub valid_faces: usize,
    /// Validations in a stage, evenly spread; the last one at its end. Default: 4.
    #[config(default = 4)]
    pub validations: usize,
    /// Steps between checkpoints. Default: 200.
    #[config(default = 200)]
    pub checkpoint_every: usize,
    /// Minutes after which a checkpoint is due whatever the step. Default: 1.
    #[config(default = 1.0)]
    pub checkpoint_minutes: f64,
    /// Newest checkpoints of a stage that are kept; the best one is kept besides. Default: 2.
    #[config(default = 2)]
    pub checkpoints_kept: usize,
    /// What happens when a loss diverges. Default: the run stops.
    #[config(default = "OnDivergence::Stop")]
    pub on_divergence: OnDivergence,
    /// In what the convolutions and matrix products are computed. Default: float32.
    #[config(default = "Precision::Float32")]
    pub precision: Precision,
    /// Weight of the age loss while the trunk learns identities; 0 for identities alone, as published. Default: 0.
    #[config(default = 0.0)]
    pub trunk_age_weight: f64,
    /// Steps between histograms of the weights for TensorBoard; 0 for none. Default: 0.
    #[config(default = 0)]
    pub histogram_every: usize,
}

impl TrainingConfig {
    /// The defaults of `preset`.
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
        // The number of people is replaced by what the data hold.
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

/// A small classifier that no tint, shadow or pattern takes in (`docs/experiments.md`): it learns from adversarial examples
/// and from faces of varied colours. Otherwise a generator paints what only the classifier takes for age.
fn robust_classifier(steps: usize) -> ClassifierTraining {
    ClassifierTraining::new(steps)
        .with_learning_rate(1e-3)
        .with_adversarial_epsilon(3.0)
        .with_augmentation(Augmentation::new().with_colour(0.05))
}

/// How tiny networks learn to age synthetic faces (`docs/experiments.md`): a window that moves over the first layer's stride,
/// so that the generator cannot learn its grid, and an EMA of the generator, in which patterns that come and go cancel out.
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

/// How compact networks learn to age photographs (`docs/experiments.md`): the discriminator sees flaws within tens of
/// steps, so that little weight on age moves faces and does not paint over them. Gradients are limited, because a
/// discriminator that had nothing to object to for long wakes up with leaps.
fn compact_aging(steps: usize) -> AgingTraining {
    AgingTraining::new(steps)
        .with_generator_learning_rate(2e-4)
        .with_discriminator_learning_rate(4e-4)
        .with_weights(LossWeights::new().with_identity(2e-3).with_age(15.0))
        .with_gradient_clip_norm(30.0)
        .with_window_shifts(4)
}

/// With the average of the generator, and statistics measured anew: what a long training keeps.
fn with_ema_and_recalibration(aging: AgingTraining) -> AgingTraining {
    aging.with_ema_decay(0.999).with_recalibration_batches(100)
}

impl TrainingConfig {
    /// Updates of `stage` in all.
    pub fn steps(&self, stage: Stage) -> usize {
        match stage {
            Stage::Identity => self.identity.steps,
            Stage::Age => self.age.steps,
            Stage::Aging => self.aging.steps,
        }
    }

    /// Faces of a pass of `stage`, whatever the number of devices.
    pub fn batch_size(&self, stage: Stage) -> usize {
        match stage {
            Stage::Identity => self.identity.batch_size,
            Stage::Age => self.age.batch_size,
            Stage::Aging => self.aging.batch_size,
        }
    }

    /// Batches whose gradients `stage` averages for one update.
    pub(crate) fn gradient_accumulation(&self, stage: Stage) -> usize {
        match stage {
            Stage::Identity => self.identity.gradient_accumulation,
            Stage::Age => self.age.gradient_accumulation,
            Stage::Aging => self.aging.gradient_accumulation,
        }
    }

    /// Makes each batch of `stage` one of `faces`, and an update of its own.
    pub(crate) fn set_batches(&mut self, stage: Stage, faces: usize) {
        let (batch_size, gradient_accumulation) = match stage {
            Stage::Identity => (&mut self.identity.batch_size, &mut self.identity.gradient_accumulation),
            Stage::Age => (&mut self.age.batch_size, &mut self.age.gradient_accumulation),
            Stage::Aging => (&mut self.aging.batch_size, &mut self.aging.gradient_accumulation),
        };
        (*batch_size, *gradient_accumulation) = (faces, 1);
    }

    /// Batches that a step of `stage` reads.
    pub(crate) fn batches_per_step(&self, stage: Stage) -> usize {
        let aging = &self.aging;
        match stage {
            Stage::Identity => self.identity.gradient_accumulation,
            Stage::Age => self.age.gradient_accumulation,
            Stage::Aging => aging.gradient_accumulation * aging.generator_updates.max(aging.discriminator_updates),
        }
    }

    /// Validations without a better result after which `stage` ends; 0 for never.
    pub(crate) fn patience(&self, stage: Stage) -> usize {
        match stage {
            Stage::Identity => self.identity.patience,
            Stage::Age => self.age.patience,
            Stage::Aging => 0,
        }
    }

    /// The learning rate of `stage` and what the setting is called; of the two of a GAN, the generator's.
    pub(crate) fn learning_rate(&self, stage: Stage) -> (&'static str, f64) {
        match stage {
            Stage::Identity => ("identity.learning_rate", self.identity.learning_rate),
            Stage::Age => ("age.learning_rate", self.age.learning_rate),
            Stage::Aging => ("aging.generator_learning_rate", self.aging.generator_learning_rate),
        }
    }

    /// The same with the rates of `stage` halved.
    pub(crate) fn with_halved_learning_rates(mut self, stage: Stage) -> Self {
        match stage {
            Stage::Identity => self.identity.learning_rate /= 2.0,
            Stage::Age => self.age.learning_rate /= 2.0,
            Stage::Aging => {
                self.aging.generator_learning_rate /= 2.0;
                self.aging.discriminator_learning_rate /= 2.0;
            }
        }
        self
    }
}
