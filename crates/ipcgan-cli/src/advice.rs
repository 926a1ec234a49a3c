//! Advice about options, which the libraries do not know, for their errors.

use std::error::Error;

use ipcgan::DeviceError;
use ipcgan::data::DataError;
use ipcgan::train::TrainingError;

/// What to do about `error` with this program; `None` if the error itself says it.
pub(crate) fn advice(error: &anyhow::Error) -> Option<String> {
    error.chain().find_map(|cause| of_data(cause).or_else(|| of_device(cause)))
}

fn of_data(cause: &(dyn Error + 'static)) -> Option<String> {
    // This error is transparent: its cause is no part of the chain.
    let in_training = || match cause.downcast_ref::<TrainingError>()? {
        TrainingError::Data(error) => Some(error),
        _ => None,
    };
    let advice = match cause.downcast_ref::<DataError>().or_else(in_training)? {
        DataError::MissingMetadata { .. } => "`ipcgan prepare` writes it",
        DataError::AmbiguousTable { .. } => "select it with --table",
        DataError::AmbiguousSource { .. } => "select one with --source (ipcgan prepare --help lists all)",
        _ => return None,
    };
    Some(advice.into())
}

fn of_device(cause: &(dyn Error + 'static)) -> Option<String> {
    match cause.downcast_ref::<DeviceError>()? {
        DeviceError::NotCompiled(feature) => Some(format!("build it with `--features {feature}`")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use anyhow::Context;

    use super::*;

    #[test]
    fn errors_of_the_library_get_the_options_that_help() {
        let missing = || DataError::MissingMetadata { path: PathBuf::from("faces/metadata.csv") };
        let in_training = Err::<(), _>(TrainingError::from(missing())).context("cannot read the faces").unwrap_err();

        assert!(advice(&missing().into()).unwrap().contains("ipcgan prepare"));
        assert!(advice(&in_training).unwrap().contains("ipcgan prepare"));
        assert!(advice(&DeviceError::NotCompiled("cuda").into()).unwrap().contains("--features cuda"));
        assert_eq!(advice(&anyhow::anyhow!("else")), None);
    }
}
