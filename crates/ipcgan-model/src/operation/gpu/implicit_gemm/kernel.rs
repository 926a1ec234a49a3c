//! The kernel: a workgroup computes a tile of positions and outputs.

#![expect(clippy::manual_div_ceil, reason = "CubeCL translates the operators of a kernel")]

use cubecl::prelude::*;
use cubecl::std::FastDivmod;

use crate::operation::gpu::tile::{MapDivisors, THREADS, Tile, accumulate, coordinates_of, first_column, first_row};

/// What a kernel is compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct KernelKind {
    pub(super) is_adjoint: bool,
    pub(super) has_bias: bool,
    pub(super) tile: Tile,
}

/// Sizes of the input maps, and distances in memory.
#[derive(CubeLaunch, CubeType)]
pub(super) struct Maps {
    pub(super) height: usize,
    pub(super) width: usize,
    pub(super) image: usize,
    pub(super) channel: usize,
    pub(super) row: usize,
    pub(super) column: usize,
}

/// Distances of weights in memory.
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
    /// What the position in the other maps is ahead of that in the phase, for the first tap.
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
struct Block {
    group: usize,
    first_position: usize,
    first_output: usize,
    phase_row: usize,
    phase_column: usize,
    row_taps: Taps,
    column_taps: Taps,
    /// Number of taps of a row of the kernel.
    tap_columns: usize,
    /// Number of terms: input channels of each tap.
    terms: usize,
}

