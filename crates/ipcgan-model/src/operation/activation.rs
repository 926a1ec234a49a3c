//! Activations by Burn.

use burn::tensor::Tensor;
use burn::tensor::activation::{leaky_relu, relu};
use ipcgan_kernels::Activation;

pub(super) fn activate<const D: usize>(x: Tensor<D>, activation: Activation) -> Tensor<D> {
    match activation {
        Activation::None => x,
        Activation::Relu => relu(x),
        Activation::LeakyRelu(slope) => leaky_relu(x, f64::from(slope)),
    }
}
