//! Selection of the implementation of an operation.

use burn::backend::DispatchDevice;
use burn::tensor::{DType, Device, Tensor};
use ipcgan_kernels::ConvAlgorithm;

use super::{CpuKernels, Precision};

/// Implementation of an operation. Those that an operation does not have are Burn's.
#[derive(Clone, Copy, Debug)]
pub(super) enum Engine {
    /// The project's CPU kernels.
    Cpu(ConvAlgorithm),
    /// The project's GPU kernels.
    #[cfg_attr(not(feature = "gpu"), expect(dead_code, reason = "builds without GPU support never select it"))]
    Gpu,
    /// Burn's operations.
    Burn,
}

/// The implementation for `x` and its successors.
pub(super) fn engine<const D: usize>(x: &Tensor<D>) -> Engine {
    match device(&x.device()) {
        DispatchDevice::Flex(_) if x.dtype() == DType::F32 => {
            CpuKernels::selected().algorithm().map_or(Engine::Burn, Engine::Cpu)
        }
        #[cfg(feature = "gpu")]
        DispatchDevice::Cube(_) => Engine::Gpu,
        _ => Engine::Burn,
    }
}

/// The implementation for products of `x` with weights: the CPU kernels support float32 only.
pub(super) fn product_engine<const D: usize>(x: &Tensor<D>, precision: Precision) -> Engine {
    match engine(x) {
        Engine::Cpu(_) if precision.reduced_dtype().is_some() => Engine::Burn,
        engine => engine,
    }
}

/// Whether `device`, with gradients or without, is the CPU by Burn's `flex`.
pub fn is_cpu(device: &Device) -> bool {
    matches!(self::device(device), DispatchDevice::Flex(_))
}

/// The device without autodiff.
fn device(device: &Device) -> &DispatchDevice {
    match device.as_dispatch() {
        DispatchDevice::Autodiff(device) => device,
        device => device,
    }
}
