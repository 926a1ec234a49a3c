//! Models that are trained in steps.

use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::{Int, Tensor};
use burn::train::{Learner, LearnerModel, TrainStep};

use crate::step::devices::{Batch, DeviceGroup};
use crate::step::loss_scale::LossScale;
use crate::step::metrics::StepMetrics;
use crate::step::update::{StepGradients, Update};

/// A model that is trained in steps.
pub(crate) trait StepModel: LearnerModel + TrainStep<Input: Batch, Output = StepMetrics> {
    /// One step on `micro_batches`: all updates, in order. Returns the metrics.
    fn learn(
        learner: &mut Learner<Self>,
        device_group: &DeviceGroup,
        micro_batches: Vec<<Self as TrainStep>::Input>,
    ) -> StepMetrics;

    /// Scale by which its losses are multiplied before the backward pass.
    fn loss_scale(&self) -> &LossScale;
}

/// Gradients of the update of `network`, a part of `model`, by the mean of `step_gradients`, and the mean metrics with
/// the gradient norm as `norm`; no gradients if they overflowed.
///
/// `model` is dropped, because a clone would prevent in-place updates of the weights.
pub(crate) fn mean_update<M: StepModel, N: Module>(
    model: M,
    network: impl Fn(&M) -> &N,
    step_gradients: Vec<StepGradients>,
    gradient_clip_norm: f64,
    norm: &'static str,
) -> (Option<GradientsParams>, StepMetrics) {
    let (gradients, metrics): (Vec<_>, Vec<_>) =
        step_gradients.into_iter().map(|step| (step.gradients, step.metrics)).unzip();
    let update = Update::mean(network(&model), gradients, gradient_clip_norm, model.loss_scale());
    (update.gradients, StepMetrics::mean(metrics).with(norm, update.norm))
}

/// Accuracy of `logits` `[batch, classes]`.
pub(crate) fn accuracy(logits: Tensor<2>, labels: Tensor<1, Int>) -> Tensor<1> {
    largest(logits.without_autodiff()).equal(labels).float().mean()
}

/// Predicted class (argmax) of each row of `logits` `[batch, classes]`.
pub(crate) fn largest(logits: Tensor<2>) -> Tensor<1, Int> {
    let [batch, _] = logits.dims();
    logits.argmax(1).reshape([batch])
}
