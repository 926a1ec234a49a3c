//! Second stage: the age classifier is trained on the frozen trunk of the identity network.

use burn::module::Module;
use burn::optim::lr_scheduler::module_lr_scheduler::ModuleLearningRate;
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::tensor::{Device, Int, Tensor};
use burn::train::{InferenceStep, Learner, TrainOutput, TrainStep};
use ipcgan_data::LabelledBatch;
use ipcgan_model::loss::age_loss;
use ipcgan_model::{AgeHead, AlexNet};

use super::adversarial_examples::{adversarial_epsilon, adversarial_examples};
use super::frozen::Frozen;
use super::{StepGradients, StepModel, accuracy, learn_in_one_update};
use crate::config::ClassifierTraining;
use crate::device_group::DeviceGroup;
use crate::loss_scale::LossScale;
use crate::step_metrics::StepMetrics;
use crate::update::gradients;

/// Trainable age head.
#[derive(Module, Debug)]
pub struct AgeModel {
    head: AgeHead,
    /// Frozen trunk; not part of the checkpoints.
    #[module(skip)]
    rest: Frozen,
    #[module(skip)]
    config: ClassifierTraining,
    /// Steps done.
    #[module(skip)]
    steps: usize,
    #[module(skip)]
    loss_scale: LossScale,
}

impl AgeModel {
    /// Trains the age head of `alexnet` on the autodiff device `device`, as `config` says; everything else is frozen.
    pub fn new(alexnet: AlexNet, config: ClassifierTraining, device: &Device) -> Self {
        let head = alexnet.age_head.clone().fork(device).train();
        Self { head, rest: Frozen::new(alexnet), config, steps: 0, loss_scale: LossScale::selected() }
    }

    /// The model after `steps` steps, which checkpoints do not store.
    pub fn after(self, steps: usize) -> Self {
        Self { steps, ..self }
    }

    /// The network with the trained age head.
    pub fn into_alexnet(self) -> AlexNet {
        let mut alexnet = self.rest.alexnet().clone();
        alexnet.age_head = self.head.valid();
        alexnet
    }

    fn logits(&self, faces: Tensor<4>) -> Tensor<2> {
        self.head.forward(self.rest.on(&faces.device()).features(faces))
    }

    fn step_gradients(&self, batch: LabelledBatch) -> StepGradients {
        let epsilon = adversarial_epsilon(&self.config, self.steps);
        let faces = adversarial_examples(batch.faces, epsilon, |faces| {
            let head = self.head.clone().no_grad();
            age_loss(head.forward(self.rest.on(&faces.device()).features(faces)), batch.labels.clone())
        });
        let logits = self.logits(faces);
        let accuracy = accuracy(logits.clone(), batch.labels.clone());
        let [size] = batch.labels.dims();
        let loss = age_loss(logits, batch.labels);
        let metrics = StepMetrics::new(size).with("loss", loss.clone()).with("accuracy", accuracy);
        StepGradients { gradients: gradients(loss, self, &self.loss_scale), metrics }
    }
}

impl TrainStep for AgeModel {
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

impl InferenceStep for AgeModel {
    type Input = LabelledBatch;
    type Output = StepMetrics;

    fn step(&self, batch: LabelledBatch) -> StepMetrics {
        let logits = self.logits(batch.faces);
        let [size] = batch.labels.dims();
        StepMetrics::new(size)
            .with("accuracy", accuracy(logits.clone(), batch.labels.clone()))
            .with("within one group", within_one_group(logits.clone(), batch.labels.clone()))
            .with("loss", age_loss(logits, batch.labels))
    }
}

/// Fraction of faces whose predicted group is at most one group off.
fn within_one_group(logits: Tensor<2>, groups: Tensor<1, Int>) -> Tensor<1> {
    let [batch, _] = logits.dims();
    let predicted = logits.argmax(1).reshape([batch]);
    (predicted - groups).abs().lower_equal_elem(1).float().mean()
}

impl StepModel for AgeModel {
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
