//! The generator: ages a face to a target age group.

mod inference;
mod output;
mod recalibration;

pub use inference::InferenceGenerator;
pub use output::GeneratorOutput;
pub(crate) use output::{MAX_SATURATION_CHANGE, SOURCE_SCALE};

use burn::config::Config;
use burn::module::Module;
use burn::nn::conv::Conv2d;
use burn::tensor::{Device, Int, Tensor, assert_shape};
use ipcgan_kernels::Activation;

use crate::AgeGroups;
use crate::condition::conditions;
use crate::initialization::{InitialWeights, scaled, with_initial_weights};
use crate::layers::{self, ConvNorm, Layer, Pass, ResidualBlock, UpNorm, same_conv};
use crate::operation::{BatchGather, Precision, concat_conditions, constant, in_memory_of};

/// Scale of the initial weights of a residual generator's last layer: at full scale the residual would start as strong
/// noise, which training would have to remove first.
const RESIDUAL_HEAD_SCALE: f64 = 0.1;

/// Configuration of a generator.
#[derive(Config, Debug, PartialEq)]
pub struct GeneratorConfig {
    /// Width and height of the training faces, in pixels. Default: 128.
    #[config(default = 128)]
    pub image_size: usize,
    /// Channels of the first convolution. Default: 32.
    #[config(default = 32)]
    pub width: usize,
    /// Number of residual blocks, at a quarter of the image size. Default: 6.
    #[config(default = 6)]
    pub residual_blocks: usize,
    /// Output parametrization. Default: direct, as published.
    #[config(default = "GeneratorOutput::Direct")]
    pub output: GeneratorOutput,
}

impl GeneratorConfig {
    /// A generator with random initial weights.
    pub fn init(&self, groups: &AgeGroups, seed: u64, device: &Device) -> Generator {
        let generator = self.without_weights(groups.count(), device);
        let mut generator = with_initial_weights(generator, InitialWeights::Gan, seed);
        if self.output != GeneratorOutput::Direct {
            generator.head.weight = scaled(generator.head.weight, RESIDUAL_HEAD_SCALE);
        }
        generator
    }

    /// A generator for `groups` age groups whose weights take no memory yet.
    pub(crate) fn without_weights(&self, groups: usize, device: &Device) -> Generator {
        let width = self.width;
        Generator {
            stem: ConvNorm::new([3 + groups, width], 7, 1, device),
            down1: ConvNorm::new([width, 2 * width], 3, 2, device),
            down2: ConvNorm::new([2 * width, 4 * width], 3, 2, device),
            residual: (0..self.residual_blocks).map(|_| ResidualBlock::new(4 * width, device)).collect(),
            up1: UpNorm::new([4 * width, 2 * width], device),
            up2: UpNorm::new([2 * width, width], device),
            head: same_conv([width, self.output.head_channels()], 7, 1, device),
            age_groups: groups,
            output: self.output,
            precision: Precision::default(),
        }
    }
}

/// Generator: ages a face to a target age group and preserves the identity (IPCGAN: `G(x | C_t)`).
#[derive(Module, Debug)]
pub struct Generator {
    pub(crate) stem: ConvNorm,
    pub(crate) down1: ConvNorm,
    pub(crate) down2: ConvNorm,
    pub(crate) residual: Vec<ResidualBlock>,
    pub(crate) up1: UpNorm,
    pub(crate) up2: UpNorm,
    pub(crate) head: Conv2d,
    age_groups: usize,
    #[module(skip)]
    output: GeneratorOutput,
    #[module(skip)]
    precision: Precision,
}

impl Generator {
    /// Ages the faces in `source` to `target_groups`.
    ///
    /// # Shapes
    /// - `source`: `[batch, 3, height, width]`, RGB, in [-1, 1]; sides are multiples of 4
    /// - `target_groups`: `[batch]`
    /// - returns: as `source`
    ///
    /// # Panics
    /// If `source` does not have three channels, or its sides are not multiples of 4.
    pub fn forward(&self, source: Tensor<4>, target_groups: Tensor<1, Int>) -> Tensor<4> {
        self.forward_blended(source, conditions(target_groups, self.age_groups))
    }

