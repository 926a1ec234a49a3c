//! A whole training step for benchmarks.

use burn::tensor::{Device, Distribution, Int, Tensor};
use burn::train::Learner;
use ipcgan::AgeGroups;
use ipcgan::data::AgingBatch;
use ipcgan::model::AUGMENTATION_DRAWS;
use ipcgan::train::{AgingModel, AgingTraining, Preset, StepMetrics, TrainingConfig, gan_lr_scheduler, gan_optimizer};

/// Faces of noise, `[batch, 3, size, size]` in [-1, 1].
pub(crate) fn faces(batch: usize, size: usize, device: &Device) -> Tensor<4> {
    Tensor::random([batch, 3, size, size], Distribution::Uniform(-1.0, 1.0), device)
}

/// Age groups in rotation, starting at `first`.
pub(crate) fn groups(batch: usize, first: i64, device: &Device) -> Tensor<1, Int> {
    let count = AgeGroups::default().count() as i64;
    Tensor::arange(first..first + batch as i64, device).remainder_scalar(count)
}

/// A training step of the networks of `preset` with the published losses on a fixed batch; `identities` is the size of
/// AlexNet's identity head.
#[allow(dead_code, reason = "not every benchmark uses all steps")]
pub(crate) fn training_step(
    preset: Preset,
    identities: usize,
    batch: usize,
    device: &Device,
) -> impl FnMut() -> StepMetrics + use<> {
    let training = published_losses();
    let model = model(preset, identities, &training, device);
    step(model, &training, noise(preset, batch, device))
}

/// As [`training_step`], as a graph of the GPU after [`STEPS_UNTIL_CAPTURED`] steps.
#[allow(dead_code, reason = "not every benchmark uses all steps")]
pub(crate) fn captured_step(
    preset: Preset,
    identities: usize,
    batch: usize,
    device: &Device,
) -> impl FnMut() -> StepMetrics + use<> {
    let training = published_losses().with_capture(true);
    let model = model(preset, identities, &training, device);
    step(model, &training, noise(preset, batch, device))
}

/// Steps before a captured step is replayed.
#[allow(dead_code, reason = "not every benchmark uses all steps")]
pub(crate) const STEPS_UNTIL_CAPTURED: usize = 5;

fn published_losses() -> AgingTraining {
    AgingTraining::new(1).with_generator_learning_rate(1e-4).with_discriminator_learning_rate(1e-4)
}

/// A training step of a run of `preset` on a fixed batch: with its losses, augmentations, gradient clipping and EMA.
#[allow(dead_code, reason = "not every benchmark uses all steps")]
pub(crate) fn preset_step(preset: Preset, batch: usize, device: &Device) -> impl FnMut() -> StepMetrics + use<> {
    let training = TrainingConfig::of(preset).aging;
    let ema = preset.generator().init(&AgeGroups::default(), 0, &device.clone().autodiff());
    let model = model(preset, 100, &training, device).with_ema(ema);
    step(model, &training, noise(preset, batch, device))
}

fn model(preset: Preset, identities: usize, training: &AgingTraining, device: &Device) -> AgingModel {
    let (all, autodiff) = (AgeGroups::default(), device.clone().autodiff());
    AgingModel::new(
        preset.generator().init(&all, 0, &autodiff),
        preset.discriminator().init(&all, 0, &autodiff),
        preset.alexnet(identities).init(&all, 0, device),
        training.clone(),
    )
}

fn noise(preset: Preset, batch: usize, device: &Device) -> AgingBatch {
    let device = &device.clone().autodiff();
    let size = preset.generator().image_size;
    AgingBatch {
        source: faces(batch, size, device),
        expected: faces(batch, size, device),
        real: faces(batch, size, device),
        own_group: Tensor::ones([batch], device),
        target: groups(batch, 0, device),
        mismatched: groups(batch, 1, device),
        augmentation: Tensor::zeros([batch, 3, AUGMENTATION_DRAWS], device),
    }
}

fn step(model: AgingModel, training: &AgingTraining, batch: AgingBatch) -> impl FnMut() -> StepMetrics + use<> {
    let mut learner = Learner::new(model, gan_optimizer(training), gan_lr_scheduler(training));
    learner.lr_step();
    move || AgingModel::train_step(&mut learner, vec![batch.clone()])
}
