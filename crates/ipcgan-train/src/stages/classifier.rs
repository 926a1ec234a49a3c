//! What the two classifiers share: optimizer, learning-rate schedule, names of metrics, and a step of one update.

use burn::optim::ModuleOptimizer;
use burn::optim::lr_scheduler::module_lr_scheduler::ModuleLrScheduler;
use burn::train::Learner;

use crate::config::ClassifierTraining;
use crate::config::schedule::LrSchedule;
use crate::step::adam::FusedAdam;
use crate::step::devices::{Batch, DeviceGroup};
use crate::step::metrics::StepMetrics;
use crate::step::model::{StepModel, mean_update};
use crate::step::update::StepGradients;

/// Adam beta 1 (Adam's default).
const BETA_1: f32 = 0.9;
/// Adam beta 2 (Adam's default).
const BETA_2: f32 = 0.999;

/// Names of the metrics.
pub(super) const LOSS: &str = "loss";
pub(super) const ACCURACY: &str = "accuracy";
pub(super) const GRADIENT_NORM: &str = "gradient norm";

/// Adam of a classifier.
pub(super) fn classifier_optimizer() -> ModuleOptimizer {
    ModuleOptimizer::from(FusedAdam::new(BETA_1, BETA_2))
}

/// Learning-rate schedule of a classifier.
pub(super) fn classifier_lr_scheduler(training: &ClassifierTraining) -> ModuleLrScheduler {
    let ClassifierTraining { learning_rate, schedule, warm_up, steps, .. } = *training;
    ModuleLrScheduler::new(LrSchedule::new(learning_rate, schedule, warm_up, steps))
}

/// One update from the mean gradient of all micro-batches: the step of both classifiers.
pub(super) fn learn_in_one_update<M: StepModel, B: Batch>(
    learner: &mut Learner<M>,
    device_group: &DeviceGroup,
    micro_batches: Vec<B>,
    gradient_clip_norm: f64,
    compute: impl Fn(&M, B) -> StepGradients + Sync,
) -> StepMetrics {
    let model = learner.model();
    let step_gradients = device_group.step_gradients(&model, micro_batches, compute);
    let (gradients, metrics) = mean_update(model, |model| model, step_gradients, gradient_clip_norm, GRADIENT_NORM);
    // A skipped update counts as a step without gradients, because a checkpoint stores only the number of steps.
    learner.optimizer_step(gradients.unwrap_or_default());
    metrics
}
