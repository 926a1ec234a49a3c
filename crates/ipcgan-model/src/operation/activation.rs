//! Activations.

#[cfg(feature = "gpu")]
pub(super) mod gpu;

use burn::tensor::Tensor;
use burn::tensor::activation::{leaky_relu, relu};
use ipcgan_kernels::Activation;

pub(super) fn activate<const D: usize>(x: Tensor<D>, activation: Activation) -> Tensor<D> {
    #[cfg(feature = "gpu")]
    if gpu::applies(&x, activation) {
        return gpu::activation(x, activation);
    }
    match activation {
        Activation::None => x,
        Activation::Relu => relu(x),
        Activation::LeakyRelu(slope) => leaky_relu(x, f64::from(slope)),
    }
}
