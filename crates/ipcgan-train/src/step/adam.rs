//! Adam with a fused update.

use burn::optim::{AdamConfig, AdamState, LearningRate, Optimizer};
use burn::tensor::{Device, Tensor};
use ipcgan_model::{Adam, adam_update, can_adam_update};

/// Adam epsilon, as in PyTorch and TensorFlow; Burn's default is 1e-5.
const EPSILON: f32 = 1e-8;

/// Burn's Adam with a fused update on the CPU and on GPUs: one pass over each parameter instead of a dozen.
///
/// Its state is that of Burn's Adam, so checkpoints are compatible.
#[derive(Clone)]
pub(crate) struct FusedAdam {
    settings: Adam,
    elsewhere: burn::optim::Adam,
}

impl FusedAdam {
    pub(crate) fn new(beta_1: f32, beta_2: f32) -> Self {
        let config = AdamConfig::new().with_beta_1(beta_1).with_beta_2(beta_2).with_epsilon(EPSILON);
        // Learning rate and step number are set at each update.
        let settings = Adam { learning_rate: 0.0, beta_1, beta_2, epsilon: EPSILON, step: 0 };
        Self { settings, elsewhere: config.build() }
    }
}

impl Optimizer for FusedAdam {
    type State<const D: usize> = AdamState<D>;

    fn step<const D: usize>(
        &self,
        rate: LearningRate,
        parameter: Tensor<D>,
        gradient: Tensor<D>,
        state: Option<AdamState<D>>,
    ) -> (Tensor<D>, Option<AdamState<D>>) {
        if !can_adam_update(&parameter, &gradient) {
            return self.elsewhere.step(rate, parameter, gradient, state);
        }
        let settings = Adam { learning_rate: rate as f32, ..self.settings };
        let (parameter, state) = adam_update(settings, parameter, gradient, state);
        (parameter, Some(state))
    }

    fn to_device<const D: usize>(state: AdamState<D>, device: &Device) -> AdamState<D> {
        burn::optim::Adam::to_device(state, device)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fused_update_on_the_cpu_equals_that_of_burns_adam() {
        let (adam, device) = (FusedAdam::new(0.5, 0.999), Device::flex());
        let parameter = Tensor::<1>::from_data([0.5_f32, -1.0, 2.0], &device);
        let (mut found, mut expected) = ((parameter.clone(), None), (parameter, None));

        for gradient in [[0.1_f32, -2.0, 0.0], [0.3, 1.0, -0.5]] {
            let gradient = Tensor::<1>::from_data(gradient, &device);
            assert!(can_adam_update(&found.0, &gradient));
            found = adam.step(1e-3, found.0, gradient.clone(), found.1);
            expected = adam.elsewhere.step(1e-3, expected.0, gradient, expected.1);
        }

        // Rounding of values up to two.
        assert!((found.0 - expected.0).abs().max().into_scalar::<f32>() < 1e-6);
    }
}
