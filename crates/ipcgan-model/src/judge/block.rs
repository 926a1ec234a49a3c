//! The residual block of dlib's networks.

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::pool::{AvgPool2d, AvgPool2dConfig};
use burn::nn::{Initializer, PaddingConfig2d};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};
use ipcgan_kernels::Activation;

use crate::operation::{Precision, convolution};

/// Effect of a block on the height and width of its feature maps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sides {
    Kept,
    Halved,
}

/// `relu(x + conv(relu(conv(x))))`; a block that halves height and width adds the 2x2 average pooling of `x` instead of
/// `x`. Where one of the two terms has fewer rows, columns or channels, it is padded with zeros.
#[derive(Module, Debug)]
pub(super) struct Block {
    conv1: Conv2d,
    conv2: Conv2d,
    shortcut: Option<AvgPool2d>,
}

impl Block {
    pub(super) fn new([inputs, outputs]: [usize; 2], sides: Sides, device: &Device) -> Self {
        let conv = |inputs: usize, stride: usize, padding: usize| {
            Conv2dConfig::new([inputs, outputs], [3, 3])
                .with_stride([stride, stride])
                .with_padding(PaddingConfig2d::Explicit(padding, padding, padding, padding))
                .with_initializer(Initializer::Zeros)
                .init(device)
        };
        let (stride, padding) = match sides {
            Sides::Kept => (1, 1),
            Sides::Halved => (2, 0),
        };
        Self {
            conv1: conv(inputs, stride, padding),
            conv2: conv(outputs, 1, 1),
            shortcut: (sides == Sides::Halved).then(|| AvgPool2dConfig::new([2, 2]).with_strides([2, 2]).init()),
        }
    }

    /// Whether it halves height and width.
    pub(super) fn halves(&self) -> bool {
        self.shortcut.is_some()
    }

    pub(super) fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let y = convolution(&self.conv1, x.clone(), Activation::Relu, Precision::Float32);
        let y = convolution(&self.conv2, y, Activation::None, Precision::Float32);
        let x = match &self.shortcut {
            None => x,
            Some(pool) => pool.forward(x),
        };
        let sides = [x.dims(), y.dims()];
        let larger: [usize; 4] = std::array::from_fn(|axis| sides[0][axis].max(sides[1][axis]));
        relu(padded(x, larger) + padded(y, larger))
    }
}

/// `x` padded with zeros at the bottom, at the right and in additional channels, up to `sizes`.
fn padded(x: Tensor<4>, sizes: [usize; 4]) -> Tensor<4> {
    if x.dims() == sizes {
        return x;
    }
    let ranges = x.dims().map(|size| 0..size);
    Tensor::zeros(sizes, &x.device()).slice_assign(ranges, x)
}
