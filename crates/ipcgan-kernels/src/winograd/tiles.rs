//! Cuts feature maps into overlapping tiles and transforms the tiles.

use std::marker::PhantomData;

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::transform::{OUTPUTS, Transform, transform};
use crate::lanes::{load, store};
use crate::scratch::Scratch;
use crate::{InstructionSet, Nhwc};

/// Number of tiles of a block: one task transforms them, and they are contiguous in memory.
const BLOCK: usize = 16;

/// Maximum number of blocks in a grid. The micro-kernel of outer products reads the tiles of a grid many times, so they
/// must fit the cache.
const GRID: usize = 8;

/// Numbers of tiles that cover feature maps with 4 x 4 outputs each.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tiles {
    pub(crate) batch: usize,
    pub(crate) rows: usize,
    pub(crate) columns: usize,
}

impl Tiles {
    /// Tiles that cover `shape`.
    pub(crate) fn covering(shape: Nhwc) -> Self {
        let count = |side: usize| side.div_ceil(OUTPUTS);
        Self { batch: shape.batch, rows: count(shape.height), columns: count(shape.width) }
    }

    pub(crate) fn count(self) -> usize {
        self.batch * self.rows * self.columns
    }

    /// Image, row and column of a tile.
    fn coordinates(self, tile: usize) -> [usize; 3] {
        [tile / (self.rows * self.columns), tile / self.columns % self.rows, tile % self.columns]
    }
}

/// Feature maps that are cut into tiles.
#[derive(Clone, Copy)]
pub(crate) struct Source<'a> {
    pub(crate) values: &'a [f32],
    pub(crate) shape: Nhwc,
    /// First channel of the group.
    pub(crate) channel: usize,
    /// Number of channels of the group.
    pub(crate) channels: usize,
    /// Rows of zeros above and columns of zeros left of the maps.
    pub(crate) pad_before: usize,
}

/// Transformed tiles, `[block][position in a tile][tile of the block][channels]`.
pub(crate) struct TransformedTiles {
    pub(crate) values: Scratch,
    tiles: usize,
    channels: usize,
    positions: usize,
}

impl TransformedTiles {
    /// Cuts `tiles` of `Q x Q` pixels from `source` and transforms them to `P x P` positions by the `P x Q` matrix `T`.
    pub(crate) fn new<T: Transform<P, Q>, const P: usize, const Q: usize>(
        instructions: InstructionSet,
        source: Source<'_>,
        tiles: Tiles,
    ) -> Self {
        let (count, channels) = (tiles.count(), source.channels);
        let mut values = Scratch::new(count * P * P * channels);
        values.par_chunks_mut(BLOCK * P * P * channels).enumerate().for_each(|(block, values)| {
            let transform = PhantomData::<T>;
            instructions.run(Block::<T, P, Q> { source, tiles, first: block * BLOCK, values, transform });
        });
        Self { values, tiles: count, channels, positions: P * P }
    }

    pub(crate) fn count(&self) -> usize {
        self.tiles
    }

    /// Index in `values` of the first channel of each tile, at `position` in the tiles.
    pub(crate) fn starts(&self, position: usize) -> Vec<usize> {
        let start = |tile: usize| {
            let (block, tile) = (tile / BLOCK, tile % BLOCK);
            let count = BLOCK.min(self.tiles - block * BLOCK);
            (block * BLOCK * self.positions + position * count + tile) * self.channels
        };
        (0..self.tiles).map(start).collect()
    }

    /// The tiles at `position`, as grids of a few blocks of equal size.
    pub(crate) fn grids(&self, position: usize) -> impl Iterator<Item = Grid> {
        let whole = self.tiles / BLOCK;
        let stride = BLOCK * self.positions * self.channels;
        let grid = move |block: usize| {
            let start = block * stride + position * BLOCK * self.channels;
            Grid { start, strides: [stride, self.channels], sides: [GRID.min(whole - block), BLOCK] }
        };
        let count = self.tiles % BLOCK;
        let start = whole * stride + position * count * self.channels;
        let rest = Grid { start, strides: [stride, self.channels], sides: [1, count] };
        (0..whole).step_by(GRID).map(grid).chain((count > 0).then_some(rest))
    }
}

/// A grid of transformed tiles: index of the first, distances to the next row and the next column, and numbers of rows
/// and columns.
pub(crate) struct Grid {
    pub(crate) start: usize,
    pub(crate) strides: [usize; 2],
    pub(crate) sides: [usize; 2],
}

/// Cuts the tiles of one block and transforms them.
struct Block<'a, T, const P: usize, const Q: usize> {
    source: Source<'a>,
    tiles: Tiles,
    /// First tile.
    first: usize,
    values: &'a mut [f32],
    transform: PhantomData<T>,
}

impl<T: Transform<P, Q>, const P: usize, const Q: usize> WithSimd for Block<'_, T, P, Q> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Source { values, channel, channels, .. } = self.source;
        let count = self.values.len() / (P * P * channels);
        for tile in 0..count {
            let offsets = self.source.pixel_offsets::<Q>(self.tiles.coordinates(self.first + tile));
            for first in (0..channels).step_by(S::F32_LANES) {
                let last = channels.min(first + S::F32_LANES);
                let mut inputs = [[simd.splat_f32s(0.0); Q]; Q];
                for (inputs, offset) in inputs.as_flattened_mut().iter_mut().zip(offsets.as_flattened()) {
                    if let &Some(offset) = offset {
                        *inputs = load(simd, &values[offset + channel + first..offset + channel + last]);
                    }
                }
                let transformed = transform::<S, T, P, Q>(simd, &inputs);
                for (position, &vector) in transformed.as_flattened().iter().enumerate() {
                    let start = (position * count + tile) * channels;
                    store(simd, &mut self.values[start + first..start + last], vector);
                }
            }
        }
    }
}

impl Source<'_> {
    /// Where the channels of each pixel of a tile begin in `values`; `None` for pixels outside the feature maps.
    fn pixel_offsets<const Q: usize>(&self, [image, row, column]: [usize; 3]) -> [[Option<usize>; Q]; Q] {
        let inside = |index: usize, offset: usize, limit: usize| {
            (index * OUTPUTS + offset).checked_sub(self.pad_before).filter(|&position| position < limit)
        };
        std::array::from_fn(|y| {
            std::array::from_fn(|x| {
                let y = inside(row, y, self.shape.height)?;
                let x = inside(column, x, self.shape.width)?;
                Some(((image * self.shape.height + y) * self.shape.width + x) * self.shape.channels)
            })
        })
    }
}
