//! Validation, early stopping and checkpoints of the training loop.

use std::time::Instant;

use burn::train::ValidLoader;
use ipcgan_model::{catch_panic, release_freed_memory};

use super::StepStrategy;
use super::state::LoopState;
use crate::checkpoint::Best;
use crate::step_model::StepModel;

impl<M: StepModel> StepStrategy<M> {
    /// Writes a checkpoint, unless a loss diverged: checkpoints must have finite losses, and the log must contain
    /// every step up to them.
    pub(super) fn checkpoint(&self, state: &mut LoopState<M>) {
        self.report_pending(state);
        if state.diverged {
            return;
        }
        state.monitors.recorder.sync();
        state.saved = Instant::now();
        release_freed_memory();
        state.progress.loss_scale = state.learner.model().loss_scale().state();
        self.checkpoints.begin(state.step, state.progress.clone());
        // If the main device failed there is nothing to save; that stops the loop.
        let saved = catch_panic(|| {
            // Batch norm defers its last running-statistics update, which a record would miss; this applies it.
            let _ = state.learner.model().valid();
            if let Some(checkpointer) = &mut state.components.checkpointer {
                checkpointer.checkpoint(&state.learner, state.step, &state.components.event_store);
            }
        });
        if let Err(reason) = saved {
            self.stop_on_device_failure(&reason, None, state);
        }
    }

    /// Validates, and updates the best checkpoint; whether early stopping ends the stage.
    pub(super) fn validate(&self, epoch: usize, loader: &ValidLoader<M>, state: &mut LoopState<M>) -> bool {
        if let Err(reason) = catch_panic(|| state.validate(epoch, loader)) {
            self.stop_on_device_failure(&reason, None, state);
            return false;
        }
        if state.should_stop() {
            self.checkpoint(state);
            return false;
        }
        let validation_metrics =
            state.validation_metrics(&self.outcome.lock().expect("no holder panics").validation_metrics, epoch);
        state.monitors.recorder.validation(state.step, validation_metrics.iter().map(|(name, value)| (*name, *value)));
        let progress = &mut state.progress;
        progress.validated = state.step;
        if let Some(value) = validation_metrics.get(self.selection_metric.name) {
            let metric = self.selection_metric.name;
            match &mut progress.best {
                Some(best) if best.metric == metric && !self.selection_metric.better(*value, best.value) => {
                    best.since += 1
                }
                best => *best = Some(Best { step: state.step, value: *value, metric: metric.into(), since: 0 }),
            }
        }
        progress.held_out = validation_metrics.into_iter().map(|(name, value)| (name.into(), value)).collect();
        let since = progress.best.as_ref().map_or(0, |best| best.since);
        self.checkpoint(state);
        self.patience > 0 && since >= self.patience
    }
}
