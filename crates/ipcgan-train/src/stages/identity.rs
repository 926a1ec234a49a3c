//! First stage: the identity net learns to tell people apart.

use burn::module::Module;
use burn::optim::lr_scheduler::module_lr_scheduler::ModuleLearningRate;
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::tensor::Tensor;
use burn::train::{InferenceStep, Learner, TrainOutput, TrainStep};
use ipcgan_data::LabelledBatch;
use ipcgan_model::AlexNet;
use ipcgan_model::loss::{cross_entropy, cross_entropy_of_known};

use super::adversarial::{adversarial_epsilon, adversarial_examples};
use super::{StepModel, Turn, accuracy, learn_in_one_update};
use crate::config::ClassifierTraining;
use crate::loss_scale::LossScale;
use crate::team::Team;
use crate::terms::Terms;
use crate::update::gradients;

/// AlexNet while its trunk and identity head learn.
#[derive(Module, Debug)]
pub struct IdentityModel {
    /// The network.
    pub alexnet: AlexNet,
    /// How it learns.
    #[module(skip)]
    pub rules: ClassifierTraining,
    /// Weight of the age loss, from the same trunk; 0 for none, as published.
    #[module(skip)]
    pub age_weight: f64,
    /// Steps so far.
    #[module(skip)]
    pub steps: usize,
    #[module(skip)]
    pub(crate) loss_scale: LossScale,
}

/// The vectors that stand for the people in a batch, and who they are.
#[derive(Clone, Debug)]
pub struct Recognition {
    /// `[batch, embedding]`.
    pub embeddings: Tensor<2>,
    /// `[batch]`; equal numbers are the same person.
    pub identities: burn::tensor::Tensor<1, burn::tensor::Int>,
}

impl TrainStep for IdentityModel {
    type Input = LabelledBatch;
    type Output = Terms;

    fn step(&self, batch: LabelledBatch) -> TrainOutput<Terms> {
        let Turn { gradients, terms } = self.turn(batch);
        TrainOutput { grads: gradients, item: terms }
    }

    fn optimize(self, optimizer: &mut ModuleOptimizer, rate: ModuleLearningRate, gradients: GradientsParams) -> Self {
        let model = optimizer.step(rate, self, gradients);
        Self { steps: model.steps + 1, ..model }
    }
}

impl IdentityModel {
    fn turn(&self, batch: LabelledBatch) -> Turn {
        let epsilon = adversarial_epsilon(&self.rules, self.steps);
        let faces = adversarial_examples(batch.faces.clone(), epsilon, |faces| {
            let judged = Self { alexnet: self.alexnet.clone().no_grad(), ..self.clone() };
            judged.loss(faces, &batch).0
        });
        let (loss, terms) = self.loss(faces, &batch);
        Turn { gradients: gradients(loss, self, &self.loss_scale), terms }
    }

    /// What is learned from `faces`, those of `batch` or changed from them.
    fn loss(&self, faces: Tensor<4>, batch: &LabelledBatch) -> (Tensor<1>, Terms) {
        let features = self.alexnet.features(faces);
        let logits = self.alexnet.identity_logits(features.clone());
        let accuracy = accuracy(logits.clone(), batch.labels.clone());
        let [size] = batch.labels.dims();
        let identity = cross_entropy(logits, batch.labels.clone());
        let terms = Terms::new(size).with("loss", identity.clone()).with("accuracy", accuracy);
        if self.age_weight == 0.0 {
            return (identity, terms);
        }
        let age = self.alexnet.age_logits(features);
        let age = cross_entropy_of_known(age, batch.groups.clone(), batch.known.clone());
        let terms = terms.with("age", age.clone());
        (identity + age * self.age_weight, terms)
    }
}

impl InferenceStep for IdentityModel {
    type Input = LabelledBatch;
    type Output = Recognition;

    fn step(&self, batch: LabelledBatch) -> Recognition {
        let embeddings = self.alexnet.embedding(self.alexnet.features(batch.faces));
        Recognition { embeddings, identities: batch.labels }
    }
}

impl StepModel for IdentityModel {
    fn learn(learner: &mut Learner<Self>, team: &Team, parts: Vec<LabelledBatch>) -> Terms {
        let clip_norm = learner.model().rules.clip_norm;
        learn_in_one_update(learner, team, parts, clip_norm, Self::turn)
    }

    fn loss_scale(&self) -> &LossScale {
        &self.loss_scale
    }
}
