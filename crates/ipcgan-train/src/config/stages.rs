//! Configuration of each stage.

use burn::config::Config;
use ipcgan_data::{Augmentation, PrototypeStrength};
use ipcgan_model::DifferentiableAugmentation;
use serde::{Deserialize, Serialize};

use crate::config::schedule::Schedule;

/// Training of a classifier: the identity network or the age classifier.
#[derive(Config, Debug)]
pub struct ClassifierTraining {
    /// Number of updates, 1 to 1,000,000,000.
    pub steps: usize,
    /// Batch size, 1 to 1,000,000. Default: 32.
    #[config(default = 32)]
    pub batch_size: usize,
    /// Gradient accumulation: batches whose gradients are averaged for one update, 1 to 10,000. Default: 1.
    #[config(default = 1)]
    pub gradient_accumulation: usize,
    /// Peak learning rate of Adam, above 0 and at most 1. Default: 0.0005.
    #[config(default = 5e-4)]
    pub learning_rate: f64,
    /// Learning-rate schedule after the warm-up. Default: cosine decay to zero.
    #[config(default = "Schedule::Cosine")]
    pub schedule: Schedule,
    /// Learning-rate warm-up: steps in which the rate rises linearly from zero, fewer than those of the stage. Default: 0.
    #[config(default = 0)]
    pub warm_up: usize,
    /// Gradient clipping: maximum global norm of the gradients, 0 or above; 0 disables it. Default: 0.
    #[config(default = 0.0)]
    pub gradient_clip_norm: f64,
    /// Early stopping: validations without improvement after which the stage ends with the weights of the best one; 0
    /// disables it. Default: 0.
    #[config(default = 0)]
    pub patience: usize,
    /// Adversarial training (fast gradient method, FGSM with an L2 norm): distance by which each face is moved along
    /// the gradient of its loss before the classifier learns from it, in levels of 255 (root mean square over the
    /// face), 0 to 255; 0 disables it, as published. Default: 0.
    ///
    /// A generator exploits patterns, tints and shadows that a classifier takes for age. A classifier trained on
    /// adversarial examples is robust against them, so the generator has to make larger changes that look like age.
    #[config(default = 0.0)]
    pub adversarial_epsilon: f64,
    /// Steps on clean faces before adversarial training begins, 0 to 1,000,000,000: most networks do not start to learn
    /// from strong adversarial examples. Default: 0.
    #[config(default = 0)]
    pub adversarial_start: usize,
    /// Data augmentation.
    #[config(default = "Augmentation::new()")]
    pub augmentation: Augmentation,
}

/// Metric that selects the best checkpoint of the ageing stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SelectionMetric {
    /// `min(1, a / r) (1 - d)`; higher is better. `a` and `r` are the age classifier's accuracies on aged and on real
    /// faces, `d` is the kernel distance (normalized MMD on average-pooled conv5 features of AlexNet; 0 is the same
    /// distribution, 1 the maximum) between aged and real faces of the target group.
    RealismAndAge,
    /// Objective of the generator; lower is better. It contains the adversarial loss against a discriminator that
    /// learns as well, so it often selects an early generator.
    Objective,
}

/// Form of the identity loss.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IdentityLoss {
    /// Squared distance of AlexNet's conv5, summed over the features: as published.
    Conv5,
    /// Perceptual distance of AlexNet's conv2 to conv5, each as unit-length vectors. It is about a thousandth to a ten
    /// thousandth of the other, so its weight is larger.
    Perceptual,
}

