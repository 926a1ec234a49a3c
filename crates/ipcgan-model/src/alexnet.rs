//! AlexNet: a convolutional trunk with an identity head and an age head.

mod frozen;

pub use frozen::FrozenAlexNet;

use burn::config::Config;
use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::pool::{MaxPool2d, MaxPool2dConfig};
use burn::nn::{
    Dropout, DropoutConfig, Initializer, Linear, LinearConfig, LocalResponseNorm, LocalResponseNormConfig,
    PaddingConfig2d,
};
use burn::tensor::{Device, Tensor};
use ipcgan_kernels::Activation;

use crate::initialization::{InitialWeights, scaled, with_initial_weights};
use crate::operation::{Precision, convolution, linear, local_response_norm, max_pool};
use crate::{AgeGroups, alexnet_input};

/// Inputs are in 0..255, about this many times the unit variance that He initialization assumes.
const PIXEL_SCALE: f64 = 64.0;

/// `alpha` of the local response norm: factor of the sum of squares.
const RESPONSE_NORM_ALPHA: f32 = 2e-5;

/// Size of an AlexNet.
#[derive(Config, Debug, PartialEq)]
pub struct AlexNetConfig {
    /// Number of identities of the identity head.
    pub identities: usize,
    /// Side of the square input image in pixels. Default: 227.
    #[config(default = 227)]
    pub input_size: usize,
    /// A third of the channels of the first layer. Default: 32, the published size.
    #[config(default = 32)]
    pub width: usize,
    /// Width of the fully connected layers `fc6` and `fc7`. Default: 4096.
    #[config(default = 4096)]
    pub hidden: usize,
    /// Length of the identity embedding. Default: 256.
    #[config(default = 256)]
    pub embedding: usize,
    /// Dropout probability of the hidden units. Default: 0.5, as AlexNet.
    #[config(default = 0.5)]
    pub dropout: f64,
}

impl AlexNetConfig {
    /// An AlexNet with random initial weights.
    ///
    /// # Panics
    /// If `input_size` is below 67 pixels, where nothing is left after the last pooling.
    pub fn init(&self, groups: &AgeGroups, seed: u64, device: &Device) -> AlexNet {
        let net = self.without_weights(groups.count(), device);
        let mut net = with_initial_weights(net, InitialWeights::He, seed);
        net.trunk.conv1.weight = scaled(net.trunk.conv1.weight, 1.0 / PIXEL_SCALE);
        net
    }

    /// An AlexNet for `groups` age groups whose weights take no memory yet.
    pub(crate) fn without_weights(&self, groups: usize, device: &Device) -> AlexNet {
        let linear =
            |inputs, outputs| LinearConfig::new(inputs, outputs).with_initializer(Initializer::Zeros).init(device);
        let flat = 8 * self.width * self.pooled_side() * self.pooled_side();
        let fc6 = || linear(flat, self.hidden);
        let fc7 = || linear(self.hidden, self.hidden);
        let dropout = || DropoutConfig::new(self.dropout).init();
        AlexNet {
            trunk: Trunk::new(self.width, device),
            identity_head: IdentityHead {
                fc6: fc6(),
                fc7: fc7(),
                embedding: linear(self.hidden, self.embedding),
                logits: linear(self.embedding, self.identities),
                dropout: dropout(),
                precision: Precision::default(),
            },
            age_head: AgeHead {
                fc6: fc6(),
                fc7: fc7(),
                logits: linear(self.hidden, groups),
                dropout: dropout(),
                precision: Precision::default(),
            },
            input_size: self.input_size,
        }
    }

    /// Side of the last pooled map: 6 for 227 pixels.
    pub(crate) fn pooled_side(&self) -> usize {
        let pooled = |side: usize| (side - 3) / 2 + 1;
        assert!(self.input_size >= 67, "AlexNet needs images of at least 67 pixels");
        let conv1 = (self.input_size - 11) / 4 + 1;
        pooled(pooled(pooled(conv1)))
    }
}

