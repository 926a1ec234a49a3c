//! Adams and learning rates of the stages.

use burn::module::ParamGroup;
use burn::optim::lr_scheduler::cosine::CosineAnnealingLrSchedulerConfig;
use burn::optim::lr_scheduler::module_lr_scheduler::{ModuleLrScheduler, ModuleLrSchedulerConfig};
use burn::optim::{AdamConfig, AdamState, LearningRate, ModuleOptimizer, Optimizer};
use burn::tensor::{Device, Tensor};
use ipcgan_model::{Adam, adam_update, adam_updates};

/// Momentum of Adam in the GAN (official code).
const GAN_BETA_1: f32 = 0.5;
/// Momentum of Adam in the classifiers (Adam's own).
const CLASSIFIER_BETA_1: f32 = 0.9;
/// Decay of the mean square of the gradients.
const BETA_2: f32 = 0.999;
/// As PyTorch and TensorFlow; Burn's own default is 1e-5.
const ADAM_EPSILON: f32 = 1e-8;

/// The Adam of a classifier.
pub fn classifier_optimizer() -> ModuleOptimizer {
    ModuleOptimizer::from(FusedAdam::new(CLASSIFIER_BETA_1))
}

/// Two Adams that know nothing of one another, for the generator and the discriminator of an
/// [`AgingModel`](crate::AgingModel).
pub fn gan_optimizer() -> ModuleOptimizer {
    let adam = || FusedAdam::new(GAN_BETA_1);
    ModuleOptimizer::from(adam()).with_group(parameters_of("generator"), adam(), None).with_group(
        parameters_of("discriminator"),
        adam(),
        None,
    )
}

/// Burn's Adam, which on the CPU updates a parameter in one pass instead of a dozen.
///
/// Its state is that of Burn's, so checkpoints do not tell them apart.
#[derive(Clone)]
struct FusedAdam {
    settings: Adam,
    elsewhere: burn::optim::Adam,
}

impl FusedAdam {
    fn new(beta_1: f32) -> Self {
        let config = AdamConfig::new().with_beta_1(beta_1).with_beta_2(BETA_2).with_epsilon(ADAM_EPSILON);
        // Rate and time come with each step.
        let settings = Adam { learning_rate: 0.0, beta_1, beta_2: BETA_2, epsilon: ADAM_EPSILON, time: 0 };
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
        if !adam_updates(&parameter, &gradient) {
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

/// A rate that falls from `start` to zero along a cosine.
pub(crate) fn falling_rate(start: f64, steps: usize) -> ModuleLrScheduler {
    CosineAnnealingLrSchedulerConfig::new(start, steps)
        .init()
        .expect("the configuration was checked before the stage began")
}

/// Constant rates of the two networks of the GAN.
pub fn gan_rates(generator: f64, discriminator: f64) -> ModuleLrScheduler {
    ModuleLrSchedulerConfig::new(0.0.into())
        .with_group(parameters_of("generator"), generator)
        .with_group(parameters_of("discriminator"), discriminator)
        .init()
        .expect("constant rates need no other settings")
}

/// Parameters by the first name in their path.
fn parameters_of(network: &str) -> ParamGroup {
    ParamGroup::from_regex(format!("^{network}\\.")).expect("the pattern is fixed and valid")
}
