//! The generator in inference.

use burn::module::Module;
use burn::tensor::{Int, Tensor};
use ipcgan_kernels::{Activation, ConvAlgorithm, Nhwc};

use super::Generator;
use crate::condition::conditions;
use crate::layers::Layer;
use crate::operation::{PackedConv, algorithm_for, tensor_from_nhwc, with_nhwc_values};

/// A generator for inference.
///
/// On the CPU its batch norms are folded into the weights, which are packed once, and all layers share three buffers. On
/// other devices the network is unchanged.
#[derive(Debug)]
pub struct InferenceGenerator {
    generator: Generator,
    layers: Option<Vec<PackedLayer>>,
}

impl Generator {
    /// This generator optimized for inference.
    pub fn into_inference(self) -> InferenceGenerator {
        InferenceGenerator::new(self.valid())
    }
}

impl InferenceGenerator {
    fn new(generator: Generator) -> Self {
        let layers = algorithm_for(&generator.head, generator.precision)
            .map(|algorithm| generator.layers().into_iter().map(|layer| PackedLayer::new(layer, algorithm)).collect());
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
        let Some(layers) = &self.layers else {
            return self.generator.forward_blended(source, group_weights);
        };
        let head = forward(layers, self.generator.input(source.clone(), group_weights));
        self.generator.output(head, source)
    }

    /// Number of age groups that it was built for.
    pub fn age_groups(&self) -> usize {
        self.generator.age_groups()
    }
}

/// A [`Layer`] on the CPU, with packed weights.
#[derive(Debug)]
enum PackedLayer {
    Conv(Box<PackedConv>),
    /// The input is added to the output of the second convolution.
    Residual(Box<[PackedConv; 2]>),
}

impl PackedLayer {
    fn new(layer: Layer, algorithm: ConvAlgorithm) -> Self {
        let packed = |conv, norm, activation| PackedConv::new(conv, norm, activation, algorithm);
        let single = |conv| Self::Conv(Box::new(conv));
        match layer {
            Layer::Conv(conv, activation) => single(packed(conv, None, activation)),
            Layer::ConvNorm(layer, activation) => single(packed(&layer.conv, layer.norm.as_ref(), activation)),
            Layer::UpNorm(layer, activation) => single(PackedConv::up(&layer.conv, &layer.norm, activation, algorithm)),
            Layer::Residual(block) => Self::Residual(Box::new([
                packed(&block.conv1, Some(&block.norm1), Activation::Relu),
                packed(&block.conv2, Some(&block.norm2), Activation::None),
            ])),
        }
    }

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
fn forward(layers: &[PackedLayer], input: Tensor<4>) -> Tensor<4> {
    let [first, rest @ ..] = layers else { return input };
    let (mut x, mut y, mut z) = (Vec::new(), Vec::new(), Vec::new());
    let mut shape = with_nhwc_values(input, |values, shape| first.run(values, shape, &mut x, &mut z));
    for layer in rest {
        shape = layer.run(&x, shape, &mut y, &mut z);
        std::mem::swap(&mut x, &mut y);
    }
    tensor_from_nhwc(x, shape)
}
