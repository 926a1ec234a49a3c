//! Number of arithmetic operations of the networks: two per multiply-accumulate.

use ipcgan::AgeGroups;
use ipcgan::model::{AlexNetConfig, DiscriminatorConfig, GeneratorConfig, GeneratorOutput};
use ipcgan::train::Preset;

/// Operations for one face of the benchmark `group`, as `generator, compact`; none if it is not a network.
pub(crate) fn of(group: &str) -> Option<f64> {
    let (work, preset) = group.split_once(", ")?;
    let preset: Preset = preset.parse().ok()?;
    let (generator, alexnet) = (generator(&preset.generator()), alexnet(&preset.alexnet(1)));
    match work {
        "generator" => Some(generator),
        "alexnet" => Some(alexnet.whole()),
        "training step" => Some(step(generator, discriminator(&preset), alexnet.trunk, alexnet.heads)),
        _ => None,
    }
}

/// A convolution's, for `side * side` places of its output (of its input, if it is transposed).
fn convolution(inputs: usize, outputs: usize, kernel: usize, side: usize) -> f64 {
    2.0 * (inputs * outputs * kernel * kernel * side * side) as f64
}

fn generator(config: &GeneratorConfig) -> f64 {
    let (size, width) = (config.image_size, config.width);
    let drawn = match config.output {
        GeneratorOutput::Direct | GeneratorOutput::Residual => 3,
        GeneratorOutput::LuminanceResidual => 1,
        GeneratorOutput::LuminanceSaturation => 2,
    };
    let blocks = 2 * config.residual_blocks;
    convolution(3 + AgeGroups::default().count(), width, 7, size)
        + convolution(width, 2 * width, 3, size / 2)
        + convolution(2 * width, 4 * width, 3, size / 4)
        + blocks as f64 * convolution(4 * width, 4 * width, 3, size / 4)
        + convolution(4 * width, 2 * width, 3, size / 4)
        + convolution(2 * width, width, 3, size / 2)
        + convolution(width, drawn, 7, size)
}

fn discriminator(preset: &Preset) -> f64 {
    let DiscriminatorConfig { width, score_channels, .. } = preset.discriminator();
    let size = preset.generator().image_size;
    let scores = if score_channels == 0 { 8 * width } else { score_channels };
    convolution(3, width, 4, size / 2)
        + convolution(width + AgeGroups::default().count(), 2 * width, 4, size / 4)
        + convolution(2 * width, 4 * width, 4, size / 8)
        + convolution(4 * width, 8 * width, 4, size / 8)
        + convolution(8 * width, scores, 4, size / 8)
}

struct AlexNet {
    trunk: f64,
    /// The age head's.
    heads: f64,
}

impl AlexNet {
    fn whole(&self) -> f64 {
        self.trunk + self.heads
    }
}

fn alexnet(config: &AlexNetConfig) -> AlexNet {
    let pooled = |side: usize| (side - 3) / 2 + 1;
    let width = config.width;
    let first = (config.input_size - 11) / 4 + 1;
    let (second, third) = (pooled(first), pooled(pooled(first)));
    let flat = 8 * width * pooled(third) * pooled(third);
    // Of the grouped layers each output sees half of the inputs.
    let trunk = convolution(3, 3 * width, 11, first)
        + convolution(3 * width / 2, 8 * width, 5, second)
        + convolution(8 * width, 12 * width, 3, third)
        + convolution(6 * width, 12 * width, 3, third)
        + convolution(6 * width, 8 * width, 3, third);
    let heads = 2.0 * (flat * config.hidden + config.hidden * config.hidden) as f64;
    AlexNet { trunk, heads }
}

/// One update of the discriminator and one of the generator. A gradient with respect to inputs or to weights costs what
/// the way forwards does.
fn step(generator: f64, discriminator: f64, trunk: f64, heads: f64) -> f64 {
    // Real, mismatched and generated faces: forwards, and back to the weights and through the layers.
    let judging = 3.0 * 3.0 * discriminator;
    // Once forwards for both updates, once back; through the discriminator and AlexNet back to the face.
    let generating = 3.0 * generator + 2.0 * discriminator + (3.0 * trunk + 2.0 * heads);
    judging + generating
}