/// Training of the GAN: generator and discriminator.
#[derive(Config, Debug)]
pub struct AgingTraining {
    /// Number of steps, 1 to 1,000,000,000; each step updates both networks.
    pub steps: usize,
    /// Pretraining of the generator: first steps, 0 to `steps`, that minimize the prototype loss alone, without
    /// discriminator and AlexNet, so that a step takes less time. Needs `weights.prototype`. Default: 0.
    #[config(default = 0)]
    pub pretraining_steps: usize,
    /// Batch size, 1 to 1,000,000. Default: 8.
    #[config(default = 8)]
    pub batch_size: usize,
    /// Gradient accumulation: batches whose gradients are averaged for one update, 1 to 10,000. Default: 1.
    #[config(default = 1)]
    pub gradient_accumulation: usize,
    /// Discriminator updates per step, each on its own batch, 1 to 1000. Default: 1.
    #[config(default = 1)]
    pub discriminator_updates: usize,
    /// Generator updates per step, each on its own batch, 1 to 1000. Default: 1.
    #[config(default = 1)]
    pub generator_updates: usize,
    /// Peak learning rate of the generator's Adam in the pretraining, above 0 and at most 1. Default: 0.001.
    #[config(default = 1e-3)]
    pub pretraining_learning_rate: f64,
    /// Peak learning rate of the generator's Adam, above 0 and at most 1. Default: 0.001, as in the official code.
    #[config(default = 1e-3)]
    pub generator_learning_rate: f64,
    /// Peak learning rate of the discriminator's Adam, above 0 and at most 1. Default: 0.001, as in the official code.
    #[config(default = 1e-3)]
    pub discriminator_learning_rate: f64,
    /// Adam beta 2 of both networks, at least 0 and below 1. Default: 0.999, as in the official code.
    #[config(default = 0.999)]
    pub adam_beta_2: f64,
    /// Learning-rate schedule of both networks after the warm-up; it starts anew after the pretraining. Default: constant.
    #[config(default = "Schedule::Constant")]
    pub schedule: Schedule,
    /// Learning-rate warm-up: steps in which both rates rise linearly from zero, at the start and after the pretraining;
    /// fewer than the steps of the pretraining and than those after it. Default: 0.
    #[config(default = 0)]
    pub warm_up: usize,
    /// Gradient clipping: maximum global norm of the gradients of one network, 0 or above; 0 disables it. Default: 0.
    #[config(default = 0.0)]
    pub gradient_clip_norm: f64,
    /// Decay of the exponential moving average (EMA) of the generator's weights, which is used for validation, sample
    /// grids and the saved weights, at least 0 and below 1; 0 disables it. It is warmed up: at most `(1 + n) / (10 + n)`
    /// at update number `n` of the generator. Default: 0.
    #[config(default = 0.0)]
    pub ema_decay: f64,
    /// Batch-norm recalibration: batches, 0 to 1,000,000, from which the generator's running statistics are re-estimated
    /// before its weights are saved; 0 keeps those of training. Default: 0.
    #[config(default = 0)]
    pub recalibration_batches: usize,
    /// Metric that selects the best checkpoint, on held-out faces. Default: realism and age.
    #[config(default = "SelectionMetric::RealismAndAge")]
    pub selection_metric: SelectionMetric,
    /// Loss weights.
    #[config(default = "LossWeights::new()")]
    pub weights: LossWeights,
    /// Strength of the prototypes: shape, colour, detail, each 0 to 10. Default: 0.7, 4.5, 5.
    #[config(default = "PrototypeStrength::new()")]
    pub prototype: PrototypeStrength,
    /// Form of the identity loss. Default: as published.
    #[config(default = "IdentityLoss::Conv5")]
    pub identity_loss: IdentityLoss,
    /// Differentiable augmentation of the inputs of discriminator and AlexNet: without it they overfit small data sets
    /// and reward patterns at fixed pixels. Default: none, as published.
    #[config(default = "DifferentiableAugmentation::new()")]
    pub differentiable_augmentation: DifferentiableAugmentation,
    /// Number of one-pixel shifts, 1 to 16, in each direction, of AlexNet's input window, which cycles through them, one
    /// per generator update; 1 always uses the whole face, as published. AlexNet's first layer has stride 4, so with a
    /// fixed window the generator learns to reproduce its grid. Default: 1.
    #[config(default = 1)]
    pub window_shifts: usize,
    /// Whether the kernels of the generator's last layer are projected, after each update, so that they cannot pass
    /// patterns of period two: checkerboard artefacts of transposed convolutions. Default: no, as published.
    #[config(default = false)]
    pub suppress_checkerboard: bool,
    /// Data augmentation: whether faces are flipped horizontally at random. Default: yes.
    #[config(default = true)]
    pub flip: bool,
    /// Whether a step is recorded once as a graph of the GPU and replayed from then on, which saves the time of hundreds of
    /// kernel launches but keeps the memory of a step. Results are the same. For one GPU, without loss scaling.
    /// Default: no.
    #[config(default = false)]
    pub capture: bool,
    /// Steps between sample grids, at least 1. Default: 100.
    #[config(default = 100)]
    pub sample_every: usize,
}

impl AgingTraining {
    /// Whether there is an exponential moving average (EMA) of the generator's weights.
    pub(crate) fn has_ema(&self) -> bool {
        self.ema_decay > 0.0
    }

    /// Updates of a step, each of which takes the same number of batches.
    pub(crate) fn updates(&self) -> usize {
        self.discriminator_updates.max(self.generator_updates)
    }
}

