//! Fully connected layers for small batches, where memory bandwidth of the weights dominates.

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use crate::epilogue::Epilogue;
use crate::lanes::load;
use crate::outer_product::{Accumulate, Accumulation, Operand, OuterProducts};
use crate::output::in_chunks;
use crate::scratch::Scratch;
use crate::{Activation, InstructionSet};

/// Rows of the weights, one an input, that a task multiplies.
const TASK_ROWS: usize = 256;
/// Inputs of a task of the gradients.
const TASK_INPUTS: usize = 64;
/// Rows of weights that are read together, so that sums are loaded and stored an eighth as often.
const ROWS: usize = 8;
/// Rows and images whose products fill the registers.
const DOT_ROWS: usize = 4;
const DOT_IMAGES: usize = 4;
/// Images whose sums grow side by side.
const IMAGES: usize = 4;

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

impl Linear<'_> {
    /// Batch size of `values` with `each` values per image.
    fn batch(&self, values: &[f32], each: usize) -> usize {
        assert_eq!(self.weights.len(), self.inputs * self.outputs, "values of the weights");
        assert!(values.len().is_multiple_of(each), "{} values, {each} of an image", values.len());
        values.len() / each
    }

    /// `activation(input * weights + bias)`, `[batch][inputs]` to `[batch][outputs]`; the bias is `[outputs]`.
    ///
    /// # Panics
    /// If the lengths do not match the shapes.
    pub fn run(&self, input: &[f32], bias: Option<&[f32]>, activation: Activation) -> Vec<f32> {
        let Self { inputs, outputs, .. } = *self;
        assert!(bias.is_none_or(|bias| bias.len() == outputs), "values of the bias");
        let (batch, lanes) = (self.batch(input, inputs), self.instructions.lanes());
        let epilogue = Epilogue { bias, residual: None, activation };
        // Each task streams its rows of the weights; the partial sums are added in a fixed order.
        let rows = self.weights.par_chunks(TASK_ROWS * outputs).enumerate();
        let parts: Vec<Scratch> = rows
            .map(|(task, weights)| {
                let first = task * TASK_ROWS;
                self.instructions.run(Rows { weights, input, inputs, outputs, first })
            })
            .collect();
        in_chunks(batch * outputs, outputs, |image, output| {
            for (vector, output) in output.chunks_mut(lanes).enumerate() {
                let start = (vector * batch + image) * lanes;
                for part in &parts {
                    output.iter_mut().zip(&part[start..]).for_each(|(sum, part)| *sum += part);
                }
                for (index, sum) in output.iter_mut().enumerate() {
                    let channel = vector * lanes + index;
                    *sum = epilogue.apply(*sum, channel, image * outputs + channel);
                }
            }
        })
    }

    /// Gradient with respect to the input, from that of the output (before the activation): `[batch][outputs]` to
    /// `[batch][inputs]`.
    ///
    /// # Panics
    /// If the lengths do not match the shapes.
    pub fn input_gradient(&self, gradient: &[f32]) -> Vec<f32> {
        let Self { inputs, outputs, .. } = *self;
        let batch = self.batch(gradient, outputs);
        let rows = self.weights.par_chunks(TASK_INPUTS * outputs);
        let blocks: Vec<Vec<f32>> =
            rows.map(|weights| self.instructions.run(Dots { weights, gradient, outputs })).collect();
        let mut result = vec![0.0; batch * inputs];
        for (block, dots) in blocks.iter().enumerate() {
            for (row, dots) in dots.chunks_exact(batch).enumerate() {
                for (image, &dot) in dots.iter().enumerate() {
                    result[image * inputs + block * TASK_INPUTS + row] = dot;
                }
            }
        }
        result
    }

    /// Gradient with respect to the weights, from the input and the gradient of the output (before the activation):
    /// `[batch][inputs]` and `[batch][outputs]` to `[inputs][outputs]`.
    ///
    /// # Panics
    /// If the lengths do not match the shapes.
    pub fn weight_gradient(&self, input: &[f32], gradient: &[f32]) -> Vec<f32> {
        let Self { inputs, outputs, .. } = *self;
        let batch = self.batch(input, inputs);
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

/// Sums over some rows of the weights, `[vector of outputs][batch][lanes]`: in the order in which they are visited.
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
        let batch = self.input.len() / self.inputs;
        let mut sums = Scratch::new(self.outputs.next_multiple_of(S::F32_LANES) * batch);
        sums.fill(0.0);
        let rows = self.weights.len() / self.outputs;
        let mut row = 0;
        while row + ROWS <= rows {
            self.add::<S, ROWS>(simd, row, &mut sums);
            row += ROWS;
        }
        while row < rows {
            self.add::<S, 1>(simd, row, &mut sums);
            row += 1;
        }
        sums
    }
}

