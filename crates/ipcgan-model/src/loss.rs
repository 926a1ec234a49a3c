//! The losses of IPCGAN as functions of network outputs.

use burn::tensor::activation::log_softmax;
use burn::tensor::{Int, Tensor};

use crate::operation::{self, Target, squared_distance, weighted_squared_error};

/// Loss of the discriminator (`L_D`, least-squares GAN):
/// `1/2 [ E(D(x|right) - 1)^2 + 1/(1 + w) (w E D(x|wrong)^2 + E D(G(y|right)|right)^2) ]`; the published one has `w = 1`.
///
/// # Shapes
/// - `scores`: discriminator outputs, `[3 batch, channels, height, width]`: of real faces with their own group, then of
///   the same faces with a mismatched group, then of generated faces
/// - `mismatched_weight`: `w`, the weight of real faces with a mismatched group relative to generated faces
/// - returns: `[1]`, mean over all scores
///
/// # Panics
/// If `scores` does not consist of three batches of one size.
pub fn discriminator_loss(scores: Tensor<4>, mismatched_weight: f64) -> Tensor<1> {
    let [count, ..] = scores.dims();
    assert!(count.is_multiple_of(3), "scores of {count} faces are not those of three batches");
    let rejected = |weight: f64| Target { value: 0.0, weight: (0.5 * weight / (1.0 + mismatched_weight)) as f32 };
    weighted_squared_error(scores, [Target { value: 1.0, weight: 0.5 }, rejected(mismatched_weight), rejected(1.0)])
}

/// Adversarial loss of the generator (`L_G`, least-squares GAN): `1/2 E(D(G(y|t)|t) - 1)^2`.
///
/// # Shapes
/// - `generated`: discriminator outputs for generated faces, `[batch, channels, height, width]`
/// - returns: `[1]`
pub fn adversarial_loss(generated: Tensor<4>) -> Tensor<1> {
    weighted_squared_error(generated, [Target { value: 1.0, weight: 0.5 }])
}

/// Identity loss (`L_identity`): squared distance between the features `h(x)` of the generated and of the source face,
/// *summed* over the features and averaged over the batch.
///
/// # Shapes
/// - both: `[batch, channels, height, width]`
/// - returns: `[1]`
///
/// # Panics
/// If the shapes differ.
pub fn identity_loss(generated: Tensor<4>, source: Tensor<4>) -> Tensor<1> {
    assert_eq!(generated.dims(), source.dims(), "features of the generated and of the source faces");
    let [batch, ..] = generated.dims();
    squared_distance(generated, source) / batch as f64
}

/// Perceptual identity loss: squared distance of unit-length feature vectors at each depth and position, averaged over
/// positions, faces and depths.
///
/// Independent of network size and feature scale, whereas a few large features dominate [`identity_loss`].
///
/// Source: Zhang et al., "The Unreasonable Effectiveness of Deep Features as a Perceptual Metric" (LPIPS), CVPR 2018,
/// without learned weights.
///
/// # Shapes
/// - both: feature maps of several depths, each `[batch, channels, height, width]`
/// - returns: `[1]`, in [0, 4]
///
/// # Panics
/// If the shapes differ.
pub fn perceptual_identity_loss<const N: usize>(generated: [Tensor<4>; N], source: [Tensor<4>; N]) -> Tensor<1> {
    let distance = |(generated, source): (Tensor<4>, Tensor<4>)| {
        assert_eq!(generated.dims(), source.dims(), "features of the generated and of the source faces");
        (unit_length(generated) - unit_length(source)).square().sum_dim(1).mean()
    };
    let distances: Vec<_> = generated.into_iter().zip(source).map(distance).collect();
    Tensor::cat(distances, 0).mean()
}

/// `maps` `[batch, channels, height, width]`, normalized to unit length over the channels.
fn unit_length(maps: Tensor<4>) -> Tensor<4> {
    // Keeps the gradient finite where all features are zero.
    const MARGIN: f64 = 1e-6;
    let length = (maps.clone().square().sum_dim(1) + MARGIN).sqrt();
    maps / length
}

/// Reconstruction loss: mean absolute difference from the source over the faces whose target is `own_group`; zero if
/// there are none.
///
/// # Shapes
/// - `generated`, `source`: `[batch, 3, height, width]`, RGB, in [-1, 1]
/// - `own_group`: `[batch]`, one where the target is the group of the source face, else zero
/// - returns: `[1]`
///
/// # Panics
/// If the shapes differ.
pub fn reconstruction_loss(generated: Tensor<4>, source: Tensor<4>, own_group: Tensor<1>) -> Tensor<1> {
    assert_eq!(generated.dims(), source.dims(), "generated and source faces");
    let [batch, ..] = generated.dims();
    let differences = (generated - source).abs().mean_dims(&[1, 2, 3]).reshape([batch]);
    (differences * own_group.clone()).sum() / own_group.sum().clamp_min(1.0)
}

