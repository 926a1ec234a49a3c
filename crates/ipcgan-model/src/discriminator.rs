//! The discriminator: a conditional patch discriminator.

use burn::config::Config;
use burn::module::Module;
use burn::nn::conv::Conv2d;
use burn::tensor::{Device, Int, Tensor, assert_shape};
use ipcgan_kernels::Activation;

use crate::condition::conditions;
use crate::initialization::{InitialWeights, scaled, with_initial_weights, with_whitening_filters};
use crate::layers::{self, ConvNorm, Layer, Pass, same_conv};
use crate::operation::{BatchGather, BatchNormPass, Precision, concat_batches, concat_conditions};
use crate::{AgeGroups, ProjectedDiscriminator};

/// The activation, with the slope of the official code below zero.
const ACTIVATION: Activation = Activation::LeakyRelu(0.2);

/// Configuration of a discriminator.
#[derive(Config, Debug, PartialEq)]
pub struct DiscriminatorConfig {
    /// Channels after the first convolution. Default: 64.
    #[config(default = 64)]
    pub width: usize,
    /// Whether three of its layers have batch norms, with the published initial weights. Default: yes.
    ///
    /// Real and generated batches are normalized separately, so that both have the same mean and variance after a norm,
    /// which removes most of the difference between them. Without norms, the first layer is initialized with whitening
    /// filters, and initial scores are one half; against a frozen generator such a network detects artefacts within
    /// tens of steps, where the published one takes hundreds.
    #[config(default = true)]
    pub batch_norm: bool,
    /// Channels of the score maps, each an independent score on shared features; 0 for eight times the width, as published.
    /// Default: 0.
    ///
    /// With eight times the width, the last layer costs more than all others together.
    #[config(default = 0)]
    pub score_channels: usize,
    /// Whether there is a [`ProjectedDiscriminator`] besides. Default: no, as published.
    #[config(default = false)]
    pub projected: bool,
}

impl DiscriminatorConfig {
    /// A discriminator with random initial weights.
    pub fn init(&self, groups: &AgeGroups, seed: u64, device: &Device) -> Discriminator {
        let mut discriminator = self.without_weights(groups.count(), device);
        let projected = discriminator.projected.take();
        let projected =
            projected.map(|network| with_initial_weights(network, InitialWeights::He, seed).with_neutral_scores());
        let discriminator = if self.batch_norm {
            with_initial_weights(discriminator, InitialWeights::Gan, seed)
        } else {
            // The published initial weights are so small that without norms only a hundredth of the signal would
            // remain.
            let mut discriminator = with_initial_weights(discriminator, InitialWeights::He, seed);
            discriminator.stem.weight = with_whitening_filters(discriminator.stem.weight, seed);
            discriminator.with_neutral_scores()
        };
        Discriminator { projected, ..discriminator }
    }

    /// A discriminator for `groups` age groups whose weights take no memory yet.
    pub(crate) fn without_weights(&self, groups: usize, device: &Device) -> Discriminator {
        let width = self.width;
        let scores = if self.score_channels == 0 { 8 * width } else { self.score_channels };
        let layer = if self.batch_norm { ConvNorm::new } else { ConvNorm::plain };
        Discriminator {
            stem: same_conv([3, width], 4, 2, device),
            down1: layer([width + groups, 2 * width], 4, 2, device),
            down2: layer([2 * width, 4 * width], 4, 2, device),
            patch: layer([4 * width, 8 * width], 4, 1, device),
            head: same_conv([8 * width, scores], 4, 1, device),
            projected: self.projected.then(|| ProjectedDiscriminator::without_weights(groups, device)),
            age_groups: groups,
            precision: Precision::default(),
        }
    }
}

/// Patch discriminator: scores whether a face is real and of the given age group (IPCGAN: `D(x | C_t)`).
#[derive(Module, Debug)]
pub struct Discriminator {
    stem: Conv2d,
    down1: ConvNorm,
    down2: ConvNorm,
    patch: ConvNorm,
    head: Conv2d,
    /// Scores faces by the feature maps of a recogniser as well.
    pub projected: Option<ProjectedDiscriminator>,
    age_groups: usize,
    #[module(skip)]
    precision: Precision,
}

