//! What a run will take, measured on a few of its steps before it starts.

use std::time::{Duration, Instant};

use burn::train::{InferenceStep, Learner};
use ipcgan_model::guarded;

use crate::begun::Begun;
use crate::context::StageContext;
use crate::stages::StepModel;
use crate::strategy::resident_megabytes;
use crate::train::{Session, check_precision};
use crate::{RunFolder, Stage, TrainingConfig, TrainingData, TrainingError};

/// Steps that are measured, after one to warm up.
const STEPS: usize = 3;

/// What a stage will take.
#[derive(Clone, Debug, PartialEq)]
pub struct StagePlan {
    /// The stage.
    pub stage: Stage,
    /// Steps in all.
    pub steps: usize,
    /// Faces that a step learns from, on all devices together.
    pub faces_per_step: usize,
    /// Numbers that learn.
    pub parameters: usize,
    /// Time of a step.
    pub step: Duration,
    /// Time of all steps and validations.
    pub time: Duration,
    /// Memory of the process while it learns, in megabytes, without that of GPUs; zero where the system does not say.
    pub memory: f64,
}

/// Runs a few steps of each of `stages` and says what the whole will take; nothing is written.
///
/// # Errors
/// As those of [`train`](crate::train), as far as they show before the first step.
pub fn plan(
    config: &TrainingConfig,
    stages: &[Stage],
    data: &TrainingData,
    run: &RunFolder,
    session: &Session,
) -> Result<Vec<StagePlan>, TrainingError> {
    config.check()?;
    check_precision(config, session)?;
    let of = |&stage: &Stage| {
        let context = StageContext::planned(config, stage, data, run, session)?;
        // What it has learned by then does not change the time.
        let alexnet = || context.blank_alexnet();
        match stage {
            Stage::Identity => context.measured(context.identity_begun()?),
            Stage::Age => context.measured(context.age_begun(alexnet())?),
            Stage::Aging => context.measured(context.aging_begun(alexnet())?),
        }
    };
    stages.iter().map(of).collect()
}

impl StageContext<'_> {
    fn measured<M: StepModel>(&self, begun: Begun<M>) -> Result<StagePlan, TrainingError> {
        guarded(|| self.try_measured(begun)).unwrap_or_else(|reason| {
            let advice = format!("if its memory is full, lower {}.batch_size", self.stage);
            Err(TrainingError::Device { step: 1, reason, advice })
        })
    }

    fn try_measured<M: StepModel>(&self, begun: Begun<M>) -> Result<StagePlan, TrainingError> {
        let Begun { model, optimizer, rates, train, valid, .. } = begun;
        let failed = |reason: String| TrainingError::Stopped { step: 0, reason };
        let mut learner = Learner::new(model, optimizer, rates);
        learner.fork(self.team.main());
        let train = self.team.fed(train);
        let mut batches = train.iter();
        let mut steps = Vec::new();
        for _ in 0..=STEPS {
            let parts = batches.by_ref().take(self.parts_per_step()).collect::<Result<Vec<_>, _>>();
            let parts = parts.map_err(|error| failed(error.to_string()))?;
            if parts.len() < self.parts_per_step() {
                break;
            }
            let begun = Instant::now();
            learner.lr_step();
            let terms = M::learn(&mut learner, &self.team, parts);
            terms.read().map_err(|error| failed(error.to_string()))?;
            steps.push(begun.elapsed());
        }
        drop(batches);
        let model = learner.model();
        let parameters = model.num_params();
        // The first step warms up, unless it is the only one.
        let measured = if steps.len() > 1 { &steps[1..] } else { &steps[..] };
        let step = measured.iter().sum::<Duration>() / measured.len().max(1) as u32;
        let begun = Instant::now();
        if let Some(batch) = valid.iter().next() {
            let batch = batch.map_err(|error| failed(error.to_string()))?;
            let _ = InferenceStep::step(&model.valid(), batch);
            self.device().sync().map_err(|error| failed(error.to_string()))?;
        }
        let batches = valid.num_items().div_ceil(self.config.batch_size(self.stage));
        let validation = begun.elapsed() * batches as u32;
        let count = self.config.steps(self.stage);
        Ok(StagePlan {
            stage: self.stage,
            steps: count,
            faces_per_step: self.items_per_step(),
            parameters,
            step,
            time: step * count as u32 + validation * self.config.validations as u32,
            memory: resident_megabytes(),
        })
    }
}
