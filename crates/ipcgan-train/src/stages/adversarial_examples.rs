//! Adversarial training with the fast gradient method (FGSM with an L2 norm).

use burn::tensor::Tensor;

use crate::config::ClassifierTraining;

/// Levels (of 0..255) per unit of a pixel in [-1, 1].
const LEVELS: f64 = 127.5;

/// Avoids a division by zero.
const EPSILON: f64 = 1e-12;

/// Strength of adversarial examples after `steps` steps of `training`, in levels of 255.
pub(super) fn adversarial_epsilon(training: &ClassifierTraining, steps: usize) -> f64 {
    if steps < training.adversarial_start { 0.0 } else { training.adversarial_epsilon }
}

/// Whether `training` ends before its adversarial training begins.
fn ends_before_adversarial_training(training: &ClassifierTraining) -> bool {
    training.adversarial_epsilon > 0.0 && training.adversarial_start >= training.steps
}

/// Warns if the stage `stage` ends before its adversarial training begins, as a short run does.
pub(super) fn warn_of_missing_adversarial_training(stage: &str, training: &ClassifierTraining) {
    if ends_before_adversarial_training(training) {
        log::warn!(
            "the {stage} stage ends after {} steps, before its adversarial training begins \
             ({stage}.adversarial_start is {})",
            training.steps,
            training.adversarial_start
        );
    }
}

/// Adversarial examples: `faces` `[batch, 3, height, width]` moved by `epsilon` levels of 255 (root mean square over
/// the face) along the normalized gradient of `loss`; unchanged if `epsilon` is zero.
///
/// One step of the fast gradient method in the L2 norm (Miyato et al., 2016: adversarial training).
///
/// `loss` is the loss over all faces; the weights of its network should not require gradients.
pub(super) fn adversarial_examples(
    faces: Tensor<4>,
    epsilon: f64,
    loss: impl FnOnce(Tensor<4>) -> Tensor<1>,
) -> Tensor<4> {
    if epsilon == 0.0 {
        return faces;
    }
    // With several devices, all but the first receive faces without autodiff.
    let tracked = faces.clone().autodiff().detach().require_grad();
    let gradients = loss(tracked.clone()).backward();
    let slope = tracked.grad(&gradients).expect("the loss depends on the faces");
    let squares = slope.clone().square().mean_dim(1).mean_dim(2).mean_dim(3);
    let direction = slope / (squares + EPSILON * EPSILON).sqrt();
    let moved = faces.clone().without_autodiff() + direction * (epsilon / LEVELS);
    if faces.device().is_autodiff() { Tensor::from_inner(moved).to_device(&faces.device()) } else { moved }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;

    #[test]
    fn each_face_moves_by_epsilon_along_the_gradient() {
        let device = Device::flex().autodiff();
        let faces = Tensor::<4>::zeros([2, 3, 4, 4], &device);
        let slope = Tensor::<4>::from_data([[[[1.0]]], [[[-300.0]]]], &device);

        let moved = adversarial_examples(faces.clone(), 5.1, |faces| (faces * slope).sum());

        let change = moved.mean_dim(1).mean_dim(2).mean_dim(3).into_data();
        let change: Vec<f32> = change.iter().collect();
        assert!((change[0] - 0.04).abs() < 1e-6 && (change[1] + 0.04).abs() < 1e-6, "{change:?}");
        let left = adversarial_examples(faces, 0.0, |_| unreachable!("epsilon is zero"));
        assert_eq!(left.abs().max().into_scalar::<f32>(), 0.0);
    }
    #[test]
    fn adversarial_examples_are_the_same_on_a_device_without_autodiff() {
        let device = Device::flex();
        let faces = Tensor::<4>::ones([1, 3, 4, 4], &device);

        let moved = adversarial_examples(faces.clone(), 5.1, |faces| faces.square().sum());

        assert!(!moved.device().is_autodiff());
        let change = (moved - faces).mean().into_scalar::<f32>();
        assert!((change - 0.04).abs() < 1e-6, "{change}");
    }

    #[test]
    fn adversarial_training_begins_at_its_first_step() {
        let training = ClassifierTraining::new(10).with_adversarial_epsilon(3.0).with_adversarial_start(4);

        let epsilons = [0, 3, 4, 9].map(|steps| adversarial_epsilon(&training, steps));

        assert_eq!(epsilons, [0.0, 0.0, 3.0, 3.0]);
    }

    #[test]
    fn a_stage_of_no_more_steps_than_clean_ones_has_no_adversarial_training() {
        let training = |steps| ClassifierTraining::new(steps).with_adversarial_epsilon(3.0).with_adversarial_start(4);

        assert!(ends_before_adversarial_training(&training(4)));
        assert!(!ends_before_adversarial_training(&training(5)));
        assert!(!ends_before_adversarial_training(&ClassifierTraining::new(4).with_adversarial_start(4)));
    }
}
