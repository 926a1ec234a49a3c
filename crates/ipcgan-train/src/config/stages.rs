//! What can be set about each stage.

use burn::config::Config;
use ipcgan_data::Augmentation;
use ipcgan_model::DifferentiableAugmentation;
use serde::{Deserialize, Serialize};

use crate::schedule::Schedule;

/// How a classifier learns: the identity net or the age classifier.
#[derive(Config, Debug)]
pub struct ClassifierTraining {
    /// Updates in all.
    pub steps: usize,
    /// Faces in a batch. Default: 32.
    #[config(default = 32)]
    pub batch_size: usize,
    /// Batches whose gradients are averaged for one update. Default: 1.
    #[config(default = 1)]
    pub gradient_accumulation: usize,
    /// Adam's largest rate. Default: 0.0005.
    #[config(default = 5e-4)]
    pub learning_rate: f64,
    /// How the rate goes from there. Default: to zero along a cosine.
    #[config(default = "Schedule::Cosine")]
    pub schedule: Schedule,
    /// Steps in which the rate rises from zero. Default: 0.
    #[config(default = 0)]
    pub warm_up: usize,
    /// Largest norm of the gradients of all weights together; 0 for any. Default: 0.
    #[config(default = 0.0)]
    pub gradient_clip_norm: f64,
    /// Validations without a better result after which the stage ends with the best one's weights; 0 for never.
    /// Default: 0.
    #[config(default = 0)]
    pub patience: usize,
    /// Strength of the adversarial examples that it learns from (fast gradient method): how far each face is first moved
    /// along the gradient of its loss, in levels of 255 (root of the mean square); 0 for none, as published. Default: 0.
    ///
    /// A generator finds patterns, tints and shadows that a classifier takes for age. One that has learned from adversarial
    /// examples asks for larger changes that look like age.
    #[config(default = 0.0)]
    pub adversarial_epsilon: f64,
    /// Steps on the faces as they are, before adversarial training begins: most networks do not begin to learn from
    /// strong adversarial examples. Default: 0.
    #[config(default = 0)]
    pub adversarial_start: usize,
    /// How faces are varied, so that few pictures teach more.
    #[config(default = "Augmentation::new()")]
    pub augmentation: Augmentation,
}

/// What tells a better generator from a worse one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SelectionMetric {
    /// The share of the aged faces that the age classifier takes to be of the target group, as a share of what real faces
    /// reach and at most 1, times one minus the kernel distance of aged from real faces of the target group (on means of
    /// AlexNet's conv5; 0 is the same distribution, 1 as far as can be). Higher is better.
    RealismAndAge,
    /// The generator's objective, lower is better. It holds the adversarial loss against a discriminator that learns, too, and so
    /// often picks an early generator.
    Objective,
}

/// How the generated face is kept the same person as the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IdentityLoss {
    /// Squared distance of AlexNet's conv5, summed over the features: as published.
    Conv5,
    /// Perceptual distance of AlexNet's conv2 to conv5, each as vectors of length one; about a thousandth to a ten thousandth
    /// of the other, so its weight is larger.
    Perceptual,
}

/// How generator and discriminator learn from one another.
#[derive(Config, Debug)]
pub struct AgingTraining {
    /// Steps in all; each updates both networks.
    pub steps: usize,
    /// Faces in a batch. Default: 8.
    #[config(default = 8)]
    pub batch_size: usize,
    /// Batches whose gradients are averaged for one update. Default: 1.
    #[config(default = 1)]
    pub gradient_accumulation: usize,
    /// Updates of the discriminator in a step, each from a batch of its own. Default: 1.
    #[config(default = 1)]
    pub discriminator_updates: usize,
    /// Updates of the generator in a step, each from a batch of its own. Default: 1.
    #[config(default = 1)]
    pub generator_updates: usize,
    /// Adam's rate of the generator. Default: 0.001, as the official code.
    #[config(default = 1e-3)]
    pub generator_learning_rate: f64,
    /// Adam's rate of the discriminator. Default: 0.001, as the official code.
    #[config(default = 1e-3)]
    pub discriminator_learning_rate: f64,
    /// How both rates go from there. Default: they stay.
    #[config(default = "Schedule::Constant")]
    pub schedule: Schedule,
    /// Steps in which both rates rise from zero. Default: 0.
    #[config(default = 0)]
    pub warm_up: usize,
    /// Largest norm of the gradients of all weights of a network together; 0 for any. Default: 0.
    #[config(default = 0.0)]
    pub gradient_clip_norm: f64,
    /// Share of what was before in the running average of the generator's weights, which is what validation, sample
    /// grids and the saved weights show; 0 for no average. Default: 0.
    #[config(default = 0.0)]
    pub ema_decay: f64,
    /// Batches from which the generator's running statistics are measured anew before its weights are saved; 0 to keep
    /// those of training. Default: 0.
    #[config(default = 0)]
    pub recalibration_batches: usize,
    /// What tells the best checkpoint, on held-out faces. Default: realism and age.
    #[config(default = "SelectionMetric::RealismAndAge")]
    pub selection_metric: SelectionMetric,
    /// Weights of the losses.
    #[config(default = "LossWeights::new()")]
    pub weights: LossWeights,
    /// What keeps the identity. Default: as published.
    #[config(default = "IdentityLoss::Conv5")]
    pub identity_loss: IdentityLoss,
    /// Differentiable augmentation of what discriminator and AlexNet see; without it, they remember a small set of faces and
    /// fall for patterns at fixed pixels. Default: none, as published.
    #[config(default = "DifferentiableAugmentation::new()")]
    pub differentiable_augmentation: DifferentiableAugmentation,
    /// Pixels, in each direction, over which the window moves through which AlexNet sees faces, by one a step; 1 for the
    /// whole face always, as published. Its first layer moves by four pixels, so a generator that is always
    /// seen through the same grid learns to draw that grid. Default: 1.
    #[config(default = 1)]
    pub window_shifts: usize,
    /// Whether the generator's last layer is kept, after each update, from passing anything of period two: the checkerboard
    /// artefacts of transposed convolutions. Default: no, as published.
    #[config(default = false)]
    pub suppress_checkerboard: bool,
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
    /// Reconstruction of faces whose target is their own group: mean absolute difference from the source, in [-1, 1].
    /// Default: 0, as the official code.
    #[config(default = 0.0)]
    pub reconstruction: f64,
}
