//! Optimizers and learning-rate schedules of generator and discriminator.

use burn::module::ParamGroup;
use burn::optim::ModuleOptimizer;
use burn::optim::lr_scheduler::module_lr_scheduler::ModuleLrScheduler;

use super::model::{DISCRIMINATOR_FIELD, GENERATOR_FIELD};
use crate::config::AgingTraining;
use crate::config::schedule::{LrSchedule, Pretraining};
use crate::step::adam::FusedAdam;

/// Adam beta 1 (official code).
const BETA_1: f32 = 0.5;

/// Two independent Adams, for the generator and the discriminator of an [`AgingModel`](crate::AgingModel).
pub fn gan_optimizer(training: &AgingTraining) -> ModuleOptimizer {
    let adam = || FusedAdam::new(BETA_1, training.adam_beta_2 as f32);
    let optimizer = ModuleOptimizer::from(adam()).with_group(parameters_of(GENERATOR_FIELD), adam(), None);
    optimizer.with_group(parameters_of(DISCRIMINATOR_FIELD), adam(), None)
}

/// Learning-rate schedules of generator and discriminator.
pub fn gan_lr_scheduler(training: &AgingTraining) -> ModuleLrScheduler {
    let pretraining = Pretraining { steps: training.pretraining_steps, peak: training.pretraining_learning_rate };
    let rate = |peak| {
        LrSchedule::new(peak, training.schedule, training.warm_up, training.steps).after_pretraining(pretraining)
    };
    ModuleLrScheduler::new(0.0)
        .with_group(parameters_of(GENERATOR_FIELD), rate(training.generator_learning_rate))
        .with_group(parameters_of(DISCRIMINATOR_FIELD), rate(training.discriminator_learning_rate))
}

/// Parameters of one network of the GAN, by the first component of their path.
fn parameters_of(network: &str) -> ParamGroup {
    ParamGroup::from_regex(format!("^{network}\\.")).expect("the pattern is fixed and valid")
}
