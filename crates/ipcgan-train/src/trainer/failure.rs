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
        let error = TrainingError::Diverged {
            metric: metric.into(),
            value,
            step,
            checkpoint: self.checkpoints.checkpoints.newest(),
            retry: self.retry_hints.rate_at(step).clone(),
            float16: state.learner.model().loss_scale().state().is_some(),
        };
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
        let error = TrainingError::Device {
            step,
            reason: reason.into(),
            checkpoint: self.checkpoints.checkpoints.newest(),
            retry: self.retry_hints.batch.clone(),
        };
        self.stop("a device failed", error, state);
    }
}
