//! Convolutions.

mod cpu;
#[cfg(feature = "gpu")]
mod gpu;
mod spec;

pub(super) use spec::{CONV_ALGORITHM, UPSAMPLE_PARAMS, conv_params};

use burn::nn::conv::{Conv2d, ConvTranspose2d};
use burn::tensor::Tensor;
use ipcgan_kernels::Activation;

use super::Precision;
use super::activation::activate;
use super::engine::{Engine, product_engine};

/// `layer`, then an activation.
///
/// `[batch, inputs, height, width]` to `[batch, outputs, height / stride, width / stride]`, as the layer's padding says.
pub(crate) fn convolution(layer: &Conv2d, x: Tensor<4>, activation: Activation, precision: Precision) -> Tensor<4> {
    let [_, _, height, width] = x.dims();
    match (product_engine(&x, precision), conv_params(layer, [height, width])) {
        (Engine::Cpu, Some(params)) => cpu::convolution(layer, x, params, activation),
        #[cfg(feature = "gpu")]
        (Engine::Gpu, Some(params)) if gpu::fuses(layer, &x, precision) => {
            gpu::convolution(layer, x, params, activation, precision)
        }
        #[cfg(feature = "gpu")]
        (Engine::Gpu, Some(params)) => {
            let convolve = |layer: &Conv2d, x| gpu::convolution(layer, x, params, Activation::None, precision);
            activate(precision.run(layer, x, convolve), activation)
        }
        _ => activate(precision.run(layer, x, Conv2d::forward), activation),
    }
}

/// `layer`, the adjoint of a convolution of stride two with TensorFlow's SAME padding: `[batch, inputs, height, width]`
/// to `[batch, outputs, 2 height, 2 width]`.
pub(crate) fn transposed_convolution(layer: &ConvTranspose2d, x: Tensor<4>, precision: Precision) -> Tensor<4> {
    let [_, _, height, width] = x.dims();
    let sides = [2 * height, 2 * width];
    // The adjoint of SAME padding, which pads right and below, loses the last row and column.
    let cropped = |y: Tensor<4>| y.narrow(2, 0, sides[0]).narrow(3, 0, sides[1]);
    match product_engine(&x, precision) {
        Engine::Cpu => cpu::transposed_convolution(layer, x, sides),
        #[cfg(feature = "gpu")]
        Engine::Gpu if layer.bias.is_none() => gpu::transposed_convolution(layer, x, precision),
        _ => cropped(precision.run(layer, x, ConvTranspose2d::forward)),
    }
}
