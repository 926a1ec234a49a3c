//! Tiles of an implicit GEMM: what a workgroup computes, and how it is distributed over its threads.
//!
//! A workgroup loads a few terms of both factors into shared memory at a time, and each thread adds their products to a
//! few sums in registers.

use cubecl::prelude::*;
use cubecl::std::FastDivmod;

/// Threads of a workgroup, which every GPU permits.
pub(super) const THREADS: usize = 256;

/// How a workgroup's tile of the product is distributed over its threads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Tile {
    /// Threads along the rows.
    pub(super) row_threads: usize,
    /// Rows of a thread.
    pub(super) thread_rows: usize,
    /// Columns of a thread.
    pub(super) thread_columns: usize,
    /// Terms that are loaded at a time.
    pub(super) depth: usize,
}

impl Tile {
    pub(super) fn rows(&self) -> usize {
        self.row_threads * self.thread_rows
    }

    pub(super) fn columns(&self) -> usize {
        self.column_threads() * self.thread_columns
    }

    /// Threads along the columns.
    pub(super) fn column_threads(&self) -> usize {
        THREADS / self.row_threads
    }
}

/// First row of the calling thread in the tile; its other rows follow.
#[cube]
pub(super) fn first_row(#[comptime] tile: Tile) -> usize {
    let thread_rows = comptime![tile.thread_rows];
    let column_threads = comptime![tile.column_threads()];
    UNIT_POS as usize / column_threads * thread_rows
}

/// First column of the calling thread in the tile; its other columns are `Tile::column_threads` apart.
#[cube]
pub(super) fn first_column(#[comptime] tile: Tile) -> usize {
    let column_threads = comptime![tile.column_threads()];
    UNIT_POS as usize % column_threads
}

/// Adds the products of the terms in `left`, `[depth, rows]`, and `right`, `[depth, columns]`, to the `sums` of the
/// calling thread, `[thread_rows, thread_columns]`.
#[cube]
pub(super) fn accumulate(left: &Shared<[f32]>, right: &Shared<[f32]>, sums: &mut Array<f32>, #[comptime] tile: Tile) {
    let thread_rows = comptime![tile.thread_rows];
    let thread_columns = comptime![tile.thread_columns];
    let depth = comptime![tile.depth];
    let column_threads = comptime![tile.column_threads()];
    let rows = comptime![tile.rows()];
    let columns = comptime![tile.columns()];
    let row = first_row(tile);
    let column = first_column(tile);
    for offset in 0..depth {
        let mut of_rows = Array::<f32>::new(thread_rows);
        #[unroll]
        for index in 0..thread_rows {
            of_rows[index] = left[offset * rows + row + index];
        }
        #[unroll]
        for index in 0..thread_columns {
            let factor = right[offset * columns + column + index * column_threads];
            #[unroll]
            for thread_row in 0..thread_rows {
                sums[thread_row * thread_columns + index] += of_rows[thread_row] * factor;
            }
        }
    }
}

/// Numbers of positions of a map and of a row, as divisors.
#[derive(CubeLaunch, CubeType)]
pub(super) struct MapDivisors {
    map: FastDivmod<u32>,
    row: FastDivmod<u32>,
}

/// The divisors of maps of `rows` and `columns`, as an argument of a launch.
pub(super) fn map_divisors(rows: usize, columns: usize) -> MapDivisorsLaunch {
    MapDivisorsLaunch::new((rows * columns) as u32, columns as u32)
}

/// Coordinates of a position in maps.
#[derive(CubeType)]
pub(super) struct Coordinates {
    pub(super) image: usize,
    pub(super) row: usize,
    pub(super) column: usize,
}

/// The coordinates of the position with this index.
#[cube]
pub(super) fn coordinates_of(position: usize, divisors: &MapDivisors) -> Coordinates {
    let (image, in_map) = divisors.map.div_mod(position as u32);
    let (row, column) = divisors.row.div_mod(in_map);
    Coordinates { image: image as usize, row: row as usize, column: column as usize }
}
