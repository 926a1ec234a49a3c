//! The generator that the ageing stage saves: of the trained model, or of a checkpoint.

use std::path::Path;
use std::sync::Arc;

use burn::data::dataloader::batcher::Batcher;
use burn::data::dataset::Dataset;
use burn::tensor::Device;
use burn::train::Interrupter;
use ipcgan_data::{AgingBatch, AgingBatcher};
use ipcgan_model::weights::{self, Weights};
use ipcgan_model::{Generator, Precision};

use super::loaders::training_faces;
use super::model::AgingModel;
use crate::monitor::lines::LineSink;
use crate::session::{Display, Session};
use crate::stage::context::{StageContext, check_face_count};
use crate::{RunFolder, Stage, TrainingConfig, TrainingData, TrainingError};

/// The generator of `model` that is saved: the exponential moving average (EMA) if there is one, after batch-norm
/// recalibration on the first faces of the stage if it is enabled.
///
/// # Errors
/// A face cannot be read.
pub(super) fn saved_generator(context: &StageContext, model: &AgingModel) -> Result<Generator, TrainingError> {
    match context.config.aging.recalibration_batches {
        0 => Ok(model.ema_generator().clone()),
        _ => recalibrated(context, model.ema_generator()),
    }
}

/// As [`saved_generator`], of the model in the file `record` of a checkpoint of `run`, in float32 on `device`.
///
/// # Errors
/// The record is damaged or no model of the stage; or the faces of the run, which recalibration needs, are missing or
/// cannot be read.
pub(crate) fn load_saved_generator(
    record: &Path,
    run: &RunFolder,
    config: &TrainingConfig,
    device: &Device,
    notices: &LineSink,
) -> Result<Weights<Generator>, TrainingError> {
    let field = AgingModel::ema_generator_field(&config.aging);
    let read = |device: &Device| {
        weights::from_record(record, field, config.generator.clone(), config.age_groups.clone(), device)
    };
    if config.aging.recalibration_batches == 0 {
        return Ok(read(device)?);
    }
    let data = data_of(run, config, notices)?;
    let session = Session {
        devices: vec![device.clone()],
        display: Display::Lines(Arc::new(|_| ())),
        interrupter: Interrupter::new(),
        resume: false,
        device_memory: None,
    };
    let context = StageContext::planned(config, Stage::Aging, &data, run, &session)?;
    check_face_count(&context.data, Stage::Aging, run)?;
    let mut weights = read(&context.autodiff_device())?;
    let generator = weights.network.with_precision(config.precision);
    weights.network = recalibrated(&context, &generator)?.with_precision(Precision::Float32);
    Ok(weights)
}

/// The training faces of the run.
fn data_of(run: &RunFolder, config: &TrainingConfig, notices: &LineSink) -> Result<TrainingData, TrainingError> {
    let folder = run.data_folder()?;
    let what = folder.as_ref().map_or("synthetic faces".into(), |folder| folder.display().to_string());
    notices(&format!(
        "recalibrating batch norm on {} batches of {what}, as at the end of the stage; convert the run to a weights file to do this once",
        config.aging.recalibration_batches
    ));
    match folder {
        None => TrainingData::synthetic(config, &|_, _| ()),
        Some(folder) => TrainingData::prepared(&folder, config, &|_, _| ()).map(|(data, _)| data),
    }
}

/// `generator` after batch-norm recalibration on the first faces of the stage.
fn recalibrated(context: &StageContext, generator: &Generator) -> Result<Generator, TrainingError> {
    let training = &context.config.aging;
    // As many as configured, whatever the number of steps.
    let count = training.recalibration_batches * training.batch_size;
    let faces = training_faces(context, count)?;
    let (size, device) = (context.micro_batch_size(), context.autodiff_device());
    let mut failed = None;
    // Not through a loader, whose worker reports a face that cannot be read without the cause.
    let batches = (0..count).step_by(size).map_while(|start| match faces.get_many((start..start + size).collect()) {
        Ok(items) => {
            let AgingBatch { source, target, .. } = AgingBatcher.batch(items, &device);
            Some((source, target))
        }
        Err(error) => {
            failed = Some(error);
            None
        }
    });
    let generator = generator.clone().recalibrate_batch_norm(batches);
    match failed {
        None => Ok(generator),
        Some(source) => Err(TrainingError::Recalibration { source }),
    }
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;

    use image::RgbImage;
    use ipcgan_data::{DataError, FaceLabel, FaceSet};
    use ipcgan_system::with_causes;

    use super::*;
    use crate::Preset;

    /// Faces of every age group, whose images cannot be read.
    struct Unreadable(Vec<FaceLabel>);

    impl FaceSet for Unreadable {
        fn len(&self) -> usize {
            self.0.len()
        }

        fn label(&self, index: usize) -> &FaceLabel {
            &self.0[index]
        }

        fn name(&self, index: usize) -> String {
            format!("face {index}")
        }

        fn image(&self, _index: usize) -> Result<RgbImage, DataError> {
            Err(DataError::Read { path: "face.png".into(), source: ErrorKind::NotFound.into() })
        }
    }

    #[test]
    fn a_face_that_cannot_be_read_is_the_cause_of_an_error_of_the_recalibration() {
        let settings = ["generator.image_size=32", "generator.width=2", "valid_fraction=0.5", "aging.batch_size=2"];
        let config = TrainingConfig::of(Preset::Tiny).with_settings(&settings.map(String::from)).unwrap();
        let label = |index: usize| FaceLabel { group: Some(index % 5), ..FaceLabel::default() };
        let data = TrainingData::new(Arc::new(Unreadable((0..100).map(label).collect())), &config).unwrap();
        let run = RunFolder::at("run".as_ref());
        let session = Session {
            devices: vec![Device::flex()],
            display: Display::Lines(Arc::new(|_| ())),
            interrupter: Interrupter::new(),
            resume: false,
            device_memory: None,
        };
        let context = StageContext::planned(&config, Stage::Aging, &data, &run, &session).unwrap();
        let generator = config.generator.init(&config.age_groups, config.seed, &context.autodiff_device());

        let error = recalibrated(&context, &generator).unwrap_err();

        let expected = "cannot recalibrate batch norm on the training faces: cannot read face.png: entity not found";
        assert_eq!(with_causes(&error), expected);
    }
}
