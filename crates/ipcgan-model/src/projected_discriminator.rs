//! A projected discriminator: heads that score feature maps of a frozen network.

use burn::module::Module;
use burn::nn::conv::Conv2d;
use burn::tensor::{Device, Int, Tensor};
use ipcgan_kernels::Activation;

use crate::Recogniser;
use crate::condition::conditions;
use crate::initialization::scaled;
use crate::layers::{self, Layer, Pass, same_conv};
use crate::operation::Precision;

/// Activation of the hidden layers.
const ACTIVATION: Activation = Activation::LeakyRelu(0.2);
/// Channels of the hidden layers of a head.
const CHANNELS: usize = 64;
/// Rows and columns of the scores of each head, whatever the size of its map: local scores are average-pooled to them.
const SIDE: usize = 4;

/// Projected discriminator: scores whether a face is real and of the given age group by feature maps of a frozen face
/// recogniser ([`Recogniser::feature_maps`]), with one small convolutional network for each map.
///
/// Source: "Projected GANs converge faster" (Sauer et al., 2021), without random mixing of the maps. As in a projection
/// discriminator (Miyato and Koyama, 2018), a score is the sum of an unconditional one, which all age groups share, and
/// one of the group.
#[derive(Module, Debug)]
pub struct ProjectedDiscriminator {
    heads: Vec<Head>,
    age_groups: usize,
}

impl ProjectedDiscriminator {
    /// A discriminator for `groups` age groups whose weights take no memory yet.
    pub(crate) fn without_weights(groups: usize, device: &Device) -> Self {
        let heads = Recogniser::MAP_CHANNELS.map(|inputs| Head::new(inputs, groups, device));
        Self { heads: heads.into(), age_groups: groups }
    }

    /// Initial scores of one half for every input, as of a [`Discriminator`](crate::Discriminator) without batch norm.
    pub(crate) fn with_neutral_scores(mut self) -> Self {
        self.heads = self.heads.into_iter().map(Head::with_neutral_scores).collect();
        self
    }

    /// Scores of faces for every age group, from their feature maps.
    ///
    /// # Shapes
    /// - `maps`: of [`Recogniser::feature_maps`]
    /// - returns: `[batch, groups, scores]`, with 16 scores from each map
    ///
    /// # Panics
    /// If the number, the channels or the sides of `maps` differ from those of [`Recogniser::feature_maps`].
    pub fn scores(&self, maps: Vec<Tensor<4>>) -> Tensor<3> {
        assert_eq!(maps.len(), self.heads.len(), "maps of the recogniser");
        let scores = self.heads.iter().zip(maps).map(|(head, map)| head.forward(map));
        let scores = Tensor::cat(scores.collect(), 2);
        let shared = scores.clone().narrow(1, 0, 1);
        scores.narrow(1, 1, self.age_groups) + shared
    }

    /// The `scores` for one age group of each face: near one for a real face of its age group, near zero for a generated
    /// face or a real one of another group.
    ///
    /// # Shapes
    /// - `scores`: `[batch, groups, scores]`
    /// - `age_groups`: `[batch]`
    /// - returns: `[batch, scores, 1, 1]`
    ///
    /// # Panics
    /// If there are not as many age groups as faces.
    pub fn conditional_scores(&self, scores: Tensor<3>, age_groups: Tensor<1, Int>) -> Tensor<4> {
        let [batch, groups, count] = scores.dims();
        assert_eq!(age_groups.dims(), [batch], "age groups of the faces");
        let conditions = conditions(age_groups, groups).reshape([batch, groups, 1]);
        (scores * conditions).sum_dim(1).reshape([batch, count, 1, 1])
    }
}

/// Scores one feature map.
#[derive(Module, Debug)]
struct Head {
    project: Conv2d,
    spatial: Conv2d,
    /// One channel of scores that all age groups share, then one for each group.
    scores: Conv2d,
}

impl Head {
    fn new(inputs: usize, groups: usize, device: &Device) -> Self {
        Self {
            project: same_conv([inputs, CHANNELS], 1, 1, device),
            spatial: same_conv([CHANNELS, CHANNELS], 3, 1, device),
            scores: same_conv([CHANNELS, 1 + groups], 3, 1, device),
        }
    }

    fn with_neutral_scores(mut self) -> Self {
        const NEUTRAL: f32 = 0.5;
        self.scores.weight = scaled(self.scores.weight, 0.0);
        self.scores.bias = self.scores.bias.map(|bias| {
            bias.map(|bias| {
                let [channels] = bias.dims();
                let mut values = vec![0.0; channels];
                values[0] = NEUTRAL;
                Tensor::<1>::from_data(&values[..], &bias.device()).set_require_grad(bias.is_require_grad())
            })
        });
        self
    }

    /// `[batch, inputs, side, side]`, with `side` a multiple of [`SIDE`], to `[batch, 1 + groups, SIDE * SIDE]`.
    fn forward(&self, map: Tensor<4>) -> Tensor<3> {
        let layers = [
            Layer::Conv(&self.project, ACTIVATION),
            Layer::Conv(&self.spatial, ACTIVATION),
            Layer::Conv(&self.scores, Activation::None),
        ];
        let scores = layers::forward(&layers, with_unit_mean_square(map), Pass::one_batch(Precision::Float32));
        let [batch, channels, height, width] = scores.dims();
        let parts = scores.reshape([batch * channels * SIDE, height / SIDE, SIDE, width / SIDE]);
        parts.mean_dims(&[1, 3]).reshape([batch, channels, SIDE * SIDE])
    }
}

/// `map` with feature vectors of unit mean square at each position: maps of different levels differ in magnitude.
fn with_unit_mean_square(map: Tensor<4>) -> Tensor<4> {
    const EPSILON: f64 = 1e-4;
    let mean_square = map.clone().square().mean_dim(1);
    map / (mean_square + EPSILON).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{AgeGroups, DiscriminatorConfig};

    fn maps(batch: usize, device: &Device) -> Vec<Tensor<4>> {
        Recogniser::without_weights(device).feature_maps(Tensor::ones([batch, 3, 32, 32], device))
    }

    #[test]
    fn the_recogniser_has_maps_of_four_levels_for_faces_of_any_size() {
        let device = Device::flex();

        let shapes: Vec<_> = maps(2, &device).iter().map(Tensor::dims).collect();

        assert_eq!(shapes, [[2, 32, 32, 32], [2, 64, 16, 16], [2, 128, 8, 8], [2, 256, 4, 4]]);
    }

    #[test]
    fn initial_scores_are_one_half_for_every_face_and_group() {
        let device = Device::flex();
        let config = DiscriminatorConfig::new().with_width(4).with_batch_norm(false).with_projected(true);
        let discriminator = config.init(&AgeGroups::default(), 0, &device).projected.unwrap();
        let maps = maps(2, &device).into_iter().map(|map| map.ones_like()).collect();

        let scores = discriminator.scores(maps);

        assert_eq!(scores.dims(), [2, 5, 4 * SIDE * SIDE]);
        assert_eq!((scores - 0.5).abs().max().into_scalar::<f32>(), 0.0);
    }

    #[test]
    fn conditional_scores_are_those_of_the_group_of_each_face() {
        let device = Device::flex();
        let discriminator = ProjectedDiscriminator::without_weights(3, &device);
        let scores = Tensor::<3>::from_data([[[1.0], [2.0], [3.0]], [[4.0], [5.0], [6.0]]], &device);

        let found = discriminator.conditional_scores(scores, Tensor::from_data([2, 0], &device));

        assert_eq!(found.into_data().iter::<f32>().collect::<Vec<_>>(), [3.0, 4.0]);
    }
}
