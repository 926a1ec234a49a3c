//! The discriminator: is this patch of the face real, and of that age?

use burn::config::Config;
use burn::module::Module;
use burn::nn::conv::Conv2d;
use burn::tensor::{Device, Int, Tensor, assert_shape};
use ipcgan_kernels::Activation;

use crate::AgeGroups;
use crate::condition::conditions;
use crate::initialization::{InitialWeights, scaled, with_initial_weights, with_whitening_filters};
use crate::layers::{ConvNorm, same_conv};
use crate::operation::{BatchGather, concat_batches, concat_conditions, convolution};

/// The activation, with the slope of the official code below zero.
const ACTIVATION: Activation = Activation::LeakyRelu(0.2);

/// Size and form of a discriminator.
#[derive(Config, Debug, PartialEq)]
pub struct DiscriminatorConfig {
    /// Channels after the first convolution. Default: 64.
    #[config(default = 64)]
    pub width: usize,
    /// Whether three of its layers have batch norms and the first weights are the published ones. Default: yes.
    ///
    /// Real and generated faces are normed apart, so that both leave a norm with the same mean and variance: most of what
    /// tells one kind from the other is taken away. Without norms the first layer begins as filters to which the colours and
    /// frequencies of photographs are equally strong, and the scores at one half; against a generator that stands still such a
    /// network finds what is wrong in tens of steps, where the published one takes hundreds.
    #[config(default = true)]
    pub batch_norm: bool,
    /// Channels of the scores, each a judge of its own on the same features; 0 for eight times the width, as published.
    /// Default: 0.
    ///
    /// With eight times the width, the last layer costs more than all others together.
    #[config(default = 0)]
    pub score_channels: usize,
}

