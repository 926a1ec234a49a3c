//! Fully connected layers for small batches, where memory bandwidth of the weights dominates.

mod half;
mod product;

pub use half::HalfLinear;
use product::{Product, Weights};
use pulp::Simd;

use crate::lanes::load;
use crate::outer_product::{Accumulate, Accumulation, Operand, OuterProducts};
use crate::output::in_chunks;
use crate::{Activation, InstructionSet};

/// Inputs of a task of the weight gradient.
const TASK_INPUTS: usize = 64;

/// A fully connected layer with `weights` `[inputs][outputs]`.
#[derive(Clone, Copy, Debug)]
pub struct Linear<'a> {
    /// Which vector instructions run.
    pub instructions: InstructionSet,
    /// The weights.
    pub weights: &'a [f32],
    /// Values of an input.
    pub inputs: usize,
    /// Values of an output.
    pub outputs: usize,
}

impl<'a> Linear<'a> {
    fn product(&self) -> Product<Float32<'a>> {
        let Self { instructions, weights, inputs, outputs } = *self;
        assert_eq!(weights.len(), inputs * outputs, "values of the weights");
        Product { instructions, weights: Float32 { values: weights, outputs }, inputs, outputs }
    }

    /// `activation(input * weights + bias)`, `[batch][inputs]` to `[batch][outputs]`; the bias is `[outputs]`.
    ///
    /// # Panics
    /// If the lengths do not match the shapes.
    pub fn run(&self, input: &[f32], bias: Option<&[f32]>, activation: Activation) -> Vec<f32> {
        self.product().run(input, bias, activation)
    }

    /// Gradient with respect to the input, from that of the output (before the activation): `[batch][outputs]` to
    /// `[batch][inputs]`.
    ///
    /// # Panics
    /// If the lengths do not match the shapes.
    pub fn input_gradient(&self, gradient: &[f32]) -> Vec<f32> {
        self.product().input_gradient(gradient)
    }

    /// Gradient with respect to the weights, from the input and the gradient of the output (before the activation):
    /// `[batch][inputs]` and `[batch][outputs]` to `[inputs][outputs]`.
    ///
    /// # Panics
    /// If the lengths do not match the shapes.
    pub fn weight_gradient(&self, input: &[f32], gradient: &[f32]) -> Vec<f32> {
        let Self { inputs, outputs, .. } = *self;
        let batch = self.product().batch(input, inputs);
        assert_eq!(gradient.len(), batch * outputs, "values of the gradient");
        let width = outputs.next_multiple_of(self.instructions.lanes());
        in_chunks(inputs * outputs, TASK_INPUTS * outputs, |block, result| {
            let rows = result.len() / outputs;
            let left = Operand { values: &input[block * TASK_INPUTS..], strides: [0, inputs], length: rows };
            let right = Operand { values: gradient, strides: [0, outputs], length: outputs };
            let outer = OuterProducts { left, right, grid: [1, batch] };
            if width == outputs {
                self.instructions.run(Accumulate { outer, sums: result, accumulation: Accumulation::Add });
                return;
            }
            let mut sums = vec![0.0; rows * width];
            self.instructions.run(Accumulate { outer, sums: &mut sums, accumulation: Accumulation::Add });
            for (result, sums) in result.chunks_exact_mut(outputs).zip(sums.chunks_exact(width)) {
                result.copy_from_slice(&sums[..outputs]);
            }
        })
    }
}

/// Weights in single precision.
#[derive(Clone, Copy)]
struct Float32<'a> {
    values: &'a [f32],
    outputs: usize,
}

impl Weights for Float32<'_> {
    #[inline(always)]
    fn skip(self, input: usize) -> Self {
        Self { values: &self.values[input * self.outputs..], ..self }
    }

    #[inline(always)]
    fn load<S: Simd>(self, simd: S, input: usize, output: usize) -> S::f32s {
        let Self { values, outputs } = self;
        let end = outputs.min(output + S::F32_LANES);
        load(simd, &values[input * outputs + output..input * outputs + end])
    }
}
