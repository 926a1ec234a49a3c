//! The operations that take nearly all the time, on whichever device.
//!
//! On the CPU they run on the project's own kernels, recorded for gradients like Burn's; on every other device, and wherever
//! kernels do not apply, they are Burn's, but for long sums on GPUs (`gpu`). Networks name these functions and never ask
//! where they are. Layers of Burn hold the parameters.
//!
//! What the kernels give lies channels last in memory. Burn sees an ordinary `[batch, channels,
//! height, width]` with other strides, so its own operations work on it too.

mod adam;
mod bounded;
mod choice;
mod convolution;
mod extension;
mod frozen;
#[cfg(feature = "gpu")]
mod gpu;
#[cfg(not(feature = "gpu"))]
#[path = "no_gpu.rs"]
mod gpu;
mod join;
mod linear;
mod memory;
mod norm;
mod pool;
mod precision;
mod prepared;
mod resize;
mod squares;

pub use adam::{adam_update, adam_updates};
pub(crate) use bounded::{bounded, changed};
pub use choice::CpuKernels;
pub(crate) use convolution::{convolution, transposed_convolution};
pub(crate) use frozen::Frozen;
pub(crate) use join::{Order, conditioned, joined_batches, with_skip};
pub(crate) use linear::linear;
pub(crate) use norm::norm;
pub(crate) use pool::{max_pool, response_norm};
pub use precision::Precision;
pub(crate) use prepared::{Prepared, arithmetic_for, tensor_of, with_values};
pub(crate) use resize::{Resized, resized};
pub(crate) use squares::{Target, weighted_squares};

use burn::backend::DispatchDevice;
use burn::tensor::activation::{leaky_relu, relu};
use burn::tensor::{DType, Device, Tensor};
use ipcgan_kernels::{Activation, Arithmetic};

/// How the kernels are to compute `x`'s successors; none if Burn is to do it.
fn kernels_for<const D: usize>(x: &Tensor<D>) -> Option<Arithmetic> {
    if reachable(x) { CpuKernels::selected().arithmetic() } else { None }
}

/// How the kernels are to compute products of `x` with weights; none if Burn is to do it: the kernels know float32 only.
fn products_for<const D: usize>(x: &Tensor<D>) -> Option<Arithmetic> {
    if Precision::selected() == Precision::Float32 { kernels_for(x) } else { None }
}

/// Whether `x` is where the kernels can reach it.
fn reachable<const D: usize>(x: &Tensor<D>) -> bool {
    is_the_cpu(&x.device()) && x.dtype() == DType::F32
}

/// Whether `device`, with gradients or without, is the CPU by Burn's `flex`.
pub fn is_the_cpu(device: &Device) -> bool {
    let device = match device.as_dispatch() {
        DispatchDevice::Autodiff(device) => device,
        device => device,
    };
    matches!(device, DispatchDevice::Flex(_))
}

fn activated<const D: usize>(x: Tensor<D>, activation: Activation) -> Tensor<D> {
    match activation {
        Activation::None => x,
        Activation::Relu => relu(x),
        Activation::LeakyRelu(slope) => leaky_relu(x, f64::from(slope)),
    }
}
