//! Gradient with respect to the weights of a Winograd convolution.

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::plane;
use super::tiles::{Source, Tiles, TransformedTiles};
use super::transform::{Input, OutputGradient, WeightsGradient, transform};
use crate::lanes::load;
use crate::outer_product::{Accumulate, Accumulation, Operand, OuterProducts};
use crate::scratch::Scratch;
use crate::{ConvParams, InstructionSet, Nhwc};

/// Gradient with respect to the weights, `[outputs][inputs per group][kernel][kernel]`, from the gradient with respect
/// to the output.
pub(crate) fn weight_gradient(
    instructions: InstructionSet,
    input: (&[f32], Nhwc),
    gradient: (&[f32], Nhwc),
    params: &ConvParams,
) -> Vec<f32> {
    match params.kernel {
        3 => weight_gradient_of_kernel::<6, 3>(instructions, input, gradient, params),
        4 => weight_gradient_of_kernel::<7, 4>(instructions, input, gradient, params),
        kernel => unreachable!("`is_supported` rejects kernels of {kernel} pixels"),
    }
}

/// The weight gradient for kernels of side `R`, with tiles of side `A`.
fn weight_gradient_of_kernel<const A: usize, const R: usize>(
    instructions: InstructionSet,
    (input, input_shape): (&[f32], Nhwc),
    (gradient, shape): (&[f32], Nhwc),
    params: &ConvParams,
) -> Vec<f32> {
    let (inputs, outputs) = (input_shape.channels / params.groups, shape.channels / params.groups);
    let tiles = Tiles::covering(shape);
    let lanes = instructions.lanes();
    let width = outputs.next_multiple_of(lanes);
    let mut weights = vec![0.0; shape.channels * inputs * R * R];
    for (group, weights) in weights.chunks_exact_mut(outputs * inputs * R * R).enumerate() {
        let source = Source {
            values: input,
            shape: input_shape,
            channel: group * inputs,
            channels: inputs,
            pad_before: params.pad_before,
        };
        let left = TransformedTiles::new::<Input, A, A>(instructions, source, tiles);
        let source = Source { values: gradient, shape, channel: group * outputs, channels: outputs, pad_before: 0 };
        let right = TransformedTiles::new::<OutputGradient, A, 4>(instructions, source, tiles);

        // For each position in a tile, [inputs][outputs].
        let plane = plane(inputs * width);
        let mut sums = Scratch::new(A * A * plane);
        sums.par_chunks_mut(plane).enumerate().for_each(|(position, sums)| {
            let mut accumulation = Accumulation::Overwrite;
            for (from, to) in left.grids(position).zip(right.grids(position)) {
                let left = Operand { values: &left.values[from.start..], strides: from.strides, length: inputs };
                let right = Operand { values: &right.values[to.start..], strides: to.strides, length: outputs };
                instructions.run(Accumulate {
                    outer: OuterProducts { left, right, grid: from.sides },
                    sums: &mut *sums,
                    accumulation,
                });
                accumulation = Accumulation::Add;
            }
        });
        weights.par_chunks_mut(lanes * inputs * R * R).enumerate().for_each(|(block, weights)| {
            let first = block * lanes;
            instructions.run(InverseTransform::<A, R> { sums: &sums, plane, inputs, width, first, weights });
        });
    }
    weights
}

/// Transforms the sums into the weight gradient, for one SIMD vector of outputs.
struct InverseTransform<'a, const A: usize, const R: usize> {
    sums: &'a [f32],
    /// Distance from one position in a tile to the next.
    plane: usize,
    inputs: usize,
    width: usize,
    /// First output.
    first: usize,
    weights: &'a mut [f32],
}

impl<const A: usize, const R: usize> WithSimd for InverseTransform<'_, A, R> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        for input in 0..self.inputs {
            let mut sums = [[simd.splat_f32s(0.0); A]; A];
            for (position, sum) in sums.as_flattened_mut().iter_mut().enumerate() {
                let start = position * self.plane + input * self.width + self.first;
                *sum = load(simd, &self.sums[start..start + S::F32_LANES]);
            }
            let kernel = transform::<S, WeightsGradient, R, A>(simd, &sums);
            let mut lanes = [0.0; 16];
            for (tap, &vector) in kernel.as_flattened().iter().enumerate() {
                simd.partial_store_f32s(&mut lanes[..S::F32_LANES], vector);
                let outputs = self.weights.chunks_exact_mut(self.inputs * R * R);
                for (weights, &value) in outputs.zip(&lanes) {
                    weights[input * R * R + tap] = value;
                }
            }
        }
    }
}
