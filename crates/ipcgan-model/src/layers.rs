//! Layers of generator and discriminator.

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig, ConvTranspose2d, ConvTranspose2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, Initializer, PaddingConfig2d};
use burn::tensor::{Device, Tensor};
use ipcgan_kernels::Activation;

use crate::operation::{BatchNormPass, Precision, batch_norm, convolution, residual_add, transposed_convolution};

/// Epsilon of every batch norm: the published TensorFlow code's default, not PyTorch's.
const NORM_EPSILON: f64 = 1e-3;
/// Weight of the new batch in running statistics.
const NORM_MOMENTUM: f64 = 0.1;

/// A pass through the layers of a network.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pass {
    /// How every batch norm normalizes in training; in inference, batch norms use their running statistics.
    pub(crate) norm: BatchNormPass,
    /// Precision of every convolution.
    pub(crate) precision: Precision,
}

impl Pass {
    /// A pass over one batch.
    pub(crate) fn one_batch(precision: Precision) -> Self {
        Self { norm: BatchNormPass { ghost_batches: 1, momentum: NORM_MOMENTUM }, precision }
    }
}

/// A layer of a network with its activation, as in the network's `layers()`.
///
/// Training, prepared inference, ONNX export and the size estimate each match on it, so the compiler reports every
/// place that must support a new kind of layer.
#[derive(Clone, Copy)]
pub(crate) enum Layer<'a> {
    /// A convolution with bias.
    Conv(&'a Conv2d, Activation),
    /// A convolution with batch norm or bias.
    ConvNorm(&'a ConvNorm, Activation),
    /// A transposed convolution with batch norm.
    UpNorm(&'a UpNorm, Activation),
    /// A residual block.
    Residual(&'a ResidualBlock),
}

impl Layer<'_> {
    /// `[batch, inputs, height, width]` to `[batch, outputs, ..]`; height and width depend on the kind of layer.
    pub(crate) fn forward(self, x: Tensor<4>, pass: Pass) -> Tensor<4> {
        match self {
            Self::Conv(conv, activation) => convolution(conv, x, activation, pass.precision),
            Self::ConvNorm(layer, activation) => layer.forward(x, pass, activation),
            Self::UpNorm(layer, activation) => layer.forward(x, pass, activation),
            Self::Residual(block) => block.forward(x, pass),
        }
    }
}

/// Applies `layers` to `x` in order.
pub(crate) fn forward(layers: &[Layer], x: Tensor<4>, pass: Pass) -> Tensor<4> {
    layers.iter().fold(x, |x, layer| layer.forward(x, pass))
}

/// Convolution with TensorFlow's SAME padding: an odd pixel of padding is added at the right and at the bottom.
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

fn batch_norm_layer(channels: usize, device: &Device) -> BatchNorm {
    BatchNormConfig::new(channels).with_epsilon(NORM_EPSILON).with_momentum(NORM_MOMENTUM).init(device)
}

/// Convolution without bias, then batch norm; or a convolution with bias alone.
#[derive(Module, Debug)]
pub(crate) struct ConvNorm {
    pub(crate) conv: Conv2d,
    pub(crate) norm: Option<BatchNorm>,
}

impl ConvNorm {
    pub(crate) fn new(channels: [usize; 2], kernel: usize, stride: usize, device: &Device) -> Self {
        Self {
            conv: same_conv_config(channels, kernel, stride).with_bias(false).init(device),
            norm: Some(batch_norm_layer(channels[1], device)),
        }
    }

    /// A convolution with bias and without batch norm.
    pub(crate) fn plain(channels: [usize; 2], kernel: usize, stride: usize, device: &Device) -> Self {
        Self { conv: same_conv(channels, kernel, stride, device), norm: None }
    }

    /// The layer and `activation`: `[batch, inputs, height, width]` to
    /// `[batch, outputs, height / stride, width / stride]`.
    fn forward(&self, x: Tensor<4>, pass: Pass, activation: Activation) -> Tensor<4> {
        match &self.norm {
            Some(norm) => {
                let x = convolution(&self.conv, x, Activation::None, pass.precision);
                batch_norm(norm, x, pass.norm, activation)
            }
            None => convolution(&self.conv, x, activation, pass.precision),
        }
    }
}

/// Transposed 3x3 convolution of stride 2 without bias, then batch norm.
#[derive(Module, Debug)]
pub(crate) struct UpNorm {
    pub(crate) conv: ConvTranspose2d,
    pub(crate) norm: BatchNorm,
}

impl UpNorm {
    pub(crate) fn new(channels: [usize; 2], device: &Device) -> Self {
        Self {
            conv: ConvTranspose2dConfig::new(channels, [3, 3])
                .with_stride([2, 2])
                .with_bias(false)
                .with_initializer(Initializer::Zeros)
                .init(device),
            norm: batch_norm_layer(channels[1], device),
        }
    }

    /// The layer and `activation`: `[batch, inputs, height, width]` to `[batch, outputs, 2 height, 2 width]`.
    fn forward(&self, x: Tensor<4>, pass: Pass, activation: Activation) -> Tensor<4> {
        batch_norm(&self.norm, transposed_convolution(&self.conv, x, pass.precision), pass.norm, activation)
    }
}

/// Residual block: `x + batch_norm(conv(relu(batch_norm(conv(x)))))`.
#[derive(Module, Debug)]
pub(crate) struct ResidualBlock {
    pub(crate) conv1: Conv2d,
    pub(crate) norm1: BatchNorm,
    pub(crate) conv2: Conv2d,
    pub(crate) norm2: BatchNorm,
}

impl ResidualBlock {
    pub(crate) fn new(channels: usize, device: &Device) -> Self {
        let conv = || same_conv_config([channels, channels], 3, 1).with_bias(false).init(device);
        Self {
            conv1: conv(),
            norm1: batch_norm_layer(channels, device),
            conv2: conv(),
            norm2: batch_norm_layer(channels, device),
        }
    }

    /// `[batch, channels, height, width]` to the same shape.
    fn forward(&self, x: Tensor<4>, pass: Pass) -> Tensor<4> {
        residual_add(x, |x| {
            let x = convolution(&self.conv1, x, Activation::None, pass.precision);
            let x = batch_norm(&self.norm1, x, pass.norm, Activation::Relu);
            let x = convolution(&self.conv2, x, Activation::None, pass.precision);
            batch_norm(&self.norm2, x, pass.norm, Activation::None)
        })
    }
}