#[cube]
fn block_of_workgroup(window: &Window, #[comptime] kind: KernelKind) -> Block {
    let rows = comptime![kind.tile.rows()];
    let columns = comptime![kind.tile.columns()];
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
struct Term {
    tap_row: usize,
    tap_column: usize,
    channel: usize,
}

/// The term with this index.
#[cube]
fn term_of(term: usize, window: &Window, block: &Block) -> Term {
    let (tap, channel) = window.input_divisor.div_mod(term as u32);
    Term {
        tap_row: tap as usize / block.tap_columns,
        tap_column: tap as usize % block.tap_columns,
        channel: channel as usize,
    }
}

/// The input pixels of the first tap of the positions that a thread loads; `images` are offsets in memory.
#[derive(CubeType)]
struct Pixels {
    images: Array<usize>,
    rows: Array<usize>,
    columns: Array<usize>,
}

#[cube]
fn pixels_of_thread(window: &Window, block: &Block, #[comptime] kind: KernelKind) -> Pixels {
    let threads = comptime![THREADS];
    let tile_rows = comptime![kind.tile.rows()];
    let count = comptime![kind.tile.rows().div_ceil(THREADS)];
    let load_row = UNIT_POS as usize % tile_rows;
    let mut images = Array::<usize>::new(count);
    let mut rows = Array::<usize>::new(count);
    let mut columns = Array::<usize>::new(count);
    #[unroll]
    for index in 0..count {
        let coordinates = coordinates_of(block.first_position + load_row + index * threads, &window.divisors);
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

#[allow(clippy::too_many_arguments, reason = "a kernel takes each buffer by itself")]
#[cube(launch)]
pub(super) fn implicit_gemm_kernel(
    x: &[f32],
    weight: &[f32],
    bias: &[f32],
    output: &mut [f32],
    weights: &Weights,
    window: &Window,
    slope: f32,
    #[comptime] kind: KernelKind,
) {
    let depth = comptime![kind.tile.depth];
    let block = block_of_workgroup(window, kind);
    let pixels = pixels_of_thread(window, &block, kind);
    let mut left = Shared::<[f32]>::new_slice(comptime![kind.tile.rows() * kind.tile.depth]);
    let mut right = Shared::<[f32]>::new_slice(comptime![kind.tile.columns() * kind.tile.depth]);
    let mut sums = Array::<f32>::new(comptime![kind.tile.thread_rows * kind.tile.thread_columns]);
    #[unroll]
    for index in 0..comptime![kind.tile.thread_rows * kind.tile.thread_columns] {
        sums[index] = 0.0f32;
    }
    let iterations = (block.terms + depth - 1) / depth;
    for iteration in 0..iterations {
        let start = iteration * depth;
        load_pixels(x, &mut left, window, &block, &pixels, start, kind);
        load_weights(weight, &mut right, weights, window, &block, start, kind);
        sync_cube();
        accumulate(&left, &right, &mut sums, comptime![kind.tile]);
        // The next terms take the place of these.
        sync_cube();
    }
    write_outputs(&sums, bias, output, window, &block, slope, kind);
}

/// Loads the pixels of the terms from `start`, `[depth, rows]`.
#[cube]
fn load_pixels(
    x: &[f32],
    left: &mut Shared<[f32]>,
    window: &Window,
    block: &Block,
    pixels: &Pixels,
    start: usize,
    #[comptime] kind: KernelKind,
) {
    let threads = comptime![THREADS];
    let rows = comptime![kind.tile.rows()];
    let count = comptime![kind.tile.rows().div_ceil(THREADS)];
    let step = comptime![(THREADS / kind.tile.rows()).max(1)];
    let unit = UNIT_POS as usize;
    #[unroll]
    for load in 0..comptime![kind.tile.depth / step] {
        let offset = unit / rows + load * step;
        let index_of_term = start + offset;
        let term = term_of(index_of_term, window, block);
        #[unroll]
        for index in 0..count {
            let load_row = unit % rows + index * threads;
            let mut value = 0.0f32;
            if index_of_term < block.terms && block.first_position + load_row < window.positions {
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
                if inside_row && inside_column {
                    let pixel = pixels.images[index] + term.channel * window.maps.channel;
                    let offset_in_map =
                        (row - before_row) * window.maps.row + (column - before_column) * window.maps.column;
                    value = x[pixel + offset_in_map];
                }
            }
            left[offset * rows + load_row] = value;
        }
    }
}

/// Loads the weights of the terms from `start`, `[depth, columns]`.
#[cube]
fn load_weights(
    weight: &[f32],
    right: &mut Shared<[f32]>,
    weights: &Weights,
    window: &Window,
    block: &Block,
    start: usize,
    #[comptime] kind: KernelKind,
) {
    let threads = comptime![THREADS];
    let columns = comptime![kind.tile.columns()];
    let depth = comptime![kind.tile.depth];
    let loads = comptime![(kind.tile.columns() * kind.tile.depth).div_ceil(THREADS)];
    let unit = UNIT_POS as usize;
    #[unroll]
    for load in 0..loads {
        let tile_index = load * threads + unit;
        if tile_index < columns * depth {
            let out = block.first_output + tile_index % columns;
            let index_of_term = start + tile_index / columns;
            let mut value = 0.0f32;
            if out < window.outputs && index_of_term < block.terms {
                let term = term_of(index_of_term, window, block);
                let mut tap_row = term.tap_row;
                let mut tap_column = term.tap_column;
                if comptime![kind.is_adjoint] {
                    tap_row = block.row_taps.first + term.tap_row * window.stride;
                    tap_column = block.column_taps.first + term.tap_column * window.stride;
                }
                let of_channels = block.group * weights.group + out * weights.output + term.channel * weights.input;
                value = weight[of_channels + tap_row * weights.tap_row + tap_column * weights.tap_column];
            }
            right[tile_index] = value;
        }
    }
}

/// Applies the epilogue to the sums and writes the outputs.
#[cube]
fn write_outputs(
    sums: &Array<f32>,
    bias: &[f32],
    output: &mut [f32],
    window: &Window,
    block: &Block,
    slope: f32,
    #[comptime] kind: KernelKind,
) {
    let thread_rows = comptime![kind.tile.thread_rows];
    let thread_columns = comptime![kind.tile.thread_columns];
    let column_threads = comptime![kind.tile.column_threads()];
    let first_position = block.first_position + first_row(comptime![kind.tile]);
    let first_output = block.first_output + first_column(comptime![kind.tile]);
    #[unroll]
    for thread_row in 0..thread_rows {
        let position = first_position + thread_row;
        let coordinates = coordinates_of(position, &window.divisors);
        let mut pixel_row = coordinates.row;
        let mut pixel_column = coordinates.column;
        if comptime![kind.is_adjoint] {
            pixel_row = pixel_row * window.stride + block.phase_row;
            pixel_column = pixel_column * window.stride + block.phase_column;
        }
        if position < window.positions && pixel_row < window.height && pixel_column < window.width {
            let pixel = (coordinates.image * window.height + pixel_row) * window.width + pixel_column;
            #[unroll]
            for index in 0..thread_columns {
                let out = first_output + index * column_threads;
                if out < window.outputs {
                    let channel = block.group * window.outputs + out;
                    let mut value = sums[thread_row * thread_columns + index];
                    if comptime![kind.has_bias] {
                        value += bias[channel];
                    }
                    if value <= 0.0f32 {
                        value *= slope;
                    }
                    output[pixel * window.groups * window.outputs + channel] = value;
                }
            }
        }
    }
}