/// Weight of the differences between neighbouring pixels in the [`prototype_loss`].
const GRADIENT_WEIGHT: f64 = 4.0;

/// Prototype loss: mean squared difference from the faces that prototype ageing draws, in values and, with weight 4, in
/// differences between neighbouring pixels.
///
/// The differences weight lines and edges as much as areas, as most of the variance of images is in low frequencies.
/// Squared, because the group of a face can only be guessed from the face: the absolute difference is smallest for the
/// median of the possible changes, which is close to no change, and the squared one for their mean.
///
/// # Shapes
/// - `generated`, `expected`: `[batch, 3, height, width]`, RGB, in [-1, 1]
/// - returns: `[1]`
///
/// # Panics
/// If the shapes differ.
pub fn prototype_loss(generated: Tensor<4>, expected: Tensor<4>) -> Tensor<1> {
    assert_eq!(generated.dims(), expected.dims(), "generated and expected faces");
    let difference = generated - expected;
    let [_, _, height, width] = difference.dims();
    let across = difference.clone().narrow(3, 1, width - 1) - difference.clone().narrow(3, 0, width - 1);
    let down = difference.clone().narrow(2, 1, height - 1) - difference.clone().narrow(2, 0, height - 1);
    difference.square().mean() + (across.square().mean() + down.square().mean()) * GRADIENT_WEIGHT
}

/// Chroma loss: mean squared difference in chroma (the deviation of each channel from the mean of the three) from the faces
/// that prototype ageing draws. Networks that judge faces by their luminance leave chroma to it.
///
/// # Shapes
/// - `generated`, `expected`: `[batch, 3, height, width]`, RGB, in [-1, 1]
/// - returns: `[1]`
///
/// # Panics
/// If the shapes differ.
pub fn chroma_loss(generated: Tensor<4>, expected: Tensor<4>) -> Tensor<1> {
    assert_eq!(generated.dims(), expected.dims(), "generated and expected faces");
    let difference = generated - expected;
    let luminance = difference.clone().mean_dim(1);
    (difference - luminance).square().mean()
}

/// Age loss (`L_age`): softmax cross entropy of the age classifier against the target group.
///
/// # Shapes
/// - `logits`: `[batch, groups]`
/// - `target_groups`: `[batch]`
/// - returns: `[1]`, mean over the batch
pub fn age_loss(logits: Tensor<2>, target_groups: Tensor<1, Int>) -> Tensor<1> {
    cross_entropy(logits, target_groups)
}

/// Softmax cross entropy, averaged over the batch.
///
/// # Shapes
/// - `logits`: `[batch, classes]`
/// - `labels`: `[batch]`
/// - returns: `[1]`
pub fn cross_entropy(logits: Tensor<2>, labels: Tensor<1, Int>) -> Tensor<1> {
    operation::cross_entropy(logits, labels)
}

