//! Winograd convolution of stride one: fewer multiplications for 3x3 and 4x4 kernels.
//!
//! Tiles of the input are transformed, multiplied with transformed weights (one product of matrices
//! for each position in a tile, over all tiles and channels), and transformed back.

mod gradient;
mod tiles;
mod transform;
mod weights;

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use crate::convolution::PackedWeights;
use crate::epilogue::Epilogue;
use crate::lanes::{load, store};
use crate::output::fill_in_chunks;
use crate::panels::{Panel, Panels, Patches, Sink};
use crate::scratch::Scratch;
use crate::{ConvParams, InstructionSet, Nhwc};
pub(crate) use gradient::weight_gradient;
use tiles::{Source, Tiles, TransformedTiles};
use transform::{Input, OUTPUTS, Output, transform};
use weights::TransformWeights;

/// Minimum number of channels of a group for which Winograd is faster than direct convolution.
const MIN_CHANNELS: usize = 16;

/// State of the weights, which determines the overhead.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum WeightState {
    /// They must be transformed for this output.
    Raw,
    /// They are transformed already, but take more memory bandwidth than those of a direct convolution.
    Transformed,
}

/// Whether this module supports a convolution with `outputs` and `inputs` channels per group and its adjoint, and both
/// have enough channels to gain from it.
pub(crate) fn is_supported(params: &ConvParams, [outputs, inputs]: [usize; 2]) -> bool {
    let wide = inputs >= MIN_CHANNELS && outputs >= MIN_CHANNELS;
    params.stride == 1 && matches!(params.kernel, 3 | 4) && params.pad_before < params.kernel && wide
}

/// Whether Winograd is faster than direct convolution for an output of `shape`.
pub(crate) fn is_faster(kernel: usize, shape: Nhwc, weights: WeightState) -> bool {
    let side = kernel + OUTPUTS - 1;
    // Overhead of the transforms, as a number of tiles whose products take as long (measured).
    let overhead = match weights {
        WeightState::Raw => 150,
        WeightState::Transformed => 27,
    };
    (Tiles::covering(shape).count() + overhead) * side * side < shape.pixels() * kernel * kernel
}

/// A convolution with transformed weights.
#[derive(Debug)]
pub(crate) struct Winograd {
    instructions: InstructionSet,
    kernel: usize,
    pad_before: usize,
    /// Input channels of a group.
    inputs: usize,
    /// Output channels of a group.
    outputs: usize,
    /// One for each group, each with a matrix for each position in a tile.
    panels: Vec<Panels>,
}

impl Winograd {
    /// Convolution with `weights`, `[outputs][inputs per group][kernel][kernel]`.
    pub(crate) fn forward(
        instructions: InstructionSet,
        weights: &[f32],
        [outputs, inputs]: [usize; 2],
        params: &ConvParams,
    ) -> Self {
        let taps = params.kernel * params.kernel;
        let outputs = outputs / params.groups;
        Self::new(instructions, [outputs, inputs], params, params.pad_before, |group, output, input, to| {
            let start = ((group * outputs + output) * inputs + input) * taps;
            to.copy_from_slice(&weights[start..start + taps]);
        })
    }

    /// Adjoint of the convolution with `weights`, `[outputs][inputs per group][kernel][kernel]`: a convolution with
    /// kernels rotated by 180 degrees.
    pub(crate) fn adjoint(
        instructions: InstructionSet,
        weights: &[f32],
        [outputs, inputs]: [usize; 2],
        params: &ConvParams,
    ) -> Self {
        let taps = params.kernel * params.kernel;
        let outputs = outputs / params.groups;
        let pad_before = params.kernel - 1 - params.pad_before;
        Self::new(instructions, [inputs, outputs], params, pad_before, |group, input, output, to| {
            let start = ((group * outputs + output) * inputs + input) * taps;
            to.iter_mut().zip(weights[start..start + taps].iter().rev()).for_each(|(to, &from)| *to = from);
        })
    }

    /// `copy(group, output, input, taps)` copies the weights of one kernel to `taps`.
    fn new(
        instructions: InstructionSet,
        [outputs, inputs]: [usize; 2],
        params: &ConvParams,
        pad_before: usize,
        copy: impl Fn(usize, usize, usize, &mut [f32]) + Sync,
    ) -> Self {
        let side = params.kernel + OUTPUTS - 1;
        let panels = |group: usize| {
            Panels::of_matrices(instructions, side * side, outputs, inputs, |panel, first, width| {
                let copy = |output, input, taps: &mut [f32]| copy(group, output, input, taps);
                let outputs = outputs - first;
                match params.kernel {
                    3 => instructions.run(TransformWeights::<_, 6, 3> { panel, first, outputs, width, inputs, copy }),
                    4 => instructions.run(TransformWeights::<_, 7, 4> { panel, first, outputs, width, inputs, copy }),
                    kernel => unreachable!("`is_supported` rejects kernels of {kernel} pixels"),
                }
            })
        };
        let panels = (0..params.groups).map(panels).collect();
        Self { instructions, kernel: params.kernel, pad_before, inputs, outputs, panels }
    }

