//! Advice about options, which the libraries do not know, for their errors.

use std::error::Error;

use ipcgan::data::DataError;
use ipcgan::model::ModelError;
use ipcgan::train::TrainingError;
use ipcgan::{DeviceError, NoFaceFound};

use crate::recogniser;

/// What to do about `error` with this program; `None` if the error itself says it.
pub(crate) fn advice(error: &anyhow::Error) -> Option<String> {
    error.chain().find_map(|cause| {
        let cause = reported(cause);
        let advice = of_data(cause).or_else(|| of_model(cause)).or_else(|| of_training(cause));
        advice.or_else(|| of_device(cause)).or_else(|| of_photo(cause))
    })
}

/// The error of a panic with the message `reason`.
pub(crate) fn error_of_panic(reason: &str) -> anyhow::Error {
    anyhow::anyhow!(
        "{reason}; this is a bug in the device, its driver or this program: try --device cpu, and set \
         RUST_BACKTRACE=1 for a backtrace"
    )
}

/// The error that `error` reports in its place: an error in a transparent one is not part of the chain.
pub(crate) fn reported<'a>(error: &'a (dyn Error + 'static)) -> &'a (dyn Error + 'static) {
    match error.downcast_ref() {
        Some(TrainingError::Data(error)) => error,
        Some(TrainingError::Model(error)) => error,
        _ => error,
    }
}

fn of_data(cause: &(dyn Error + 'static)) -> Option<String> {
    let advice = match cause.downcast_ref::<DataError>()? {
        DataError::MissingMetadata { .. } => "`ipcgan prepare` writes it",
        DataError::DetectorFailed { .. } | DataError::MostImagesFailed { .. } => {
            "run the same command again to continue, for example with --device cpu"
        }
        DataError::AmbiguousTable { .. } => "select it with --table",
        DataError::AmbiguousSource { .. } => "select one with --source (ipcgan prepare --help lists all)",
        _ => return None,
    };
    Some(advice.into())
}

fn of_model(cause: &(dyn Error + 'static)) -> Option<String> {
    match cause.downcast_ref::<ModelError>()? {
        ModelError::MissingMetadata { .. } => {
            Some("`ipcgan convert --metadata-from FILE` copies them from other weights".into())
        }
        _ => None,
    }
}

fn of_training(cause: &(dyn Error + 'static)) -> Option<String> {
    const OTHER_FOLDER: &str = "choose another folder with --run";
    let advice = match cause.downcast_ref::<TrainingError>()? {
        TrainingError::RunExists { .. } => format!("continue it with --resume, or {OTHER_FOLDER}"),
        TrainingError::NoRun { .. } => "check --run, or start a new run without --resume".into(),
        TrainingError::MissingStage { needs, .. } => {
            format!("run `--stage {needs}` first, or all stages without --stage")
        }
        TrainingError::NothingLeft { .. } => "for example with --set aging.steps=NUMBER".into(),
        TrainingError::NotAFolder { .. }
        | TrainingError::NoRunFolder { .. }
        | TrainingError::NoConfig { .. }
        | TrainingError::FixedSetting { .. } => OTHER_FOLDER.into(),
        // Their messages say already that another folder helps.
        TrainingError::RunInUse { .. }
        | TrainingError::MissingCheckpoint { .. }
        | TrainingError::NoIntactCheckpoint { .. }
        | TrainingError::LaterStage { .. }
        | TrainingError::DamagedFile { .. } => "--run selects the folder".into(),
        TrainingError::NoRecogniser | TrainingError::UnreadableRecogniser { .. } => recogniser::advice(),
        TrainingError::MissingWeights { .. } => "run all three stages without --stage".into(),
        TrainingError::Diverged { checkpoint, retry, float16, .. } => {
            let again = if checkpoint.is_some() { "--resume " } else { "" };
            let precision =
                if *float16 { ", or a data type of wider range (--set precision=bfloat16 or float32)" } else { "" };
            format!("for example {again}--set {retry}{precision}")
        }
        TrainingError::Device { checkpoint, retry, .. } => {
            let again = checkpoint.as_ref().map(|_| String::from("continue with --resume on working devices"));
            let smaller = retry.as_ref().map(|retry| format!("for example --set {retry}"));
            let advice: Vec<String> = smaller.into_iter().chain(again).collect();
            if advice.is_empty() { return None } else { advice.join("; ") }
        }
        _ => return None,
    };
    Some(advice)
}

fn of_device(cause: &(dyn Error + 'static)) -> Option<String> {
    match cause.downcast_ref::<DeviceError>()? {
        DeviceError::NotCompiled(feature) => Some(format!("build it with `--features {feature}`")),
        _ => None,
    }
}

fn of_photo(cause: &(dyn Error + 'static)) -> Option<String> {
    match cause.downcast_ref::<NoFaceFound>()?.rotation {
        None => Some("if it is a face crop already, give --aligned".into()),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use anyhow::Context;
    use ipcgan::train::{RetryHint, Stage};

    use super::*;

    #[test]
    fn errors_of_the_library_get_the_options_that_help() {
        let missing = || DataError::MissingMetadata { path: PathBuf::from("faces/metadata.csv") };
        let in_training = Err::<(), _>(TrainingError::from(missing())).context("cannot read the faces").unwrap_err();

        assert!(advice(&missing().into()).unwrap().contains("ipcgan prepare"));
        assert!(advice(&in_training).unwrap().contains("ipcgan prepare"));
        let (path, reason) = (PathBuf::from("generator.st"), String::from("is missing"));
        let weights = TrainingError::from(ModelError::MissingMetadata { path, key: "config", reason });
        assert!(advice(&weights.into()).unwrap().contains("--metadata-from"));
        assert!(advice(&DeviceError::NotCompiled("cuda").into()).unwrap().contains("--features cuda"));
        assert_eq!(advice(&anyhow::anyhow!("else")), None);
        let exists = TrainingError::RunExists { path: "run".into(), stage: Stage::Age };
        assert!(advice(&exists.into()).unwrap().contains("--resume"));
        let checkpoint = Some(PathBuf::from("run/checkpoints/age/000500"));
        let retry = RetryHint { stage: Stage::Age, setting: "learning_rate", value: 0.001 };
        let diverged = TrainingError::Diverged {
            metric: "age".into(),
            value: f64::NAN,
            step: 5,
            checkpoint,
            retry,
            float16: false,
        };
        assert_eq!(advice(&diverged.into()).unwrap(), "for example --resume --set age.learning_rate=0.001");
    }
}
