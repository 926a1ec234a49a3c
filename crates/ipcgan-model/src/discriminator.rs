//! The discriminator: is this patch of the face real, and of that age?

use burn::config::Config;
use burn::module::Module;
use burn::nn::conv::Conv2d;
use burn::tensor::{Device, Int, Tensor, assert_shape};
use ipcgan_kernels::Activation;

use crate::initial::{InitialWeights, with_initial_weights};
use crate::layers::{ConvNorm, same_conv};
use crate::operation::{convolution, joined_batches, joined_channels};
use crate::{AgeGroups, condition_planes};

/// The activation, with the slope of the official code below zero.
const ACTIVATION: Activation = Activation::LeakyRelu(0.2);

/// Size of a discriminator.
#[derive(Config, Debug, PartialEq)]
pub struct DiscriminatorConfig {
    /// Channels after the first convolution. Default: 64.
    #[config(default = 64)]
    pub width: usize,
}

impl DiscriminatorConfig {
    /// A discriminator with initial weights drawn from `seed`.
    pub fn init(&self, groups: &AgeGroups, seed: u64, device: &Device) -> Discriminator {
        let width = self.width;
        let discriminator = Discriminator {
            stem: same_conv([3, width], 4, 2, device),
            down1: ConvNorm::new([width + groups.count(), 2 * width], 4, 2, device),
            down2: ConvNorm::new([2 * width, 4 * width], 4, 2, device),
            patch: ConvNorm::new([4 * width, 8 * width], 4, 1, device),
            head: same_conv([8 * width, 8 * width], 4, 1, device),
            age_groups: groups.count(),
        };
        with_initial_weights(discriminator, InitialWeights::Gan, seed)
    }
}

/// Judges patches of a face: real and of the given age group, or not (IPCGAN: `D(x | C_t)`).
#[derive(Module, Debug)]
pub struct Discriminator {
    stem: Conv2d,
    down1: ConvNorm,
    down2: ConvNorm,
    patch: ConvNorm,
    head: Conv2d,
    age_groups: usize,
}

impl Discriminator {
    /// Scores of the patches of `faces`: near one for a real face of its age group, near zero for
    /// a generated face or a real one of another group.
    ///
    /// # Shapes
    /// - `faces`: `[batch, 3, height, width]`, RGB, in [-1, 1]
    /// - `age_groups`: `[batch]`
    /// - returns: `[batch, 8 width of the network, height / 8, width / 8]`
    ///
    /// # Panics
    /// If `faces` does not have three channels.
    pub fn forward(&self, faces: Tensor<4>, age_groups: Tensor<1, Int>) -> Tensor<4> {
        self.scores(self.features(faces), age_groups)
    }

    /// The first layer, before the age group is joined: shared by judgements of the same faces
    /// under different groups, which is exact because no statistics of the batch enter it.
    ///
    /// # Panics
    /// If `faces` does not have three channels.
    pub fn features(&self, faces: Tensor<4>) -> Tensor<4> {
        assert_shape!(faces, [_, 3, _, _]);
        convolution(&self.stem, faces, ACTIVATION) // [batch, .., height / 2, width / 2]
    }

    /// The layers after [`Discriminator::features`].
    pub fn scores(&self, features: Tensor<4>, age_groups: Tensor<1, Int>) -> Tensor<4> {
        self.scores_of_batches([(features, age_groups)])
    }

    /// [`Discriminator::scores`] of several batches of one size, one after another.
    ///
    /// Gives what one call for each batch in turn would give (each is normed by its own statistics), but prepares
    /// the weights and computes their gradients once.
    pub fn scores_of_batches<const N: usize>(&self, batches: [(Tensor<4>, Tensor<1, Int>); N]) -> Tensor<4> {
        let joined = batches.map(|(features, age_groups)| {
            let [_, _, height, width] = features.dims();
            joined_channels(features, condition_planes(age_groups, self.age_groups, [height, width]))
        });
        let x = joined_batches(joined.to_vec());
        let x = self.down1.forward_parts(x, N, ACTIVATION); // [N batch, .., height / 4, width / 4]
        let x = self.down2.forward_parts(x, N, ACTIVATION); // [N batch, .., height / 8, width / 8]
        let x = self.patch.forward_parts(x, N, ACTIVATION);
        convolution(&self.head, x, Activation::None)
    }
}
