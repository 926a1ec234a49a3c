//! The generator when it does not learn.

use burn::tensor::{Int, Tensor};
use ipcgan_kernels::Activation;

use super::Generator;
use crate::condition::conditions;
use crate::operation::{Prepared, arithmetic_for, tensor_of, with_values};

/// A generator that ages faces and does not learn.
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
    begin: [Prepared; 3],
    residual: Vec<[Prepared; 2]>,
    end: [Prepared; 3],
}

impl InferenceGenerator {
    pub(super) fn new(generator: Generator) -> Self {
        let layers = arithmetic_for(&generator.head).map(|arithmetic| {
            let relu = Activation::Relu;
            Layers {
                begin: [&generator.stem, &generator.down1, &generator.down2]
                    .map(|layer| layer.prepared(relu, arithmetic)),
                residual: generator.residual.iter().map(|block| block.prepared(arithmetic)).collect(),
                end: [
                    generator.up1.prepared(relu, arithmetic),
                    generator.up2.prepared(relu, arithmetic),
                    Prepared::new(&generator.head, None, Activation::None, arithmetic),
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
    /// If `source` does not have three channels, its sides are no multiples of 4, or `shares` has another number of groups
    /// than the generator.
    pub fn forward_blended(&self, source: Tensor<4>, shares: Tensor<2>) -> Tensor<4> {
        let Some(layers) = &self.layers else {
            return self.generator.forward_blended(source, shares);
        };
        let head = layers.run(self.generator.input(source.clone(), shares));
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
        let maps = with_values(input, |values, maps| stem.run(values, maps, None, &mut x));
        let maps = down1.run(&x, maps, None, &mut y);
        let mut maps = down2.run(&y, maps, None, &mut x);
        for [first, second] in &self.residual {
            maps = first.run(&x, maps, None, &mut y);
            maps = second.run(&y, maps, Some(&x), &mut z);
            std::mem::swap(&mut x, &mut z);
        }
        for layer in &self.end {
            maps = layer.run(&x, maps, None, &mut y);
            std::mem::swap(&mut x, &mut y);
        }
        tensor_of(x, maps)
    }
}
