//! Third-party pretrained networks: [`FaceRes`] and dlib's age estimator, which evaluate, and dlib's face recogniser, whose
//! feature maps a projected discriminator scores in training.
//!
//! Those of dlib are small residual networks (He et al., 2016) of the same kind. Source: Davis King's dlib, whose
//! trained networks are in the public domain (CC0): `dlib_face_recognition_resnet_model_v1` and `dnn_age_predictor_v1`.

mod block;
mod face_res;

use std::path::Path;

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::pool::{MaxPool2d, MaxPool2dConfig};
use burn::nn::{Initializer, Linear, LinearConfig, PaddingConfig2d};
use burn::tensor::activation::softmax;
use burn::tensor::{Device, Int, Tensor, assert_shape};
use ipcgan_kernels::Activation;

use crate::ModelError;
use crate::alexnet_input::resized;
use crate::operation::{Precision, ResizeSpec, convolution, linear, max_pool};
use crate::weights::fill;
use block::{Block, Sides};
pub use face_res::FaceRes;

/// Mean of each channel, in 0..255, that dlib subtracts.
const CHANNEL_MEANS: [f32; 3] = [122.782, 117.001, 104.298];
/// Half the range of a channel: converts faces in [-1, 1] to 0..255.
const HALF_RANGE: f32 = 127.5;
/// Divisor by which dlib scales pixels.
const SCALE: f32 = 256.0;

/// What is added to each channel of faces in [-1, 1], after scaling to the network's range.
fn channel_shifts() -> [f32; 3] {
    CHANNEL_MEANS.map(|mean| (HALF_RANGE - mean) / SCALE)
}

/// A residual network: a 7x7 convolution, residual blocks of two convolutions, global average pooling, and a fully
/// connected layer.
#[derive(Module, Debug)]
struct ResidualNetwork {
    stem: Conv2d,
    pool: MaxPool2d,
    blocks: Vec<Block>,
    head: Linear,
}

impl ResidualNetwork {
    /// A convolution to `stem` channels, `blocks` with their output channels, then `head`.
    fn new(stem: usize, blocks: &[(usize, Sides)], head: LinearConfig, device: &Device) -> Self {
        let mut inputs = stem;
        let blocks = blocks.iter().map(|&(channels, sides)| {
            let block = Block::new([inputs, channels], sides, device);
            inputs = channels;
            block
        });
        let blocks: Vec<_> = blocks.collect();
        Self {
            stem: Conv2dConfig::new([3, stem], [7, 7])
                .with_stride([2, 2])
                .with_padding(PaddingConfig2d::Valid)
                .with_initializer(Initializer::Zeros)
                .init(device),
            pool: MaxPool2dConfig::new([3, 3]).with_strides([2, 2]).init(),
            blocks,
            head: head.with_initializer(Initializer::Zeros).init(device),
        }
    }

    /// `[batch, 3, side, side]` in [-1, 1] to `[batch, outputs]`.
    fn forward(&self, faces: Tensor<4>) -> Tensor<2> {
        self.outputs(self.penultimate(faces))
    }

    /// Input of the last layer, from `[batch, 3, side, side]` in [-1, 1]: the global average pooling of the last
    /// feature maps, `[batch, channels]`.
    fn penultimate(&self, faces: Tensor<4>) -> Tensor<2> {
        let x = self.levels(faces).pop().expect("the last block is a level");
        let [batch, channels, _, _] = x.dims();
        x.mean_dims(&[2, 3]).reshape([batch, channels])
    }

    /// `[batch, channels]` of [`ResidualNetwork::penultimate`] to `[batch, outputs]`.
    fn outputs(&self, penultimate: Tensor<2>) -> Tensor<2> {
        linear(&self.head, penultimate, Activation::None, Precision::Float32)
    }

    /// Feature maps of `[batch, 3, side, side]` in [-1, 1]: before each block that halves the resolution, and after the
    /// last block.
    fn levels(&self, faces: Tensor<4>) -> Vec<Tensor<4>> {
        assert_shape!(faces, [_, 3, _, _]);
        let shift = Tensor::<1>::from_data(channel_shifts(), &faces.device()).reshape([1, 3, 1, 1]);
        self.first_levels(faces * (HALF_RANGE / SCALE) + shift, usize::MAX)
    }

    /// The first `count` of [`ResidualNetwork::levels`], of `x` with the values that the network expects.
    fn first_levels(&self, x: Tensor<4>, count: usize) -> Vec<Tensor<4>> {
        let mut x = max_pool(&self.pool, convolution(&self.stem, x, Activation::Relu, Precision::Float32));
        let mut levels = Vec::new();
        for block in &self.blocks {
            if block.halves() {
                levels.push(x.clone());
                if levels.len() == count {
                    return levels;
                }
            }
            x = block.forward(x);
        }
        levels.push(x);
        levels
    }

    fn loaded(mut self, bytes: Vec<u8>, origin: &Path) -> Result<Self, ModelError> {
        fill(&mut self, bytes, origin)?;
        Ok(self)
    }
}

/// dlib's face recogniser: embeddings of 128 values, close for the same identity.
#[derive(Module, Debug)]
pub struct Recogniser {
    network: ResidualNetwork,
}

impl Recogniser {
    /// Side of the input images in pixels: a quarter wider than the face on each side.
    pub const SIDE: usize = 150;

