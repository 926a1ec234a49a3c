//! Validation and checkpoints of the training loop.

use std::time::Instant;

use burn::train::ValidLoader;
use ipcgan_kernels::release_freed_memory;
use ipcgan_system::catch_device_panic;

use super::Trainer;
use super::state::LoopState;
use crate::step::model::StepModel;

impl<M: StepModel> Trainer<M> {
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
        self.checkpoints.checkpoints.begin(state.step, state.progress.clone());
        // If the main device failed there is nothing to save; that stops the loop.
        let saved = catch_device_panic(|| {
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

    /// Validates, updates the best checkpoint, and decides on early stopping.
    pub(super) fn validate(&self, epoch: usize, loader: &ValidLoader<M>, state: &mut LoopState<M>) {
        if let Err(reason) = catch_device_panic(|| state.validate(epoch, loader)) {
            return self.stop_on_device_failure(&reason, None, state);
        }
        if state.should_stop() {
            return self.checkpoint(state);
        }
        let metrics = state.validation_metrics(&self.selection.validation_metrics, epoch);
        state.monitors.recorder.validation(state.step, metrics.iter().map(|(name, value)| (*name, *value)));
        self.selection.update(&mut state.progress, state.step, metrics);
        self.checkpoint(state);
        state.stopped_early = self.selection.stops(&state.progress);
    }
}
