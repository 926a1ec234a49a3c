//! Faces with a label each, for the classifiers.

use std::sync::Arc;

use burn::data::dataloader::DataLoader;
use burn::tensor::Device;
use ipcgan_data::{LabelledBatch, LabelledBatcher, LabelledDataset};

use crate::config::ClassifierTraining;
use crate::stage::context::StageContext;
use crate::step::devices::Batch;

impl Batch for LabelledBatch {
    fn to_device(self, device: &Device) -> Self {
        Self {
            faces: self.faces.to_device(device),
            labels: self.labels.to_device(device),
            groups: self.groups.to_device(device),
            group_mask: self.group_mask.to_device(device),
        }
    }
}

/// Batches of training faces for all steps.
pub(super) fn train_loader(
    context: &StageContext,
    labels: Vec<usize>,
    training: &ClassifierTraining,
) -> Arc<dyn DataLoader<LabelledBatch>> {
    let dataset = LabelledDataset::stream(
        context.data.train().clone(),
        labels,
        context.config.generator.image_size as u32,
        training.augmentation.clone(),
        context.config.seed,
        training.steps * context.faces_per_step(),
    );
    context.loader(LabelledBatcher, dataset, context.micro_batch_size())
}

/// Batches of all validation faces.
pub(super) fn valid_loader(
    context: &StageContext,
    labels: Vec<usize>,
    training: &ClassifierTraining,
) -> Arc<dyn DataLoader<LabelledBatch>> {
    let size = context.config.generator.image_size as u32;
    let dataset = LabelledDataset::once(context.data.valid().clone(), labels, size);
    context.loader(LabelledBatcher, dataset, training.batch_size)
}
