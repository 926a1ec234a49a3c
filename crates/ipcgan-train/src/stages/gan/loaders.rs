//! Faces with a target group each, for the GAN.

use std::sync::Arc;

use burn::data::dataloader::DataLoader;
use burn::tensor::Device;
use ipcgan_data::{AgingBatch, AgingBatcher, AgingDataset, Augmentation, FaceSet, Gender, PrototypeAging};

use crate::TrainingError;
use crate::stage::context::StageContext;
use crate::step::devices::Batch;

impl Batch for AgingBatch {
    fn to_device(self, device: &Device) -> Self {
        Self {
            source: self.source.to_device(device),
            expected: self.expected.to_device(device),
            real: self.real.to_device(device),
            own_group: self.own_group.to_device(device),
            target: self.target.to_device(device),
            mismatched: self.mismatched.to_device(device),
            augmentation: self.augmentation.to_device(device),
        }
    }
}

/// Prototypes of the training faces, if the prototype loss is enabled.
pub(super) fn prototypes(context: &StageContext) -> Result<Option<Arc<PrototypeAging>>, TrainingError> {
    let training = &context.config.aging;
    if training.weights.prototype == 0.0 {
        return Ok(None);
    }
    let faces = context.data.train();
    let known = (0..faces.len()).filter(|index| faces.label(*index).gender.is_some()).count();
    if known < faces.len() {
        log::info!(
            "{} of {} training faces have no gender, so they use the prototypes of all faces; a column `gender` (female \
             or male) in metadata.csv gives women and men their own",
            faces.len() - known,
            faces.len(),
        );
    }
    let (groups, size) = (&context.config.age_groups, context.config.generator.image_size as u32);
    log::info!("computing the prototypes of {} training faces", faces.len());
    let prototypes = PrototypeAging::new(faces.as_ref(), groups, size, &training.prototype)?;
    for gender in [Gender::Female, Gender::Male] {
        if known > 0 && !prototypes.has_gender(gender) {
            log::info!(
                "some age group has no {gender} training face, so {gender} faces use the prototypes of all faces"
            );
        }
    }
    Ok(Some(Arc::new(prototypes)))
}

/// Batches of training faces for all steps.
pub(super) fn train_loader(
    context: &StageContext,
    prototypes: Option<Arc<PrototypeAging>>,
) -> Result<Arc<dyn DataLoader<AgingBatch>>, TrainingError> {
    let faces = training_faces(context, context.config.aging.steps * context.faces_per_step())?;
    Ok(context.loader(AgingBatcher, faces.with_prototypes(prototypes), context.micro_batch_size()))
}

/// Batches of the first training faces for batch-norm recalibration, as many as configured, whatever the number of
/// steps.
pub(super) fn recalibration_loader(context: &StageContext) -> Result<Arc<dyn DataLoader<AgingBatch>>, TrainingError> {
    let training = &context.config.aging;
    let faces = training_faces(context, training.recalibration_batches * training.batch_size)?;
    Ok(context.loader(AgingBatcher, faces, context.micro_batch_size()))
}

/// Batches of all validation faces.
pub(super) fn valid_loader(
    context: &StageContext,
    prototypes: Option<Arc<PrototypeAging>>,
) -> Result<Arc<dyn DataLoader<AgingBatch>>, TrainingError> {
    let faces = context.data.valid();
    let faces = aging_faces(context, faces, Augmentation::none(), faces.len())?;
    Ok(context.loader(AgingBatcher, faces.with_prototypes(prototypes), context.config.aging.batch_size))
}

/// The first `items` of the endless stream of training faces, without prototypes.
fn training_faces(context: &StageContext, items: usize) -> Result<AgingDataset, TrainingError> {
    let augmentation = Augmentation { flip: context.config.aging.flip, ..Augmentation::none() };
    aging_faces(context, context.data.train(), augmentation, items)
}

fn aging_faces(
    context: &StageContext,
    faces: &Arc<dyn FaceSet>,
    augmentation: Augmentation,
    items: usize,
) -> Result<AgingDataset, TrainingError> {
    let (groups, size) = (&context.config.age_groups, context.config.generator.image_size as u32);
    Ok(AgingDataset::stream(faces.clone(), groups, size, augmentation, context.config.seed, items)?)
}
