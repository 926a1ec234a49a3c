//! Everything that can be set about a training, with its defaults.

use burn::config::Config;
use ipcgan_data::{Augmentation, SyntheticConfig};
use ipcgan_model::{AgeGroups, AlexNetConfig, DiscriminatorConfig, GeneratorConfig, Preset};

use crate::{Stage, TrainingError};

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
    pub valid_share: f64,
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
    /// Checkpoints of a stage that are kept. Default: 2.
    #[config(default = 2)]
    pub checkpoints_kept: usize,
}

/// How a classifier learns: the identity net or the age classifier.
#[derive(Config, Debug)]
pub struct ClassifierTraining {
    /// Updates in all.
    pub steps: usize,
    /// Faces in a batch. Default: 32.
    #[config(default = 32)]
    pub batch_size: usize,
    /// Adam's rate at the start; it falls to zero along a cosine. Default: 0.0005.
    #[config(default = 5e-4)]
    pub learning_rate: f64,
    /// How faces are varied, so that few pictures teach more.
    #[config(default = "Augmentation::new()")]
    pub augmentation: Augmentation,
}

/// How generator and discriminator learn from one another.
#[derive(Config, Debug)]
pub struct AgingTraining {
    /// Updates of each network in all.
    pub steps: usize,
    /// Faces in a batch. Default: 8.
    #[config(default = 8)]
    pub batch_size: usize,
    /// Adam's rate of the generator. Default: 0.001, as the official code.
    #[config(default = 1e-3)]
    pub generator_learning_rate: f64,
    /// Adam's rate of the discriminator. Default: 0.001, as the official code.
    #[config(default = 1e-3)]
    pub discriminator_learning_rate: f64,
    /// Weights of the losses.
    #[config(default = "LossWeights::new()")]
    pub weights: LossWeights,
    /// Whether faces are mirrored at random. Default: yes.
    #[config(default = true)]
    pub flip: bool,
    /// Steps between sample grids. Default: 100.
    #[config(default = 100)]
    pub sample_every: usize,
}

/// Weights of the three terms of the generator's objective (IPCGAN: `G_loss = λ1 L_G + λ2 L_identity + λ3 L_age`).
#[derive(Config, Debug)]
pub struct LossWeights {
    /// Adversarial loss, of generator and discriminator. Default: 75, as the official code.
    #[config(default = 75.0)]
    pub adversarial: f64,
    /// Identity loss, a sum over conv5. Default: 0.00005, as the official code.
    #[config(default = 5e-5)]
    pub identity: f64,
    /// Age loss. Default: 30, as the official code.
    #[config(default = 30.0)]
    pub age: f64,
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
                AgingTraining::new(500_000).with_batch_size(32).with_sample_every(1000),
            ),
            Preset::Compact => {
                (ClassifierTraining::new(5000), ClassifierTraining::new(3000), small_aging(20_000).with_batch_size(4))
            }
            Preset::Tiny => (
                ClassifierTraining::new(700).with_learning_rate(1e-3),
                ClassifierTraining::new(800).with_learning_rate(1e-3),
                small_aging(1500),
            ),
        };
        // The number of people is replaced by what the data hold.
        let alexnet = preset.alexnet(1);
        let synthetic = SyntheticConfig::new().with_identities(300).with_size(size as u32);
        let config = Self::new(preset, generator, preset.discriminator(), alexnet, identity, age, aging, synthetic);
        match preset {
            Preset::Paper => config.with_checkpoint_every(2000).with_validations(50),
            Preset::Compact => config.with_validations(10),
            Preset::Tiny => config,
        }
    }
}

/// How small networks learn to age, found by trial on drawn faces: at the published rates and weights a generator that
/// changes the source fools the small age classifier by colour long before the discriminator can object, so it learns
/// slower than its judge, and a face is kept more strictly.
fn small_aging(steps: usize) -> AgingTraining {
    AgingTraining::new(steps).with_generator_learning_rate(3e-4).with_weights(LossWeights::new().with_identity(1e-3))
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

    /// Refuses values that no training can work with.
    ///
    /// # Errors
    /// The first such value, by its path.
    pub(crate) fn check(&self) -> Result<(), TrainingError> {
        let rate = |rate: f64| rate > 0.0 && rate <= 1.0;
        let share = |share: f64| share > 0.0 && share < 1.0;
        let (identity, age, aging) = (&self.identity, &self.age, &self.aging);
        let rules = [
            ("identity.batch_size", identity.batch_size > 0, "must be at least 1"),
            ("age.batch_size", age.batch_size > 0, "must be at least 1"),
            ("aging.batch_size", aging.batch_size > 0, "must be at least 1"),
            ("identity.learning_rate", rate(identity.learning_rate), "must be in (0, 1]"),
            ("age.learning_rate", rate(age.learning_rate), "must be in (0, 1]"),
            ("aging.generator_learning_rate", rate(aging.generator_learning_rate), "must be in (0, 1]"),
            ("aging.discriminator_learning_rate", rate(aging.discriminator_learning_rate), "must be in (0, 1]"),
            ("aging.sample_every", aging.sample_every > 0, "must be at least 1"),
            ("checkpoint_every", self.checkpoint_every > 0, "must be at least 1"),
            ("checkpoint_minutes", self.checkpoint_minutes > 0.0, "must be above 0"),
            ("checkpoints_kept", self.checkpoints_kept > 0, "must be at least 1"),
            ("validations", self.validations > 0, "must be at least 1"),
            ("valid_faces", self.valid_faces > 0, "must be at least 1"),
            ("valid_share", share(self.valid_share), "must be between 0 and 1"),
            ("alexnet.dropout", (0.0..1.0).contains(&self.alexnet.dropout), "must be in [0, 1)"),
            ("alexnet.input_size", self.alexnet.input_size >= 67, "must be at least 67"),
            ("alexnet.width", self.alexnet.width > 0, "must be at least 1"),
            ("generator.width", self.generator.width > 0, "must be at least 1"),
            ("discriminator.width", self.discriminator.width > 0, "must be at least 1"),
            (
                "generator.image_size",
                self.generator.image_size >= 16 && self.generator.image_size.is_multiple_of(8),
                "must be a multiple of 8, at least 16",
            ),
        ];
        match rules.into_iter().find(|(_, holds, _)| !holds) {
            None => Ok(()),
            Some((setting, _, reason)) => {
                Err(TrainingError::Setting { setting: setting.into(), reason: reason.into() })
            }
        }
    }
}
