//! Adams and learning rates of the stages.

use burn::module::ParamGroup;
use burn::optim::lr_scheduler::cosine::CosineAnnealingLrSchedulerConfig;
use burn::optim::lr_scheduler::module_lr_scheduler::{ModuleLrScheduler, ModuleLrSchedulerConfig};
use burn::optim::{AdamConfig, ModuleOptimizer};

/// Momentum of Adam in the GAN (official code); the classifiers use Adam's own 0.9.
const GAN_BETA_1: f32 = 0.5;
/// As PyTorch and TensorFlow; Burn's own default is 1e-5.
const ADAM_EPSILON: f32 = 1e-8;

/// The Adam of a classifier.
pub fn classifier_optimizer() -> ModuleOptimizer {
    ModuleOptimizer::from(AdamConfig::new().with_epsilon(ADAM_EPSILON).build())
}

/// Two Adams that know nothing of one another, for the generator and the discriminator of an
/// [`AgingModel`](crate::AgingModel).
pub fn gan_optimizer() -> ModuleOptimizer {
    let adam = || AdamConfig::new().with_beta_1(GAN_BETA_1).with_epsilon(ADAM_EPSILON).build();
    ModuleOptimizer::from(adam()).with_group(parameters_of("generator"), adam(), None).with_group(
        parameters_of("discriminator"),
        adam(),
        None,
    )
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
