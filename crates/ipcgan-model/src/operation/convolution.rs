//! Convolutions.

mod cpu;
#[cfg(feature = "gpu")]
mod gpu;

use burn::nn::PaddingConfig2d;
use burn::nn::conv::{Conv2d, ConvTranspose2d};
use burn::tensor::Tensor;
use ipcgan_kernels::{Activation, ConvParams};

use super::Precision;
use super::activation::activate;
use super::engine::{Engine, product_engine};

/// The window of the convolution whose adjoint doubles the sides: SAME pads an even number of pixels for a window of
/// three by one pixel, right and below.
pub(super) const UPSAMPLE_PARAMS: ConvParams =
    ConvParams { kernel: 3, stride: 2, pad_before: 0, pad_after: 1, groups: 1 };

/// `layer`, then an activation.
///
/// `[batch, inputs, height, width]` to `[batch, outputs, height / stride, width / stride]`, as the layer's padding says.
pub(crate) fn convolution(layer: &Conv2d, x: Tensor<4>, activation: Activation, precision: Precision) -> Tensor<4> {
    let [_, _, height, width] = x.dims();
    match (product_engine(&x, precision), conv_params(layer, [height, width])) {
        (Engine::Cpu(algorithm), Some(params)) => cpu::convolution(layer, x, params, activation, algorithm),
        #[cfg(feature = "gpu")]
        (Engine::Gpu, Some(params)) => {
            activate(precision.run(layer, x, |layer, x| gpu::convolution(layer, x, params, precision)), activation)
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
        Engine::Cpu(algorithm) => cpu::transposed_convolution(layer, x, sides, algorithm),
        #[cfg(feature = "gpu")]
        Engine::Gpu if layer.bias.is_none() => {
            precision.run(layer, x, |layer, x| gpu::transposed_convolution(layer, x, precision))
        }
        _ => cropped(precision.run(layer, x, ConvTranspose2d::forward)),
    }
}

/// The layer's window over maps of `[height, width]`, if the kernels know its like: square, the same along both axes.
pub(super) fn conv_params(layer: &Conv2d, [height, width]: [usize; 2]) -> Option<ConvParams> {
    let (kernel, stride) = (layer.kernel_size[0], layer.stride[0]);
    let same = |side: usize| {
        let total = ((side.div_ceil(stride) - 1) * stride + kernel).saturating_sub(side);
        (total / 2, total - total / 2)
    };
    let [rows, columns] = match layer.padding {
        PaddingConfig2d::Same => [same(height), same(width)],
        PaddingConfig2d::Valid => [(0, 0); 2],
        PaddingConfig2d::Explicit(top, left, bottom, right) => [(top, bottom), (left, right)],
    };
    let square = layer.kernel_size == [kernel; 2] && layer.stride == [stride; 2] && layer.dilation == [1; 2];
    let params = ConvParams { kernel, stride, pad_before: rows.0, pad_after: rows.1, groups: layer.groups };
    (square && rows == columns).then_some(params)
}
