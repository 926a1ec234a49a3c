//! Optimizers (Adam) and learning-rate schedules of the stages.

use burn::module::ParamGroup;
use burn::optim::lr_scheduler::module_lr_scheduler::ModuleLrScheduler;
use burn::optim::{AdamConfig, AdamState, LearningRate, ModuleOptimizer, Optimizer};
use burn::tensor::{Device, Tensor};
use ipcgan_model::{Adam, adam_update, can_adam_update};

use crate::config::schedule::LrSchedule;
use crate::config::{AgingTraining, ClassifierTraining};

/// Adam beta 1 of the GAN (official code).
const GAN_BETA_1: f32 = 0.5;
/// Adam beta 1 of the classifiers (Adam's default).
const CLASSIFIER_BETA_1: f32 = 0.9;
/// Adam beta 2 of the classifiers (Adam's default).
const CLASSIFIER_BETA_2: f32 = 0.999;
/// Adam epsilon, as in PyTorch and TensorFlow; Burn's default is 1e-5.
const ADAM_EPSILON: f32 = 1e-8;

/// Adam of a classifier.
pub(crate) fn classifier_optimizer() -> ModuleOptimizer {
    ModuleOptimizer::from(FusedAdam::new(CLASSIFIER_BETA_1, CLASSIFIER_BETA_2))
}

/// Two independent Adams, for the generator and the discriminator of an [`AgingModel`](crate::AgingModel).
pub fn gan_optimizer(training: &AgingTraining) -> ModuleOptimizer {
    let adam = || FusedAdam::new(GAN_BETA_1, training.adam_beta_2 as f32);
    ModuleOptimizer::from(adam()).with_group(parameters_of("generator"), adam(), None).with_group(
        parameters_of("discriminator"),
        adam(),
        None,
    )
}

/// Burn's Adam with a fused update on the CPU and on GPUs: one pass over each parameter instead of a dozen.
///
/// Its state is that of Burn's Adam, so checkpoints are compatible.
#[derive(Clone)]
struct FusedAdam {
    settings: Adam,
    elsewhere: burn::optim::Adam,
}

impl FusedAdam {
    fn new(beta_1: f32, beta_2: f32) -> Self {
        let config = AdamConfig::new().with_beta_1(beta_1).with_beta_2(beta_2).with_epsilon(ADAM_EPSILON);
        // Learning rate and step number are set at each update.
        let settings = Adam { learning_rate: 0.0, beta_1, beta_2, epsilon: ADAM_EPSILON, step: 0 };
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

/// Learning-rate schedule of a classifier.
pub(crate) fn classifier_lr_scheduler(training: &ClassifierTraining) -> ModuleLrScheduler {
    let ClassifierTraining { learning_rate, schedule, warm_up, steps, .. } = *training;
    ModuleLrScheduler::new(LrSchedule::new(learning_rate, schedule, warm_up, steps))
}

/// Learning-rate schedules of generator and discriminator.
pub fn gan_lr_scheduler(training: &AgingTraining) -> ModuleLrScheduler {
    let rate = |largest| LrSchedule::new(largest, training.schedule, training.warm_up, training.steps);
    ModuleLrScheduler::new(0.0)
        .with_group(parameters_of("generator"), rate(training.generator_learning_rate))
        .with_group(parameters_of("discriminator"), rate(training.discriminator_learning_rate))
}

/// Parameters of one network of the GAN, by the first component of their path.
fn parameters_of(network: &str) -> ParamGroup {
    ParamGroup::from_regex(format!("^{network}\\.")).expect("the pattern is fixed and valid")
}
