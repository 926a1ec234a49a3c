//! The terms of an implicit GEMM: which pixels and weights are multiplied, and where the sums are written.
//!
//! The rows of the product are output positions, its columns output channels, and its reduction dimension the terms: the
//! columns that im2col would write to memory. The adjoint (a transposed convolution, or the gradient by the input) is one
//! product for each phase: the output positions with the same remainders modulo the stride.

#![expect(clippy::manual_div_ceil, reason = "CubeCL translates the operators of a kernel")]

use cubecl::prelude::*;
use cubecl::std::FastDivmod;

use crate::operation::gpu::tile::{MapDivisors, coordinates_of};

/// What a kernel is compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct KernelKind {
    pub(super) is_adjoint: bool,
    pub(super) has_bias: bool,
}

/// Sizes of the input maps, and their strides: distances in memory between images, channels, rows and columns.
#[derive(CubeLaunch, CubeType)]
pub(super) struct Maps {
    pub(super) height: usize,
    pub(super) width: usize,
    pub(super) image: usize,
    pub(super) channel: usize,
    pub(super) row: usize,
    pub(super) column: usize,
}

/// Strides of the weights: distances in memory.
#[derive(CubeLaunch, CubeType)]
pub(super) struct Weights {
    pub(super) group: usize,
    pub(super) output: usize,
    pub(super) input: usize,
    pub(super) tap_row: usize,
    pub(super) tap_column: usize,
}

/// Sizes of the product; `height` and `width` are those of the output maps.
#[derive(CubeLaunch, CubeType)]
pub(super) struct Window {
    pub(super) positions: usize,
    /// Of a group.
    pub(super) outputs: usize,
    /// Of a group.
    pub(super) inputs: usize,
    pub(super) groups: usize,
    pub(super) kernel: usize,
    pub(super) stride: usize,
    pub(super) pad: usize,
    pub(super) height: usize,
    pub(super) width: usize,
    /// The input maps.
    pub(super) maps: Maps,
    pub(super) divisors: MapDivisors,
    pub(super) input_divisor: FastDivmod<u32>,
}

/// The taps along one side that reach the pixels of a phase, in steps of the stride.
#[derive(CubeType)]
struct Taps {
    first: usize,
    count: usize,
    /// Coordinate in the input maps, for the first tap, minus that of the position within the phase.
    ahead: usize,
}

#[cube]
fn taps_of_phase(phase: usize, window: &Window) -> Taps {
    let first = (phase + window.pad) % window.stride;
    let mut count = 0usize;
    if first < window.kernel {
        count = (window.kernel - first + window.stride - 1) / window.stride;
    }
    Taps { first, count, ahead: (phase + window.pad - first) / window.stride }
}

/// The positions and outputs of a workgroup, and the terms of their sums.
#[derive(CubeType)]
pub(super) struct Block {
    group: usize,
    pub(super) first_position: usize,
    pub(super) first_output: usize,
    phase_row: usize,
    phase_column: usize,
    row_taps: Taps,
    column_taps: Taps,
    /// Number of taps of a row of the kernel.
    tap_columns: usize,
    /// Number of terms: input channels of each tap.
    pub(super) terms: usize,
}

/// The block of the calling workgroup, whose tile has so many `rows` (positions) and `columns` (outputs).
#[cube]
pub(super) fn block_of_workgroup(
    window: &Window,
    #[comptime] rows: usize,
    #[comptime] columns: usize,
    #[comptime] kind: KernelKind,
) -> Block {
    let column_tiles = (window.outputs + columns - 1) / columns;
    let phase_row = CUBE_POS_Z as usize / window.stride;
    let phase_column = CUBE_POS_Z as usize % window.stride;
    let row_taps = taps_of_phase(phase_row, window);
    let column_taps = taps_of_phase(phase_column, window);
    let mut tap_columns = window.kernel;
    let mut taps = window.kernel * window.kernel;
    if comptime![kind.is_adjoint] {
        tap_columns = column_taps.count;
        taps = row_taps.count * column_taps.count;
    }
    let grid_row = CUBE_POS_Y as usize / window.groups;
    let tile = grid_row * CUBE_COUNT_X as usize + CUBE_POS_X as usize;
    Block {
        group: CUBE_POS_Y as usize % window.groups,
        first_position: tile / column_tiles * rows,
        first_output: tile % column_tiles * columns,
        phase_row,
        phase_column,
        row_taps,
        column_taps,
        tap_columns,
        terms: taps * window.inputs,
    }
}

/// A term of a sum: a tap and an input channel.
#[derive(CubeType)]
pub(super) struct Term {
    tap_row: usize,
    tap_column: usize,
    channel: usize,
}

/// The term with this index.
#[cube]
pub(super) fn term_of(term: usize, window: &Window, block: &Block) -> Term {
    let (tap, channel) = window.input_divisor.div_mod(term as u32);
    Term {
        tap_row: tap as usize / block.tap_columns,
        tap_column: tap as usize % block.tap_columns,
        channel: channel as usize,
    }
}

