//! Faces with an age, for the age and the ageing stage.

use ipcgan_data::{Split, check_groups};

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
    for (faces, all, split, name) in [
        (data.train(), data.all_train(), Split::Train, "the training split"),
        (data.valid(), data.all_valid(), Split::Valid, "the validation split"),
    ] {
        if faces.is_empty() {
            return Err(match all {
                0 => TrainingError::NoFaces { split },
                count => TrainingError::NoAges { stage, split, count },
            });
        }
        check_groups(faces.as_ref(), &config.age_groups, name)?;
    }
    Ok(())
}
