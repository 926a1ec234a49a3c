//! YuNet: a small single-shot face detection network.
//!
//! Source: Wu, Peng and Yu, *YuNet: A Tiny Millisecond-level Face Detector*, Machine Intelligence Research, 2023; the
//! network as the OpenCV zoo publishes it (`face_detection_yunet_2023mar`).

use std::path::Path;

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::pool::{MaxPool2d, MaxPool2dConfig};
use burn::nn::{Initializer, PaddingConfig2d};
use burn::tensor::{Device, Tensor, assert_shape};
use ipcgan_kernels::Activation;

use crate::ModelError;
use crate::operation::{Precision, convolution, max_pool};
use crate::weights::fill;

/// Channels of the units of each stage after the stem. Every stage except the first starts with a pooling layer.
const STAGES: [&[usize]; 5] = [&[16], &[16, 32, 32, 64], &[64, 64], &[64, 64], &[64, 64]];
/// Channels after the stem.
const STEM_CHANNELS: usize = 16;
/// Channels of the pyramid levels from which faces are predicted.
const LEVEL_CHANNELS: usize = 64;

/// The network.
#[derive(Module, Debug)]
pub struct Yunet {
    stem: Conv2d,
    stages: Vec<Vec<Unit>>,
    pool: MaxPool2d,
    laterals: Vec<Unit>,
    heads: Vec<Unit>,
}

impl Yunet {
    /// Stride of each level: pixels of the image per cell.
    pub const STRIDES: [usize; 3] = [8, 16, 32];
    /// Number of output channels of a cell, see [`Yunet::forward`].
    pub const OUTPUTS: usize = 16;

    /// Reads the network from the bytes of a safetensors file; `origin` names it in errors.
    ///
    /// # Errors
    /// The bytes are damaged, or hold another network.
    pub fn from_bytes(bytes: Vec<u8>, origin: &Path, device: &Device) -> Result<Self, ModelError> {
        let mut network = Self::new(device);
        fill(&mut network, bytes, origin)?;
        Ok(network)
    }

    fn new(device: &Device) -> Self {
        let mut inputs = STEM_CHANNELS;
        let mut unit = |&outputs: &usize| Unit::new([std::mem::replace(&mut inputs, outputs), outputs], device);
        let stages = STAGES.iter().map(|stage| stage.iter().map(&mut unit).collect()).collect();
        let units = |outputs: usize| {
            Self::STRIDES.iter().map(|_| Unit::new([LEVEL_CHANNELS, outputs], device)).collect::<Vec<_>>()
        };
        Self {
            stem: conv([3, STEM_CHANNELS], 3, device, |config| config.with_stride([2, 2])),
            stages,
            pool: MaxPool2dConfig::new([2, 2]).with_strides([2, 2]).init(),
            laterals: units(LEVEL_CHANNELS),
            heads: units(Self::OUTPUTS),
        }
    }

    /// Predictions of every cell of the three levels, finest level first.
    ///
    /// The channels of the cell in row `r` and column `c` of a level of stride `s`:
    ///
    /// | channels | meaning |
    /// |---|---|
    /// | 0, 1 | logits of the class *face* and of the objectness; the score is `sqrt(sigmoid(class) sigmoid(objectness))` |
    /// | 2, 3 | centre of the bounding box: `(c + x) s`, `(r + y) s` |
    /// | 4, 5 | its width and height: `exp(w) s`, `exp(h) s` |
    /// | 6 to 15 | five landmarks as `x, y`: `(c + x) s`, `(r + y) s`; eyes, nose, corners of the mouth, left first as seen |
    ///
    /// # Shapes
    /// - `images`: `[batch, 3, height, width]`, RGB, in 0..255; sides are multiples of 32
    /// - returns: `[batch, 16, height / stride, width / stride]`, for each of [`Yunet::STRIDES`]
    ///
    /// # Panics
    /// If a side is not a multiple of 32.
    pub fn forward(&self, images: Tensor<4>) -> [Tensor<4>; 3] {
        assert_shape!(images, [_, 3, _, _]);
        let [_, _, height, width] = images.dims();
        let coarsest = Self::STRIDES[2];
        assert!(height % coarsest == 0 && width % coarsest == 0, "{width} x {height} pixels, in steps of {coarsest}");

        let mut x = convolution(&self.stem, images, Activation::Relu, Precision::Float32); // [batch, 16, height / 2, width / 2]
        let mut levels = Vec::new();
        for (index, stage) in self.stages.iter().enumerate() {
            if index > 0 {
                x = max_pool(&self.pool, x);
            }
            x = stage.iter().fold(x, |x, unit| unit.forward(x, Activation::Relu));
            levels.push(x.clone());
        }
        // Top-down fusion: each finer level receives the features of the coarser ones.
        let level = |index: usize, x: Tensor<4>| self.laterals[index].forward(x, Activation::Relu);
        let [.., fine, middle, coarse] = <[Tensor<4>; STAGES.len()]>::try_from(levels).expect("a level a stage");
        let coarse = level(2, coarse); // [batch, 64, height / 32, width / 32]
        let middle = level(1, middle + doubled(coarse.clone())); // [batch, 64, height / 16, width / 16]
        let fine = level(0, fine + doubled(middle.clone())); // [batch, 64, height / 8, width / 8]
        let predicted = |index: usize, x: Tensor<4>| self.heads[index].forward(x, Activation::None);
        [predicted(0, fine), predicted(1, middle), predicted(2, coarse)]
    }
}

/// A pointwise and a depthwise convolution in place of a full 3 x 3 convolution, followed by an activation.
#[derive(Module, Debug)]
struct Unit {
    pointwise: Conv2d,
    depthwise: Conv2d,
}

impl Unit {
    fn new([inputs, outputs]: [usize; 2], device: &Device) -> Self {
        Self {
            pointwise: conv([inputs, outputs], 1, device, |config| config),
            depthwise: conv([outputs, outputs], 3, device, |config| config.with_groups(outputs)),
        }
    }

    fn forward(&self, x: Tensor<4>, activation: Activation) -> Tensor<4> {
        let x = convolution(&self.pointwise, x, Activation::None, Precision::Float32);
        convolution(&self.depthwise, x, activation, Precision::Float32)
    }
}

/// A zero-padded convolution; stride one keeps the size.
fn conv(
    channels: [usize; 2],
    kernel: usize,
    device: &Device,
    config: impl FnOnce(Conv2dConfig) -> Conv2dConfig,
) -> Conv2d {
    let padding = kernel / 2;
    // Values come from the weights file.
    let conv = Conv2dConfig::new(channels, [kernel, kernel])
        .with_padding(PaddingConfig2d::Explicit(padding, padding, padding, padding))
        .with_initializer(Initializer::Zeros);
    config(conv).init(device)
}

/// Nearest-neighbour upsampling by two: `[batch, channels, height, width]` to `[batch, channels, 2 height, 2 width]`.
fn doubled(x: Tensor<4>) -> Tensor<4> {
    let [batch, channels, height, width] = x.dims();
    // Channels stay last in memory, the layout of the kernels.
    let x = x.permute([0, 2, 3, 1]).reshape([batch, height, 1, width, 1, channels]);
    let x = x.expand([batch, height, 2, width, 2, channels]);
    x.reshape([batch, 2 * height, 2 * width, channels]).permute([0, 3, 1, 2])
}