/// The input pixels of the first tap of the positions that a thread loads; `images` are offsets in memory.
#[derive(CubeType)]
pub(super) struct Pixels {
    images: Array<usize>,
    rows: Array<usize>,
    columns: Array<usize>,
}

/// For a thread that loads the `count` rows of the tile from `first` on that are `step` apart.
#[cube]
pub(super) fn pixels_of_rows(
    window: &Window,
    block: &Block,
    first: usize,
    #[comptime] step: usize,
    #[comptime] count: usize,
    #[comptime] kind: KernelKind,
) -> Pixels {
    let mut images = Array::<usize>::new(count);
    let mut rows = Array::<usize>::new(count);
    let mut columns = Array::<usize>::new(count);
    #[unroll]
    for index in 0..count {
        let coordinates = coordinates_of(block.first_position + first + index * step, &window.divisors);
        images[index] = coordinates.image * window.maps.image + block.group * window.inputs * window.maps.channel;
        if comptime![kind.is_adjoint] {
            rows[index] = coordinates.row + block.row_taps.ahead;
            columns[index] = coordinates.column + block.column_taps.ahead;
        } else {
            rows[index] = coordinates.row * window.stride;
            columns[index] = coordinates.column * window.stride;
        }
    }
    Pixels { images, rows, columns }
}

/// The input pixel of `term` for the position of `pixels` with this index; zero outside of the maps.
#[cube]
pub(super) fn pixel_of_term(
    x: &[f32],
    window: &Window,
    pixels: &Pixels,
    index: usize,
    term: &Term,
    #[comptime] kind: KernelKind,
) -> f32 {
    let mut row = pixels.rows[index];
    let mut column = pixels.columns[index];
    let mut before_row = window.pad;
    let mut before_column = window.pad;
    if comptime![kind.is_adjoint] {
        before_row = term.tap_row;
        before_column = term.tap_column;
    } else {
        row += term.tap_row;
        column += term.tap_column;
    }
    let inside_row = row >= before_row && row < window.maps.height + before_row;
    let inside_column = column >= before_column && column < window.maps.width + before_column;
    let mut value = 0.0f32;
    if inside_row && inside_column {
        let pixel = pixels.images[index] + term.channel * window.maps.channel;
        let offset_in_map = (row - before_row) * window.maps.row + (column - before_column) * window.maps.column;
        value = x[pixel + offset_in_map];
    }
    value
}

/// The weight of `term` for an output.
#[cube]
pub(super) fn weight_of_term(
    weight: &[f32],
    weights: &Weights,
    window: &Window,
    block: &Block,
    out: usize,
    term: &Term,
    #[comptime] kind: KernelKind,
) -> f32 {
    let mut tap_row = term.tap_row;
    let mut tap_column = term.tap_column;
    if comptime![kind.is_adjoint] {
        tap_row = block.row_taps.first + term.tap_row * window.stride;
        tap_column = block.column_taps.first + term.tap_column * window.stride;
    }
    let of_channels = block.group * weights.group + out * weights.output + term.channel * weights.input;
    weight[of_channels + tap_row * weights.tap_row + tap_column * weights.tap_column]
}

/// Where the outputs of a position are written.
#[derive(CubeType)]
pub(super) struct OutputPixel {
    /// Whether there is such a position.
    pub(super) exists: bool,
    pixel: usize,
}

#[cube]
pub(super) fn output_pixel(
    position: usize,
    window: &Window,
    block: &Block,
    #[comptime] kind: KernelKind,
) -> OutputPixel {
    let coordinates = coordinates_of(position, &window.divisors);
    let mut row = coordinates.row;
    let mut column = coordinates.column;
    if comptime![kind.is_adjoint] {
        row = row * window.stride + block.phase_row;
        column = column * window.stride + block.phase_column;
    }
    OutputPixel {
        exists: position < window.positions && row < window.height && column < window.width,
        pixel: (coordinates.image * window.height + row) * window.width + column,
    }
}

/// The epilogue: adds the bias to a sum, applies the activation and writes the output, if there is such an output.
#[allow(clippy::too_many_arguments, reason = "a kernel takes each buffer by itself")]
#[cube]
pub(super) fn write_output(
    sum: f32,
    bias: &[f32],
    output: &mut [f32],
    window: &Window,
    block: &Block,
    pixel: &OutputPixel,
    out: usize,
    slope: f32,
    #[comptime] kind: KernelKind,
) {
    if out < window.outputs {
        let channel = block.group * window.outputs + out;
        let mut value = sum;
        if comptime![kind.has_bias] {
            value += bias[channel];
        }
        if value <= 0.0f32 {
            value *= slope;
        }
        output[pixel.pixel * window.groups * window.outputs + channel] = value;
    }
}
