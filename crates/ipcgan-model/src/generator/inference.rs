//! The generator in inference.

use burn::tensor::{Int, Tensor};
use ipcgan_kernels::Activation;

use super::Generator;
use crate::condition::conditions;
use crate::operation::{PackedConv, algorithm_for, tensor_from_nhwc, with_nhwc_values};

/// A generator for inference.
///
/// On the CPU its weights are packed, and joined with the batch norms, once; layers take turns with three buffers.
/// Elsewhere it is the generator as it was.
#[derive(Debug)]
pub struct InferenceGenerator {
    generator: Generator,
    layers: Option<Layers>,
}

/// The layers on the CPU.
#[derive(Debug)]
struct Layers {
    begin: [PackedConv; 3],
    residual: Vec<[PackedConv; 2]>,
    end: [PackedConv; 3],
}

impl InferenceGenerator {
    pub(super) fn new(generator: Generator) -> Self {
        let layers = algorithm_for(&generator.head).map(|algorithm| {
            let relu = Activation::Relu;
            Layers {
                begin: [&generator.stem, &generator.down1, &generator.down2].map(|layer| layer.packed(relu, algorithm)),
                residual: generator.residual.iter().map(|block| block.packed(algorithm)).collect(),
                end: [
                    generator.up1.packed(relu, algorithm),
                    generator.up2.packed(relu, algorithm),
                    PackedConv::new(&generator.head, None, Activation::None, algorithm),
                ],
            }
        });
        Self { generator, layers }
    }

    /// As [`Generator::forward`], each face by itself.
    ///
    /// # Panics
    /// If `source` does not have three channels, or its sides are no multiples of 4.
    pub fn forward(&self, source: Tensor<4>, target_groups: Tensor<1, Int>) -> Tensor<4> {
        self.forward_blended(source, conditions(target_groups, self.generator.age_groups))
    }

    /// As [`Generator::forward_blended`], each face by itself.
    ///
    /// # Panics
    /// If `source` does not have three channels, its sides are no multiples of 4, or `group_weights` has another number of groups
    /// than the generator.
    pub fn forward_blended(&self, source: Tensor<4>, group_weights: Tensor<2>) -> Tensor<4> {
        let Some(layers) = &self.layers else {
            return self.generator.forward_blended(source, group_weights);
        };
        let head = layers.run(self.generator.input(source.clone(), group_weights));
        self.generator.output(head, source)
    }

    /// Number of age groups that it was built for.
    pub fn age_groups(&self) -> usize {
        self.generator.age_groups()
    }
}

impl Layers {
    fn run(&self, input: Tensor<4>) -> Tensor<4> {
        let (mut x, mut y, mut z) = (Vec::new(), Vec::new(), Vec::new());
        let [stem, down1, down2] = &self.begin;
        let shape = with_nhwc_values(input, |values, shape| stem.run(values, shape, None, &mut x));
        let shape = down1.run(&x, shape, None, &mut y);
        let mut shape = down2.run(&y, shape, None, &mut x);
        for [first, second] in &self.residual {
            shape = first.run(&x, shape, None, &mut y);
            shape = second.run(&y, shape, Some(&x), &mut z);
            std::mem::swap(&mut x, &mut z);
        }
        for layer in &self.end {
            shape = layer.run(&x, shape, None, &mut y);
            std::mem::swap(&mut x, &mut y);
        }
        tensor_from_nhwc(x, shape)
    }
}