/// The convolutions of AlexNet, grouped as published and shared by both heads.
#[derive(Module, Debug)]
pub struct Trunk {
    conv1: Conv2d,
    conv2: Conv2d,
    conv3: Conv2d,
    conv4: Conv2d,
    conv5: Conv2d,
    pool: MaxPool2d,
    norm: LocalResponseNorm,
    #[module(skip)]
    precision: Precision,
}

impl Trunk {
    fn new(width: usize, device: &Device) -> Self {
        let conv = |channels, kernel: usize, groups| {
            let padding = kernel / 2;
            Conv2dConfig::new(channels, [kernel, kernel])
                .with_groups(groups)
                .with_padding(PaddingConfig2d::Explicit(padding, padding, padding, padding))
                .with_initializer(Initializer::Zeros)
        };
        let conv1 =
            Conv2dConfig::new([3, 3 * width], [11, 11]).with_stride([4, 4]).with_initializer(Initializer::Zeros);
        Self {
            conv1: conv1.init(device),
            conv2: conv([3 * width, 8 * width], 5, 2).init(device),
            conv3: conv([8 * width, 12 * width], 3, 1).init(device),
            conv4: conv([12 * width, 12 * width], 3, 2).init(device),
            conv5: conv([12 * width, 8 * width], 3, 2).init(device),
            pool: pool(),
            // y = x / (1 + 2e-5 * sum over 5 neighbouring channels of x^2)^0.75; alpha counts the mean.
            norm: LocalResponseNormConfig::new(5)
                .with_alpha(5.0 * f64::from(RESPONSE_NORM_ALPHA))
                .with_beta(0.75)
                .with_k(1.0)
                .init(),
            precision: Precision::default(),
        }
    }

    /// `[batch, 3, input, input]` to conv5, `[batch, 8 width, 13, 13]` for an input of 227.
    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let layers = [&self.conv1, &self.conv2, &self.conv3, &self.conv4, &self.conv5];
        self.through(x, |layer, x| convolution(layers[layer], x, Activation::Relu, self.precision))
    }

    /// [`Trunk::forward`] with `conv(layer, x)` for the five convolutions, each with its ReLU.
    fn through(&self, x: Tensor<4>, conv: impl Fn(usize, Tensor<4>) -> Tensor<4>) -> Tensor<4> {
        let [.., conv5] = self.maps_through(x, conv);
        conv5
    }

    /// The feature maps after conv2 (pooled and normalized), conv3, conv4 and conv5, with `conv` as in [`Trunk::through`].
    fn maps_through(&self, x: Tensor<4>, conv: impl Fn(usize, Tensor<4>) -> Tensor<4>) -> [Tensor<4>; 4] {
        let pool_norm = |x| local_response_norm(&self.norm, max_pool(&self.pool, x), RESPONSE_NORM_ALPHA);
        let x = pool_norm(conv(0, x)); // [batch, 3 width, 27, 27]
        let map2 = pool_norm(conv(1, x)); // [batch, 8 width, 13, 13]
        let map3 = conv(2, map2.clone());
        let map4 = conv(3, map3.clone());
        let map5 = conv(4, map4.clone());
        [map2, map3, map4, map5]
    }
}

/// Identity head: classifies identities.
#[derive(Module, Debug)]
pub struct IdentityHead {
    fc6: Linear,
    fc7: Linear,
    embedding: Linear,
    logits: Linear,
    dropout: Dropout,
    #[module(skip)]
    precision: Precision,
}

/// Age head: classifies age groups.
#[derive(Module, Debug)]
pub struct AgeHead {
    fc6: Linear,
    fc7: Linear,
    logits: Linear,
    dropout: Dropout,
    #[module(skip)]
    precision: Precision,
}

