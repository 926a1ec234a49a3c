//! Fully connected layers, for batches so small that reading the weights is most of the work.

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use crate::epilogue::Epilogue;
use crate::lanes::{load, store};
use crate::outer::{Add, Before, Outer, Side};
use crate::output::in_chunks;
use crate::scratch::Scratch;
use crate::{Activation, Instructions};

/// Rows of the weights, one an input, that a task multiplies.
const TASK_ROWS: usize = 256;
/// Outputs that a task adds up.
const PIECE_OUTPUTS: usize = 1024;
/// Inputs of a task of the gradients.
const TASK_INPUTS: usize = 64;
/// Rows of weights that are read together, so that sums are loaded and stored a fourth as often.
const ROWS: usize = 4;

/// A fully connected layer with `weights` `[inputs][outputs]`.
#[derive(Clone, Copy, Debug)]
pub struct Linear<'a> {
    /// Which vector instructions run.
    pub instructions: Instructions,
    /// The weights.
    pub weights: &'a [f32],
    /// Values of an input.
    pub inputs: usize,
    /// Values of an output.
    pub outputs: usize,
}

impl Linear<'_> {
    /// `activation(input * weights + bias)`, `[batch][inputs]` to `[batch][outputs]`.
    pub fn run(&self, input: &[f32], bias: Option<&[f32]>, activation: Activation) -> Vec<f32> {
        let Self { inputs, outputs, .. } = *self;
        let epilogue = Epilogue { bias, residual: None, activation };
        // Each task reads its rows of the weights from end to end, as memory likes it best; their sums are added in order.
        let rows = self.weights.par_chunks(TASK_ROWS * outputs).enumerate();
        let parts: Vec<Scratch> = rows
            .map(|(task, weights)| {
                let first = task * TASK_ROWS;
                self.instructions.run(Rows { weights, input, inputs, outputs, first })
            })
            .collect();
        in_chunks(input.len() / inputs * outputs, PIECE_OUTPUTS, |piece, output| {
            let start = piece * PIECE_OUTPUTS;
            for part in &parts {
                output.iter_mut().zip(&part[start..]).for_each(|(sum, part)| *sum += part);
            }
            for (index, sum) in output.iter_mut().enumerate() {
                *sum = epilogue.of_one(*sum, (start + index) % outputs, start + index);
            }
        })
    }

    /// The gradient towards the input from that of the output (before the activation).
    pub fn input_gradient(&self, gradient: &[f32]) -> Vec<f32> {
        let Self { inputs, outputs, .. } = *self;
        let batch = gradient.len() / outputs;
        let rows = self.weights.par_chunks(TASK_INPUTS * outputs);
        let blocks: Vec<Vec<f32>> =
            rows.map(|weights| self.instructions.run(Dots { weights, gradient, outputs })).collect();
        let mut result = vec![0.0; batch * inputs];
        for (block, dots) in blocks.iter().enumerate() {
            for (row, dots) in dots.chunks_exact(batch).enumerate() {
                for (picture, &dot) in dots.iter().enumerate() {
                    result[picture * inputs + block * TASK_INPUTS + row] = dot;
                }
            }
        }
        result
    }

    /// The gradient towards the weights from the input and the gradient of the output.
    pub fn weight_gradient(&self, input: &[f32], gradient: &[f32]) -> Vec<f32> {
        let Self { inputs, outputs, .. } = *self;
        let width = outputs.next_multiple_of(self.instructions.lanes());
        in_chunks(inputs * outputs, TASK_INPUTS * outputs, |block, result| {
            let rows = result.len() / outputs;
            let left = Side { values: &input[block * TASK_INPUTS..], strides: [0, inputs], length: rows };
            let right = Side { values: gradient, strides: [0, outputs], length: outputs };
            let outer = Outer { left, right, grid: [1, gradient.len() / outputs] };
            if width == outputs {
                self.instructions.run(Add { outer, sums: result, before: Before::Sums });
                return;
            }
            let mut sums = vec![0.0; rows * width];
            self.instructions.run(Add { outer, sums: &mut sums, before: Before::Sums });
            for (result, sums) in result.chunks_exact_mut(outputs).zip(sums.chunks_exact(width)) {
                result.copy_from_slice(&sums[..outputs]);
            }
        })
    }
}

/// Sums over some rows of the weights, `[batch][outputs]`.
struct Rows<'a> {
    weights: &'a [f32],
    input: &'a [f32],
    inputs: usize,
    outputs: usize,
    /// First row.
    first: usize,
}

impl WithSimd for Rows<'_> {
    type Output = Scratch;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Scratch {
        let Self { weights, input, inputs, outputs, first } = self;
        let mut sums = Scratch::new(input.len() / inputs * outputs);
        sums.fill(0.0);
        for (block, weights) in weights.chunks(ROWS * outputs).enumerate() {
            let rows = weights.len() / outputs;
            for (sums, input) in sums.chunks_exact_mut(outputs).zip(input.chunks_exact(inputs)) {
                // A row that is not there counts nothing.
                let mut factors = [simd.splat_f32s(0.0); ROWS];
                let mut lines: [&[f32]; ROWS] = [&weights[..outputs]; ROWS];
                for row in 0..rows {
                    factors[row] = simd.splat_f32s(input[first + block * ROWS + row]);
                    lines[row] = &weights[row * outputs..][..outputs];
                }
                for (index, sums) in sums.chunks_mut(S::F32_LANES).enumerate() {
                    let start = index * S::F32_LANES;
                    let mut sum = load(simd, sums);
                    for (&factor, line) in factors.iter().zip(lines) {
                        let weights = load(simd, &line[start..start + sums.len()]);
                        sum = simd.mul_add_e_f32s(factor, weights, sum);
                    }
                    store(simd, sums, sum);
                }
            }
        }
        sums
    }
}

/// Products of rows of the weights with the gradients of the batch, `[rows][batch]`.
struct Dots<'a> {
    weights: &'a [f32],
    gradient: &'a [f32],
    outputs: usize,
}

impl WithSimd for Dots<'_> {
    type Output = Vec<f32>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Vec<f32> {
        let batch = self.gradient.len() / self.outputs;
        let mut dots = vec![0.0; self.weights.len() / self.outputs * batch];
        for (weights, dots) in self.weights.chunks_exact(self.outputs).zip(dots.chunks_exact_mut(batch)) {
            for (dot, gradient) in dots.iter_mut().zip(self.gradient.chunks_exact(self.outputs)) {
                let (whole, rest) = S::as_simd_f32s(weights);
                let (gradients, gradients_rest) = S::as_simd_f32s(gradient);
                let mut sums = [simd.splat_f32s(0.0); 4];
                for (weights, gradients) in whole.chunks(4).zip(gradients.chunks(4)) {
                    for ((sum, &weight), &gradient) in sums.iter_mut().zip(weights).zip(gradients) {
                        *sum = simd.mul_add_e_f32s(weight, gradient, *sum);
                    }
                }
                let tail = simd.mul_f32s(simd.partial_load_f32s(rest), simd.partial_load_f32s(gradients_rest));
                let sum = simd.add_f32s(simd.add_f32s(sums[0], sums[1]), simd.add_f32s(sums[2], sums[3]));
                *dot = simd.reduce_sum_f32s(simd.add_f32s(sum, tail));
            }
        }
        dots
    }
}
