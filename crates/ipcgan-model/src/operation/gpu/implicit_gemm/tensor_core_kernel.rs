//! The kernel for tensor cores: factors in a reduced number format, sums in float32.
//!
//! A workgroup loads a few terms of both factors into shared memory, rounded; each warp multiplies fragments of 16 positions
//! and 16 outputs (`cmma`, cooperative matrix multiply-accumulate). Consecutive threads load consecutive terms, which are
//! consecutive channels of channels-last maps. The sums pass through shared memory to the epilogue.

#![expect(clippy::manual_div_ceil, reason = "CubeCL translates the operators of a kernel")]

use cubecl::cmma::{Matrix, MatrixIdent, MatrixLayout};
use cubecl::prelude::*;

use super::terms::{
    Block, KernelKind, Pixels, Term, Weights, Window, block_of_workgroup, output_pixel, pixel_of_term, pixels_of_rows,
    term_of, weight_of_term, write_output,
};
use crate::operation::gpu::tile::THREADS;

/// Threads that multiply fragments together.
pub(super) const WARP: usize = 32;
/// Rows and columns of a fragment of the sums.
pub(super) const SIDE: usize = 16;
/// Terms (steps of the reduction dimension) that are loaded at a time.
pub(super) const DEPTH: usize = 16;
/// Rows of the tile that are loaded at a time.
const LOAD_ROWS: usize = THREADS / DEPTH;
/// Alignment of the factors and sums in shared memory, in bytes; fragments need 32.
const ALIGNMENT: usize = 128;

/// How a workgroup's tile of the product is distributed over its warps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct WarpTile {
    /// Warps along the rows.
    pub(super) row_warps: usize,
    /// Fragments of a warp along the rows.
    pub(super) row_fragments: usize,
    /// Fragments of a warp along the columns.
    pub(super) column_fragments: usize,
}

impl WarpTile {
    pub(super) fn rows(&self) -> usize {
        self.row_warps * self.row_fragments * SIDE
    }

    pub(super) fn columns(&self) -> usize {
        self.column_warps() * self.column_fragments * SIDE
    }

    /// Warps along the columns.
    fn column_warps(&self) -> usize {
        THREADS / WARP / self.row_warps
    }
}

/// How tensor cores take the factors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct FactorLayout {
    /// Terms of a fragment.
    pub(super) depth: usize,
    /// Distance of the rows in shared memory: more than [`DEPTH`], so that threads that read a column use different banks.
    pub(super) pitch: usize,
}

#[allow(clippy::too_many_arguments, reason = "a kernel takes each buffer by itself")]
#[cube(launch)]
pub(super) fn tensor_core_kernel<E: Float>(
    x: &[f32],
    weight: &[f32],
    bias: &[f32],
    output: &mut [f32],
    weights: &Weights,
    window: &Window,
    slope: f32,
    #[comptime] kind: KernelKind,
    #[comptime] tile: WarpTile,
    #[comptime] layout: FactorLayout,
) {
    let load_rows = comptime![LOAD_ROWS];
    let depth = comptime![DEPTH];
    let block = block_of_workgroup(window, comptime![tile.rows()], comptime![tile.columns()], kind);
    let count = comptime![tile.rows().div_ceil(LOAD_ROWS)];
    let pixels = pixels_of_rows(window, &block, UNIT_POS as usize / depth, load_rows, count, kind);
    let mut left = Shared::<[E]>::new_aligned_slice(comptime![tile.rows() * layout.pitch], comptime![ALIGNMENT]);
    let mut right = Shared::<[E]>::new_aligned_slice(comptime![tile.columns() * layout.pitch], comptime![ALIGNMENT]);
    let mut sums = Sequence::<Matrix<f32>>::new();
    #[unroll]
    for _index in 0..comptime![tile.row_fragments * tile.column_fragments] {
        sums.push(Matrix::<f32>::from_value(
            MatrixIdent::Accumulator,
            comptime![SIDE],
            comptime![SIDE],
            comptime![layout.depth],
            MatrixLayout::Undefined,
            0.0f32,
        ));
    }
    let iterations = (block.terms + depth - 1) / depth;
    for iteration in 0..iterations {
        let index_of_term = iteration * depth + UNIT_POS as usize % depth;
        let term = term_of(index_of_term, window, &block);
        load_pixels::<E>(x, &mut left, window, &block, &pixels, &term, index_of_term, kind, tile, layout);
        load_weights::<E>(weight, &mut right, weights, window, &block, &term, index_of_term, kind, tile, layout);
        sync_cube();
        multiply::<E>(&left, &right, &sums, tile, layout);
        // The next terms take the place of these.
        sync_cube();
    }
    write_outputs(&sums, bias, output, window, &block, slope, kind, tile);
}

/// Loads the pixels of `term`, as a column of `[rows, DEPTH]`.
#[allow(clippy::too_many_arguments, reason = "a kernel takes each buffer by itself")]
#[cube]
fn load_pixels<E: Float>(
    x: &[f32],
    left: &mut Shared<[E]>,
    window: &Window,
    block: &Block,
    pixels: &Pixels,
    term: &Term,
    index_of_term: usize,
    #[comptime] kind: KernelKind,
    #[comptime] tile: WarpTile,
    #[comptime] layout: FactorLayout,
) {
    let depth = comptime![DEPTH];
    let load_rows = comptime![LOAD_ROWS];
    let pitch = comptime![layout.pitch];
    #[unroll]
    for load in 0..comptime![tile.rows().div_ceil(LOAD_ROWS)] {
        let row = UNIT_POS as usize / depth + load * load_rows;
        let mut value = 0.0f32;
        if index_of_term < block.terms && block.first_position + row < window.positions {
            value = pixel_of_term(x, window, pixels, load, term, kind);
        }
        left[row * pitch + UNIT_POS as usize % depth] = E::cast_from(value);
    }
}

