//! Constants on any device. A captured step on a GPU uploads them once.

use burn::tensor::{Device, Int, Tensor, TensorData};

use super::gpu;

/// `values` in the shape `shape`.
pub(crate) fn constant<const D: usize>(values: &[f32], shape: [usize; D], device: &Device) -> Tensor<D> {
    gpu::constant(values, shape, device)
        .unwrap_or_else(|| Tensor::from_data(TensorData::new(values.to_vec(), shape), device))
}

/// The numbers from zero to below `count` in the type of `like`, `[count]`.
pub(crate) fn count_from_zero(count: usize, like: &Tensor<1, Int>) -> Tensor<1, Int> {
    gpu::count_from_zero(count, like).unwrap_or_else(|| Tensor::arange(0..count as i64, &like.device()))
}
