//! Models of the stages, trained by Burn's learner.

mod adversarial_examples;
mod age;
mod frozen;
pub(crate) mod gan;
mod identity;

pub use age::AgeModel;
pub use gan::AgingModel;
pub use identity::{IdentityModel, IdentityValidation};

use burn::optim::GradientsParams;
use burn::tensor::{Int, Tensor};
use burn::train::{Learner, LearnerModel, TrainStep};
use ipcgan_data::{AgingBatch, LabelledBatch};

use crate::device_group::{Batch, DeviceGroup};
use crate::loss_scale::LossScale;
use crate::step_metrics::StepMetrics;
use crate::update::Update;

/// Name of the gradient norm of a classifier.
const GRADIENT: &str = "gradient norm";

/// Gradients and metrics of one micro-batch.
pub struct StepGradients {
    /// Gradients of the network's parameters.
    pub gradients: GradientsParams,
    /// Unweighted losses.
    pub metrics: StepMetrics,
}

/// A model that is trained in steps.
pub(crate) trait StepModel: LearnerModel + TrainStep<Input: Batch, Output = StepMetrics> {
    /// One step on `micro_batches`: all updates, in order. Returns the metrics.
    fn learn(
        learner: &mut Learner<Self>,
        device_group: &DeviceGroup,
        micro_batches: Vec<<Self as TrainStep>::Input>,
    ) -> StepMetrics;

    /// What its losses are multiplied by before gradients are taken.
    fn loss_scale(&self) -> &LossScale;
}

/// One update from the mean gradient of all micro-batches: the step of both classifiers.
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
    // Otherwise this clone would prevent in-place updates of the weights.
    drop(model);
    // One that is skipped counts as a step, with no gradients.
    learner.optimizer_step(update.gradients.unwrap_or_default());
    StepMetrics::mean(metrics).with(GRADIENT, update.norm)
}

/// Accuracy of `logits` `[batch, classes]`.
fn accuracy(logits: Tensor<2>, labels: Tensor<1, Int>) -> Tensor<1> {
    largest(logits.without_autodiff()).equal(labels).float().mean()
}

/// Predicted class (argmax) of each row of `logits` `[batch, classes]`.
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
            group_mask: self.group_mask.to_device(device),
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
