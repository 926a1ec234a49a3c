//! Distribution of the values of feature maps over workgroups.
//!
//! Maps are `[parts, pixels, channels]`: a part is a ghost batch, its pixels are those of all its images. A workgroup
//! loops over a block of the pixels of a part: its threads process different channels and, if there are few channels,
//! also different pixels.

#![expect(clippy::manual_div_ceil, reason = "CubeCL translates the operators of a kernel")]

use cubecl::client::Client;
use cubecl::prelude::*;

use crate::operation::gpu::kernel::summing_threads;

/// Maximum number of blocks of a part, unless loops would become too long.
const MAX_BLOCKS: usize = 256;
/// Minimum number of pixels that a thread sums, if there are so many.
const MIN_ITERATIONS: usize = 8;
/// Maximum number of pixels that a thread sums: Mesa's software drivers end loops after 65,535 iterations.
const MAX_ITERATIONS: usize = 4096;
/// Maximum number of threads that combine the blocks of a channel.
const MAX_JOINING: usize = 64;

/// Distribution of pixels and channels over workgroups.
#[derive(Clone, Copy, Debug)]
pub(super) struct Blocks {
    /// Number of ghost batches.
    pub(super) parts: usize,
    /// Number of pixels of a part.
    pub(super) pixels: usize,
    pub(super) channels: usize,
    /// Number of pixels of a block.
    pub(super) block_pixels: usize,
    /// Number of blocks of a part.
    pub(super) blocks: usize,
    pub(super) threads: usize,
}

impl Blocks {
    pub(super) fn new(client: &Client, parts: usize, pixels: usize, channels: usize) -> Self {
        let threads = summing_threads(client);
        let rows = (threads / channels).max(1);
        let wanted = pixels.div_ceil(rows * MIN_ITERATIONS).clamp(1, MAX_BLOCKS);
        let blocks = wanted.max(pixels.div_ceil(rows * MAX_ITERATIONS));
        let block_pixels = pixels.div_ceil(blocks);
        Self { parts, pixels, channels, block_pixels, blocks: pixels.div_ceil(block_pixels), threads }
    }

    pub(super) fn count(&self) -> CubeCount {
        let tiles = self.channels.div_ceil(self.threads);
        CubeCount::new_3d(self.blocks as u32, self.parts as u32, tiles as u32)
    }

    pub(super) fn shape(&self) -> BlockShapeLaunch {
        BlockShapeLaunch::new(self.parts, self.pixels, self.channels, self.block_pixels, self.blocks)
    }

    /// One workgroup for each channel, which combines the blocks of the channel.
    pub(super) fn joining(&self) -> (CubeCount, usize) {
        (CubeCount::new_1d(self.channels as u32), self.threads.min(MAX_JOINING))
    }

    /// Number of channels that a thread computes at once.
    pub(super) fn vector_size(&self, client: &Client) -> usize {
        let offered = client.io_optimized_vector_sizes(size_of::<f32>());
        offered.filter(|size| self.channels.is_multiple_of(*size)).max().unwrap_or(1)
    }

    pub(super) fn values(&self) -> usize {
        self.parts * self.pixels * self.channels
    }
}

#[derive(CubeLaunch, CubeType)]
pub(super) struct BlockShape {
    pub(super) parts: usize,
    pub(super) pixels: usize,
    pub(super) channels: usize,
    pub(super) block_pixels: usize,
    pub(super) blocks: usize,
}

/// The values of one channel that a thread walks over, in its block.
#[derive(CubeType)]
pub(super) struct Walk {
    pub(super) part: usize,
    pub(super) channel: usize,
    /// Channels of the workgroup.
    pub(super) width: usize,
    /// The thread's channel in the workgroup.
    pub(super) column: usize,
    /// Threads of a channel, and which of them this is.
    pub(super) rows: usize,
    pub(super) row: usize,
    /// The first value, the distance to the next one, and the number of values; none for surplus threads.
    pub(super) first: usize,
    pub(super) step: usize,
    pub(super) count: usize,
    /// Where the result of the block is stored.
    pub(super) block: usize,
}

/// The values of the calling thread.
#[cube]
pub(super) fn thread_walk(shape: &BlockShape, #[comptime] threads: usize) -> Walk {
    let channels = shape.channels;
    let width = min_of(channels, threads.runtime());
    let rows = threads / width;
    let unit = UNIT_POS as usize;
    let column = unit % width;
    let row = unit / width;
    let channel = CUBE_POS_Z as usize * threads + column;
    let part = CUBE_POS_Y as usize;
    let block = CUBE_POS_X as usize;
    let start = block * shape.block_pixels + row;
    let end = min_of((block + 1) * shape.block_pixels, shape.pixels);
    let mut count = 0usize;
    if row < rows && channel < channels && start < end {
        count = (end - start + rows - 1) / rows;
    }
    Walk {
        part,
        channel,
        width,
        column,
        rows,
        row,
        first: (part * shape.pixels + start) * channels + channel,
        step: rows * channels,
        count,
        block: (part * shape.blocks + block) * channels + channel,
    }
}

#[cube]
pub(super) fn min_of(a: usize, b: usize) -> usize {
    let mut smaller = a;
    if b < a {
        smaller = b;
    }
    smaller
}