/// Loads the weights of `term`, as a column of `[columns, DEPTH]`.
#[allow(clippy::too_many_arguments, reason = "a kernel takes each buffer by itself")]
#[cube]
fn load_weights<E: Float>(
    weight: &[f32],
    right: &mut Shared<[E]>,
    weights: &Weights,
    window: &Window,
    block: &Block,
    term: &Term,
    index_of_term: usize,
    #[comptime] kind: KernelKind,
    #[comptime] tile: WarpTile,
    #[comptime] layout: FactorLayout,
) {
    let depth = comptime![DEPTH];
    let load_rows = comptime![LOAD_ROWS];
    let pitch = comptime![layout.pitch];
    #[unroll]
    for load in 0..comptime![tile.columns().div_ceil(LOAD_ROWS)] {
        let column = UNIT_POS as usize / depth + load * load_rows;
        let out = block.first_output + column;
        let mut value = 0.0f32;
        if index_of_term < block.terms && out < window.outputs {
            value = weight_of_term(weight, weights, window, block, out, term, kind);
        }
        right[column * pitch + UNIT_POS as usize % depth] = E::cast_from(value);
    }
}

/// First row of the calling warp in the tile; its other rows follow.
#[cube]
fn first_row(#[comptime] tile: WarpTile) -> usize {
    let column_warps = comptime![tile.column_warps()];
    let rows = comptime![tile.row_fragments * SIDE];
    UNIT_POS as usize / comptime![WARP] / column_warps * rows
}

/// First column of the calling warp in the tile; its other columns follow.
#[cube]
fn first_column(#[comptime] tile: WarpTile) -> usize {
    let column_warps = comptime![tile.column_warps()];
    let columns = comptime![tile.column_fragments * SIDE];
    UNIT_POS as usize / comptime![WARP] % column_warps * columns
}

/// Adds the products of the terms in `left` and `right` to the sums of the calling warp.
#[cube]
fn multiply<E: Float>(
    left: &Shared<[E]>,
    right: &Shared<[E]>,
    sums: &Sequence<Matrix<f32>>,
    #[comptime] tile: WarpTile,
    #[comptime] layout: FactorLayout,
) {
    let side = comptime![SIDE];
    let pitch = comptime![layout.pitch];
    let depth = comptime![layout.depth];
    let column_fragments = comptime![tile.column_fragments];
    let row = first_row(tile);
    let column = first_column(tile);
    #[unroll]
    for step in 0..comptime![DEPTH / layout.depth] {
        let mut of_columns = Sequence::<Matrix<E>>::new();
        #[unroll]
        for index in 0..column_fragments {
            let start = (column + index * side) * pitch + step * depth;
            of_columns.push(Matrix::<E>::from_slice(
                MatrixIdent::B,
                comptime![SIDE],
                comptime![SIDE],
                comptime![layout.depth],
                MatrixLayout::ColMajor,
                &right[start..start + comptime![(SIDE - 1) * layout.pitch + layout.depth]],
                comptime![layout.pitch as u32],
            ));
        }
        #[unroll]
        for row_index in 0..comptime![tile.row_fragments] {
            let start = (row + row_index * side) * pitch + step * depth;
            let of_rows = Matrix::<E>::from_slice(
                MatrixIdent::A,
                comptime![SIDE],
                comptime![SIDE],
                comptime![layout.depth],
                MatrixLayout::RowMajor,
                &left[start..start + comptime![(SIDE - 1) * layout.pitch + layout.depth]],
                comptime![layout.pitch as u32],
            );
            #[unroll]
            for index in 0..column_fragments {
                let sum = sums.index(row_index * column_fragments + index);
                cubecl::cmma::execute(&of_rows, of_columns.index(index), sum, sum);
            }
        }
    }
}

/// Applies the epilogue to the sums, a fragment of each warp at a time, and writes the outputs.
#[allow(clippy::too_many_arguments, reason = "a kernel takes each buffer by itself")]
#[cube]
fn write_outputs(
    sums: &Sequence<Matrix<f32>>,
    bias: &[f32],
    output: &mut [f32],
    window: &Window,
    block: &Block,
    slope: f32,
    #[comptime] kind: KernelKind,
    #[comptime] tile: WarpTile,
) {
    let side = comptime![SIDE];
    let size = comptime![SIDE * SIDE];
    let warp = comptime![WARP];
    let column_fragments = comptime![tile.column_fragments];
    let mut patches = Shared::<[f32]>::new_aligned_slice(comptime![THREADS / WARP * SIDE * SIDE], comptime![ALIGNMENT]);
    let patch = UNIT_POS as usize / warp * size;
    let lane = UNIT_POS as usize % warp;
    #[unroll]
    for fragment in 0..comptime![tile.row_fragments * tile.column_fragments] {
        let sum = sums.index(fragment);
        cubecl::cmma::store(&mut patches[patch..patch + size], sum, comptime![SIDE as u32], MatrixLayout::RowMajor);
        sync_cube();
        let first_position = block.first_position + first_row(tile) + fragment / column_fragments * side;
        let first_output = block.first_output + first_column(tile) + fragment % column_fragments * side;
        #[unroll]
        for part in 0..comptime![SIDE * SIDE / WARP] {
            let place = part * warp + lane;
            let pixel = output_pixel(first_position + place / side, window, block, kind);
            if pixel.exists {
                let out = first_output + place % side;
                write_output(patches[patch + place], bias, output, window, block, &pixel, out, slope, kind);
            }
        }
        // The next fragment takes the place of this one.
        sync_cube();
    }
}
