//! HSE-FaceRes: identity and age from one MobileNet.
//!
//! Source: Savchenko, "Efficient facial representations for age, gender and identity recognition in organizing photo
//! albums using multi-output ConvNet", PeerJ Computer Science, 2019; its published network, without the output for
//! gender.

use std::path::Path;

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{Initializer, Linear, LinearConfig, PaddingConfig2d};
use burn::tensor::{Device, Tensor, assert_shape};
use ipcgan_kernels::Activation;

use super::{HALF_RANGE, expected_ages};
use crate::ModelError;
use crate::operation::{Precision, convolution, linear};
use crate::weights::fill;

/// Mean of each channel, in 0..255, that the network expects to be subtracted.
const CHANNEL_MEANS: [f32; 3] = [123.68, 116.779, 103.939];
/// Channels after the stem.
const STEM_CHANNELS: usize = 32;
/// Output channels and stride of each block.
const BLOCKS: [(usize, usize); 13] = [
    (64, 1),
    (128, 2),
    (128, 1),
    (256, 2),
    (256, 1),
    (512, 2),
    (512, 1),
    (512, 1),
    (512, 1),
    (512, 1),
    (512, 1),
    (1024, 2),
    (1024, 1),
];
/// Outputs of the hidden layer between embedding and age.
const FEATURES: usize = 256;
/// First age class, in years.
const FIRST_AGE: usize = 1;
/// Number of age classes.
const AGES: usize = 100;

/// Face recognition and age estimation: MobileNet v1 (Howard et al., 2017) whose embeddings have a small angle for the
/// same identity, with a second output for the age.
///
/// Batch norms are folded into the convolutions; every convolution is followed by ReLU6.
#[derive(Module, Debug)]
pub struct FaceRes {
    stem: Conv2d,
    blocks: Vec<SeparableConv>,
    features: Linear,
    age: Linear,
}

impl FaceRes {
    /// Side of the input images in pixels: the whole of an aligned face.
    pub const SIDE: usize = 224;
    /// Length of an embedding.
    const EMBEDDING: usize = BLOCKS[BLOCKS.len() - 1].0;

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
        let blocks = BLOCKS.map(|(outputs, stride)| {
            SeparableConv::new([std::mem::replace(&mut inputs, outputs), outputs], stride, device)
        });
        // Values come from the weights file.
        let linear = |inputs, outputs| LinearConfig::new(inputs, outputs).with_initializer(Initializer::Zeros);
        Self {
            stem: conv([3, STEM_CHANNELS], 3, 2, 1, device),
            blocks: blocks.into(),
            features: linear(Self::EMBEDDING, FEATURES).init(device),
            age: linear(FEATURES, AGES).init(device),
        }
    }

    /// Embeddings of faces, not normalized; faces are compared by their cosine distance.
    ///
    /// # Shapes
    /// - `faces`: `[batch, 3, 224, 224]`, RGB, in [-1, 1]
    /// - returns: `[batch, 1024]`
    ///
    /// # Panics
    /// If `faces` does not have three channels.
    pub fn embeddings(&self, faces: Tensor<4>) -> Tensor<2> {
        let x = self.levels(faces).pop().expect("the last block is a level");
        let [batch, channels, _, _] = x.dims();
        x.mean_dims(&[2, 3]).reshape([batch, channels])
    }

    /// The expected ages of faces, in years, from their [`FaceRes::embeddings`].
    ///
    /// # Shapes
    /// - `embeddings`: `[batch, 1024]`
    /// - returns: `[batch]`
    pub fn ages_of_embeddings(&self, embeddings: Tensor<2>) -> Tensor<1> {
        let features = linear(&self.features, embeddings, Activation::Relu, Precision::Float32);
        expected_ages(linear(&self.age, features, Activation::None, Precision::Float32), FIRST_AGE)
    }

    /// Perceptual distance of pairs of faces; zero for equal images.
    ///
    /// LPIPS without learned weights (Zhang et al., 2018), on this network: at each level the feature vector of each
    /// position is normalized to unit length, and the squared distances are averaged over positions, then over levels.
    ///
    /// # Shapes
    /// - `faces`, `others`: `[batch, 3, 224, 224]`, RGB, in [-1, 1]
    /// - returns: `[batch]`
    ///
    /// # Panics
    /// If they do not have three channels, or differ in shape.
    pub fn perceptual_distances(&self, faces: Tensor<4>, others: Tensor<4>) -> Tensor<1> {
        assert_eq!(faces.dims(), others.dims(), "pairs of faces");
        let [batch, ..] = faces.dims();
        let levels = self.levels(faces).into_iter().zip(self.levels(others));
        let distances = levels.map(|(a, b)| (directions(a) - directions(b)).square().sum_dim(1).mean_dims(&[2, 3]));
        Tensor::cat(distances.collect(), 1).mean_dim(1).reshape([batch])
    }

    /// Feature maps of `[batch, 3, side, side]` in [-1, 1]: before each block that halves the resolution, and after the
    /// last block.
    fn levels(&self, faces: Tensor<4>) -> Vec<Tensor<4>> {
        assert_shape!(faces, [_, 3, _, _]);
        let shift = CHANNEL_MEANS.map(|mean| HALF_RANGE - mean);
        let shift = Tensor::<1>::from_data(shift, &faces.device()).reshape([1, 3, 1, 1]);
        let mut x = conv_relu6(&self.stem, faces * HALF_RANGE + shift); // [batch, 32, side / 2, side / 2]
        let mut levels = Vec::new();
        for block in &self.blocks {
            if block.halves() {
                levels.push(x.clone());
            }
            x = block.forward(x);
        }
        levels.push(x); // [batch, 1024, side / 32, side / 32]
        levels
    }
}

/// A depthwise and a pointwise convolution in place of a full 3x3 convolution, each followed by ReLU6.
#[derive(Module, Debug)]
struct SeparableConv {
    depthwise: Conv2d,
    pointwise: Conv2d,
}

impl SeparableConv {
    fn new([inputs, outputs]: [usize; 2], stride: usize, device: &Device) -> Self {
        Self {
            depthwise: conv([inputs, inputs], 3, stride, inputs, device),
            pointwise: conv([inputs, outputs], 1, 1, 1, device),
        }
    }

    /// Whether it halves height and width.
    fn halves(&self) -> bool {
        self.depthwise.stride == [2, 2]
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        conv_relu6(&self.pointwise, conv_relu6(&self.depthwise, x))
    }
}

/// A convolution with TensorFlow's SAME padding.
fn conv(channels: [usize; 2], kernel: usize, stride: usize, groups: usize, device: &Device) -> Conv2d {
    Conv2dConfig::new(channels, [kernel, kernel])
        .with_stride([stride, stride])
        .with_groups(groups)
        .with_padding(PaddingConfig2d::Same)
        .with_initializer(Initializer::Zeros)
        .init(device)
}

/// `min(max(conv(x), 0), 6)`.
fn conv_relu6(layer: &Conv2d, x: Tensor<4>) -> Tensor<4> {
    convolution(layer, x, Activation::None, Precision::Float32).clamp(0.0, 6.0)
}

/// `maps` `[batch, channels, height, width]`, normalized to unit length over the channels.
fn directions(maps: Tensor<4>) -> Tensor<4> {
    const EPSILON: f64 = 1e-10;
    let length = maps.clone().square().sum_dim(1).sqrt();
    maps / (length + EPSILON)
}
