//! What is learned in each stage, as models that Burn's learner trains.

mod adversarial_examples;
mod age;
mod aging;
mod frozen;
mod identity;

pub use age::AgeModel;
pub use aging::AgingModel;
pub use identity::{IdentityModel, IdentityValidation};

use burn::optim::GradientsParams;
use burn::tensor::{Int, Tensor};
use burn::train::{Learner, LearnerModel, TrainStep};
use ipcgan_data::{AgingBatch, LabelledBatch};

use crate::device_group::{Batch, DeviceGroup};
use crate::loss_scale::LossScale;
use crate::step_metrics::StepMetrics;
use crate::update::Update;

/// Name of the norm of a classifier's gradients.
const GRADIENT: &str = "gradient norm";

/// What came of a batch in a network's turn.
pub struct StepGradients {
    /// Gradients towards that network's parameters.
    pub gradients: GradientsParams,
    /// The losses, before their weights.
    pub metrics: StepMetrics,
}

/// A model that learns in steps.
pub(crate) trait StepModel: LearnerModel + TrainStep<Input: Batch, Output = StepMetrics> {
    /// One step on `micro_batches` of batches, a part a device: every update, in order. Returns what it lost.
    fn learn(
        learner: &mut Learner<Self>,
        device_group: &DeviceGroup,
        micro_batches: Vec<<Self as TrainStep>::Input>,
    ) -> StepMetrics;

    /// What its losses are multiplied by before gradients are taken.
    fn loss_scale(&self) -> &LossScale;
}

/// One update from the mean of the gradients of all parts: how both classifiers learn.
fn learn_in_one_update<M: StepModel, B: Batch>(
    learner: &mut Learner<M>,
    device_group: &DeviceGroup,
    micro_batches: Vec<B>,
    gradient_clip_norm: f64,
    compute: impl Fn(&M, B) -> StepGradients + Sync,
) -> StepMetrics {
    let model = learner.model();
    let step_gradients = device_group.step_gradients(&model, micro_batches, compute);
    let (gradients, metrics): (Vec<_>, Vec<_>) =
        step_gradients.into_iter().map(|step| (step.gradients, step.metrics)).unzip();
    let update = Update::mean(&model, gradients, gradient_clip_norm, model.loss_scale());
    // The clone would keep the optimizer from updating weights in place.
    drop(model);
    // One that is skipped counts as a step, with no gradients.
    learner.optimizer_step(update.gradients.unwrap_or_default());
    StepMetrics::mean(metrics).with(GRADIENT, update.norm)
}

/// Share of the rows of `logits` `[batch, classes]` whose largest score is that of the label.
fn accuracy(logits: Tensor<2>, labels: Tensor<1, Int>) -> Tensor<1> {
    largest(logits.without_autodiff()).equal(labels).float().mean()
}

/// The class of the largest score of each row of `logits` `[batch, classes]`.
fn largest(logits: Tensor<2>) -> Tensor<1, Int> {
    let [batch, _] = logits.dims();
    logits.argmax(1).reshape([batch])
}

impl Batch for LabelledBatch {
    fn to_device(self, device: &burn::tensor::Device) -> Self {
        Self {
            faces: self.faces.to_device(device),
            labels: self.labels.to_device(device),
            groups: self.groups.to_device(device),
            known: self.known.to_device(device),
        }
    }
}

impl Batch for AgingBatch {
    fn to_device(self, device: &burn::tensor::Device) -> Self {
        Self {
            source: self.source.to_device(device),
            real: self.real.to_device(device),
            source_group: self.source_group.to_device(device),
            target: self.target.to_device(device),
            mismatched: self.mismatched.to_device(device),
            augmentation: self.augmentation.to_device(device),
        }
    }
}
