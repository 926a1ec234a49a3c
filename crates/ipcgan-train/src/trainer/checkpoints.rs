//! When the training loop writes checkpoints.

use std::time::{Duration, Instant};

use crate::run::checkpoint::Checkpoints;

/// Checkpoints of a stage at a fixed interval in steps, and after a maximum time.
pub(crate) struct CheckpointSchedule {
    pub(crate) checkpoints: Checkpoints,
    /// Steps between checkpoints.
    pub(crate) every: usize,
    /// Maximum time between checkpoints.
    pub(crate) max_interval: Duration,
}

impl CheckpointSchedule {
    /// Whether a checkpoint is due after `step`, if the last one was written at `saved`.
    pub(super) fn is_due(&self, step: usize, saved: Instant) -> bool {
        step.is_multiple_of(self.every) || saved.elapsed() >= self.max_interval
    }
}