    /// Channels of [`Recogniser::feature_maps`].
    pub const MAP_CHANNELS: [usize; 4] = [32, 64, 128, 256];
    /// Number of values that the layers up to the last of [`Recogniser::feature_maps`] compute for one face.
    pub const MAP_ACTIVATIONS: usize =
        32 * 66 * 66 + 7 * 32 * 32 * 32 + 8 * 64 * 16 * 16 + 6 * 128 * 8 * 8 + 6 * 256 * 4 * 4;

    /// Reads the network from the bytes of a safetensors file; `origin` names it in errors.
    ///
    /// # Errors
    /// The bytes are damaged, or hold another network.
    pub fn from_bytes(bytes: Vec<u8>, origin: &Path, device: &Device) -> Result<Self, ModelError> {
        Ok(Self { network: Self::without_weights(device).network.loaded(bytes, origin)? })
    }

    /// The network with weights of zero, to measure its cost without a weights file.
    pub fn without_weights(device: &Device) -> Self {
        let same = |channels, count| std::iter::repeat_n((channels, Sides::Kept), count);
        let first = |channels| std::iter::once((channels, Sides::Halved));
        let blocks: Vec<_> = same(32, 3)
            .chain(first(64))
            .chain(same(64, 3))
            .chain(first(128))
            .chain(same(128, 2))
            .chain(first(256))
            .chain(same(256, 2))
            .chain(first(256))
            .collect();
        Self { network: ResidualNetwork::new(32, &blocks, LinearConfig::new(256, 128).with_bias(false), device) }
    }

    /// Feature maps of aligned faces at four resolutions, for a [`ProjectedDiscriminator`](crate::ProjectedDiscriminator).
    ///
    /// # Shapes
    /// - `faces`: `[batch, 3, height, width]`, RGB, in [-1, 1]
    /// - returns: `[batch, channels, side, side]` with the channels of [`Recogniser::MAP_CHANNELS`] and sides of 32, 16, 8
    ///   and 4
    ///
    /// # Panics
    /// If `faces` does not have three channels.
    pub fn feature_maps(&self, faces: Tensor<4>) -> Vec<Tensor<4>> {
        /// Side at which faces have about the size in pixels of those in the network's own input, whose crop is wider, and
        /// the maps the sides 32, 16, 8 and 4.
        const SIDE: usize = 138;
        assert_shape!(faces, [_, 3, _, _]);
        let spec = ResizeSpec { side: SIDE, scale: HALF_RANGE / SCALE, shift: channel_shifts() };
        self.network.first_levels(resized(faces, spec), Self::MAP_CHANNELS.len())
    }

    /// Embeddings of faces; dlib's threshold for the same identity is a Euclidean distance of 0.6.
    ///
    /// # Shapes
    /// - `faces`: `[batch, 3, 150, 150]`, RGB, in [-1, 1]
    /// - returns: `[batch, 128]`
    ///
    /// # Panics
    /// If `faces` does not have three channels.
    pub fn embeddings(&self, faces: Tensor<4>) -> Tensor<2> {
        self.network.forward(faces)
    }
}

/// dlib's age estimator: the expected age in years.
#[derive(Module, Debug)]
pub struct AgeEstimator {
    network: ResidualNetwork,
}

impl AgeEstimator {
    /// Side of the input images in pixels: a fifth wider than the face on each side, as our aligned faces.
    pub const SIDE: usize = 64;
    /// Number of age classes, from zero.
    const AGES: usize = 81;

    /// Reads the network from the bytes of a safetensors file; `origin` names it in errors.
    ///
    /// # Errors
    /// The bytes are damaged, or hold another network.
    pub fn from_bytes(bytes: Vec<u8>, origin: &Path, device: &Device) -> Result<Self, ModelError> {
        let [kept, halved] = [Sides::Kept, Sides::Halved];
        let blocks = [(64, kept), (128, halved), (128, kept), (256, halved), (256, kept)];
        let network = ResidualNetwork::new(64, &blocks, LinearConfig::new(256, Self::AGES), device);
        Ok(Self { network: network.loaded(bytes, origin)? })
    }

    /// The expected ages of faces, in years.
    ///
    /// # Shapes
    /// - `faces`: `[batch, 3, 64, 64]`, RGB, in [-1, 1]
    /// - returns: `[batch]`
    ///
    /// # Panics
    /// If `faces` does not have three channels.
    pub fn ages(&self, faces: Tensor<4>) -> Tensor<1> {
        self.ages_of_features(self.features(faces))
    }

    /// The penultimate features of faces, from which [`AgeEstimator::ages_of_features`] estimates the age.
    ///
    /// # Shapes
    /// - `faces`: `[batch, 3, 64, 64]`, RGB, in [-1, 1]
    /// - returns: `[batch, 256]`
    ///
    /// # Panics
    /// If `faces` does not have three channels.
    pub fn features(&self, faces: Tensor<4>) -> Tensor<2> {
        self.network.penultimate(faces)
    }

    /// The expected ages of faces, in years, from their [`AgeEstimator::features`].
    ///
    /// # Shapes
    /// - `features`: `[batch, 256]`
    /// - returns: `[batch]`
    pub fn ages_of_features(&self, features: Tensor<2>) -> Tensor<1> {
        expected_ages(self.network.outputs(features), 0)
    }
}

/// The expected value, `[batch]`, of age classes of one year from `first`, with these `logits`, `[batch, classes]`.
fn expected_ages(logits: Tensor<2>, first: usize) -> Tensor<1> {
    let [batch, classes] = logits.dims();
    let ages = Tensor::<1, Int>::arange(first as i64..(first + classes) as i64, &logits.device()).float();
    (softmax(logits, 1) * ages.unsqueeze()).sum_dim(1).reshape([batch])
}
