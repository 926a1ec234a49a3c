//! The generator that the ageing stage saves: of the trained model, or of a checkpoint.

use std::io;
use std::path::Path;
use std::sync::Arc;

use burn::data::dataset::DatasetError;
use burn::tensor::Device;
use burn::train::Interrupter;
use ipcgan_data::AgingBatch;
use ipcgan_model::weights::{self, Weights};
use ipcgan_model::{Generator, Precision};

use super::loaders::recalibration_loader;
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
        recogniser: None,
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
        "recalibrating batch norm on {} batches of {what}, as at the end of the stage; convert the run to a weights file \
         to do this once",
        config.aging.recalibration_batches
    ));
    match folder {
        None => TrainingData::synthetic(config, &|_, _| ()),
        Some(folder) => TrainingData::prepared(&folder, config, &|_, _| ()).map(|(data, _)| data),
    }
}

/// `generator` after batch-norm recalibration on the first faces of the stage.
fn recalibrated(context: &StageContext, generator: &Generator) -> Result<Generator, TrainingError> {
    let loader = recalibration_loader(context)?.to_device(&context.autodiff_device());
    let expected = loader.num_items() / context.micro_batch_size();
    let (mut found, mut failed) = (0, None);
    let batches = loader.iter().map_while(|batch| match batch {
        Ok(AgingBatch { source, target, .. }) => {
            found += 1;
            Some((source, target))
        }
        Err(error) => {
            failed = Some(error);
            None
        }
    });
    let generator = generator.clone().recalibrate_batch_norm(batches);
    match failed {
        None if found == expected => Ok(generator),
        // A panic of the loader's worker ends the batches without an error.
        None => Err(TrainingError::Recalibration { source: ended_early(found, expected) }),
        Some(source) => Err(TrainingError::Recalibration { source }),
    }
}

fn ended_early(found: usize, expected: usize) -> DatasetError {
    DatasetError::new(io::Error::other(format!("they ended after {found} of {expected} batches")))
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;

    use image::RgbImage;
    use ipcgan_data::{DataError, FaceLabel, FaceSet};
    use ipcgan_system::with_causes;

    use super::*;
    use crate::Preset;

    /// Faces of every age group, each with the same image.
    struct Faces {
        labels: Vec<FaceLabel>,
        image: fn() -> Result<RgbImage, DataError>,
    }

    impl FaceSet for Faces {
        fn len(&self) -> usize {
            self.labels.len()
        }

        fn label(&self, index: usize) -> &FaceLabel {
            &self.labels[index]
        }

        fn name(&self, index: usize) -> String {
            format!("face {index}")
        }

        fn image(&self, _index: usize) -> Result<RgbImage, DataError> {
            (self.image)()
        }
    }

    /// The error of a recalibration on faces with this image.
    fn error_of(image: fn() -> Result<RgbImage, DataError>) -> String {
        let settings = ["generator.image_size=32", "generator.width=2", "valid_fraction=0.5", "aging.batch_size=2"];
        let config = TrainingConfig::of(Preset::Tiny).with_settings(&settings.map(String::from)).unwrap();
        let label = |index: usize| FaceLabel { group: Some(index % 5), ..FaceLabel::default() };
        let faces = Faces { labels: (0..100).map(label).collect(), image };
        let data = TrainingData::new(Arc::new(faces), &config).unwrap();
        let run = RunFolder::at("run".as_ref());
        let session = Session {
            devices: vec![Device::flex()],
            display: Display::Lines(Arc::new(|_| ())),
            interrupter: Interrupter::new(),
            resume: false,
            device_memory: None,
            recogniser: None,
        };
        let context = StageContext::planned(&config, Stage::Aging, &data, &run, &session).unwrap();
        let generator = config.generator.init(&config.age_groups, config.seed, &context.autodiff_device());

        with_causes(&recalibrated(&context, &generator).unwrap_err())
    }

    #[test]
    fn a_face_that_cannot_be_read_is_the_cause_of_an_error_of_the_recalibration() {
        let error = error_of(|| Err(DataError::Read { path: "face.png".into(), source: ErrorKind::NotFound.into() }));

        assert!(error.starts_with("cannot recalibrate batch norm on the training faces: "), "{error}");
        assert!(error.ends_with("cannot read face.png: entity not found"), "{error}");
    }

    #[test]
    fn a_recalibration_on_fewer_batches_than_configured_is_an_error() {
        let error = error_of(|| panic!("the loader fails"));

        assert!(error.contains("they ended after 0 of "), "{error}");
    }
}
