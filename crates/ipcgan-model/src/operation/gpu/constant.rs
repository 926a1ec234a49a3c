//! Constants on GPUs, which a captured step uploads once.

use burn::backend::Cube;
use burn::tensor::{DType, Device, Int, Tensor};
use cubecl::prelude::*;

use super::capture::Purpose;
use super::cube_device;
use super::kernel::{uploaded, uploaded_as};

/// `values` in the shape `shape`; `None` if `device` is not a GPU of Burn's runtime.
pub(in crate::operation) fn constant<const D: usize>(
    values: &[f32],
    shape: [usize; D],
    device: &Device,
) -> Option<Tensor<D>> {
    let gpu = cube_device(device)?;
    let tensor = uploaded(&gpu.client(), gpu, values, Purpose::Constant);
    let tensor = Tensor::<1>::from_primitive::<Cube>(tensor).reshape(shape);
    Some(if device.is_autodiff() { tensor.autodiff() } else { tensor })
}

/// The numbers from zero to below `count` in the type of `like`, `[count]`; `None` if it is not on a GPU of Burn's
/// runtime, or its type is not `i32`.
pub(in crate::operation) fn count_from_zero(count: usize, like: &Tensor<1, Int>) -> Option<Tensor<1, Int>> {
    let device = like.device();
    let gpu = cube_device(&device)?;
    if like.dtype() != DType::I32 {
        return None;
    }
    let values: Vec<i32> = (0..count as i32).collect();
    let tensor = uploaded_as(&gpu.client(), gpu, i32::as_bytes(&values), DType::I32, Purpose::Constant);
    let tensor = Tensor::from_primitive::<Cube>(tensor);
    Some(if device.is_autodiff() { tensor.autodiff() } else { tensor })
}
