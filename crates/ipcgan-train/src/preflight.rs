//! Checks before the first stage starts, so that a run does not fail hours later.

use serde_json::Value;

use crate::config::settings::IDENTITIES;
use crate::memory::{Fit, fit, min_memory};
use crate::plan::estimated_memory;
use crate::run::checkpoint::Checkpoints;
use crate::session::{Session, check_precision};
use crate::stage::context::StageContext;
use crate::stage::state::{StageState, check_stage};
use crate::{RunFolder, Stage, TrainingConfig, TrainingData, TrainingError};

/// Batch size per device above which memory is measured before training. Up to it, memory is only estimated: a
/// measurement takes seconds, and on a GPU it compiles kernels for other batch sizes.
const MEASURED_ABOVE: usize = 64;

/// Checks all requirements of `stages` and reports what cannot be learned from `data`; writes nothing. Returns the
/// stages that are not complete, planned from their first step.
pub(crate) fn check<'a>(
    config: &TrainingConfig,
    stages: &[Stage],
    data: &TrainingData,
    run: &'a RunFolder,
    session: &'a Session,
) -> Result<Vec<StageContext<'a>>, TrainingError> {
    config.check()?;
    check_precision(config, session)?;
    if session.resume {
        run.check_resumable()?;
    }
    let mut before = Vec::new();
    let mut unfinished = Vec::new();
    for &stage in stages {
        let state = check_stage(config, stage, run, &before, session.start_mode())?;
        before.push(stage);
        if state == StageState::Complete {
            warn_of_lost_checkpoints(config, stage, run);
            continue;
        }
        let context = StageContext::planned(config, stage, data, run, session)?;
        if let StageState::Started(steps) = state {
            context.check_data(steps)?;
        }
        stage.definition().check_files(&context)?;
        stage.definition().log_limitations(&context);
        unfinished.push(context);
    }
    if unfinished.is_empty() {
        check_unchanged(config, run)?;
    }
    Ok(unfinished)
}

/// Warns if a complete stage has no checkpoint left, from which further steps would start.
fn warn_of_lost_checkpoints(config: &TrainingConfig, stage: Stage, run: &RunFolder) {
    if !Checkpoints::of(run, stage, config).any() {
        log::warn!(
            "the {stage} stage is complete, but no checkpoint of it is left in {}; its weights are kept, and it cannot \
             learn more steps",
            run.checkpoints(stage).display()
        );
    }
}

/// Rejects changed settings of a run that is already complete.
fn check_unchanged(config: &TrainingConfig, run: &RunFolder) -> Result<(), TrainingError> {
    let Some(saved) = run.config()? else { return Ok(()) };
    let [saved, now] = [&saved, config].map(|config| serde_json::to_value(config).expect("plain data turn into JSON"));
    match changed_setting("", &saved, &now) {
        Some(setting) => Err(TrainingError::NothingLeft { path: run.path().into(), setting }),
        None => Ok(()),
    }
}

/// Path of the first value below `path` that differs.
fn changed_setting(path: &str, saved: &Value, now: &Value) -> Option<String> {
    match (saved, now) {
        (Value::Object(saved), Value::Object(now)) => now.iter().find_map(|(name, now)| {
            let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            changed_setting(&path, saved.get(name).unwrap_or(&Value::Null), now)
        }),
        // Derived from the data of a stage, not set by the user.
        _ => (saved != now && path != IDENTITIES).then(|| path.into()),
    }
}

/// Rejects stages that need more than the total memory, and warns about those that need more than the free memory.
pub(crate) fn check_memory(stages: &[StageContext]) -> Result<(), TrainingError> {
    for context in stages {
        let large = context.loop_settings().batch_size > MEASURED_ABOVE * context.device_group.count();
        let needed = if large { estimated_memory(context)? } else { min_memory(context) };
        match fit(context, needed) {
            Fit::Fits => (),
            Fit::Tight(shortage) => log::warn!("{shortage}"),
            Fit::TooLarge(shortage) => return Err(TrainingError::Memory(shortage)),
        }
    }
    Ok(())
}