/// Weights of the losses of generator and discriminator, each 0 or above (IPCGAN:
/// `G_loss = λ1 L_G + λ2 L_identity + λ3 L_age`; ours adds a reconstruction, a prototype and a chroma loss, and those of
/// a projected discriminator).
#[derive(Config, Debug)]
pub struct LossWeights {
    /// Weight `λ1` of the adversarial loss, of generator and discriminator. Default: 75, as in the official code.
    #[config(default = 75.0)]
    pub adversarial: f64,
    /// Weight `λ2` of the identity loss, a sum over conv5. Default: 0.00005, as in the official code.
    #[config(default = 5e-5)]
    pub identity: f64,
    /// Weight `λ3` of the age loss. Default: 30, as in the official code.
    #[config(default = 30.0)]
    pub age: f64,
    /// Weight of the reconstruction loss, on faces whose target is their own group: mean absolute difference from the
    /// source, in [-1, 1]. Default: 0, as in the official code.
    #[config(default = 0.0)]
    pub reconstruction: f64,
    /// Weight of the prototype loss: mean squared difference from the source face aged by prototypes (see
    /// [`PrototypeAging`](ipcgan_data::PrototypeAging)), in [-1, 1]. Default: 0, as in the official code.
    #[config(default = 0.0)]
    pub prototype: f64,
    /// Weight of the chroma loss after the pretraining: mean squared difference in chroma from the face of the prototype
    /// loss. Needs `prototype`. Default: 0, as in the official code.
    #[config(default = 0.0)]
    pub chroma: f64,
    /// Weight of the adversarial loss of the projected discriminator, of generator and discriminator; above 0 if
    /// `discriminator.projected` is set, and 0 otherwise. Default: 0, as in the official code.
    #[config(default = 0.0)]
    pub projected: f64,
    /// In the discriminator's loss, weight of real faces with a mismatched group relative to generated faces. Default: 1,
    /// as published; 0 leaves them out.
    #[config(default = 1.0)]
    pub mismatched: f64,
}

/// What the training loop reads of the settings of a stage.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct LoopSettings {
    pub(crate) steps: usize,
    /// First steps that are pretraining, which costs less.
    pub(crate) pretraining_steps: usize,
    /// Batch size, over all devices.
    pub(crate) batch_size: usize,
    /// Batches whose gradients are averaged for one update.
    pub(crate) gradient_accumulation: usize,
    /// Batches that a step reads.
    pub(crate) batches_per_step: usize,
    /// Early-stopping patience in validations; 0 for none.
    pub(crate) patience: usize,
    /// Name and value of the learning rate; for the GAN, of the generator.
    pub(crate) learning_rate: (&'static str, f64),
    /// Name and value of the learning rate of the pretraining, if there is one.
    pub(crate) pretraining_learning_rate: Option<(&'static str, f64)>,
    /// Steps between sample grids, if there are any.
    pub(crate) sample_every: Option<usize>,
}

/// The settings of a stage. The training loop reads [`LoopSettings`] of them; a retry and a dry run change some.
///
/// A trait, because a classifier and the GAN have different settings, such as one learning rate or two.
pub(crate) trait EditableSettings {
    /// What the training loop reads.
    fn loop_settings(&self) -> LoopSettings;

    /// Halves all learning rates.
    fn halve_learning_rates(&mut self);

    /// Sets the batch size to `faces`, without gradient accumulation.
    fn set_batches(&mut self, faces: usize);

    /// Sets the number of pretraining steps, if the stage has any.
    fn set_pretraining_steps(&mut self, _steps: usize) {}
}

impl EditableSettings for ClassifierTraining {
    fn loop_settings(&self) -> LoopSettings {
        LoopSettings {
            steps: self.steps,
            pretraining_steps: 0,
            batch_size: self.batch_size,
            gradient_accumulation: self.gradient_accumulation,
            batches_per_step: self.gradient_accumulation,
            patience: self.patience,
            learning_rate: ("learning_rate", self.learning_rate),
            pretraining_learning_rate: None,
            sample_every: None,
        }
    }

    fn halve_learning_rates(&mut self) {
        self.learning_rate /= 2.0;
    }

    fn set_batches(&mut self, faces: usize) {
        (self.batch_size, self.gradient_accumulation) = (faces, 1);
    }
}

impl EditableSettings for AgingTraining {
    fn loop_settings(&self) -> LoopSettings {
        LoopSettings {
            steps: self.steps,
            pretraining_steps: self.pretraining_steps,
            batch_size: self.batch_size,
            gradient_accumulation: self.gradient_accumulation,
            batches_per_step: self.gradient_accumulation * self.updates(),
            patience: 0,
            learning_rate: ("generator_learning_rate", self.generator_learning_rate),
            pretraining_learning_rate: (self.pretraining_steps > 0)
                .then_some(("pretraining_learning_rate", self.pretraining_learning_rate)),
            sample_every: Some(self.sample_every),
        }
    }

    fn halve_learning_rates(&mut self) {
        self.pretraining_learning_rate /= 2.0;
        self.generator_learning_rate /= 2.0;
        self.discriminator_learning_rate /= 2.0;
    }

    fn set_batches(&mut self, faces: usize) {
        (self.batch_size, self.gradient_accumulation) = (faces, 1);
    }

    fn set_pretraining_steps(&mut self, steps: usize) {
        self.pretraining_steps = steps;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Preset, TrainingConfig};

    #[test]
    fn all_learning_rates_of_the_gan_are_halved_for_a_retry() {
        let mut training = TrainingConfig::of(Preset::Tiny).aging;
        let rates = |training: &AgingTraining| {
            [training.pretraining_learning_rate, training.generator_learning_rate, training.discriminator_learning_rate]
        };
        let before = rates(&training);

        training.halve_learning_rates();

        assert_eq!(rates(&training), before.map(|rate| rate / 2.0));
    }
}
