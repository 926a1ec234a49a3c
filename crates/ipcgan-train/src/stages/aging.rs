//! Third stage: generator and discriminator learn from one another.

use burn::module::Module;
use burn::optim::{GradientsAccumulator, GradientsParams};
use burn::tensor::Tensor;
use burn::train::{InferenceStep, Learner, TrainOutput, TrainStep};
use ipcgan_data::AgingBatch;
use ipcgan_model::loss::{adversarial_loss, age_loss, discriminator_loss, identity_loss};
use ipcgan_model::{AlexNet, Discriminator, FrozenAlexNet, Generator};

use super::{StepModel, accuracy, gradients};
use crate::config::LossWeights;
use crate::terms::Terms;

/// The three networks of IPCGAN while the generator and the discriminator learn.
#[derive(Module, Debug)]
pub struct AgingModel {
    /// Ages a face.
    pub generator: Generator,
    /// Judges a face and its age.
    pub discriminator: Discriminator,
    /// Keeps the identity and tells the age; frozen, and not part of the checkpoints.
    #[module(skip)]
    alexnet: FrozenAlexNet,
    #[module(skip)]
    weights: LossWeights,
}

/// One network's turn in a step.
pub struct Turn {
    /// Gradients towards that network's parameters.
    pub gradients: GradientsParams,
    /// The losses, before their weights.
    pub terms: Terms,
}

impl AgingModel {
    /// The networks, of which `alexnet` will not change.
    pub fn new(generator: Generator, discriminator: Discriminator, alexnet: AlexNet, weights: LossWeights) -> Self {
        Self { generator, discriminator, alexnet: alexnet.into_frozen(), weights }
    }

    /// The source faces of `batch` at their target ages.
    pub fn generated(&self, batch: &AgingBatch) -> Tensor<4> {
        self.generator.forward(batch.source.clone(), batch.target.clone())
    }

    /// The discriminator's turn: gradients of `λ1 L_D`, with the `generated` faces held fixed.
    pub fn discriminator_turn(&self, batch: &AgingBatch, generated: Tensor<4>) -> Turn {
        const REAL: usize = 0;
        const GENERATED: usize = 1;
        let features = self.discriminator.features_of_batches([batch.real.clone(), generated.detach()]);
        let judgements =
            [(REAL, batch.target.clone()), (REAL, batch.mismatched.clone()), (GENERATED, batch.target.clone())];
        let scores = self.discriminator.scores_of_batches(features, judgements);
        let loss = discriminator_loss(scores);
        Turn {
            terms: terms(batch).with("discriminator", loss.clone()),
            gradients: gradients(loss * self.weights.adversarial, &self.discriminator),
        }
    }

    /// The generator's turn: gradients of `λ1 L_G + λ2 L_identity + λ3 L_age`.
    ///
    /// `generated` comes from [`AgingModel::generated`] with this generator's weights.
    pub fn generator_turn(&self, batch: &AgingBatch, generated: Tensor<4>) -> Turn {
        // The judge's weights stand still here, so no gradients towards them are computed.
        let discriminator = self.discriminator.clone().no_grad();
        let scores = discriminator.forward(generated.clone(), batch.target.clone());
        let features = self.alexnet.features(generated);
        let source_features = self.alexnet.features(batch.source.clone());
        let age_logits = self.alexnet.age_logits(features.clone());

        let adversarial = adversarial_loss(scores);
        let identity = identity_loss(features, source_features);
        let age = age_loss(age_logits.clone(), batch.target.clone());
        let loss = adversarial.clone() * self.weights.adversarial
            + identity.clone() * self.weights.identity
            + age.clone() * self.weights.age;
        Turn {
            terms: terms(batch)
                .with("adversarial", adversarial)
                .with("identity", identity)
                .with("age", age)
                .with("age accuracy", accuracy(age_logits, batch.target.clone())),
            gradients: gradients(loss, &self.generator),
        }
    }
}

fn terms(batch: &AgingBatch) -> Terms {
    let [size] = batch.target.dims();
    Terms::new(size)
}

impl StepModel for AgingModel {
    fn learn(learner: &mut Learner<Self>, batch: AgingBatch) -> Terms {
        Self::learn(learner, batch)
    }
}

impl AgingModel {
    /// One step: the discriminator's update, then the generator's against the updated discriminator.
    pub fn learn(learner: &mut Learner<Self>, batch: AgingBatch) -> Terms {
        // Generated once: the discriminator's update leaves the generator as it is.
        let generated = learner.model().generated(&batch);
        let discriminator = learner.model().discriminator_turn(&batch, generated.clone());
        learner.optimizer_step(discriminator.gradients);
        let generator = learner.model().generator_turn(&batch, generated);
        learner.optimizer_step(generator.gradients);
        discriminator.terms.and(generator.terms)
    }
}

impl TrainStep for AgingModel {
    type Input = AgingBatch;
    type Output = Terms;

    /// Both turns from the same weights, for Burn's strategies that update once a step.
    fn step(&self, batch: AgingBatch) -> TrainOutput<Terms> {
        let generated = self.generated(&batch);
        let discriminator = self.discriminator_turn(&batch, generated.clone());
        let generator = self.generator_turn(&batch, generated);
        let mut both = GradientsAccumulator::new();
        both.accumulate(self, discriminator.gradients);
        both.accumulate(self, generator.gradients);
        TrainOutput { grads: both.grads(), item: discriminator.terms.and(generator.terms) }
    }
}

impl InferenceStep for AgingModel {
    type Input = AgingBatch;
    type Output = Terms;

    fn step(&self, batch: AgingBatch) -> Terms {
        let generated = self.generated(&batch);
        let features = self.alexnet.features(generated);
        let source_features = self.alexnet.features(batch.source.clone());
        let age_logits = self.alexnet.age_logits(features.clone());
        terms(&batch)
            .with("identity", identity_loss(features, source_features))
            .with("age accuracy", accuracy(age_logits.clone(), batch.target.clone()))
            .with("age", age_loss(age_logits, batch.target))
    }
}
