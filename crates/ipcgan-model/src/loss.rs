//! The losses of IPCGAN as functions of what the networks gave.

use burn::tensor::activation::log_softmax;
use burn::tensor::{Int, Tensor};

use crate::operation::{Target, weighted_squares};

/// Loss of the discriminator (`L_D`, least squares):
/// `1/2 [ E(D(x|right) - 1)^2 + 1/2 (E D(x|wrong)^2 + E D(G(y|right)|right)^2) ]`.
///
/// # Shapes
/// - `scores`: the discriminator's, `[3 batch, channels, height, width]`: of real faces under their own group, then of
///   the same faces under a mismatched group, then of generated faces
/// - returns: `[1]`, a mean over everything
///
/// # Panics
/// If the scores are not of three batches of one size.
pub fn discriminator_loss(scores: Tensor<4>) -> Tensor<1> {
    let [count, ..] = scores.dims();
    assert!(count.is_multiple_of(3), "scores of {count} faces are not those of three batches");
    let rejected = Target { value: 0.0, weight: 0.25 };
    weighted_squares(scores, [Target { value: 1.0, weight: 0.5 }, rejected, rejected])
}

/// Adversarial loss of the generator (`L_G`, least squares): `1/2 E(D(G(y|t)|t) - 1)^2`.
///
/// # Shapes
/// - `generated`: the discriminator's scores of generated faces, `[batch, channels, height, width]`
/// - returns: `[1]`
pub fn adversarial_loss(generated: Tensor<4>) -> Tensor<1> {
    weighted_squares(generated, [Target { value: 1.0, weight: 0.5 }])
}

/// Identity loss (`L_identity`): squared distance between the features `h(x)` of the generated and
/// of the source face, *summed* over the features and averaged over the batch.
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
    // Channels last, as the CPU's kernels leave them: the sum then runs over memory from end to end.
    let [generated, source] = [generated, source].map(|features| features.permute([0, 2, 3, 1]));
    (generated - source).square().sum() / batch as f64
}

/// Age loss (`L_age`): softmax cross entropy of the age classifier against the target group.
///
/// # Shapes
/// - `logits`: `[batch, groups]`
/// - `target_groups`: `[batch]`
/// - returns: `[1]`, a mean over the batch
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
    let [batch] = labels.dims();
    -log_softmax(logits, 1).gather(1, labels.reshape([batch, 1])).mean()
}

/// [`cross_entropy`] of the rows whose label is `known`; nothing if none is.
///
/// # Shapes
/// - `logits`: `[batch, classes]`
/// - `labels`: `[batch]`
/// - `known`: `[batch]`, one or zero each
/// - returns: `[1]`
pub fn cross_entropy_of_known(logits: Tensor<2>, labels: Tensor<1, Int>, known: Tensor<1>) -> Tensor<1> {
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

    /// The discriminator's loss if every score of a kind is the same.
    fn judged(real_right: f32, real_mismatched: f32, generated: f32) -> f32 {
        value(discriminator_loss(Tensor::cat([real_right, real_mismatched, generated].map(scores).to_vec(), 0)))
    }

    fn value(loss: Tensor<1>) -> f32 {
        loss.into_scalar()
    }

    #[test]
    fn a_discriminator_that_is_right_loses_nothing() {
        assert_eq!(judged(1.0, 0.0, 0.0), 0.0);
    }

    #[test]
    fn a_real_face_counts_as_much_as_both_kinds_of_wrong_ones() {
        assert_eq!(judged(0.0, 0.0, 0.0), 0.5);
        assert_eq!(judged(1.0, 1.0, 0.0), 0.25);
        assert_eq!(judged(1.0, 0.0, 1.0), 0.25);
    }

    #[test]
    fn a_generator_that_is_found_out_loses_half() {
        assert_eq!(value(adversarial_loss(scores(0.0))), 0.5);
        assert_eq!(value(adversarial_loss(scores(1.0))), 0.0);
    }

    #[test]
    fn identity_is_summed_over_features_and_averaged_over_faces() {
        // Three features a face, each 2 apart.
        assert_eq!(value(identity_loss(scores(3.0), scores(1.0))), 12.0);
    }

    #[test]
    fn a_label_that_is_not_known_counts_for_nothing() {
        let device = Device::flex();
        let logits = || Tensor::<2>::from_data([[2.0, 0.0], [0.0, 5.0]], &device);
        let loss = |known| {
            let known = Tensor::<1>::from_data(known, &device);
            value(cross_entropy_of_known(logits(), Tensor::from_data([0, 0], &device), known))
        };

        assert_eq!(loss([0.0, 0.0]), 0.0);
        assert!((loss([1.0, 0.0]) - 0.126_928).abs() < 1e-5);
        let both = value(cross_entropy(logits(), Tensor::from_data([0, 0], &device)));
        assert!((loss([1.0, 1.0]) - both).abs() < 1e-6);
    }

    #[test]
    fn age_loss_of_a_guess_is_the_logarithm_of_the_number_of_groups() {
        let device = Device::flex();

        let loss = age_loss(Tensor::zeros([2, 5], &device), Tensor::from_data([0, 3], &device));

        assert!((value(loss) - 5f32.ln()).abs() < 1e-6);
    }
}