impl Rows<'_> {
    /// Adds what `N` rows of weights contribute; each is read once for the whole batch.
    #[inline(always)]
    fn add<S: Simd, const N: usize>(&self, simd: S, row: usize, sums: &mut [f32]) {
        let Self { weights, input, inputs, outputs, first } = *self;
        let batch = input.len() / inputs;
        let lines = &weights[row * outputs..];
        let images = input.chunks_exact(inputs);
        let factors: Vec<[f32; N]> =
            images.map(|input| std::array::from_fn(|index| input[first + row + index])).collect();
        for (vector, sums) in sums.chunks_exact_mut(batch * S::F32_LANES).enumerate() {
            let start = vector * S::F32_LANES;
            let end = outputs.min(start + S::F32_LANES);
            let mut weights = [simd.splat_f32s(0.0); N];
            for (index, weights) in weights.iter_mut().enumerate() {
                *weights = load(simd, &lines[index * outputs + start..index * outputs + end]);
            }
            let (blocks, rest) = S::as_mut_simd_f32s(sums).0.as_chunks_mut::<IMAGES>();
            let (block_factors, rest_factors) = factors.as_chunks::<IMAGES>();
            for (sums, factors) in blocks.iter_mut().zip(block_factors) {
                add_rows(simd, &weights, factors, sums);
            }
            for (sum, factors) in rest.iter_mut().zip(rest_factors) {
                add_rows(simd, &weights, std::array::from_ref(factors), std::array::from_mut(sum));
            }
        }
    }
}

/// Adds some rows' weights times their factors to the sums of a few images. Several images are interleaved, because
/// each addition to the sum of a single image would wait for the one before.
#[inline(always)]
fn add_rows<S: Simd, const N: usize, const IMAGES: usize>(
    simd: S,
    weights: &[S::f32s; N],
    factors: &[[f32; N]; IMAGES],
    sums: &mut [S::f32s; IMAGES],
) {
    let mut added = *sums;
    for (row, &weights) in weights.iter().enumerate() {
        for (sum, factors) in added.iter_mut().zip(factors) {
            *sum = simd.mul_add_e_f32s(simd.splat_f32s(factors[row]), weights, *sum);
        }
    }
    *sums = added;
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
        let (rows, batch) = (self.weights.len() / self.outputs, self.gradient.len() / self.outputs);
        let mut dots = vec![0.0; rows * batch];
        let mut row = 0;
        while row + DOT_ROWS <= rows {
            self.rows::<S, DOT_ROWS>(simd, row, &mut dots[row * batch..][..DOT_ROWS * batch]);
            row += DOT_ROWS;
        }
        while row < rows {
            self.rows::<S, 1>(simd, row, &mut dots[row * batch..][..batch]);
            row += 1;
        }
        dots
    }
}

impl Dots<'_> {
    #[inline(always)]
    fn rows<S: Simd, const ROWS: usize>(&self, simd: S, row: usize, dots: &mut [f32]) {
        let batch = dots.len() / ROWS;
        let mut image = 0;
        while image + DOT_IMAGES <= batch {
            self.block::<S, ROWS, DOT_IMAGES>(simd, row, image, dots);
            image += DOT_IMAGES;
        }
        while image < batch {
            self.block::<S, ROWS, 1>(simd, row, image, dots);
            image += 1;
        }
    }

    /// The products of a few rows with a few gradients, all in registers.
    #[inline(always)]
    fn block<S: Simd, const ROWS: usize, const IMAGES: usize>(
        &self,
        simd: S,
        row: usize,
        image: usize,
        dots: &mut [f32],
    ) {
        let (outputs, batch) = (self.outputs, dots.len() / ROWS);
        let (weights, gradients) = (&self.weights[row * outputs..], &self.gradient[image * outputs..]);
        let mut sums = [[simd.splat_f32s(0.0); IMAGES]; ROWS];
        for start in (0..outputs).step_by(S::F32_LANES) {
            let end = outputs.min(start + S::F32_LANES);
            let mut vectors = [simd.splat_f32s(0.0); IMAGES];
            for (index, vector) in vectors.iter_mut().enumerate() {
                *vector = load(simd, &gradients[index * outputs + start..index * outputs + end]);
            }
            for (index, sums) in sums.iter_mut().enumerate() {
                let weights = load(simd, &weights[index * outputs + start..index * outputs + end]);
                for (sum, &vector) in sums.iter_mut().zip(&vectors) {
                    *sum = simd.mul_add_e_f32s(weights, vector, *sum);
                }
            }
        }
        for (dots, sums) in dots.chunks_exact_mut(batch).zip(&sums) {
            for (dot, &sum) in dots[image..].iter_mut().zip(sums) {
                *dot = simd.reduce_sum_f32s(sum);
            }
        }
    }
}
