//! Validations and checkpoints of the training loop.

use std::time::Instant;

use burn::train::ValidLoader;
use ipcgan_model::{give_back_freed_memory, guarded};

use super::StepStrategy;
use super::state::LoopState;
use crate::checkpoint::Best;
use crate::stages::StepModel;

impl<M: StepModel> StepStrategy<M> {
    /// Saves how far the loop has come, unless the networks are not sound: what is kept must have finite losses, and the log must
    /// have every step of it.
    pub(super) fn checkpoint(&self, state: &mut LoopState<M>) {
        self.report_pending(state);
        if state.diverged {
            return;
        }
        state.monitors.recorder.sync();
        state.saved = Instant::now();
        give_back_freed_memory();
        state.progress.loss_scale = state.learner.model().loss_scale().state();
        self.checkpoints.begin(state.step, state.progress.clone());
        // Without the device that keeps the networks there is nothing to save, which stops the loop if nothing has yet.
        let saved = guarded(|| {
            // Batch norm keeps its last update pending, and a record would miss it; this applies it.
            let _ = state.learner.model().valid();
            if let Some(checkpointer) = &mut state.components.checkpointer {
                checkpointer.checkpoint(&state.learner, state.step, &state.components.event_store);
            }
        });
        if let Err(reason) = saved {
            self.stop_on_device_failure(&reason, None, state);
        }
    }

    /// Validates, and keeps what came of it; whether the stage ends here because nothing becomes better any more.
    pub(super) fn validate(&self, epoch: usize, loader: &ValidLoader<M>, state: &mut LoopState<M>) -> bool {
        if let Err(reason) = guarded(|| state.validate(epoch, loader)) {
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
