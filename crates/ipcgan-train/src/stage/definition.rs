//! Definition of a stage: what a module of `stages` implements.

use crate::config::{EditableSettings, LoopSettings};
use crate::measure::Measured;
use crate::run::summary::StageResult;
use crate::stage::context::StageContext;
use crate::{TrainingConfig, TrainingData, TrainingError};

/// Copies of trained weights in memory: weights, gradients, and two Adam moments.
pub(crate) const COPIES_OF_WEIGHTS: usize = 4;

/// Memory of a stage, as counts of float32 values.
pub(crate) struct Footprint {
    /// Weights, and for each one that is trained its gradient and optimizer state.
    pub(crate) weights: usize,
    /// Activations of one face that are kept for the backward pass.
    pub(crate) activations: usize,
}

/// A training stage: settings, faces, files, memory, and its training. A run and a dry run start from the same
/// [`StageParts`](crate::stage::parts::StageParts).
pub(crate) trait StageDefinition: Sync {
    /// Name on the command line and in the run folder.
    fn name(&self) -> &'static str;

    /// What its training loop reads of `config`.
    fn loop_settings(&self, config: &TrainingConfig) -> LoopSettings;

    /// Its settings in `config`, which a retry or a dry run changes.
    fn editable_settings<'a>(&self, config: &'a mut TrainingConfig) -> &'a mut dyn EditableSettings;

    /// Names of the networks whose weights it writes.
    fn networks(&self) -> &'static [&'static str];

    /// Settings, or whole groups of settings, that a resumed run must not change, besides those of all stages.
    fn fixed_settings(&self) -> &'static [&'static str] {
        &[]
    }

    /// Settings of those groups that may change nevertheless.
    fn changeable_settings(&self) -> &'static [&'static str] {
        &[]
    }

    /// Settings that a resumed run must not change to or from zero.
    fn fixed_switches(&self) -> &'static [&'static str] {
        &[]
    }

    /// The faces of `data` that it uses.
    fn faces(&self, data: &TrainingData) -> TrainingData;

    /// Checks that `data`, its own faces, can be trained on, and completes `config` with what follows from them.
    ///
    /// # Errors
    /// The faces or the settings are unsuitable.
    fn check_faces(&self, config: &mut TrainingConfig, data: &TrainingData) -> Result<(), TrainingError>;

    /// Checks that files which it needs besides the run and the data can be read.
    ///
    /// # Errors
    /// One is missing or damaged.
    fn check_files(&self, _context: &StageContext) -> Result<(), TrainingError> {
        Ok(())
    }

    /// Logs settings that have no effect, and what it cannot learn or measure with the faces of `context`.
    fn log_limitations(&self, _context: &StageContext) {}

    /// Lower bound of its memory, from the network sizes.
    fn footprint(&self, config: &TrainingConfig) -> Footprint;

    /// Trains the stage and writes its weights once it is complete or interrupted.
    ///
    /// # Errors
    /// Weights of an earlier stage are missing, the training failed, or a file cannot be written.
    fn train(&self, context: &StageContext) -> Result<StageResult, TrainingError>;

    /// Measures a few steps; nothing is written.
    ///
    /// # Errors
    /// The faces are unsuitable, or a step failed.
    fn measure(&self, context: &StageContext) -> Result<Measured, TrainingError>;
}
