//! Layers that generator and discriminator are built of.

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig, ConvTranspose2d, ConvTranspose2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, Initializer, PaddingConfig2d};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};

/// Epsilon of every batch norm: the published TensorFlow code's default, not PyTorch's.
const NORM_EPSILON: f64 = 1e-3;
/// Share of the new batch in running statistics.
const NORM_MOMENTUM: f64 = 0.1;

/// Convolution with TensorFlow's SAME padding: the odd pixel goes right and below.
pub(crate) fn same_conv([inputs, outputs]: [usize; 2], kernel: usize, stride: usize, device: &Device) -> Conv2d {
    same_conv_config([inputs, outputs], kernel, stride).init(device)
}

fn same_conv_config(channels: [usize; 2], kernel: usize, stride: usize) -> Conv2dConfig {
    Conv2dConfig::new(channels, [kernel, kernel])
        .with_stride([stride, stride])
        .with_padding(PaddingConfig2d::Same)
        // Values come from `with_initial_weights`.
        .with_initializer(Initializer::Zeros)
}

fn norm(channels: usize, device: &Device) -> BatchNorm {
    BatchNormConfig::new(channels).with_epsilon(NORM_EPSILON).with_momentum(NORM_MOMENTUM).init(device)
}

/// Convolution without bias, then batch norm.
#[derive(Module, Debug)]
pub(crate) struct ConvNorm {
    pub(crate) conv: Conv2d,
    norm: BatchNorm,
}

impl ConvNorm {
    pub(crate) fn new(channels: [usize; 2], kernel: usize, stride: usize, device: &Device) -> Self {
        Self {
            conv: same_conv_config(channels, kernel, stride).with_bias(false).init(device),
            norm: norm(channels[1], device),
        }
    }

    /// `[batch, inputs, height, width]` to `[batch, outputs, height / stride, width / stride]`.
    pub(crate) fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        self.norm.forward(self.conv.forward(x))
    }
}

/// Transposed 3x3 convolution of stride 2 without bias, then batch norm.
#[derive(Module, Debug)]
pub(crate) struct UpNorm {
    conv: ConvTranspose2d,
    norm: BatchNorm,
}

impl UpNorm {
    pub(crate) fn new(channels: [usize; 2], device: &Device) -> Self {
        Self {
            conv: ConvTranspose2dConfig::new(channels, [3, 3])
                .with_stride([2, 2])
                .with_bias(false)
                .with_initializer(Initializer::Zeros)
                .init(device),
            norm: norm(channels[1], device),
        }
    }

    /// `[batch, inputs, height, width]` to `[batch, outputs, 2 height, 2 width]`.
    pub(crate) fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let [_, _, height, width] = x.dims();
        // The adjoint of SAME padding, which pads right and below, loses the last row and column.
        let x = self.conv.forward(x).narrow(2, 0, 2 * height).narrow(3, 0, 2 * width);
        self.norm.forward(x)
    }
}

/// Residual block: `x + norm(conv(relu(norm(conv(x)))))`.
#[derive(Module, Debug)]
pub(crate) struct Residual {
    pub(crate) conv1: Conv2d,
    norm1: BatchNorm,
    pub(crate) conv2: Conv2d,
    norm2: BatchNorm,
}

impl Residual {
    pub(crate) fn new(channels: usize, device: &Device) -> Self {
        let conv = || same_conv_config([channels, channels], 3, 1).with_bias(false).init(device);
        Self { conv1: conv(), norm1: norm(channels, device), conv2: conv(), norm2: norm(channels, device) }
    }

    /// `[batch, channels, height, width]` to the same shape.
    pub(crate) fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let change = relu(self.norm1.forward(self.conv1.forward(x.clone())));
        x + self.norm2.forward(self.conv2.forward(change))
    }
}
