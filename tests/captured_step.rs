//! Steps replayed from a GPU graph equal steps launched one by one, bit for bit, on the GPU that `IPCGAN_TEST_DEVICE` names.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::ops::Range;

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Device, Int, Tensor, TensorData};
use burn::train::Learner;
use ipcgan::data::AgingBatch;
use ipcgan::model::{AUGMENTATION_DRAWS, AlexNetConfig, KernelLaunches};
use ipcgan::train::{AgingModel, Preset, TrainingConfig, gan_lr_scheduler, gan_optimizer};
use ipcgan::{AgeGroups, DeviceChoice};

const FACES: usize = 2;
const SIDE: usize = 32;
/// Launches beside a replay: copies of inputs and metrics, in groups that the driver can bind.
const BESIDE_A_REPLAY: usize = 4;

fn device() -> Option<Device> {
    let name = std::env::var("IPCGAN_TEST_DEVICE").ok()?;
    Some(name.parse::<DeviceChoice>().unwrap().resolve().unwrap())
}

/// Settings of small networks with everything that a captured step has to renew: schedules, EMA, a moving window.
fn config() -> TrainingConfig {
    let mut config = TrainingConfig::of(Preset::Tiny);
    config.generator = config.generator.with_width(4).with_image_size(SIDE);
    config.discriminator = config.discriminator.with_width(4);
    config.aging.steps = 60;
    config.aging.warm_up = 10;
    config.aging.ema_decay = 0.9;
    config.aging.window_shifts = 2;
    config.aging.suppress_checkerboard = true;
    config.aging.gradient_clip_norm = 1.0;
    config
}

fn learner(config: &TrainingConfig, device: &Device) -> Learner<AgingModel> {
    let (groups, autodiff) = (AgeGroups::default(), device.clone().autodiff());
    let generator = || config.generator.clone().init(&groups, 0, &autodiff);
    let alexnet = AlexNetConfig { identities: 2, ..config.alexnet.clone() }.init(&groups, 0, device);
    let discriminator = config.discriminator.clone().init(&groups, 0, &autodiff);
    let model = AgingModel::new(generator(), discriminator, alexnet, config.aging.clone()).with_ema(generator());
    Learner::new(model, gan_optimizer(&config.aging), gan_lr_scheduler(&config.aging))
}

/// The batch of step `step`; each has other faces and groups.
fn batch(step: usize, device: &Device) -> AgingBatch {
    let device = &device.clone().autodiff();
    let values = |count: usize, phase: f32| -> Vec<f32> {
        (0..count).map(|index| (index as f32 * 0.37 + phase + step as f32).sin()).collect()
    };
    let faces = |phase: f32| -> Tensor<4> {
        Tensor::from_data(TensorData::new(values(FACES * 3 * SIDE * SIDE, phase), [FACES, 3, SIDE, SIDE]), device)
    };
    let groups = |first: usize| -> Tensor<1, Int> {
        let groups: Vec<i64> = (0..FACES).map(|face| ((first + step + face) % 5) as i64).collect();
        Tensor::from_data(groups.as_slice(), device)
    };
    let draws = TensorData::new(values(FACES * 3 * AUGMENTATION_DRAWS, 0.5), [FACES, 3, AUGMENTATION_DRAWS]);
    AgingBatch {
        source: faces(0.0),
        expected: faces(1.0),
        real: faces(2.0),
        own_group: Tensor::from_data([(step % 2) as f32, 1.0], device),
        target: groups(0),
        mismatched: groups(2),
        augmentation: Tensor::from_data(draws, device),
    }
}

const METRICS: [&str; 9] = [
    "discriminator",
    "adversarial",
    "identity",
    "age",
    "prototype",
    "age accuracy",
    "diversity",
    "discriminator gradient norm",
    "generator gradient norm",
];

/// The bits of the metrics of each of `steps` on `micro_batches` each.
fn learn(
    learner: &mut Learner<AgingModel>,
    steps: Range<usize>,
    micro_batches: usize,
    device: &Device,
) -> Vec<Vec<(&'static str, u32)>> {
    let learn = |step| {
        learner.lr_step();
        let batches = (0..micro_batches).map(|index| batch(step + index, device)).collect();
        let metrics = AgingModel::train_step(learner, batches).read().unwrap();
        let bits = |name| Some((name, metrics.get(name)?.into_scalar::<f32>().to_bits()));
        METRICS.into_iter().filter_map(bits).collect()
    };
    steps.map(learn).collect()
}

/// The bits of all weights and running statistics.
fn weights(learner: &Learner<AgingModel>) -> Vec<Vec<u32>> {
    struct Weights(Vec<Vec<u32>>);

    impl ModuleVisitor for Weights {
        fn visit_float<const D: usize>(&mut self, parameter: &Param<Tensor<D>>) {
            self.0.push(parameter.val().into_data().iter::<f32>().map(f32::to_bits).collect());
        }
    }

    let mut weights = Weights(Vec::new());
    learner.model().valid().visit(&mut weights);
    weights.0
}

fn captured(mut config: TrainingConfig) -> TrainingConfig {
    config.aging.capture = true;
    config
}

#[test]
fn replayed_steps_equal_launched_ones_bit_for_bit() {
    check_replayed_steps(20, 1);
}

#[test]
fn replayed_steps_on_micro_batches_equal_launched_ones_bit_for_bit() {
    check_replayed_steps(10, 2);
}

fn check_replayed_steps(steps: usize, micro_batches: usize) {
    let Some(device) = device() else { return };
    let config = config();
    let (mut launched, mut replayed) = (learner(&config, &device), learner(&captured(config), &device));

    let expected = learn(&mut launched, 0..steps, micro_batches, &device);
    let found = learn(&mut replayed, 0..steps, micro_batches, &device);

    for (step, (found, expected)) in found.iter().zip(&expected).enumerate() {
        assert_eq!(found, expected, "step {step}");
    }
    assert!(weights(&replayed) == weights(&launched), "the weights differ");
}

#[test]
fn a_replayed_step_takes_few_launches() {
    let Some(device) = device() else { return };
    let mut replayed = learner(&captured(config()), &device);
    learn(&mut replayed, 0..8, 1, &device);
    replayed.lr_step();
    let batch = batch(8, &device);

    let launches = KernelLaunches::of(|| drop(AgingModel::train_step(&mut replayed, vec![batch])));

    assert!(launches.total() <= BESIDE_A_REPLAY, "{launches}");
}
