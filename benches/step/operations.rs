//! How many multiplications and additions the networks take, counted as direct convolutions.

use ipcgan::AgeGroups;
use ipcgan::model::{AlexNetConfig, DiscriminatorConfig, GeneratorConfig, GeneratorOutput, Preset};

/// A convolution's work: weights times the places at which they are used, a multiplication and an addition each.
fn convolution(kernel: usize, channels: [usize; 2], side: usize) -> u64 {
    2 * (kernel * kernel * channels[0] * channels[1] * side * side) as u64
}

/// Work of the generator on one face.
pub(crate) fn generator(config: &GeneratorConfig) -> u64 {
    let (side, width) = (config.image_size, config.width);
    let colours = if config.output == GeneratorOutput::Shade { 1 } else { 3 };
    // A transposed convolution uses each weight once for each pixel of its input.
    convolution(7, [3 + AgeGroups::default().count(), width], side)
        + convolution(3, [width, 2 * width], side / 2)
        + convolution(3, [2 * width, 4 * width], side / 4)
        + 2 * config.residual_blocks as u64 * convolution(3, [4 * width, 4 * width], side / 4)
        + convolution(3, [4 * width, 2 * width], side / 4)
        + convolution(3, [2 * width, width], side / 2)
        + convolution(7, [width, colours], side)
}

/// Work of the discriminator on one face of `side` pixels.
fn discriminator(config: &DiscriminatorConfig, side: usize) -> u64 {
    let width = config.width;
    let scores = if config.score_channels == 0 { 8 * width } else { config.score_channels };
    convolution(4, [3, width], side / 2)
        + convolution(4, [width + AgeGroups::default().count(), 2 * width], side / 4)
        + convolution(4, [2 * width, 4 * width], side / 8)
        + convolution(4, [4 * width, 8 * width], side / 8)
        + convolution(4, [8 * width, scores], side / 8)
}

/// Work of AlexNet's trunk on one face.
fn trunk(config: &AlexNetConfig) -> u64 {
    let width = config.width;
    let pooled = |side: usize| (side - 3) / 2 + 1;
    let first = (config.input_size - 11) / 4 + 1;
    let (second, third) = (pooled(first), pooled(pooled(first)));
    // Three of the five are in two groups, each with half of the inputs.
    convolution(11, [3, 3 * width], first)
        + convolution(5, [3 * width, 8 * width], second) / 2
        + convolution(3, [8 * width, 12 * width], third)
        + convolution(3, [12 * width, 12 * width], third) / 2
        + convolution(3, [12 * width, 8 * width], third) / 2
}

/// Work of AlexNet's trunk and age head on one face.
pub(crate) fn alexnet(config: &AlexNetConfig) -> u64 {
    let pooled = |side: usize| (side - 3) / 2 + 1;
    let last = pooled(pooled(pooled((config.input_size - 11) / 4 + 1)));
    let linear = |inputs: usize, outputs: usize| 2 * (inputs * outputs) as u64;
    trunk(config)
        + linear(8 * config.width * last * last, config.hidden)
        + linear(config.hidden, config.hidden)
        + linear(config.hidden, AgeGroups::default().count())
}

/// Work of a training step by face of the batch.
///
/// The generator runs once and is learned from; the discriminator learns from three faces and is asked about one, whose
/// gradient goes through it; AlexNet sees the source and the aged face, and passes the gradient of one.
pub(crate) fn training_step(preset: Preset) -> u64 {
    let config = preset.generator();
    let net = preset.alexnet(1);
    3 * generator(&config)
        + (3 * 3 + 2) * discriminator(&preset.discriminator(), config.image_size)
        + trunk(&net)
        + 2 * alexnet(&net)
}
