//! What the kernels for GPUs have in common: how tensors are passed, and sums over the threads of a workgroup.

use burn::tensor::{DType, Shape};
use burn_cubecl::CubeDevice;
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::tensor::CubeTensor;
use cubecl::client::Client;
use cubecl::prelude::*;
use cubecl::{calculate_cube_count_elemwise, tensor_vector_size_parallel};

use super::capture::{Purpose, upload};

/// Threads of a workgroup that sums up, at most; a power of two.
const MAX_THREADS: u32 = 256;
const FLOAT: usize = size_of::<f32>();

/// Uninitialized float32 values, contiguous.
pub(in crate::operation) fn empty(client: &Client, device: &CubeDevice, shape: &[usize]) -> CubeTensor {
    let shape = Shape::from(shape.to_vec());
    let handle = client.empty(shape.num_elements() * FLOAT);
    CubeTensor::new_contiguous(client.clone(), device.clone(), shape, handle, DType::F32)
}

/// Uninitialized values in the shape and type of `tensor`, contiguous.
pub(in crate::operation) fn empty_like(tensor: &CubeTensor) -> CubeTensor {
    let handle = tensor.client.empty(tensor.meta.num_elements() * tensor.dtype.size());
    let shape = tensor.meta.shape().clone();
    CubeTensor::new_contiguous(tensor.client.clone(), tensor.device.clone(), shape, handle, tensor.dtype)
}

/// The vector of `bytes`, values of `dtype`, on the device.
pub(super) fn uploaded_as(
    client: &Client,
    device: &CubeDevice,
    bytes: &[u8],
    dtype: DType,
    purpose: Purpose,
) -> CubeTensor {
    let shape = Shape::new([bytes.len() / dtype.size()]);
    CubeTensor::new_contiguous(client.clone(), device.clone(), shape, upload(client, bytes, purpose), dtype)
}

/// `values` on the device.
pub(in crate::operation) fn uploaded(
    client: &Client,
    device: &CubeDevice,
    values: &[f32],
    purpose: Purpose,
) -> CubeTensor {
    uploaded_as(client, device, f32::as_bytes(values), DType::F32, purpose)
}

/// `indices` on the device.
pub(in crate::operation) fn uploaded_indices(client: &Client, device: &CubeDevice, indices: &[usize]) -> CubeTensor {
    let indices: Vec<u32> = indices.iter().map(|&index| index as u32).collect();
    uploaded_as(client, device, u32::as_bytes(&indices), DType::U32, Purpose::Constant)
}

/// `tensor`, to be written to: a copy if another tensor shares its memory.
pub(in crate::operation) fn owned(tensor: CubeTensor) -> CubeTensor {
    if tensor.can_mut() && tensor.is_nonoverlapping() { tensor } else { tensor.copy() }
}

/// `tensor`, to be updated in place in a captured step, even if other tensors share its memory.
///
/// # Panics
/// If it is not contiguous.
pub(super) fn fixed(tensor: CubeTensor) -> CubeTensor {
    assert!(tensor.is_contiguous(), "a captured step updates contiguous tensors only");
    tensor
}

/// `tensor` with its values in order, without gaps.
pub(in crate::operation) fn contiguous(tensor: CubeTensor) -> CubeTensor {
    into_contiguous(tensor)
}

/// Number of values that a thread reads at once from each of `tensors`, which have one shape.
pub(in crate::operation) fn vector_size(tensors: &[&CubeTensor]) -> usize {
    let sizes = tensors.iter().map(|tensor| {
        let last = tensor.meta.num_dims().saturating_sub(1);
        let offered = tensor.client.io_optimized_vector_sizes(FLOAT);
        tensor_vector_size_parallel(offered, tensor.meta.shape(), tensor.meta.strides(), last)
    });
    sizes.min().unwrap_or(1)
}

/// A thread for each of `units`.
pub(in crate::operation) fn elementwise(client: &Client, units: usize) -> (CubeCount, CubeDim) {
    let dim = CubeDim::new(client, units);
    (calculate_cube_count_elemwise(client, units, dim), dim)
}

/// Threads of a workgroup that sums up, a power of two.
pub(in crate::operation) fn summing_threads(client: &Client) -> usize {
    let max = client.properties().hardware.max_units_per_cube.clamp(1, MAX_THREADS);
    1 << max.ilog2()
}

/// The largest of the `threads` values of a workgroup, a power of two; it is the first.
#[cube]
pub(in crate::operation) fn max_of_threads(values: &mut Shared<[f32]>, #[comptime] threads: usize) {
    let unit = UNIT_POS as usize;
    sync_cube();
    let mut active = threads.runtime();
    while active > 1 {
        active /= 2;
        if unit < active {
            let other = values[unit + active];
            values[unit] = max(values[unit], other);
        }
        sync_cube();
    }
}

/// The sum of all of `partial`, `[1]`, by one workgroup.
pub(in crate::operation) fn total(partial: CubeTensor) -> CubeTensor {
    let (client, threads) = (partial.client.clone(), summing_threads(&partial.client));
    let sum = empty(&client, &partial.device, &[1]);
    let count = partial.meta.num_elements();
    total_kernel::launch(
        &client,
        CubeCount::new_single(),
        CubeDim::new_1d(threads as u32),
        partial.into_buffer_arg(),
        sum.clone().into_buffer_arg(),
        count,
        threads,
    );
    sum
}

#[cube(launch)]
fn total_kernel(partial: &[f32], total: &mut [f32], count: usize, #[comptime] threads: usize) {
    let sum = workgroup_sum(thread_sum(partial, 0, 1, count, threads), threads);
    if UNIT_POS == 0 {
        total[0] = sum;
    }
}

/// The sum of the values that the calling thread takes out of `values[first + i * step]`, `i < count`; the `threads`
/// threads of one workgroup together take each value once.
#[cube]
pub(in crate::operation) fn thread_sum(
    values: &[f32],
    first: usize,
    step: usize,
    count: usize,
    #[comptime] threads: usize,
) -> f32 {
    let mut sum = 0.0f32;
    for iteration in 0..count.div_ceil(threads) {
        let place = iteration * threads + UNIT_POS as usize;
        if place < count {
            sum += values[first + place * step];
        }
    }
    sum
}

/// The sum of `value` over the `threads` threads of a workgroup, a power of two.
#[cube]
pub(in crate::operation) fn workgroup_sum(value: f32, #[comptime] threads: usize) -> f32 {
    let mut shared = Shared::<[f32]>::new_slice(threads);
    shared[UNIT_POS as usize] = value;
    sum_of_threads(&mut shared, threads);
    let sum = shared[0];
    // All threads must have read the sum before shared memory is reused.
    sync_cube();
    sum
}

/// Adds up the `threads` values of a workgroup, a power of two; the sum is the first.
#[cube]
pub(in crate::operation) fn sum_of_threads(values: &mut Shared<[f32]>, #[comptime] threads: usize) {
    let unit = UNIT_POS as usize;
    sync_cube();
    let mut active = threads.runtime();
    while active > 1 {
        active /= 2;
        if unit < active {
            let other = values[unit + active];
            values[unit] += other;
        }
        sync_cube();
    }
}