impl DiscriminatorConfig {
    /// A discriminator with initial weights drawn from `seed`.
    pub fn init(&self, groups: &AgeGroups, seed: u64, device: &Device) -> Discriminator {
        let width = self.width;
        let scores = if self.score_channels == 0 { 8 * width } else { self.score_channels };
        let layer = if self.batch_norm { ConvNorm::new } else { ConvNorm::plain };
        let discriminator = Discriminator {
            stem: same_conv([3, width], 4, 2, device),
            down1: layer([width + groups.count(), 2 * width], 4, 2, device),
            down2: layer([2 * width, 4 * width], 4, 2, device),
            patch: layer([4 * width, 8 * width], 4, 1, device),
            head: same_conv([8 * width, scores], 4, 1, device),
            age_groups: groups.count(),
        };
        if self.batch_norm {
            with_initial_weights(discriminator, InitialWeights::Gan, seed)
        } else {
            // The published weights are so small that without norms a hundredth of what comes in would come out.
            let mut discriminator = with_initial_weights(discriminator, InitialWeights::He, seed);
            discriminator.stem.weight = with_whitening_filters(discriminator.stem.weight, seed);
            discriminator.with_neutral_scores()
        }
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
    /// The same with scores of one half for everything, where guessing has the least loss. From larger first scores of
    /// both signs, the first steps would only learn to give all the same, by leaps that Adam remembers for a thousand steps.
    fn with_neutral_scores(mut self) -> Self {
        const GUESS: f64 = 0.5;
        self.head.weight = scaled(self.head.weight, 0.0);
        self.head.bias =
            self.head.bias.map(|bias| bias.map(|bias| bias.full_like(GUESS).set_require_grad(bias.is_require_grad())));
        self
    }

    /// Scores of the patches of `faces`: near one for a real face of its age group, near zero for
    /// a generated face or a real one of another group.
    ///
    /// # Shapes
    /// - `faces`: `[batch, 3, height, width]`, RGB, in [-1, 1]
    /// - `age_groups`: `[batch]`
    /// - returns: `[batch, score channels, height / 8, width / 8]`
    ///
    /// # Panics
    /// If `faces` does not have three channels.
    pub fn forward(&self, faces: Tensor<4>, age_groups: Tensor<1, Int>) -> Tensor<4> {
        self.conditional_scores(self.stem_features([faces]), [(0, age_groups)])
    }

    /// The first layer on several batches, one after another, before age groups are joined: shared by judgements of the
    /// same faces under different groups, which is exact because no statistics of the batch enter it.
    ///
    /// # Shapes
    /// - `faces`: each `[batch, 3, height, width]`, RGB, in [-1, 1]
    /// - returns: `[N batch, width, height / 2, width / 2]`
    ///
    /// # Panics
    /// If `faces` do not have three channels, or differ in shape.
    pub fn stem_features<const N: usize>(&self, faces: [Tensor<4>; N]) -> Tensor<4> {
        for other in &faces {
            assert_shape!(other, [_, 3, _, _]);
            assert_eq!(other.dims(), faces[0].dims(), "batches of one shape");
        }
        convolution(&self.stem, concat_batches(faces.to_vec()), ACTIVATION)
    }

    /// The layers after it, for several judgements, one after another: each of one of the batches of
    /// [`Discriminator::stem_features`], by its index, under the given age groups.
    ///
    /// Gives what one call for each judgement in turn would give (each is normed by its own statistics), but prepares
    /// the weights and computes their gradients once.
    ///
    /// # Shapes
    /// - `features`: of [`Discriminator::stem_features`]
    /// - `conditions_of`: each with `[batch]` age groups
    /// - returns: `[N batch, score channels, height / 8, width / 8]`
    ///
    /// # Panics
    /// If a judgement is of a batch that `features` do not have, or of another number of faces.
    pub fn conditional_scores<const N: usize>(
        &self,
        features: Tensor<4>,
        conditions_of: [(usize, Tensor<1, Int>); N],
    ) -> Tensor<4> {
        let ([faces, ..], [batch]) = (features.dims(), conditions_of[0].1.dims());
        let fits = |(of, groups): &(usize, Tensor<1, Int>)| groups.dims() == [batch] && (of + 1) * batch <= faces;
        assert!(conditions_of.iter().all(fits), "judgements of {batch} faces each, of {faces} in all");
        let gather =
            BatchGather { parts: faces / batch, indices: conditions_of.iter().map(|(batch, _)| *batch).collect() };
        let age_groups = conditions_of.into_iter().map(|(_, age_groups)| age_groups).collect();
        let x = concat_conditions(features, gather, conditions(Tensor::cat(age_groups, 0), self.age_groups));
        let x = self.down1.forward_chunks(x, N, ACTIVATION); // [N batch, .., height / 4, width / 4]
        let x = self.down2.forward_chunks(x, N, ACTIVATION); // [N batch, .., height / 8, width / 8]
        let x = self.patch.forward_chunks(x, N, ACTIVATION);
        convolution(&self.head, x, Activation::None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_discriminator_without_norms_has_biases_instead() {
        let device = Device::flex();
        let parameters = |norms| {
            let config = DiscriminatorConfig::new().with_width(4).with_batch_norm(norms);
            config.init(&AgeGroups::default(), 0, &device).num_params()
        };

        // Of 8, 16 and 32 channels: two factors and two statistics each, or one bias.
        assert_eq!(parameters(true) - parameters(false), 3 * (8 + 16 + 32));
        let discriminator = DiscriminatorConfig::new().with_width(4).with_batch_norm(false);
        let discriminator = discriminator.init(&AgeGroups::default(), 0, &device);
        let faces = Tensor::<4>::zeros([2, 3, 32, 32], &device);
        assert_eq!(discriminator.forward(faces, Tensor::from_data([0, 4], &device)).dims(), [2, 32, 4, 4]);
    }

    #[test]
    fn a_discriminator_without_norms_begins_undecided_in_as_many_channels_as_set() {
        let device = Device::flex();
        let config = DiscriminatorConfig::new().with_width(4).with_batch_norm(false).with_score_channels(1);
        let discriminator = config.init(&AgeGroups::default(), 0, &device);

        let scores = discriminator.forward(Tensor::ones([2, 3, 32, 32], &device), Tensor::from_data([0, 4], &device));

        assert_eq!(scores.dims(), [2, 1, 4, 4]);
        assert_eq!((scores - 0.5).abs().max().into_scalar::<f32>(), 0.0);
    }
}
