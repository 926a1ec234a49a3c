//! First stage: the identity network learns to classify identities.

use burn::module::Module;
use burn::optim::lr_scheduler::module_lr_scheduler::ModuleLearningRate;
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::tensor::Tensor;
use burn::train::{InferenceStep, Learner, TrainOutput, TrainStep};
use ipcgan_data::LabelledBatch;
use ipcgan_model::AlexNet;
use ipcgan_model::loss::{cross_entropy, masked_cross_entropy};

use super::adversarial_examples::{adversarial_epsilon, adversarial_examples};
use super::{StepGradients, StepModel, accuracy, learn_in_one_update};
use crate::config::ClassifierTraining;
use crate::device_group::DeviceGroup;
use crate::loss_scale::LossScale;
use crate::step_metrics::StepMetrics;
use crate::update::gradients;

/// AlexNet with trainable trunk and identity head.
#[derive(Module, Debug)]
pub struct IdentityModel {
    /// The network.
    pub alexnet: AlexNet,
    /// Training configuration.
    #[module(skip)]
    pub config: ClassifierTraining,
    /// Weight of the age loss on the same trunk (multi-task training); 0 for none, as published.
    #[module(skip)]
    pub age_weight: f64,
    /// Steps done.
    #[module(skip)]
    pub steps: usize,
    #[module(skip)]
    pub(crate) loss_scale: LossScale,
}

/// Embeddings and identities of a batch of held-out faces.
#[derive(Clone, Debug)]
pub struct IdentityValidation {
    /// `[batch, embedding]`.
    pub embeddings: Tensor<2>,
    /// `[batch]`; equal numbers are the same person.
    pub identities: burn::tensor::Tensor<1, burn::tensor::Int>,
}

impl TrainStep for IdentityModel {
    type Input = LabelledBatch;
    type Output = StepMetrics;

    fn step(&self, batch: LabelledBatch) -> TrainOutput<StepMetrics> {
        let StepGradients { gradients, metrics } = self.step_gradients(batch);
        TrainOutput { grads: gradients, item: metrics }
    }

    fn optimize(self, optimizer: &mut ModuleOptimizer, rate: ModuleLearningRate, gradients: GradientsParams) -> Self {
        let model = optimizer.step(rate, self, gradients);
        Self { steps: model.steps + 1, ..model }
    }
}

impl IdentityModel {
    fn step_gradients(&self, batch: LabelledBatch) -> StepGradients {
        let epsilon = adversarial_epsilon(&self.config, self.steps);
        let faces = adversarial_examples(batch.faces.clone(), epsilon, |faces| {
            let judged = Self { alexnet: self.alexnet.clone().no_grad(), ..self.clone() };
            judged.loss(faces, &batch).0
        });
        let (loss, metrics) = self.loss(faces, &batch);
        StepGradients { gradients: gradients(loss, self, &self.loss_scale), metrics }
    }

    /// Loss on `faces`: those of `batch`, or adversarial examples of them.
    fn loss(&self, faces: Tensor<4>, batch: &LabelledBatch) -> (Tensor<1>, StepMetrics) {
        let features = self.alexnet.features(faces);
        let logits = self.alexnet.identity_logits(features.clone());
        let accuracy = accuracy(logits.clone(), batch.labels.clone());
        let [size] = batch.labels.dims();
        let identity = cross_entropy(logits, batch.labels.clone());
        let metrics = StepMetrics::new(size).with("loss", identity.clone()).with("accuracy", accuracy);
        if self.age_weight == 0.0 {
            return (identity, metrics);
        }
        let age = self.alexnet.age_logits(features);
        let age = masked_cross_entropy(age, batch.groups.clone(), batch.group_mask.clone());
        let metrics = metrics.with("age", age.clone());
        (identity + age * self.age_weight, metrics)
    }
}

impl InferenceStep for IdentityModel {
    type Input = LabelledBatch;
    type Output = IdentityValidation;

    fn step(&self, batch: LabelledBatch) -> IdentityValidation {
        let embeddings = self.alexnet.embedding(self.alexnet.features(batch.faces));
        IdentityValidation { embeddings, identities: batch.labels }
    }
}

impl StepModel for IdentityModel {
    fn learn(
        learner: &mut Learner<Self>,
        device_group: &DeviceGroup,
        micro_batches: Vec<LabelledBatch>,
    ) -> StepMetrics {
        let gradient_clip_norm = learner.model().config.gradient_clip_norm;
        learn_in_one_update(learner, device_group, micro_batches, gradient_clip_norm, Self::step_gradients)
    }

    fn loss_scale(&self) -> &LossScale {
        &self.loss_scale
    }
}
