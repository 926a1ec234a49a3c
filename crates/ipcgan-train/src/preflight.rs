//! Checks before the first stage starts, so that a run does not fail hours later.

use std::collections::HashSet;

use ipcgan_data::{FaceSet, IdentityLabels, check_groups, check_identities};
use serde_json::Value;

use crate::checkpoint::Checkpoints;
use crate::context::StageContext;
use crate::memory::Fit;
use crate::stage_state::{StageState, check_stage};
use crate::train::{Session, check_precision};
use crate::{RunFolder, Stage, TrainingConfig, TrainingData, TrainingError};

/// Batch size per device up to which memory is not measured before training: a measurement takes seconds, and on a GPU
/// it compiles kernels for other sizes.
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
        let state = check_stage(config, stage, run, &before, session.resume)?;
        before.push(stage);
        if state == StageState::Complete {
            if let Some(notice) = lost_checkpoints_notice(config, stage, run) {
                (session.notices)(&notice);
            }
            continue;
        }
        let context = StageContext::planned(config, stage, data, run, session)?;
        if let StageState::Started(steps) = state {
            context.check_data(steps)?;
        }
        if stage == Stage::Identity
            && let Some(notice) = identity_notice(config, &context.data)
        {
            (session.notices)(&notice);
        }
        unfinished.push(context);
    }
    if unfinished.is_empty() {
        check_unchanged(config, run)?;
    }
    Ok(unfinished)
}

/// Notice that a complete stage has no checkpoint left, from which further steps would start.
fn lost_checkpoints_notice(config: &TrainingConfig, stage: Stage, run: &RunFolder) -> Option<String> {
    let checkpoints = Checkpoints::of(run, stage, config);
    (!checkpoints.any()).then(|| {
        format!(
            "note: the {stage} stage is complete, but no checkpoint of it is left in {}; its weights are kept, and it cannot \
             learn more steps",
            run.checkpoints(stage).display()
        )
    })
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
    // Derived from the data of a stage.
    const COUNTED: &str = "alexnet.identities";
    match (saved, now) {
        (Value::Object(saved), Value::Object(now)) => now.iter().find_map(|(name, now)| {
            let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            changed_setting(&path, saved.get(name).unwrap_or(&Value::Null), now)
        }),
        _ => (saved != now && path != COUNTED).then(|| path.into()),
    }
}

/// Rejects stages that need more than the total memory, and warns about those that need more than the free memory.
pub(crate) fn check_memory(stages: &[StageContext]) -> Result<(), TrainingError> {
    for context in stages {
        let large = context.config.batch_size(context.stage) > MEASURED_ABOVE * context.device_group.count();
        let needed = if large { context.estimated_memory()? } else { context.min_memory() };
        match context.fit(needed) {
            Fit::Fits => (),
            Fit::Tight(warning) => (context.session.notices)(&format!("warning: {warning}")),
            Fit::TooLarge(error) => return Err(error),
        }
    }
    Ok(())
}

/// Rejects data that `stage` cannot be trained on.
pub(crate) fn check_faces(config: &TrainingConfig, stage: Stage, data: &TrainingData) -> Result<(), TrainingError> {
    if stage == Stage::Identity {
        let faces = data.train().as_ref();
        if IdentityLabels::of(faces).count < 2 {
            check_identities(faces, "the training split")?;
        }
        if data.valid().is_empty() {
            let advice = "add photos of more identities, or raise valid_fraction";
            return Err(TrainingError::NoFaces { purpose: "validate on", advice });
        }
        return Ok(());
    }
    for (faces, all, purpose, split) in [
        (data.train(), data.all_train(), "train on", "the training split"),
        (data.valid(), data.all_valid(), "validate on", "the validation split"),
    ] {
        if faces.is_empty() {
            return Err(match all {
                0 => TrainingError::NoFaces {
                    purpose,
                    advice: "add photos of more identities, or change valid_fraction",
                },
                count => TrainingError::NoAges { stage, purpose, count },
            });
        }
        check_groups(faces.as_ref(), &config.age_groups, split)?;
    }
    Ok(())
}

/// Notice about what the identity stage cannot learn or measure with `data`.
fn identity_notice(config: &TrainingConfig, data: &TrainingData) -> Option<String> {
    let (train, valid) = (data.train().as_ref(), data.valid().as_ref());
    let named = (0..train.len()).any(|index| train.label(index).identity.is_some());
    if !named {
        let help = match config.trunk_age_weight {
            0.0 => {
                "`--set trunk_age_weight=100` trains it on ages as well, which matters more to later stages; \
                 data with the column `identity` would be better"
            }
            _ => "it is trained on ages as well (trunk_age_weight)",
        };
        return Some(format!(
            "note: no face in this data has an identity label, so each counts as its own identity: the identity stage learns \
             little about identity, and verification cannot be measured; {help}"
        ));
    }
    (!has_pairs(valid)).then(|| {
        "note: no identity has two photos in the validation split, so verification cannot be measured; \
         raise valid_fraction or add photos of the same people"
            .into()
    })
}

/// Whether an identity has two faces.
pub(crate) fn has_pairs(faces: &dyn FaceSet) -> bool {
    let mut seen = HashSet::new();
    (0..faces.len()).filter_map(|index| faces.label(index).identity.as_deref()).any(|identity| !seen.insert(identity))
}
