//! Layers of generator and discriminator.

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig, ConvTranspose2d, ConvTranspose2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, Initializer, PaddingConfig2d};
use burn::tensor::{Device, Tensor};
use ipcgan_kernels::{Activation, ConvAlgorithm};

use crate::operation::{PackedConv, batch_norm, convolution, residual_add, transposed_convolution};

/// Epsilon of every batch norm: the published TensorFlow code's default, not PyTorch's.
const NORM_EPSILON: f64 = 1e-3;
/// Share of the new batch in running statistics.
pub(crate) const NORM_MOMENTUM: f64 = 0.1;

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

    /// Without the norm.
    pub(crate) fn plain(channels: [usize; 2], kernel: usize, stride: usize, device: &Device) -> Self {
        Self { conv: same_conv(channels, kernel, stride, device), norm: None }
    }

    /// Then an activation: `[batch, inputs, height, width]` to `[batch, outputs, height / stride, width / stride]`.
    pub(crate) fn forward(&self, x: Tensor<4>, activation: Activation) -> Tensor<4> {
        self.forward_chunks(x, 1, activation)
    }

    /// The same with several batches in one: each of `chunks` equal parts is normalized with its own statistics.
    pub(crate) fn forward_chunks(&self, x: Tensor<4>, chunks: usize, activation: Activation) -> Tensor<4> {
        match &self.norm {
            Some(layer) => batch_norm(layer, convolution(&self.conv, x, Activation::None), chunks, activation),
            None => convolution(&self.conv, x, activation),
        }
    }

    pub(crate) fn norms(&mut self) -> Option<&mut BatchNorm> {
        self.norm.as_mut()
    }

    /// [`ConvNorm::forward`] for inference on the CPU.
    pub(crate) fn packed(&self, activation: Activation, algorithm: ConvAlgorithm) -> PackedConv {
        PackedConv::new(&self.conv, self.norm.as_ref(), activation, algorithm)
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

    /// Then an activation: `[batch, inputs, height, width]` to `[batch, outputs, 2 height, 2 width]`.
    pub(crate) fn forward(&self, x: Tensor<4>, activation: Activation) -> Tensor<4> {
        batch_norm(&self.norm, transposed_convolution(&self.conv, x), 1, activation)
    }

    pub(crate) fn norms(&mut self) -> [&mut BatchNorm; 1] {
        [&mut self.norm]
    }

    /// [`UpNorm::forward`] for inference on the CPU.
    pub(crate) fn packed(&self, activation: Activation, algorithm: ConvAlgorithm) -> PackedConv {
        PackedConv::up(&self.conv, &self.norm, activation, algorithm)
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
    pub(crate) fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        residual_add(x, |x| {
            let x = convolution(&self.conv1, x, Activation::None);
            let x = batch_norm(&self.norm1, x, 1, Activation::Relu);
            let x = convolution(&self.conv2, x, Activation::None);
            batch_norm(&self.norm2, x, 1, Activation::None)
        })
    }

    pub(crate) fn norms(&mut self) -> [&mut BatchNorm; 2] {
        [&mut self.norm1, &mut self.norm2]
    }

    /// Both convolutions for inference on the CPU; the input is added to the second.
    pub(crate) fn packed(&self, algorithm: ConvAlgorithm) -> [PackedConv; 2] {
        [
            PackedConv::new(&self.conv1, Some(&self.norm1), Activation::Relu, algorithm),
            PackedConv::new(&self.conv2, Some(&self.norm2), Activation::None, algorithm),
        ]
    }
}
