//! Result of a stage, stored in `summary.json` once the stage is complete.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{RunFolder, Stage, TrainingError};

/// Result of the training loop of a stage.
pub(crate) struct StageResult {
    /// Steps done, over all runs.
    pub(crate) steps: usize,
    /// Step of the last validation.
    pub(crate) validated: usize,
    /// Validation metrics at the end.
    pub(crate) held_out: BTreeMap<String, f64>,
    /// Whether early stopping ended the stage.
    pub(crate) stopped_early: bool,
    /// Step of the best checkpoint.
    pub(crate) best_step: Option<usize>,
}

impl StageResult {
    /// Whether a stage of `steps` steps has done its last step and validation, or was stopped early.
    pub(crate) fn is_complete(&self, steps: usize) -> bool {
        self.stopped_early || self.steps.min(self.validated) >= steps
    }
}

/// Summary of a complete stage.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// The stage.
    pub stage: String,
    /// Steps done.
    pub steps: usize,
    /// Number of training faces.
    pub train_faces: usize,
    /// Number of validation faces, of other identities.
    pub valid_faces: usize,
    /// Validation metrics by name; metrics that are not defined are left out.
    pub held_out: BTreeMap<String, f64>,
    /// Whether early stopping ended the stage.
    pub stopped_early: bool,
    /// Step of the best checkpoint, if there is one.
    #[serde(default)]
    pub best_step: Option<usize>,
}

impl RunFolder {
    /// Summary of `stage`, if it is complete.
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
    fn a_stage_is_complete_with_its_last_validation() {
        let learned = |steps, validated, stopped_early| StageResult {
            steps,
            validated,
            held_out: BTreeMap::new(),
            stopped_early,
            best_step: None,
        };

        assert!(learned(10, 10, false).is_complete(10));
        assert!(!learned(10, 5, false).is_complete(10), "interrupted in the last validation");
        assert!(!learned(7, 5, false).is_complete(10));
        assert!(learned(5, 5, true).is_complete(10), "stopped early");
    }
}
