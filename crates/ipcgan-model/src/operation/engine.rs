//! Selection of the implementation of an operation.

use burn::backend::DispatchDevice;
use burn::tensor::{DType, Device, Tensor};

use super::Precision;

/// Implementation of an operation. Operations without a kernel for the CPU or for GPUs are Burn's there.
#[derive(Clone, Copy, Debug)]
pub(super) enum Engine {
    /// The project's CPU kernels.
    Cpu,
    /// The project's GPU kernels.
    #[cfg_attr(not(feature = "gpu"), expect(dead_code, reason = "builds without GPU support never select it"))]
    Gpu,
    /// Burn's operations.
    Burn,
}

/// The implementation of an operation on `tensors` of one device whose kernels support float32 only: Burn's for other
/// types.
pub(super) fn f32_engine<const D: usize, const N: usize>(tensors: [&Tensor<D>; N]) -> Engine {
    match tensors.iter().all(|tensor| tensor.dtype() == DType::F32) {
        true => device_engine(&tensors[0].device()),
        false => Engine::Burn,
    }
}

/// The implementation of products of `x` with weights in `precision`: on the CPU the kernels support float32 only.
pub(super) fn product_engine<const D: usize>(x: &Tensor<D>, precision: Precision) -> Engine {
    match device_engine(&x.device()) {
        Engine::Cpu if x.dtype() != DType::F32 || precision.reduced_dtype().is_some() => Engine::Burn,
        engine => engine,
    }
}

/// Whether the CPU kernels compute products with `weight` in `precision`, so that it can be packed once; not while
/// autodiff records.
pub(crate) fn is_packable<const D: usize>(weight: &Tensor<D>, precision: Precision) -> bool {
    matches!(product_engine(weight, precision), Engine::Cpu) && !weight.device().is_autodiff()
}

/// The device alone decides: Burn's CPU backend `flex` has our kernels, its older one (`ndarray`) Burn's.
fn device_engine(device: &Device) -> Engine {
    match without_autodiff(device) {
        DispatchDevice::Flex(_) => Engine::Cpu,
        #[cfg(feature = "gpu")]
        DispatchDevice::Cube(_) => Engine::Gpu,
        _ => Engine::Burn,
    }
}

/// Whether `device`, with gradients or without, is Burn's CPU backend `flex`, which the CPU kernels belong to.
pub fn is_flex(device: &Device) -> bool {
    matches!(without_autodiff(device), DispatchDevice::Flex(_))
}

/// `device` without gradients.
pub(super) fn without_autodiff(device: &Device) -> &DispatchDevice {
    match device.as_dispatch() {
        DispatchDevice::Autodiff(device) => device,
        device => device,
    }
}
