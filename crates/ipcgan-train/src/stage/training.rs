//! A stage: its definition, the parts that are trained, and the weights that are saved.

use crate::TrainingError;
use crate::measure::Measured;
use crate::run::summary::StageResult;
use crate::stage::context::{Pretrained, StageContext};
use crate::stage::definition::StageDefinition;
use crate::stage::parts::StageParts;
use crate::step::model::StepModel;

/// A training stage. A run and a dry run start from the same parts.
pub(crate) trait TrainingStage: StageDefinition {
    /// The model that it trains.
    type Model: StepModel;

    /// Model, optimizer, learning-rate schedules, data loaders and metrics.
    ///
    /// # Errors
    /// Weights of an earlier stage are missing, or the faces are unsuitable.
    fn parts(&self, context: &StageContext, pretrained: Pretrained) -> Result<StageParts<Self::Model>, TrainingError>;

    /// Writes the weights of the trained `model`.
    ///
    /// # Errors
    /// They cannot be written.
    fn save(&self, model: Self::Model, context: &StageContext) -> Result<(), TrainingError>;
}

/// A [`TrainingStage`] of any model.
pub(crate) trait AnyStage: StageDefinition {
    /// Trains the stage and writes its weights once it is complete or interrupted.
    fn run(&self, context: &StageContext) -> Result<StageResult, TrainingError>;

    /// Measures a few steps; nothing is written.
    fn measured(&self, context: &StageContext) -> Result<Measured, TrainingError>;
}

impl<S: TrainingStage> AnyStage for S {
    fn run(&self, context: &StageContext) -> Result<StageResult, TrainingError> {
        let (model, result) = context.launch(self.parts(context, Pretrained::FromRun)?)?;
        self.save(model, context)?;
        Ok(result)
    }

    fn measured(&self, context: &StageContext) -> Result<Measured, TrainingError> {
        context.measure(self.parts(context, Pretrained::Untrained)?)
    }
}
