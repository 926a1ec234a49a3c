//! The kernel in float32: a workgroup computes a tile of positions and outputs in registers.

#![expect(clippy::manual_div_ceil, reason = "CubeCL translates the operators of a kernel")]

use cubecl::prelude::*;

use super::terms::{
    Block, KernelKind, Pixels, Weights, Window, block_of_workgroup, output_pixel, pixel_of_term, pixels_of_rows,
    term_of, weight_of_term, write_output,
};
use crate::operation::gpu::tile::{THREADS, Tile, accumulate, first_column, first_row};

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
    #[comptime] tile: Tile,
) {
    let depth = comptime![tile.depth];
    let rows = comptime![tile.rows()];
    let block = block_of_workgroup(window, rows, comptime![tile.columns()], kind);
    let count = comptime![tile.rows().div_ceil(THREADS)];
    let pixels = pixels_of_rows(window, &block, UNIT_POS as usize % rows, comptime![THREADS], count, kind);
    let mut left = Shared::<[f32]>::new_slice(comptime![tile.rows() * tile.depth]);
    let mut right = Shared::<[f32]>::new_slice(comptime![tile.columns() * tile.depth]);
    let mut sums = Array::<f32>::new(comptime![tile.thread_rows * tile.thread_columns]);
    #[unroll]
    for index in 0..comptime![tile.thread_rows * tile.thread_columns] {
        sums[index] = 0.0f32;
    }
    let iterations = (block.terms + depth - 1) / depth;
    for iteration in 0..iterations {
        let start = iteration * depth;
        load_pixels(x, &mut left, window, &block, &pixels, start, kind, tile);
        load_weights(weight, &mut right, weights, window, &block, start, kind, tile);
        sync_cube();
        accumulate(&left, &right, &mut sums, tile);
        // The next terms take the place of these.
        sync_cube();
    }
    write_outputs(&sums, bias, output, window, &block, slope, kind, tile);
}

/// Loads the pixels of the terms from `start`, `[depth, rows]`.
#[allow(clippy::too_many_arguments, reason = "a kernel takes each buffer by itself")]
#[cube]
fn load_pixels(
    x: &[f32],
    left: &mut Shared<[f32]>,
    window: &Window,
    block: &Block,
    pixels: &Pixels,
    start: usize,
    #[comptime] kind: KernelKind,
    #[comptime] tile: Tile,
) {
    let threads = comptime![THREADS];
    let rows = comptime![tile.rows()];
    let count = comptime![tile.rows().div_ceil(THREADS)];
    let step = comptime![(THREADS / tile.rows()).max(1)];
    let unit = UNIT_POS as usize;
    #[unroll]
    for load in 0..comptime![tile.depth / step] {
        let offset = unit / rows + load * step;
        let index_of_term = start + offset;
        let term = term_of(index_of_term, window, block);
        #[unroll]
        for index in 0..count {
            let load_row = unit % rows + index * threads;
            let mut value = 0.0f32;
            if index_of_term < block.terms && block.first_position + load_row < window.positions {
                value = pixel_of_term(x, window, pixels, index, &term, kind);
            }
            left[offset * rows + load_row] = value;
        }
    }
}

/// Loads the weights of the terms from `start`, `[depth, columns]`.
#[allow(clippy::too_many_arguments, reason = "a kernel takes each buffer by itself")]
#[cube]
fn load_weights(
    weight: &[f32],
    right: &mut Shared<[f32]>,
    weights: &Weights,
    window: &Window,
    block: &Block,
    start: usize,
    #[comptime] kind: KernelKind,
    #[comptime] tile: Tile,
) {
    let threads = comptime![THREADS];
    let columns = comptime![tile.columns()];
    let depth = comptime![tile.depth];
    let loads = comptime![(tile.columns() * tile.depth).div_ceil(THREADS)];
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
                value = weight_of_term(weight, weights, window, block, out, &term, kind);
            }
            right[tile_index] = value;
        }
    }
}

/// Applies the epilogue to the sums and writes the outputs.
#[allow(clippy::too_many_arguments, reason = "a kernel takes each buffer by itself")]
#[cube]
fn write_outputs(
    sums: &Array<f32>,
    bias: &[f32],
    output: &mut [f32],
    window: &Window,
    block: &Block,
    slope: f32,
    #[comptime] kind: KernelKind,
    #[comptime] tile: Tile,
) {
    let thread_rows = comptime![tile.thread_rows];
    let thread_columns = comptime![tile.thread_columns];
    let column_threads = comptime![tile.column_threads()];
    let first_position = block.first_position + first_row(tile);
    let first_output = block.first_output + first_column(tile);
    #[unroll]
    for thread_row in 0..thread_rows {
        let pixel = output_pixel(first_position + thread_row, window, block, kind);
        if pixel.exists {
            #[unroll]
            for index in 0..thread_columns {
                let sum = sums[thread_row * thread_columns + index];
                let out = first_output + index * column_threads;
                write_output(sum, bias, output, window, block, &pixel, out, slope, kind);
            }
        }
    }
}
