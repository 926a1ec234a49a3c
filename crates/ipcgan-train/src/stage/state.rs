//! State of a stage in a run, and which transitions are allowed.

use ipcgan_model::AlexNet;
use ipcgan_model::weights::Network;
use serde_json::Value;

use crate::run::checkpoint::Checkpoints;
use crate::session::StartMode;
use crate::{RunFolder, Stage, TrainingConfig, TrainingError};

/// State of a stage in a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum StageState {
    /// There is nothing to resume.
    NotStarted,
    /// This number of steps is in a checkpoint, or in a summary with fewer steps than configured now.
    Started(usize),
    /// All steps are done, and the weights are written.
    Complete,
}

impl StageState {
    pub(crate) fn of(run: &RunFolder, stage: Stage, config: &TrainingConfig) -> Result<Self, TrainingError> {
        let summary = run.summary(stage)?;
        let steps = run.checkpoint_step(stage)?.max(summary.as_ref().map(|summary| summary.steps));
        let weights = stage.definition().networks().iter().all(|network| run.weights(network).exists());
        Ok(match (summary, steps) {
            (Some(summary), _)
                if weights
                    && (summary.stopped_early || summary.steps >= stage.definition().loop_settings(config).steps) =>
            {
                Self::Complete
            }
            (_, Some(steps)) => Self::Started(steps),
            (_, None) if Checkpoints::of(run, stage, config).any() => Self::Started(0),
            (_, None) => Self::NotStarted,
        })
    }
}

impl RunFolder {
    /// Whether a stage of this run can be resumed or is complete.
    ///
    /// # Errors
    /// The run cannot be read.
    pub fn has_started(&self) -> Result<bool, TrainingError> {
        let Some(config) = self.config()? else { return Ok(false) };
        for stage in Stage::ALL {
            if StageState::of(self, stage, &config)? != StageState::NotStarted {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Checks whether `stage` can run in `run`, from the files of the run. `before` are the stages that run before it.
///
/// # Errors
/// The stage has progress and is not resumed, its checkpoints or an earlier stage are missing, a later stage was trained
/// with its result, or a setting changed that must not change.
pub(crate) fn check_stage(
    config: &TrainingConfig,
    stage: Stage,
    run: &RunFolder,
    before: &[Stage],
    mode: StartMode,
) -> Result<StageState, TrainingError> {
    let state = StageState::of(run, stage, config)?;
    if state != StageState::NotStarted && mode == StartMode::New {
        return Err(TrainingError::RunExists { path: run.path().into(), stage });
    }
    if state == StageState::Complete {
        return Ok(state);
    }
    if let StageState::Started(steps) = state {
        if !Checkpoints::of(run, stage, config).any() {
            return Err(TrainingError::MissingCheckpoint { stage, steps, path: run.checkpoints(stage) });
        }
        check_fixed(config, stage, run)?;
    }
    for later in Stage::ALL.into_iter().filter(|later| *later > stage) {
        if StageState::of(run, later, config)? != StageState::NotStarted {
            return Err(TrainingError::LaterStage { stage, later, path: run.path().into() });
        }
    }
    for needs in Stage::ALL.into_iter().filter(|needs| *needs < stage && !before.contains(needs)) {
        if run.summary(needs)?.is_none() {
            return Err(TrainingError::MissingStage { stage, needs, path: run.path().into() });
        }
        check_fixed(config, needs, run)?;
        let path = run.weights(AlexNet::KIND);
        if !path.exists() {
            return Err(TrainingError::MissingWeights { stage, path });
        }
    }
    Ok(state)
}

/// Rejects changed settings that make the networks of `stage` incompatible or change its validation faces.
fn check_fixed(config: &TrainingConfig, stage: Stage, run: &RunFolder) -> Result<(), TrainingError> {
    // Another seed or fraction of validation identities would move training faces into the validation split.
    const FIXED_IN_ALL_STAGES: [&str; 7] = [
        "age_groups",
        "alexnet.width",
        "alexnet.input_size",
        "alexnet.hidden",
        "alexnet.embedding",
        "seed",
        "valid_fraction",
    ];
    let Some(saved) = run.stage_config(stage)? else { return Ok(()) };
    let now = serde_json::to_value(config).expect("plain data turn into JSON");
    let at = |config: &Value, setting: &str| config.pointer(&format!("/{}", setting.replace('.', "/"))).cloned();
    let definition = stage.definition();
    let fixed = FIXED_IN_ALL_STAGES.iter().chain(definition.fixed_settings());
    let fixed = fixed.flat_map(|setting| single_settings(&now, setting));
    let fixed = fixed.filter(|setting| !definition.changeable_settings().contains(&setting.as_str()));
    let fixed = fixed.map(|setting| (setting, Fixed::Value));
    let switches = definition.fixed_switches().iter().map(|setting| ((*setting).to_string(), Fixed::Switch));
    for (setting, fixed) in fixed.chain(switches) {
        // A run of an older version lacks new settings.
        let (Some(was), Some(now)) = (at(&saved, &setting), at(&now, &setting)) else { continue };
        if !fixed.holds(&was, &now) {
            return Err(TrainingError::FixedSetting { setting, was: was.to_string(), now: now.to_string(), stage });
        }
    }
    Ok(())
}

/// What of a setting must stay.
#[derive(Clone, Copy)]
enum Fixed {
    /// Its value.
    Value,
    /// Whether it is above zero, which enables something.
    Switch,
}

impl Fixed {
    fn holds(self, was: &Value, now: &Value) -> bool {
        let is_on = |value: &Value| value.as_f64().map(|value| value > 0.0);
        match self {
            Self::Value => was == now,
            Self::Switch => is_on(was).is_none() || is_on(was) == is_on(now),
        }
    }
}

/// The setting `name`, or all settings of the group `name`.
fn single_settings(config: &Value, name: &str) -> Vec<String> {
    match config.get(name) {
        Some(Value::Object(group)) => group.keys().map(|setting| format!("{name}.{setting}")).collect(),
        _ => vec![name.into()],
    }
}
