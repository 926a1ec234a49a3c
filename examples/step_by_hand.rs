//! The paper's training step written out with Burn's tensors and optimizers, without the learner.
//!
//! `cargo run --release --example step_by_hand`

#![allow(clippy::print_stdout, reason = "an example prints its result")]

use burn::module::Module;
use burn::optim::{AdamConfig, GradientsParams};
use burn::tensor::{Device, Distribution, Int, Tensor};
use ipcgan::model::AgeGroups;
use ipcgan::model::loss::{adversarial_loss, age_loss, discriminator_loss, identity_loss};
use ipcgan::train::Preset;

const BATCH: usize = 4;
const LEARNING_RATE: f64 = 1e-4;

fn main() {
    let device = Device::flex().autodiff();
    let groups = AgeGroups::default();
    let preset = Preset::Tiny;
    let mut generator = preset.generator().init(&groups, 1, &device);
    let mut discriminator = preset.discriminator().init(&groups, 2, &device);
    // In a real training its weights come from the identity and age stages.
    let alexnet = preset.alexnet(10).init(&groups, 3, &device).freeze();
    let adam = || AdamConfig::new().with_beta_1(0.5).with_epsilon(1e-8).init();
    let (mut generator_adam, mut discriminator_adam) = (adam(), adam());

    // y: source faces. x: real faces of the target group t; s: another group, which x is not of.
    let size = preset.generator().image_size;
    let faces = || Tensor::<4>::random([BATCH, 3, size, size], Distribution::Uniform(-1.0, 1.0), &device);
    let (source, real) = (faces(), faces());
    let target = Tensor::<1, Int>::from_data([0, 1, 2, 4], &device);
    let mismatched = Tensor::<1, Int>::from_data([3, 0, 1, 2], &device);

    for step in 1..=5 {
        let generated = generator.forward(source.clone(), target.clone());

        // L_D: real faces of the right group against real ones of another and generated ones.
        let scores = vec![
            discriminator.forward(real.clone(), target.clone()),
            discriminator.forward(real.clone(), mismatched.clone()),
            discriminator.forward(generated.clone().detach(), target.clone()),
        ];
        let discriminator_loss = discriminator_loss(Tensor::cat(scores, 0), 1.0) * 75.0;
        let gradients = GradientsParams::from_grads(discriminator_loss.backward(), &discriminator);
        discriminator = discriminator_adam.step(LEARNING_RATE, discriminator, gradients);

        // λ1 L_G + λ2 L_identity + λ3 L_age, against the updated discriminator.
        let features = alexnet.features(generated.clone());
        let generator_loss = adversarial_loss(discriminator.forward(generated, target.clone())) * 75.0
            + identity_loss(features.clone(), alexnet.features(source.clone())) * 5e-5
            + age_loss(alexnet.age_logits(features), target.clone()) * 30.0;
        let gradients = GradientsParams::from_grads(generator_loss.backward(), &generator);
        generator = generator_adam.step(LEARNING_RATE, generator, gradients);

        println!(
            "step {step}: discriminator {:.3}, generator {:.3}",
            discriminator_loss.into_scalar::<f32>(),
            generator_loss.into_scalar::<f32>()
        );
    }
}
