//! The generator that the ageing stage saves: of the trained model, or of a checkpoint.

use std::path::Path;
use std::sync::Arc;

use burn::tensor::Device;
use burn::train::Interrupter;
use ipcgan_model::weights::{self, Weights};
use ipcgan_model::{Generator, Precision};

use super::loaders::train_loader;
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
/// The record is damaged or no model of the stage; or the faces of the run, which recalibration needs, are missing.
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
    let stream = train_loader(context, None)?.to_device(&context.autodiff_device());
    let stream = stream.slice(0, training.recalibration_batches * training.batch_size);
    let mut failed = None;
    // Stops at the first batch that cannot be read, and returns the error.
    let batches = stream.iter().map_while(|batch| match batch {
        Ok(batch) => Some((batch.source, batch.target)),
        Err(error) => {
            failed = Some(error.to_string());
            None
        }
    });
    let generator = generator.clone().recalibrate_batch_norm(batches);
    match failed {
        None => Ok(generator),
        Some(reason) => Err(TrainingError::Stopped { step: training.steps, reason }),
    }
}