impl Discriminator {
    /// Initial scores of one half for every input, the optimum of an uninformed discriminator. With other initial
    /// scores, the first steps would only learn this constant, with gradients that stay in Adam's moments for a
    /// thousand steps.
    fn with_neutral_scores(mut self) -> Self {
        const NEUTRAL: f64 = 0.5;
        self.head.weight = scaled(self.head.weight, 0.0);
        self.head.bias = self
            .head
            .bias
            .map(|bias| bias.map(|bias| bias.full_like(NEUTRAL).set_require_grad(bias.is_require_grad())));
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
    /// If `faces` does not have three channels, or there are not as many age groups as faces.
    pub fn forward(&self, faces: Tensor<4>, age_groups: Tensor<1, Int>) -> Tensor<4> {
        let ([batch, ..], [groups]) = (faces.dims(), age_groups.dims());
        assert_eq!(groups, batch, "age groups of the faces");
        self.conditional_scores(self.stem_features([faces]), [(0, age_groups)])
    }

    /// Features of the first layer for several concatenated batches, before the age conditions. Evaluations of the same
    /// faces under different groups share them, which is exact because the layer has no batch norm.
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
        let [stem, ..] = self.layers();
        stem.forward(concat_batches(faces.to_vec()), Pass::one_batch(self.precision))
    }

    /// Scores of several evaluations, concatenated. Each evaluation is the index of a batch of
    /// [`Discriminator::stem_features`] with the age groups to score it under.
    ///
    /// Equals one call for each evaluation (each is normalized with its own statistics), but packs the weights and computes
    /// their gradients once.
    ///
    /// # Shapes
    /// - `features`: of [`Discriminator::stem_features`]
    /// - `evaluations`: each with `[batch]` age groups
    /// - returns: `[N batch, score channels, height / 8, width / 8]`
    ///
    /// # Panics
    /// If an evaluation is of a batch that `features` do not have, or of another number of faces, or `features` do not
    /// consist of whole batches.
    pub fn conditional_scores<const N: usize>(
        &self,
        features: Tensor<4>,
        evaluations: [(usize, Tensor<1, Int>); N],
    ) -> Tensor<4> {
        let ([faces, ..], [batch]) = (features.dims(), evaluations[0].1.dims());
        let fits = |(of, groups): &(usize, Tensor<1, Int>)| groups.dims() == [batch] && (of + 1) * batch <= faces;
        let whole = faces.is_multiple_of(batch) && evaluations.iter().all(fits);
        assert!(whole, "evaluations of {batch} faces each, of {faces} in all");
        let gather =
            BatchGather { parts: faces / batch, indices: evaluations.iter().map(|(batch, _)| *batch).collect() };
        let age_groups = evaluations.into_iter().map(|(_, age_groups)| age_groups).collect();
        let x = concat_conditions(features, gather, conditions(Tensor::cat(age_groups, 0), self.age_groups));
        let [_, conditional @ ..] = self.layers();
        let pass = Pass::one_batch(self.precision);
        layers::forward(&conditional, x, Pass { norm: BatchNormPass { ghost_batches: N, ..pass.norm }, ..pass })
    }

    /// The network, computing in `precision`. Weights files and checkpoints do not store it.
    pub fn with_precision(self, precision: Precision) -> Self {
        Self { precision, ..self }
    }

    /// The layers in order; the condition planes are concatenated to the output of the first.
    pub(crate) fn layers(&self) -> [Layer<'_>; 5] {
        [
            Layer::Conv(&self.stem, ACTIVATION),      // [batch, .., height / 2, width / 2]
            Layer::ConvNorm(&self.down1, ACTIVATION), // [batch, .., height / 4, width / 4]
            Layer::ConvNorm(&self.down2, ACTIVATION), // [batch, .., height / 8, width / 8]
            Layer::ConvNorm(&self.patch, ACTIVATION),
            Layer::Conv(&self.head, Activation::None),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_discriminator_without_batch_norm_has_biases_instead() {
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
    fn a_discriminator_without_batch_norm_starts_at_scores_of_one_half_in_the_configured_channels() {
        let device = Device::flex();
        let config = DiscriminatorConfig::new().with_width(4).with_batch_norm(false).with_score_channels(1);
        let discriminator = config.init(&AgeGroups::default(), 0, &device);

        let scores = discriminator.forward(Tensor::ones([2, 3, 32, 32], &device), Tensor::from_data([0, 4], &device));

        assert_eq!(scores.dims(), [2, 1, 4, 4]);
        assert_eq!((scores - 0.5).abs().max().into_scalar::<f32>(), 0.0);
    }
}
