//! The generator in inference.

use burn::module::Module;
use burn::nn::BatchNorm;
use burn::nn::conv::{Conv2d, ConvTranspose2d};
use burn::tensor::{Int, Tensor};
use ipcgan_kernels::{Activation, Nhwc};

use super::Generator;
use crate::condition::conditions;
use crate::layers::Layer;
use crate::operation::{FoldedConv, PackedConv, Precision, is_packable, tensor_from_nhwc, with_nhwc_values};

/// A generator for inference.
///
/// Its batch norms are folded into the weights. On the CPU these are packed once, and all layers share three buffers.
#[derive(Debug)]
pub struct InferenceGenerator {
    generator: Generator,
    layers: Layers,
}

#[derive(Debug)]
enum Layers {
    /// For the CPU kernels.
    Packed(Vec<FoldedLayer<PackedConv>>),
    /// For any device.
    Folded(Vec<FoldedLayer<FoldedConv>>),
}

impl Generator {
    /// This generator optimized for inference.
    pub fn into_inference(self) -> InferenceGenerator {
        InferenceGenerator::new(self.valid())
    }
}

impl InferenceGenerator {
    fn new(generator: Generator) -> Self {
        let layers = generator.layers().into_iter();
        let layers = if is_packable(&generator.head.weight.val(), generator.precision) {
            Layers::Packed(layers.map(|layer| FoldedLayer::new(layer, PackedConv::new, PackedConv::up)).collect())
        } else {
            Layers::Folded(layers.map(|layer| FoldedLayer::new(layer, FoldedConv::new, FoldedConv::up)).collect())
        };
        Self { generator, layers }
    }

    /// [`Generator::forward`] in inference: each face is processed independently.
    ///
    /// # Panics
    /// If `source` does not have three channels, or its sides are not multiples of 4.
    pub fn forward(&self, source: Tensor<4>, target_groups: Tensor<1, Int>) -> Tensor<4> {
        self.forward_blended(source, conditions(target_groups, self.generator.age_groups))
    }

    /// [`Generator::forward_blended`] in inference: each face is processed independently.
    ///
    /// # Panics
    /// If `source` does not have three channels, its sides are not multiples of 4, or `group_weights` has another
    /// number of groups than the generator.
    pub fn forward_blended(&self, source: Tensor<4>, group_weights: Tensor<2>) -> Tensor<4> {
        let input = self.generator.input(source.clone(), group_weights);
        let head = match &self.layers {
            Layers::Packed(layers) => forward(layers, input),
            Layers::Folded(layers) => layers.iter().fold(input, |x, layer| layer.forward(x, self.generator.precision)),
        };
        self.generator.output.faces(head, source)
    }

    /// Number of age groups that it was built for.
    pub fn age_groups(&self) -> usize {
        self.generator.age_groups()
    }
}

/// A [`Layer`] whose batch norms are folded into its convolutions.
#[derive(Debug)]
enum FoldedLayer<C> {
    Conv(Box<C>),
    /// The input is added to the output of the second convolution.
    Residual(Box<[C; 2]>),
}

impl<C> FoldedLayer<C> {
    fn new(
        layer: Layer,
        conv: impl Fn(&Conv2d, Option<&BatchNorm>, Activation) -> C,
        up: impl Fn(&ConvTranspose2d, &BatchNorm, Activation) -> C,
    ) -> Self {
        let single = |conv| Self::Conv(Box::new(conv));
        match layer {
            Layer::Conv(layer, activation) => single(conv(layer, None, activation)),
            Layer::ConvNorm(layer, activation) => single(conv(&layer.conv, layer.norm.as_ref(), activation)),
            Layer::UpNorm(layer, activation) => single(up(&layer.conv, &layer.norm, activation)),
            Layer::Residual(block) => Self::Residual(Box::new([
                conv(&block.conv1, Some(&block.norm1), Activation::Relu),
                conv(&block.conv2, Some(&block.norm2), Activation::None),
            ])),
        }
    }
}

impl FoldedLayer<FoldedConv> {
    fn forward(&self, x: Tensor<4>, precision: Precision) -> Tensor<4> {
        match self {
            Self::Conv(conv) => conv.forward(x, precision),
            Self::Residual(convolutions) => {
                let [first, second] = &**convolutions;
                x.clone() + second.forward(first.forward(x, precision), precision)
            }
        }
    }
}

impl FoldedLayer<PackedConv> {
    /// Writes the layer's output for `x` to `output` and returns its shape; `between` is a buffer for the output of a
    /// residual block's first convolution.
    fn run(&self, x: &[f32], shape: Nhwc, output: &mut Vec<f32>, between: &mut Vec<f32>) -> Nhwc {
        match self {
            Self::Conv(conv) => conv.run(x, shape, None, output),
            Self::Residual(convolutions) => {
                let [first, second] = &**convolutions;
                let shape = first.run(x, shape, None, between);
                second.run(between, shape, Some(x), output)
            }
        }
    }
}

/// Applies `layers` to `input` in order.
fn forward(layers: &[FoldedLayer<PackedConv>], input: Tensor<4>) -> Tensor<4> {
    let [first, rest @ ..] = layers else { return input };
    let (mut x, mut y, mut z) = (Vec::new(), Vec::new(), Vec::new());
    let mut shape = with_nhwc_values(input, |values, shape| first.run(values, shape, &mut x, &mut z));
    for layer in rest {
        shape = layer.run(&x, shape, &mut y, &mut z);
        std::mem::swap(&mut x, &mut y);
    }
    tensor_from_nhwc(x, shape)
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;
    use crate::random_tensors::RandomTensors;
    use crate::{AgeGroups, GeneratorConfig};

    #[test]
    fn folded_and_packed_layers_give_the_output_of_the_network() {
        let device = Device::flex();
        let config = GeneratorConfig::new().with_width(4).with_residual_blocks(1);
        let generator = config.init(&AgeGroups::default(), 0, &device.clone().autodiff());
        let source = RandomTensors::new(0).uniform([4, 3, 16, 16], -1.0..1.0);
        let targets = Tensor::<1, Int>::from_data([0, 1, 2, 4], &device);
        // Running statistics unlike those of a new network.
        let batch = (source.clone().autodiff(), Tensor::from_data([0, 1, 2, 3], &device.autodiff()));
        let generator = generator.recalibrate_batch_norm([batch]);
        let expected = generator.forward(source.clone(), targets.clone());

        let packed = generator.clone().into_inference();
        let layers = generator.layers().into_iter();
        let layers = layers.map(|layer| FoldedLayer::new(layer, FoldedConv::new, FoldedConv::up)).collect();
        let folded = InferenceGenerator { layers: Layers::Folded(layers), generator };

        assert!(matches!(packed.layers, Layers::Packed(_)));
        for inference in [packed, folded] {
            let difference = (inference.forward(source.clone(), targets.clone()) - expected.clone()).abs().max();
            assert!(difference.into_scalar::<f32>() < 1e-5);
        }
    }
}
