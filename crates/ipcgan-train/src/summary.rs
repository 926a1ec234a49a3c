//! What a stage learned, as it stands in `summary.json` once the stage is complete.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{RunFolder, Stage, TrainingError};

/// What came of a stage's loop.
pub(crate) struct StageResult {
    /// Steps done, in all runs.
    pub(crate) steps: usize,
    /// The step after which faces that were held out were last looked at.
    pub(crate) validated: usize,
    /// What was measured on held-out faces at the end.
    pub(crate) held_out: BTreeMap<String, f64>,
    /// Whether the stage ended before its last step, because nothing became better any more.
    pub(crate) stopped_early: bool,
    /// Step of the best checkpoint, which is kept.
    pub(crate) best_step: Option<usize>,
}

impl StageResult {
    /// Whether a stage of `steps` is done with its last step and its last look at held-out faces, or ended early.
    pub(crate) fn is_complete(&self, steps: usize) -> bool {
        self.stopped_early || self.steps.min(self.validated) >= steps
    }
}

/// What a complete stage learned.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// The stage.
    pub stage: String,
    /// Steps done.
    pub steps: usize,
    /// Faces that it learned from.
    pub train_faces: usize,
    /// Faces of other people that it was measured on.
    pub valid_faces: usize,
    /// What was measured on them, by name; without what could not be, for want of people.
    pub held_out: BTreeMap<String, f64>,
    /// Whether the stage ended before its last step, because nothing became better any more.
    pub stopped_early: bool,
    /// Step of the best checkpoint, which is kept; none if none is better than others.
    #[serde(default)]
    pub best_step: Option<usize>,
}

impl RunFolder {
    /// What `stage` learned, if it is complete.
    ///
    /// # Errors
    /// The summary cannot be read.
    pub fn summary(&self, stage: Stage) -> Result<Option<Summary>, TrainingError> {
        self.read(&name(stage))
    }

    pub(crate) fn save_summary(&self, stage: Stage, summary: &Summary) -> Result<(), TrainingError> {
        self.write(&name(stage), summary)
    }
}

fn name(stage: Stage) -> String {
    format!("log/{stage}/summary.json")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stage_is_complete_with_its_last_look_at_held_out_faces() {
        let learned = |steps, validated, stopped_early| StageResult {
            steps,
            validated,
            held_out: BTreeMap::new(),
            stopped_early,
            best_step: None,
        };

        assert!(learned(10, 10, false).is_complete(10));
        assert!(!learned(10, 5, false).is_complete(10), "told to stop in the last validation");
        assert!(!learned(7, 5, false).is_complete(10));
        assert!(learned(5, 5, true).is_complete(10), "nothing became better any more");
    }
}
