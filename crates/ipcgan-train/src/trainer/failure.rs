//! Failure handling of the training loop: diverged losses and failed devices.

use burn::train::Learner;

use super::Trainer;
use super::state::LoopState;
use crate::TrainingError;
use crate::step::model::StepModel;

impl<M: StepModel> Trainer<M> {
    pub(super) fn stop(&self, reason: &str, error: TrainingError, state: &LoopState<M>) {
        state.interrupter.stop(Some(reason));
        self.outcome.lock().expect("no holder panics").error.get_or_insert(error);
    }

    pub(super) fn stop_diverged(&self, metric: &str, value: f64, step: usize, state: &LoopState<M>) {
        let precision_advice = match state.learner.model().loss_scale().state() {
            Some(_) => ", or a data type of wider range (--set precision=bfloat16 or float32)",
            None => "",
        };
        let resume_advice = format!(
            "continue from it with --resume and a lower learning rate, for example --set {}{precision_advice}",
            self.retry_hint.rate
        );
        let advice = match self.checkpoints.checkpoints.newest() {
            Some(path) => format!("the last good checkpoint is {}; {resume_advice}", path.display()),
            None => format!("there is no earlier checkpoint; start again with a lower learning rate{precision_advice}"),
        };
        let error = TrainingError::Diverged { metric: metric.into(), value, step, advice };
        self.stop("a loss diverged", error, state);
    }

    /// Stops after a device failure; `before` is the state before the failed step, if it can still be saved.
    pub(super) fn stop_on_device_failure(&self, reason: &str, before: Option<Learner<M>>, state: &mut LoopState<M>) {
        let step = state.step + 1;
        if let Some(learner) = before {
            state.learner = learner;
            self.checkpoint(state);
        }
        state.diverged = true;
        let advice = format!(
            "continue from the last checkpoint with --resume, on working devices; if it ran out of memory, with a smaller \
             batch size (--set {})",
            self.retry_hint.batch
        );
        let error = TrainingError::Device { step, reason: reason.into(), advice };
        self.stop("a device failed", error, state);
    }
}
