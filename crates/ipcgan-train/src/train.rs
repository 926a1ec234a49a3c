//! Runs the stages of a training one after another.

use crate::config::OnDivergence;
use crate::run::summary::{StageResult, Summary};
use crate::session::{Session, StartMode};
use crate::stage::context::StageContext;
use crate::{RunFolder, Stage, TrainingConfig, TrainingData, TrainingError, preflight};

/// Maximum number of times that the learning rate of a diverging stage is halved.
const MAX_RETRIES: usize = 3;

/// How a training ended.
#[derive(Clone, Debug, PartialEq)]
pub enum TrainingOutcome {
    /// All stages are complete; their summaries.
    Completed(Vec<Summary>),
    /// The training was interrupted; its progress is in a checkpoint.
    Interrupted {
        /// The stage that was running.
        stage: Stage,
        /// Steps done.
        step: usize,
    },
}

/// Trains `stages` in order on `data`, and writes everything to `run`, which is locked.
///
/// Everything that the stages need is checked before the first one starts and before anything is written.
///
/// # Errors
/// Invalid settings, unsuitable data, missing weights of an earlier stage, a run that exists although `resume` is false
/// or does not exist although it is true, another process that trains in the folder, too little memory, a diverging
/// loss, a failing device, or files that cannot be written.
pub fn train(
    config: &TrainingConfig,
    stages: &[Stage],
    data: &TrainingData,
    run: &RunFolder,
    session: &Session,
) -> Result<TrainingOutcome, TrainingError> {
    run.check_usable()?;
    preflight::check_memory(&preflight::check(config, stages, data, run, session)?)?;
    let _lock = run.lock()?;
    let mut summaries = Vec::new();
    for &stage in stages {
        if session.interrupter.should_stop() {
            let step = run.checkpoint_step(stage)?.unwrap_or(0);
            return Ok(TrainingOutcome::Interrupted { stage, step });
        }
        if let Some((context, learned)) = run_stage(config, stage, data, run, session)? {
            if !learned.is_complete(context.loop_settings().steps) {
                return Ok(TrainingOutcome::Interrupted { stage, step: learned.steps });
            }
            context.summarise(learned)?;
        }
        summaries.extend(run.summary(stage)?);
    }
    Ok(TrainingOutcome::Completed(summaries))
}

/// Runs a stage. If a loss diverges and [`OnDivergence::LowerLearningRate`] is set, retries from the last checkpoint,
/// or from step 0 if there is none, with half the learning rate. `None` if the stage is already complete.
fn run_stage<'a>(
    config: &TrainingConfig,
    stage: Stage,
    data: &TrainingData,
    run: &'a RunFolder,
    session: &'a Session,
) -> Result<Option<(StageContext<'a>, StageResult)>, TrainingError> {
    let mut config = config.clone();
    let mut mode = session.start_mode();
    let mut retries = 0;
    loop {
        let Some(context) = StageContext::new(&config, stage, data, run, session, mode)? else { return Ok(None) };
        match stage.definition().train(&context) {
            Err(TrainingError::Diverged { metric, step, checkpoint, .. })
                if config.on_divergence == OnDivergence::LowerLearningRate && retries < MAX_RETRIES =>
            {
                let from = checkpoint.map_or("step 0".into(), |path| path.display().to_string());
                log::warn!("{metric} diverged after step {step}; retrying from {from} with half the learning rate");
                stage.definition().editable_settings(&mut config).halve_learning_rates();
                mode = StartMode::Resume;
                retries += 1;
            }
            result => return Ok(Some((context, result?))),
        }
    }
}
