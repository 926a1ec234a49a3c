//! The networks agree with the PyTorch reference.

use burn::tensor::{Device, Tensor};
use ipcgan::model::alexnet_input;

use crate::reference::{FORWARD_TOLERANCE, Golden, Size, device, input};

const BATCH: [usize; 4] = [2, 3, 128, 128];

/// Channels of the discriminator that the golden files hold.
const GOLDEN_CHANNELS: usize = 16;

/// Inference uses running statistics, training those of the batch; an autodiff device decides.
fn modes() -> [(&'static str, Device); 2] {
    [("eval", device()), ("train", device().autodiff())]
}

fn generator_agrees(size: Size) {
    let golden = Golden::read(&format!("{}_forward", size.name()));
    for (mode, device) in modes() {
        let generator = size.generator(&device);
        let source = input("input.source", BATCH, &device);

        let aged = generator.forward(source, Tensor::from_data([1, 4], &device));

        golden.check(&format!("generator.{mode}"), aged, FORWARD_TOLERANCE);
    }
}

fn discriminator_agrees(size: Size) {
    let golden = Golden::read(&format!("{}_forward", size.name()));
    for (mode, device) in modes() {
        let discriminator = size.discriminator(&device);
        let real = input("input.real", BATCH, &device);

        let scores = discriminator.forward(real, Tensor::from_data([1, 4], &device));

        let scores = scores.narrow(1, 0, GOLDEN_CHANNELS);
        golden.check(&format!("discriminator.{mode}"), scores, FORWARD_TOLERANCE);
    }
}

fn alexnet_agrees(size: Size) {
    let device = device();
    let golden = Golden::read(&format!("{}_forward", size.name()));
    let alexnet = size.alexnet(&device);
    let source = input("input.source", BATCH, &device);

    let features = alexnet.features(source);

    let first = features.clone().narrow(0, 0, 1);
    golden.check("alexnet.conv5", first, FORWARD_TOLERANCE);
    golden.check("alexnet.embedding", alexnet.embedding(features.clone()), FORWARD_TOLERANCE);
    let identity_logits = alexnet.identity_logits(features.clone());
    golden.check("alexnet.identity_logits", identity_logits, FORWARD_TOLERANCE);
    golden.check("alexnet.age_logits", alexnet.age_logits(features), FORWARD_TOLERANCE);
}

#[test]
fn a_tiny_generator_agrees_with_the_reference() {
    generator_agrees(Size::Tiny);
}

#[test]
fn the_published_generator_agrees_with_the_reference() {
    generator_agrees(Size::Paper);
}

#[test]
fn a_tiny_discriminator_agrees_with_the_reference() {
    discriminator_agrees(Size::Tiny);
}

#[test]
fn the_published_discriminator_agrees_with_the_reference() {
    discriminator_agrees(Size::Paper);
}

#[test]
fn a_tiny_alexnet_agrees_with_the_reference() {
    alexnet_agrees(Size::Tiny);
}

#[test]
fn the_published_alexnet_agrees_with_the_reference() {
    alexnet_agrees(Size::Paper);
}

#[test]
fn alexnet_sees_what_the_reference_sees() {
    let device = device();
    let golden = Golden::read("tiny_forward");

    let seen = alexnet_input(input("input.source", BATCH, &device), 227);

    // The golden file keeps every fourth pixel of the first face.
    let kept = Tensor::<1, burn::tensor::Int>::arange_step(0..227, 4, &device);
    let seen = seen.narrow(0, 0, 1).select(2, kept.clone()).select(3, kept);
    golden.check("alexnet.input", seen, FORWARD_TOLERANCE);
}
