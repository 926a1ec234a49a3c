//! A whole training step for benchmarks.

use burn::tensor::{Device, Distribution, Int, Tensor};
use burn::train::Learner;
use ipcgan::AgeGroups;
use ipcgan::data::AgingBatch;
use ipcgan::train::{AgingModel, AgingTraining, Preset, StepMetrics, gan_lr_scheduler, gan_optimizer};

/// Faces of noise, `[batch, 3, size, size]` in [-1, 1].
pub(crate) fn faces(batch: usize, size: usize, device: &Device) -> Tensor<4> {
    Tensor::random([batch, 3, size, size], Distribution::Uniform(-1.0, 1.0), device)
}

/// Age groups in rotation, starting at `first`.
pub(crate) fn groups(batch: usize, first: i64, device: &Device) -> Tensor<1, Int> {
    let count = AgeGroups::default().count() as i64;
    Tensor::arange(first..first + batch as i64, device).remainder_scalar(count)
}

/// A training step of the networks of `preset` on a fixed batch; `identities` is the size of AlexNet's identity head.
pub(crate) fn training_step(
    preset: Preset,
    identities: usize,
    batch: usize,
    device: &Device,
) -> impl FnMut() -> StepMetrics + use<> {
    let (all, autodiff) = (AgeGroups::default(), device.clone().autodiff());
    let training = AgingTraining::new(1).with_generator_learning_rate(1e-4).with_discriminator_learning_rate(1e-4);
    let generator = preset.generator();
    let size = generator.image_size;
    let model = AgingModel::new(
        generator.init(&all, 0, &autodiff),
        preset.discriminator().init(&all, 0, &autodiff),
        preset.alexnet(identities).init(&all, 0, device),
        training.clone(),
    );
    let batch = AgingBatch {
        source: faces(batch, size, &autodiff),
        expected: faces(batch, size, &autodiff),
        real: faces(batch, size, &autodiff),
        source_group: groups(batch, 0, &autodiff),
        target: groups(batch, 0, &autodiff),
        mismatched: groups(batch, 1, &autodiff),
        augmentation: Tensor::zeros([batch, 3, 6], &autodiff),
    };
    let mut learner = Learner::new(model, gan_optimizer(&training), gan_lr_scheduler(&training));
    learner.lr_step();
    move || AgingModel::learn(&mut learner, batch.clone())
}
