//! Kernels over many tensors: optimizers update dozens of small tensors, where a launch takes longer than its work.
//!
//! The workgroups of a row of the grid process one tensor.

#![expect(clippy::manual_div_ceil, reason = "CubeCL translates the operators of a kernel")]

use burn_cubecl::tensor::CubeTensor;
use cubecl::client::Client;
use cubecl::prelude::*;

use super::kernel::{contiguous, owned, summing_threads};

/// Maximum number of buffers of a launch, where the driver permits more: a kernel has code for each tensor.
const MAX_BUFFERS: usize = 64;
/// Buffers of a launch that are not of a tensor: factors or results, and CubeCL's own of lengths.
const OTHER_BUFFERS: usize = 2;
/// Maximum number of workgroups of a tensor.
const MAX_GROUPS: usize = 128;
/// Minimum number of values that a thread processes, if there are so many.
const MIN_ITERATIONS: usize = 4;

/// Number of tensors that a launch can take with `buffers` buffers each.
pub(super) fn tensors_per_launch(client: &Client, buffers: usize) -> usize {
    let permitted = client.properties().hardware.max_bindings as usize;
    (permitted.min(MAX_BUFFERS).saturating_sub(OTHER_BUFFERS) / buffers).max(1)
}

/// Calls `launch` for as many of `items` at a time as a launch can take, with its grid; an item has `buffers` buffers of
/// `length` values each.
pub(super) fn for_each_launch<T>(
    client: &Client,
    items: &[T],
    buffers: usize,
    length: impl Fn(&T) -> usize,
    mut launch: impl FnMut(Grid, &[T]),
) {
    for items in items.chunks(tensors_per_launch(client, buffers)) {
        launch(Grid::over(client, items.iter().map(&length)), items);
    }
}

/// The workgroups of a launch over several tensors.
#[derive(Clone, Copy, Debug)]
pub(in crate::operation) struct Grid {
    /// Workgroups of each tensor.
    pub(in crate::operation) groups: usize,
    tensors: usize,
    pub(in crate::operation) threads: usize,
}

impl Grid {
    /// Over tensors with these numbers of values.
    pub(in crate::operation) fn over(client: &Client, lengths: impl ExactSizeIterator<Item = usize>) -> Self {
        let (threads, tensors) = (summing_threads(client), lengths.len());
        let groups = lengths.max().unwrap_or(0).div_ceil(threads * MIN_ITERATIONS).clamp(1, MAX_GROUPS);
        Self { groups, tensors, threads }
    }

    pub(in crate::operation) fn count(&self) -> CubeCount {
        CubeCount::new_2d(self.groups as u32, self.tensors as u32)
    }

    pub(in crate::operation) fn dim(&self) -> CubeDim {
        CubeDim::new_1d(self.threads as u32)
    }
}

/// `tensor`, contiguous, to be written to.
pub(super) fn owned_buffer(tensor: CubeTensor) -> CubeTensor {
    owned(contiguous(tensor))
}

/// The values of a tensor.
#[derive(CubeLaunch, CubeType)]
pub(super) struct Values {
    pub(super) values: Box<[f32]>,
    pub(super) length: usize,
}

/// `tensor`, contiguous, as an argument of a launch.
pub(super) fn values(tensor: &CubeTensor) -> ValuesLaunch {
    ValuesLaunch::new(tensor.clone().into_buffer_arg(), tensor.meta.num_elements())
}

/// The values of its tensor that the calling thread processes.
#[derive(CubeType)]
pub(in crate::operation) struct Stride {
    pub(in crate::operation) first: usize,
    pub(in crate::operation) step: usize,
    /// An upper bound: the last place can be beyond the end.
    pub(in crate::operation) iterations: usize,
}

/// The places of the calling thread in a tensor of `length` values.
#[cube]
pub(in crate::operation) fn thread_stride(length: usize, #[comptime] threads: usize) -> Stride {
    let step = CUBE_COUNT_X as usize * threads;
    Stride { first: CUBE_POS_X as usize * threads + UNIT_POS as usize, step, iterations: (length + step - 1) / step }
}
