//! Faces with an age, for the age and the ageing stage.

use ipcgan_data::check_groups;

use crate::{Stage, TrainingConfig, TrainingData, TrainingError};

/// The faces of `data` with an age.
pub(super) fn age_labelled_faces(data: &TrainingData) -> TrainingData {
    data.selected(|label| label.group.is_some())
}

/// Rejects data in which a split lacks a face of some age group.
pub(super) fn check_age_labelled_faces(
    stage: Stage,
    config: &TrainingConfig,
    data: &TrainingData,
) -> Result<(), TrainingError> {
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
