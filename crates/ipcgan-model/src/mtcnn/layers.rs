//! What the three networks are built of.

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::pool::{MaxPool2d, MaxPool2dConfig};
use burn::nn::{Initializer, Linear, LinearConfig, PRelu, PReluConfig};
use burn::tensor::activation::softmax;
use burn::tensor::{Device, Tensor};
use ipcgan_kernels::Activation;

use crate::operation::convolution;

/// Convolution without padding, then a rectifier whose slopes below zero were learned, one a channel.
#[derive(Module, Debug)]
pub(super) struct Layer {
    conv: Conv2d,
    prelu: PRelu,
}

impl Layer {
    pub(super) fn new(channels: [usize; 2], kernel: usize, device: &Device) -> Self {
        Self { conv: plain_conv(channels, kernel, device), prelu: slopes(channels[1], device) }
    }

    pub(super) fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        self.prelu.forward(convolution(&self.conv, x, Activation::None))
    }
}

/// Fully connected layer, then the same rectifier.
#[derive(Module, Debug)]
pub(super) struct Connected {
    linear: Linear,
    prelu: PRelu,
}

impl Connected {
    pub(super) fn new(inputs: usize, outputs: usize, device: &Device) -> Self {
        Self { linear: linear(inputs, outputs, device), prelu: slopes(outputs, device) }
    }

    /// Of maps `[windows, channels, height, width]`, which were laid out column by column when it was trained.
    pub(super) fn forward(&self, maps: Tensor<4>) -> Tensor<2> {
        let values = maps.permute([0, 3, 2, 1]).flatten(1, 3);
        self.prelu.forward(self.linear.forward(values))
    }
}

pub(super) fn plain_conv(channels: [usize; 2], kernel: usize, device: &Device) -> Conv2d {
    // Values come from the weights file.
    Conv2dConfig::new(channels, [kernel, kernel]).with_initializer(Initializer::Zeros).init(device)
}

pub(super) fn linear(inputs: usize, outputs: usize, device: &Device) -> Linear {
    LinearConfig::new(inputs, outputs).with_initializer(Initializer::Zeros).init(device)
}

fn slopes(channels: usize, device: &Device) -> PRelu {
    PReluConfig::new().with_num_parameters(channels).init(device)
}

/// Takes the largest of squares two pixels apart; where the last one reaches over the border, of what there is of it.
pub(super) fn pool(kernel: usize) -> MaxPool2d {
    MaxPool2dConfig::new([kernel, kernel]).with_strides([2, 2]).with_ceil_mode(true).init()
}

/// The same, without squares that reach over the border.
pub(super) fn inner_pool(kernel: usize) -> MaxPool2d {
    MaxPool2dConfig::new([kernel, kernel]).with_strides([2, 2]).init()
}

/// The second of two classes' probabilities, `[windows]`, from their scores.
pub(super) fn face_probability(scores: Tensor<2>) -> Tensor<1> {
    softmax(scores, 1).narrow(1, 1, 1).flatten(0, 1)
}
