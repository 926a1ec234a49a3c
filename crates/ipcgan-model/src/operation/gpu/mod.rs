//! GPU kernels where Burn's operations leave most of the GPU idle.
//!
//! In Burn (0.22.1, without autotune) one thread sums all positions of all maps for one value: the gradient of a weight or
//! a bias, or the mean of a batch norm. That leaves most of a GPU idle, and is wrong on Mesa's software drivers, which end
//! loops after 65,535 iterations. Here such reductions are split into parts, each with its own threads.
//!
//! Optimizers update dozens of small tensors, where the launches dominate, so many updates share a launch.

mod adam;
pub(super) mod capture;
mod constant;
mod copy;
mod ema;
pub(super) mod implicit_gemm;
pub(super) mod kernel;
mod multi_tensor;
mod observed;
mod scale;
mod square_sum;
pub(super) mod tensor_list;
mod tile;
pub(super) mod weight_gradient;

pub use capture::StepGraph;
pub(super) use constant::{constant, count_from_zero};
pub use copy::TensorCopies;
pub(crate) use copy::in_memory_of;
pub(super) use multi_tensor::{adam_update, ema_tensor_update, update_together};
pub(super) use observed::{observed_launches, without_executing};
pub(super) use scale::ScaleTerms;
pub(super) use square_sum::SquareTerms;

use burn::backend::ops::FloatTensorOps;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Cube, DispatchDevice, TensorMetadata};
use burn::tensor::{DType, Device, FloatDType, Shape, Tensor};
use burn_cubecl::CubeDevice;
use burn_cubecl::tensor::CubeTensor;
use cubecl::ir::{ElemType, FloatKind};

use super::engine::without_autodiff;

/// Whether `x` is on a GPU of Burn's runtime, in float32 and not recorded for gradients.
pub(super) fn updates<const D: usize>(x: &Tensor<D>) -> bool {
    on_a_gpu(x) && x.dtype() == DType::F32 && !x.device().is_autodiff()
}

/// Whether `x` is on a GPU of Burn's runtime.
fn on_a_gpu<const D: usize>(x: &Tensor<D>) -> bool {
    cube_device(&x.device()).is_some()
}

/// The GPU that `device` is, with gradients or without; `None` if it is not one of Burn's runtime.
pub(super) fn cube_device(device: &Device) -> Option<&CubeDevice> {
    match without_autodiff(device) {
        DispatchDevice::Cube(device) => Some(device),
        _ => None,
    }
}

/// Whether `device` has matrix units that multiply in TF32 and add in float32.
pub(super) fn multiplies_in_tf32(device: &Device) -> bool {
    let tf32 = ElemType::Float(FloatKind::TF32);
    let float32 = ElemType::Float(FloatKind::F32);
    let Some(device) = cube_device(device) else { return false };
    let client = device.client();
    let configs = &client.features().matmul.cmma;
    configs.iter().any(|config| config.a_type == tf32 && config.b_type == tf32 && config.cd_type == float32)
}

pub(super) fn dims<B: Backend, const D: usize>(x: &FloatTensor<B>) -> [usize; D] {
    x.shape().dims()
}

pub(super) fn reshaped<B: Backend, const D: usize>(x: FloatTensor<B>, shape: [usize; D]) -> FloatTensor<B> {
    B::float_reshape(x, Shape::new(shape))
}

/// `[batch, channels, height, width]` as `[batch * height * width, channels]`, as convolutions leave it in memory.
pub(super) fn channels_last<B: Backend>(x: FloatTensor<B>) -> FloatTensor<B> {
    let [batch, channels, height, width] = dims::<B, 4>(&x);
    reshaped::<B, 2>(B::float_permute(x, &[0, 2, 3, 1]), [batch * height * width, channels])
}

/// `tensors`, of one shape: maps as `[batch, height, width, channels]`, as convolutions leave them in memory; and what
/// undoes it.
pub(super) fn channels_last_order<const N: usize>(
    tensors: [CubeTensor; N],
) -> ([CubeTensor; N], impl FnOnce(CubeTensor) -> CubeTensor) {
    let are_maps = tensors[0].meta.num_dims() == 4;
    let permuted = move |tensor: CubeTensor, axes: [usize; 4]| match are_maps {
        true => Cube::float_permute(tensor, &axes),
        false => tensor,
    };
    (tensors.map(|tensor| permuted(tensor, [0, 2, 3, 1])), move |tensor| permuted(tensor, [0, 3, 1, 2]))
}

/// For long sums.
pub(super) fn in_float32<B: Backend>(x: FloatTensor<B>) -> FloatTensor<B> {
    match x.dtype() {
        DType::F32 => x,
        _ => B::float_cast(x, FloatDType::F32),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use burn::tensor::Device;

    /// The GPU that `IPCGAN_TEST_DEVICE` names; `None` if it names no GPU.
    pub(in crate::operation) fn test_gpu() -> Option<Device> {
        match std::env::var("IPCGAN_TEST_DEVICE").as_deref() {
            Err(_) => None,
            #[cfg(feature = "wgpu")]
            Ok("wgpu:software") => Some(Device::wgpu(burn::tensor::DeviceKind::Cpu)),
            Ok(_) => Some(Device::default()),
        }
    }
}
