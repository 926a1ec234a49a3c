//! Gradient towards the weights of a Winograd convolution.

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::plane;
use super::tiles::{Source, Tiles, TransformedTiles};
use super::transform::{Input, OutputGradient, WeightsGradient, transform};
use crate::lanes::load;
use crate::outer::{Add, Before, Outer, Side};
use crate::scratch::Scratch;
use crate::{Instructions, Maps, Window};

/// Gradient towards weights `[outputs][inputs of a group][kernel][kernel]` from that of the output.
pub(crate) fn weight_gradient(
    instructions: Instructions,
    input: (&[f32], Maps),
    gradient: (&[f32], Maps),
    window: &Window,
) -> Vec<f32> {
    match window.kernel {
        3 => with::<6, 3>(instructions, input, gradient, window),
        _ => with::<7, 4>(instructions, input, gradient, window),
    }
}

fn with<const A: usize, const R: usize>(
    instructions: Instructions,
    (input, input_maps): (&[f32], Maps),
    (gradient, maps): (&[f32], Maps),
    window: &Window,
) -> Vec<f32> {
    let (inputs, outputs) = (input_maps.channels / window.groups, maps.channels / window.groups);
    let tiles = Tiles::covering(maps);
    let lanes = instructions.lanes();
    let width = outputs.next_multiple_of(lanes);
    let mut weights = vec![0.0; maps.channels * inputs * R * R];
    for (group, weights) in weights.chunks_exact_mut(outputs * inputs * R * R).enumerate() {
        let source = Source {
            values: input,
            maps: input_maps,
            channel: group * inputs,
            channels: inputs,
            before: window.before,
        };
        let left = TransformedTiles::new::<Input, A, A>(instructions, source, tiles);
        let source = Source { values: gradient, maps, channel: group * outputs, channels: outputs, before: 0 };
        let right = TransformedTiles::new::<OutputGradient, A, 4>(instructions, source, tiles);

        // For each position in a tile, [inputs][outputs].
        let plane = plane(inputs * width);
        let mut sums = Scratch::new(A * A * plane);
        sums.par_chunks_mut(plane).enumerate().for_each(|(position, sums)| {
            let mut before = Before::Anything;
            for (from, to) in left.grids(position).zip(right.grids(position)) {
                let left = Side { values: &left.values[from.start..], strides: from.strides, length: inputs };
                let right = Side { values: &right.values[to.start..], strides: to.strides, length: outputs };
                instructions.run(Add { outer: Outer { left, right, grid: from.sides }, sums: &mut *sums, before });
                before = Before::Sums;
            }
        });
        weights.par_chunks_mut(lanes * inputs * R * R).enumerate().for_each(|(block, weights)| {
            instructions.run(Finish::<A, R> { sums: &sums, plane, inputs, width, first: block * lanes, weights });
        });
    }
    weights
}

/// The weights of a vector of outputs.
struct Finish<'a, const A: usize, const R: usize> {
    sums: &'a [f32],
    /// From one position in a tile to the next.
    plane: usize,
    inputs: usize,
    width: usize,
    /// First output.
    first: usize,
    weights: &'a mut [f32],
}

impl<const A: usize, const R: usize> WithSimd for Finish<'_, A, R> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        for input in 0..self.inputs {
            let mut sums = [[simd.splat_f32s(0.0); A]; A];
            for (position, sum) in sums.as_flattened_mut().iter_mut().enumerate() {
                let start = position * self.plane + input * self.width + self.first;
                *sum = load(simd, &self.sums[start..start + S::F32_LANES]);
            }
            let window = transform::<S, WeightsGradient, R, A>(simd, &sums);
            let mut lanes = [0.0; 16];
            for (tap, &vector) in window.as_flattened().iter().enumerate() {
                simd.partial_store_f32s(&mut lanes[..S::F32_LANES], vector);
                let outputs = self.weights.chunks_exact_mut(self.inputs * R * R);
                for (weights, &value) in outputs.zip(&lanes) {
                    weights[input * R * R + tap] = value;
                }
            }
        }
    }
}