    /// Ages the faces in `source` to ages between the groups, with `group_weights` of the groups (see
    /// [`AgeBlend`](crate::AgeBlend)).
    ///
    /// # Shapes
    /// - `source`: `[batch, 3, height, width]`, RGB, in [-1, 1]; sides are multiples of 4
    /// - `group_weights`: `[batch, groups]`, each in [0, 1]
    /// - returns: as `source`
    ///
    /// # Panics
    /// If `source` does not have three channels, its sides are not multiples of 4, or the number of groups in
    /// `group_weights` differs from the generator's.
    pub fn forward_blended(&self, source: Tensor<4>, group_weights: Tensor<2>) -> Tensor<4> {
        self.forward_pass(source, group_weights, Pass::one_batch(self.precision))
    }

    fn forward_pass(&self, source: Tensor<4>, group_weights: Tensor<2>, pass: Pass) -> Tensor<4> {
        let input = self.input(source.clone(), group_weights); // [batch, 3 + groups, height, width]
        let head = layers::forward(&self.layers(), input, pass); // [batch, head channels, height, width]
        self.output.faces(head, source)
    }

    /// The layers in order, from the faces with condition planes to the input of the output parametrization.
    pub(crate) fn layers(&self) -> Vec<Layer<'_>> {
        let relu = Activation::Relu;
        let mut layers = vec![
            Layer::ConvNorm(&self.stem, relu),
            Layer::ConvNorm(&self.down1, relu), // [batch, .., height / 2, width / 2]
            Layer::ConvNorm(&self.down2, relu), // [batch, .., height / 4, width / 4]
        ];
        layers.extend(self.residual.iter().map(Layer::Residual));
        layers.extend([
            Layer::UpNorm(&self.up1, relu), // [batch, .., height / 2, width / 2]
            Layer::UpNorm(&self.up2, relu), // [batch, .., height, width]
            Layer::Conv(&self.head, Activation::None),
        ]);
        layers
    }

    /// The source faces concatenated with the condition planes of their target groups.
    fn input(&self, source: Tensor<4>, group_weights: Tensor<2>) -> Tensor<4> {
        assert_shape!(source, [_, 3, _, _]);
        let [_, _, height, width] = source.dims();
        assert!(
            [height, width].iter().all(|side| side.is_multiple_of(4)),
            "sides {height} and {width} are not multiples of 4"
        );
        assert_eq!(group_weights.dims()[1], self.age_groups, "one weight for each of the generator's age groups");
        concat_conditions(source, BatchGather::identity(), group_weights)
    }

    /// Scales the residual by `factor`; `None` if the generator has no residual ([`GeneratorOutput::Direct`]).
    ///
    /// During training, the weight of the identity loss limits the size of the residual; this scales it afterwards.
    pub fn with_strength(mut self, factor: f64) -> Option<Self> {
        if self.output == GeneratorOutput::Direct {
            return None;
        }
        self.head.weight = scaled(self.head.weight, factor);
        self.head.bias = self.head.bias.map(|bias| scaled(bias, factor));
        Some(self)
    }

    /// The generator with a last layer that suppresses patterns of period two: checkerboard artefacts of the preceding
    /// transposed convolutions, whose four sub-pixels come from different weights.
    ///
    /// It is the nearest such layer: rows and columns of each kernel are projected onto the orthogonal complement of
    /// +1, -1, +1, ...
    ///
    /// Source: Odena et al., "Deconvolution and Checkerboard Artifacts", 2016; the projection is ours.
    pub fn without_checkerboard(mut self) -> Self {
        self.head.weight = self.head.weight.map(|weight| {
            let (tracked, autodiff) = (weight.is_require_grad(), weight.device().is_autodiff());
            let weight = weight.without_autodiff();
            let [outputs, inputs, kernel, _] = weight.dims();
            // The identity minus the projection on alternating rows.
            let projection: Vec<f32> = (0..kernel * kernel)
                .map(|place| {
                    let (row, column) = (place / kernel, place % kernel);
                    let alternating = if (row + column) % 2 == 0 { 1.0 } else { -1.0 };
                    f32::from(u8::from(row == column)) - alternating / kernel as f32
                })
                .collect();
            let projection = constant(&projection, [1, kernel, kernel], &weight.device());
            let kernels = weight.clone().reshape([outputs * inputs, kernel, kernel]);
            let kernels = projection.clone().matmul(kernels).matmul(projection);
            let kernels = in_memory_of(weight, kernels.reshape([outputs, inputs, kernel, kernel]));
            if autodiff { Tensor::from_inner(kernels).set_require_grad(tracked) } else { kernels }
        });
        self
    }

    /// The same network, computing in `precision`, which weights files and checkpoints do not store.
    pub fn with_precision(self, precision: Precision) -> Self {
        Self { precision, ..self }
    }

    /// The precision that it computes in; float32 unless it was set.
    pub fn precision(&self) -> Precision {
        self.precision
    }

    /// Number of age groups that it was built for.
    pub fn age_groups(&self) -> usize {
        self.age_groups
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operation::convolution;
    use crate::random_tensors::RandomTensors;

    fn face(device: &Device) -> Tensor<4> {
        let ramp = Tensor::<1, Int>::arange(0..3 * 8 * 8, device).float();
        (ramp / 96.0 - 1.0).reshape([1, 3, 8, 8])
    }

    #[test]
    fn a_residual_of_strength_zero_changes_nothing_and_a_direct_generator_has_no_strength() {
        let device = Device::flex();
        let source = RandomTensors::new(0).uniform([1, 3, 16, 16], -0.9..0.9);
        let generator = |output| {
            GeneratorConfig::new().with_image_size(16).with_width(4).with_residual_blocks(1).with_output(output).init(
                &AgeGroups::default(),
                0,
                &device,
            )
        };
        let distance = |strength| {
            let generator = generator(GeneratorOutput::LuminanceResidual).with_strength(strength).unwrap();
            let aged = generator.forward(source.clone(), Tensor::from_data([4], &device));
            (aged - source.clone() * SOURCE_SCALE).abs().mean().into_scalar::<f32>()
        };

        assert!(distance(0.0) < 1e-6);
        assert!(distance(2.0) > 1.5 * distance(1.0));
        assert!(generator(GeneratorOutput::Direct).with_strength(2.0).is_none());
    }

    #[test]
    fn a_last_layer_without_checkerboard_suppresses_patterns_of_period_two() {
        let device = Device::flex();
        let config =
            GeneratorConfig::new().with_width(4).with_residual_blocks(1).with_output(GeneratorOutput::Residual);
        let generator = config.init(&AgeGroups::default(), 0, &device);
        let column = Tensor::<1, Int>::arange(0..32, &device).float();
        let columns = (column * std::f64::consts::PI).cos().reshape([1, 1, 1, 32]).expand([1, 4, 32, 32]);
        // Far from the border, where zero padding truncates the kernels.
        let response = |generator: &Generator, pattern: Tensor<4>| {
            let output = convolution(&generator.head, pattern, Activation::None, Precision::Float32);
            output.narrow(2, 8, 16).narrow(3, 8, 16).abs().max().into_scalar::<f32>()
        };

        let before = response(&generator, columns.clone());
        let generator = generator.without_checkerboard();

        assert!(before > 1e-3);
        for pattern in [columns.clone(), columns.clone().swap_dims(2, 3), columns.clone() * columns.swap_dims(2, 3)] {
            assert!(response(&generator, pattern) < 1e-3 * before);
        }
        assert!(response(&generator, Tensor::ones([1, 4, 32, 32], &device)) > 0.0, "all else passes");
    }

    #[test]
    fn an_untrained_residual_generator_is_nearly_the_identity() {
        let device = Device::flex();
        let config =
            GeneratorConfig::new().with_width(4).with_residual_blocks(1).with_output(GeneratorOutput::Residual);
        let generator = config.init(&AgeGroups::default(), 0, &device);

        let aged = generator.forward(face(&device), Tensor::from_data([2], &device));

        // The head's weights have sigma 0.002, so the remaining difference is the margin of 2% at black and white.
        let difference = (aged - face(&device)).abs().max().into_scalar::<f32>();
        assert!(difference < 0.05, "{difference}");
    }

    #[test]
    fn a_luminance_residual_changes_all_channels_equally() {
        let device = Device::flex();
        let config = GeneratorConfig::new()
            .with_width(4)
            .with_residual_blocks(1)
            .with_output(GeneratorOutput::LuminanceResidual);
        let mut generator = config.init(&AgeGroups::default(), 0, &device);
        // Without training, the signal at the head is tiny.
        generator.head.weight = scaled(generator.head.weight, 1e6);
        let target = || Tensor::from_data([2], &device);

        let aged = generator.forward(face(&device), target());
        let for_inference = generator.clone().into_inference().forward(face(&device), target());

        let change = aged.clone().atanh() - (face(&device) * SOURCE_SCALE).atanh();
        let [red, green, blue] = [0, 1, 2].map(|channel| change.clone().narrow(1, channel, 1));
        assert!(green.clone().abs().mean().into_scalar::<f32>() > 1e-3, "nothing is changed");
        for other in [red, blue] {
            let difference = (other - green.clone()).abs().max().into_scalar::<f32>();
            assert!(difference < 1e-4, "{difference}");
        }
        let difference = (for_inference - aged).abs().max().into_scalar::<f32>();
        assert!(difference < 1e-5, "{difference}");
    }

    #[test]
    fn a_change_of_luminance_and_saturation_keeps_the_hue() {
        let device = Device::flex();
        let config = GeneratorConfig::new()
            .with_width(4)
            .with_residual_blocks(1)
            .with_output(GeneratorOutput::LuminanceSaturation);
        let mut generator = config.init(&AgeGroups::default(), 0, &device);
        // Zero weights leave only the biases of the last layer: first much lighter and without saturation, then only
        // more saturated.
        generator.head.weight = scaled(generator.head.weight, 0.0);
        let mut aged = |bias: [f32; 2]| {
            generator.head.bias = generator.head.bias.clone().map(|old| old.map(|_| Tensor::from_data(bias, &device)));
            let target = || Tensor::from_data([2], &device);
            let (source, bias) = (face(&device) * 0.5, generator.clone());
            let for_inference = bias.clone().into_inference().forward(source.clone(), target());
            let aged = bias.forward(source.clone(), target());
            let difference = (for_inference - aged.clone()).abs().max().into_scalar::<f32>();
            assert!(difference < 1e-5, "{difference}");
            (source, aged)
        };
        let chroma = |faces: Tensor<4>| faces.clone() - faces.mean_dim(1);
        let mean = |values: Tensor<4>| values.mean().into_scalar::<f32>();

        let (source, grey) = aged([1.0, -20.0]);
        let ratio = mean(chroma(grey.clone()).abs()) / mean(chroma(source.clone()).abs());
        assert!(ratio < 0.5, "less than half of the saturation, because the face is lighter too: {ratio}");
        assert!(mean(grey) > mean(source) + 0.3, "lighter");

        let (source, vivid) = aged([0.0, 0.5]);
        let factor = 1.0 + MAX_SATURATION_CHANGE[1] * f64::from(0.5f32.tanh());
        let difference = mean((chroma(vivid) - chroma(source) * factor * SOURCE_SCALE).abs());
        assert!(difference < 1e-5, "all colours are as much further from grey: {difference}");
    }

    #[test]
    fn the_face_depends_on_the_target_group() {
        let device = Device::flex();
        let config = GeneratorConfig::new().with_width(4).with_residual_blocks(1);
        let generator = config.init(&AgeGroups::default(), 0, &device);
        let aged = |group| generator.forward(face(&device), Tensor::from_data([group], &device));

        assert_ne!(aged(0).into_data(), aged(4).into_data());
        assert_eq!(aged(1).into_data(), aged(1).into_data());
    }
}
