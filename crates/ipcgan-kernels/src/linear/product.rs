//! Products with the weights of a fully connected layer, in whatever form these are stored.

use std::ops::Range;

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use crate::epilogue::Epilogue;
use crate::lanes::load;
use crate::output::in_chunks;
use crate::scratch::Scratch;
use crate::{Activation, InstructionSet};

/// Rows of the weights, one an input, that a task multiplies.
const TASK_ROWS: usize = 256;
/// Inputs of a task of the input gradient.
const TASK_INPUTS: usize = 64;
/// Rows of weights that are read together, so that sums are loaded and stored an eighth as often.
const ROWS: usize = 8;
/// Rows and images whose products fill the registers.
const DOT_ROWS: usize = 4;
const DOT_IMAGES: usize = 4;
/// Images whose sums grow side by side.
const IMAGES: usize = 4;

/// A storage format of weights `[inputs][outputs]`.
pub(super) trait Weights: Copy + Sync {
    /// The weights from `input` on.
    fn skip(self, input: usize) -> Self;

    /// The weights of `input` for the SIMD vector of outputs that begins with `output`; zeros beyond the last output.
    fn load<S: Simd>(self, simd: S, input: usize, output: usize) -> S::f32s;
}

/// The products of a fully connected layer. Their sums are in the same order whatever the storage format, so equal
/// weights give equal bits.
#[derive(Clone, Copy)]
pub(super) struct Product<W> {
    pub(super) instructions: InstructionSet,
    pub(super) weights: W,
    pub(super) inputs: usize,
    pub(super) outputs: usize,
}

impl<W: Weights> Product<W> {
    /// Batch size of `values` with `each` values per image.
    pub(super) fn batch(&self, values: &[f32], each: usize) -> usize {
        assert!(values.len().is_multiple_of(each), "{} values, {each} of an image", values.len());
        values.len() / each
    }

    /// `activation(input * weights + bias)`, `[batch][inputs]` to `[batch][outputs]`; the bias is `[outputs]`.
    pub(super) fn run(&self, input: &[f32], bias: Option<&[f32]>, activation: Activation) -> Vec<f32> {
        let Self { instructions, weights, inputs, outputs } = *self;
        assert!(bias.is_none_or(|bias| bias.len() == outputs), "values of the bias");
        let (batch, lanes) = (self.batch(input, inputs), instructions.lanes());
        let epilogue = Epilogue { bias, residual: None, activation };
        // Each task streams its rows of the weights; the partial sums are added in a fixed order.
        let parts: Vec<Scratch> = tasks(inputs, TASK_ROWS)
            .map(|rows| instructions.run(Rows { weights, input, inputs, outputs, rows }))
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
    pub(super) fn input_gradient(&self, gradient: &[f32]) -> Vec<f32> {
        let Self { instructions, weights, inputs, outputs } = *self;
        let batch = self.batch(gradient, outputs);
        let blocks: Vec<Vec<f32>> = tasks(inputs, TASK_INPUTS)
            .map(|rows| instructions.run(Dots { weights, gradient, outputs, rows }))
            .collect();
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
}

/// The inputs in parts of at most `each`.
fn tasks(inputs: usize, each: usize) -> impl IndexedParallelIterator<Item = Range<usize>> {
    (0..inputs.div_ceil(each)).into_par_iter().map(move |task| task * each..inputs.min((task + 1) * each))
}

/// Sums over some rows of the weights, `[vector of outputs][batch][lanes]`: in the order in which they are visited.
struct Rows<'a, W> {
    weights: W,
    input: &'a [f32],
    inputs: usize,
    outputs: usize,
    rows: Range<usize>,
}

impl<W: Weights> WithSimd for Rows<'_, W> {
    type Output = Scratch;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Scratch {
        let batch = self.input.len() / self.inputs;
        let mut sums = Scratch::new(self.outputs.next_multiple_of(S::F32_LANES) * batch);
        sums.fill(0.0);
        let Range { start: mut row, end } = self.rows;
        while row + ROWS <= end {
            self.add::<S, ROWS>(simd, row, &mut sums);
            row += ROWS;
        }
        while row < end {
            self.add::<S, 1>(simd, row, &mut sums);
            row += 1;
        }
        sums
    }
}

impl<W: Weights> Rows<'_, W> {
    /// Adds what `N` rows of weights contribute; each is read once for the whole batch.
    #[inline(always)]
    fn add<S: Simd, const N: usize>(&self, simd: S, row: usize, sums: &mut [f32]) {
        let Self { weights, input, inputs, .. } = *self;
        let (weights, batch) = (weights.skip(row), input.len() / inputs);
        let images = input.chunks_exact(inputs);
        let factors: Vec<[f32; N]> = images.map(|input| std::array::from_fn(|index| input[row + index])).collect();
        for (vector, sums) in sums.chunks_exact_mut(batch * S::F32_LANES).enumerate() {
            let mut rows = [simd.splat_f32s(0.0); N];
            for (index, row) in rows.iter_mut().enumerate() {
                *row = weights.load(simd, index, vector * S::F32_LANES);
            }
            let (blocks, rest) = S::as_mut_simd_f32s(sums).0.as_chunks_mut::<IMAGES>();
            let (block_factors, rest_factors) = factors.as_chunks::<IMAGES>();
            for (sums, factors) in blocks.iter_mut().zip(block_factors) {
                add_rows(simd, &rows, factors, sums);
            }
            for (sum, factors) in rest.iter_mut().zip(rest_factors) {
                add_rows(simd, &rows, std::array::from_ref(factors), std::array::from_mut(sum));
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
struct Dots<'a, W> {
    weights: W,
    gradient: &'a [f32],
    outputs: usize,
    rows: Range<usize>,
}

impl<W: Weights> WithSimd for Dots<'_, W> {
    type Output = Vec<f32>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Vec<f32> {
        let batch = self.gradient.len() / self.outputs;
        let mut dots = vec![0.0; self.rows.len() * batch];
        let Range { start, end } = self.rows;
        let mut row = start;
        while row + DOT_ROWS <= end {
            self.rows::<S, DOT_ROWS>(simd, row, &mut dots[(row - start) * batch..][..DOT_ROWS * batch]);
            row += DOT_ROWS;
        }
        while row < end {
            self.rows::<S, 1>(simd, row, &mut dots[(row - start) * batch..][..batch]);
            row += 1;
        }
        dots
    }
}

impl<W: Weights> Dots<'_, W> {
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
        let (weights, gradients) = (self.weights.skip(row), &self.gradient[image * outputs..]);
        let mut sums = [[simd.splat_f32s(0.0); IMAGES]; ROWS];
        for start in (0..outputs).step_by(S::F32_LANES) {
            let end = outputs.min(start + S::F32_LANES);
            let mut vectors = [simd.splat_f32s(0.0); IMAGES];
            for (index, vector) in vectors.iter_mut().enumerate() {
                *vector = load(simd, &gradients[index * outputs + start..index * outputs + end]);
            }
            for (index, sums) in sums.iter_mut().enumerate() {
                let weights = weights.load(simd, index, start);
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