impl AgeHead {
    /// Logits of the age groups, `[batch, groups]`, from [`AlexNet::features`].
    pub fn forward(&self, features: Tensor<4>) -> Tensor<2> {
        let x = self.dropout.forward(linear(&self.fc6, flat(features), Activation::Relu, self.precision));
        let x = self.dropout.forward(linear(&self.fc7, x, Activation::Relu, self.precision));
        linear(&self.logits, x, Activation::None, self.precision)
    }
}

/// The identity net and the age classifier on one trunk (IPCGAN: `h(x)` is its conv5).
#[derive(Module, Debug)]
pub struct AlexNet {
    /// The convolutions.
    pub trunk: Trunk,
    /// Identity head: classifies identities.
    pub identity_head: IdentityHead,
    /// Age head: classifies age groups.
    pub age_head: AgeHead,
    input_size: usize,
}

impl AlexNet {
    /// The network, computing in `precision`. Weights files and checkpoints do not store it.
    pub fn with_precision(mut self, precision: Precision) -> Self {
        self.trunk.precision = precision;
        self.identity_head.precision = precision;
        self.age_head.precision = precision;
        self
    }

    /// The precision that it computes in; float32 unless it was set.
    pub fn precision(&self) -> Precision {
        self.trunk.precision
    }

    /// Identity features: conv5 (IPCGAN: `h(x)`).
    ///
    /// # Shapes
    /// - `faces`: `[batch, 3, height, width]`, RGB, in [-1, 1]; resized here
    /// - returns: `[batch, 8 width of the network, side, side]`; 43,264 values a face as published
    pub fn features(&self, faces: Tensor<4>) -> Tensor<4> {
        self.trunk.forward(alexnet_input(faces, self.input_size))
    }

    /// Identity embedding, `[batch, embedding]`, from [`AlexNet::features`].
    pub fn embedding(&self, features: Tensor<4>) -> Tensor<2> {
        let head = &self.identity_head;
        let x = head.dropout.forward(linear(&head.fc6, flat(features), Activation::Relu, head.precision));
        let x = head.dropout.forward(linear(&head.fc7, x, Activation::Relu, head.precision));
        linear(&head.embedding, x, Activation::Relu, head.precision)
    }

    /// Logits of the identities of the training set, `[batch, identities]`.
    pub fn identity_logits(&self, features: Tensor<4>) -> Tensor<2> {
        let head = &self.identity_head;
        linear(&head.logits, self.embedding(features), Activation::None, head.precision)
    }

    /// Logits of the age groups, `[batch, groups]`.
    pub fn age_logits(&self, features: Tensor<4>) -> Tensor<2> {
        self.age_head.forward(features)
    }
}

fn pool() -> MaxPool2d {
    MaxPool2dConfig::new([3, 3]).with_strides([2, 2]).init()
}

/// conv5, pooled and laid out in one row a face, as `fc6` takes it.
fn flat(features: Tensor<4>) -> Tensor<2> {
    max_pool(&pool(), features).flatten(1, 3)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> AlexNetConfig {
        AlexNetConfig::new(7).with_input_size(67).with_width(2).with_hidden(8).with_embedding(4)
    }

    #[test]
    fn a_face_gives_one_row_of_scores_for_each_head() {
        let device = Device::flex();
        let net = config().init(&AgeGroups::default(), 0, &device);
        let faces = Tensor::<4>::zeros([2, 3, 32, 32], &device);

        let features = net.features(faces);

        assert_eq!(net.identity_logits(features.clone()).dims(), [2, 7]);
        assert_eq!(net.embedding(features.clone()).dims(), [2, 4]);
        assert_eq!(net.age_logits(features).dims(), [2, 5]);
    }

    #[test]
    #[should_panic(expected = "at least 67 pixels")]
    fn an_image_too_small_for_the_pooling_is_refused() {
        config().with_input_size(66).init(&AgeGroups::default(), 0, &Device::flex());
    }
}