/// [`cross_entropy`] of the rows with a `known` label; zero if there is none.
///
/// # Shapes
/// - `logits`: `[batch, classes]`
/// - `labels`: `[batch]`
/// - `known`: `[batch]`, one or zero each
/// - returns: `[1]`
pub fn masked_cross_entropy(logits: Tensor<2>, labels: Tensor<1, Int>, known: Tensor<1>) -> Tensor<1> {
    let [batch] = labels.dims();
    let losses = -log_softmax(logits, 1).gather(1, labels.reshape([batch, 1])).reshape([batch]);
    (losses * known.clone()).sum() / known.sum().clamp_min(1.0)
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;

    fn scores(value: f32) -> Tensor<4> {
        Tensor::full([2, 3, 1, 1], value, &Device::flex())
    }

    /// The discriminator loss for one constant score per kind of face.
    fn loss_of_scores(real_right: f32, real_mismatched: f32, generated: f32) -> f32 {
        value(discriminator_loss(Tensor::cat([real_right, real_mismatched, generated].map(scores).to_vec(), 0), 1.0))
    }

    fn value(loss: Tensor<1>) -> f32 {
        loss.into_scalar()
    }

    #[test]
    fn faces_with_a_mismatched_group_are_weighted() {
        let accepted = |generated: f32| Tensor::cat([1.0, 1.0, generated].map(scores).to_vec(), 0);

        assert_eq!(value(discriminator_loss(accepted(1.0), 0.0)), 0.5, "generated faces alone");
        assert_eq!(value(discriminator_loss(accepted(0.0), 0.0)), 0.0);
        assert_eq!(value(discriminator_loss(accepted(0.0), 3.0)), 0.375);
    }

    #[test]
    fn a_perfect_discriminator_has_zero_loss() {
        assert_eq!(loss_of_scores(1.0, 0.0, 0.0), 0.0);
    }

    #[test]
    fn real_faces_weigh_as_much_as_mismatched_and_generated_faces_together() {
        assert_eq!(loss_of_scores(0.0, 0.0, 0.0), 0.5);
        assert_eq!(loss_of_scores(1.0, 1.0, 0.0), 0.25);
        assert_eq!(loss_of_scores(1.0, 0.0, 1.0), 0.25);
    }

    #[test]
    fn a_detected_generator_has_an_adversarial_loss_of_one_half() {
        assert_eq!(value(adversarial_loss(scores(0.0))), 0.5);
        assert_eq!(value(adversarial_loss(scores(1.0))), 0.0);
    }

    #[test]
    fn identity_is_summed_over_features_and_averaged_over_faces() {
        // Three features per face, each differing by 2.
        assert_eq!(value(identity_loss(scores(3.0), scores(1.0))), 12.0);
    }

    #[test]
    fn perceptual_identity_loss_depends_on_the_direction_of_features_only() {
        let features = |values: [f32; 2]| Tensor::<1>::from_data(values, &Device::flex()).reshape([1, 2, 1, 1]);
        let loss = |a, b| value(perceptual_identity_loss([features(a)], [features(b)]));

        assert!(loss([1.0, 2.0], [10.0, 20.0]) < 1e-6);
        assert!((loss([3.0, 0.0], [0.0, 5.0]) - 2.0).abs() < 1e-5);
        let features = || features([1.0, 0.0]);
        let both = perceptual_identity_loss([features(), features()], [features(), features() * -1.0]);
        assert!((value(both) - 2.0).abs() < 1e-5, "a mean over depths of 0 and 4");
    }

    #[test]
    fn only_faces_of_their_own_group_must_be_reconstructed() {
        let device = Device::flex();
        let faces = |values: [f32; 2]| Tensor::<1>::from_data(values, &device).reshape([2, 1, 1, 1]).repeat_dim(1, 3);
        let loss = |own: [f32; 2]| {
            value(reconstruction_loss(faces([0.5, 1.0]), faces([0.0, 0.0]), Tensor::from_data(own, &device)))
        };

        assert_eq!(loss([1.0, 0.0]), 0.5);
        assert_eq!(loss([1.0, 1.0]), 0.75);
        assert_eq!(loss([0.0, 0.0]), 0.0);
    }

    #[test]
    fn chroma_loss_is_zero_for_a_change_of_luminance_and_not_for_one_of_colour() {
        let device = Device::flex();
        let grey = Tensor::<4>::zeros([1, 3, 2, 2], &device);
        let brighter = grey.clone() + 0.5;
        let redder = Tensor::cat(vec![grey.clone().narrow(1, 0, 1) + 0.3, grey.clone().narrow(1, 0, 2)], 1);

        assert_eq!(value(chroma_loss(brighter, grey.clone())), 0.0);
        // Deviations of 0.2, -0.1 and -0.1.
        assert!((value(chroma_loss(redder, grey)) - 0.02).abs() < 1e-6);
    }

    #[test]
    fn an_unknown_label_does_not_contribute_to_the_loss() {
        let device = Device::flex();
        let logits = || Tensor::<2>::from_data([[2.0, 0.0], [0.0, 5.0]], &device);
        let loss = |known| {
            let known = Tensor::<1>::from_data(known, &device);
            value(masked_cross_entropy(logits(), Tensor::from_data([0, 0], &device), known))
        };

        assert_eq!(loss([0.0, 0.0]), 0.0);
        assert!((loss([1.0, 0.0]) - 0.126_928).abs() < 1e-5);
        let both = value(cross_entropy(logits(), Tensor::from_data([0, 0], &device)));
        assert!((loss([1.0, 1.0]) - both).abs() < 1e-6);
    }

    #[test]
    fn age_loss_of_uniform_logits_is_the_logarithm_of_the_number_of_groups() {
        let device = Device::flex();

        let loss = age_loss(Tensor::zeros([2, 5], &device), Tensor::from_data([0, 3], &device));

        assert!((value(loss) - 5f32.ln()).abs() < 1e-6);
    }
}