    /// [`PackedWeights::run`] with tiles of side `A`.
    fn run_with<const A: usize>(
        &self,
        input: &[f32],
        input_shape: Nhwc,
        [height, width]: [usize; 2],
        epilogue: &Epilogue<'_>,
        output: &mut Vec<f32>,
    ) {
        let shape = Nhwc { height, width, channels: self.panels.len() * self.outputs, ..input_shape };
        let tiles = Tiles::covering(shape);
        let products: Vec<Scratch> = (0..self.panels.len())
            .map(|group| {
                let source = Source {
                    values: input,
                    shape: input_shape,
                    channel: group * self.inputs,
                    channels: self.inputs,
                    pad_before: self.pad_before,
                };
                let transformed = TransformedTiles::new::<Input, A, A>(self.instructions, source, tiles);
                self.products(&transformed, &self.panels[group], A * A)
            })
            .collect();
        fill_in_chunks(output, shape.num_elements(), shape.image_elements(), |image, output| {
            output.par_chunks_mut(OUTPUTS * width * shape.channels).enumerate().for_each(|(row, output)| {
                for (group, products) in products.iter().enumerate() {
                    self.instructions.run(InverseTransform::<A> {
                        products,
                        plane: plane(tiles.count() * self.outputs),
                        first: (image * tiles.rows + row) * tiles.columns,
                        outputs: self.outputs,
                        shape,
                        channel: group * self.outputs,
                        start: image * shape.image_elements() + row * OUTPUTS * width * shape.channels,
                        output,
                        epilogue,
                    });
                }
            });
        });
    }

    /// The transformed tiles times the transformed weights: a plane `[tiles][outputs]` for each position in a tile.
    fn products(&self, tiles: &TransformedTiles, panels: &Panels, positions: usize) -> Scratch {
        let plane = plane(tiles.count() * self.outputs);
        let mut products = Scratch::new(positions * plane);
        products.par_chunks_mut(plane).enumerate().for_each(|(position, products)| {
            let starts = tiles.starts(position);
            let patches = Patches { input: &tiles.values, starts: &starts, row_stride: 0, run: self.inputs };
            self.instructions.run(Multiply { patches, panels, position, outputs: self.outputs, products });
        });
        products
    }
}

impl PackedWeights for Winograd {
    fn run(&self, input: &[f32], input_shape: Nhwc, sides: [usize; 2], epilogue: &Epilogue<'_>, output: &mut Vec<f32>) {
        match self.kernel {
            3 => self.run_with::<6>(input, input_shape, sides, epilogue, output),
            4 => self.run_with::<7>(input, input_shape, sides, epilogue, output),
            kernel => unreachable!("`is_supported` rejects kernels of {kernel} pixels"),
        }
    }

    fn make_owned(&mut self) {
        self.panels.iter_mut().for_each(Panels::make_owned);
    }
}

/// Distance between planes of `values` values: not a power of two, because the same element of all planes would then
/// map to the same few cache sets.
fn plane(values: usize) -> usize {
    values.next_multiple_of(16) + 80
}

/// The products of all tiles and panels at one position in a tile.
struct Multiply<'a> {
    patches: Patches<'a>,
    panels: &'a Panels,
    position: usize,
    outputs: usize,
    products: &'a mut [f32],
}

impl WithSimd for Multiply<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let mut rows = ProductRows { outputs: self.outputs, products: self.products };
        for panel in self.panels.of_matrix(self.position) {
            self.patches.multiply(simd, &panel, &mut rows);
        }
    }
}

/// Stores the products of each tile in its row.
struct ProductRows<'a> {
    outputs: usize,
    products: &'a mut [f32],
}

impl Sink for ProductRows<'_> {
    #[inline(always)]
    fn take<S: Simd>(&mut self, simd: S, tile: usize, panel: &Panel<'_>, sums: &[S::f32s]) {
        let start = tile * self.outputs + panel.first;
        let products = self.products[start..start + panel.outputs].chunks_mut(S::F32_LANES);
        for (&sum, products) in sums.iter().zip(products) {
            store(simd, products, sum);
        }
    }
}

/// One row of tiles.
struct InverseTransform<'a, const A: usize> {
    products: &'a [f32],
    /// Distance from one position in a tile to the next.
    plane: usize,
    /// First tile of the row.
    first: usize,
    /// Channels of the products.
    outputs: usize,
    shape: Nhwc,
    /// First channel of the output.
    channel: usize,
    /// Where `output` begins in the whole output.
    start: usize,
    output: &'a mut [f32],
    epilogue: &'a Epilogue<'a>,
}

impl<const A: usize> WithSimd for InverseTransform<'_, A> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Nhwc { width, channels, .. } = self.shape;
        let height = self.output.len() / (width * channels);
        for (column, left) in (0..width).step_by(OUTPUTS).enumerate() {
            for first in (0..self.outputs).step_by(S::F32_LANES) {
                let last = self.outputs.min(first + S::F32_LANES);
                let mut products = [[simd.splat_f32s(0.0); A]; A];
                for (position, product) in products.as_flattened_mut().iter_mut().enumerate() {
                    let start = position * self.plane + (self.first + column) * self.outputs;
                    *product = load(simd, &self.products[start + first..start + last]);
                }
                let outputs = transform::<S, Output, OUTPUTS, A>(simd, &products);
                for (y, row) in outputs.iter().enumerate().take(height) {
                    for (x, vector) in row.iter().enumerate().take(width - left) {
                        let offset = (y * width + left + x) * channels + self.channel + first;
                        let output = &mut self.output[offset..offset + last - first];
                        let vector = std::slice::from_ref(vector);
                        self.epilogue.store(simd, vector, self.channel + first, output, self.start + offset);
                    }
                }
            }
        }
    }
}
