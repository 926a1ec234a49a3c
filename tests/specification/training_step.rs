//! A training step agrees with the PyTorch reference.

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor};
use burn::train::Learner;
use ipcgan::data::AgingBatch;
use ipcgan::train::{AgingModel, AgingTraining, StepGradients, StepMetrics, gan_lr_scheduler, gan_optimizer};

use crate::reference::{Golden, Size, device, input};

const BATCH: [usize; 4] = [2, 3, 128, 128];
/// Losses and parameters after a step, as a share of the largest value.
const STEP_TOLERANCE: f32 = 1e-3;
/// Norms of gradients at full width, where many roundings add up.
const PAPER_NORM_TOLERANCE: f32 = 1e-2;

fn model(size: Size, device: &Device) -> AgingModel {
    AgingModel::new(
        size.generator(&device.clone().autodiff()),
        size.discriminator(&device.clone().autodiff()),
        size.alexnet(device),
        AgingTraining::new(1),
    )
}

fn batch(step: usize, device: &Device) -> AgingBatch {
    let device = &device.clone().autodiff();
    AgingBatch {
        source: input(&format!("step{step}.source"), BATCH, device),
        expected: input(&format!("step{step}.source"), BATCH, device),
        real: input(&format!("step{step}.real"), BATCH, device),
        own_group: Tensor::zeros([2], device),
        target: Tensor::from_data([2, 4], device),
        mismatched: Tensor::from_data([0, 3], device),
        augmentation: Tensor::zeros([2, 3, 6], device),
    }
}

/// Calls `look` with the reference's name and the value of each parameter or its gradient.
fn each_gradient(module: &impl Module, gradients: &GradientsParams, look: &mut dyn FnMut(&str, f32)) {
    struct Norms<'a> {
        path: Vec<String>,
        gradients: &'a GradientsParams,
        look: &'a mut dyn FnMut(&str, f32),
    }
    impl ModuleVisitor for Norms<'_> {
        fn enter_module(&mut self, name: &str, _: &str) {
            self.path.push(reference_name(name).into());
        }
        fn exit_module(&mut self, _: &str, _: &str) {
            self.path.pop();
        }
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if let Some(gradient) = self.gradients.get::<D>(param.id) {
                let norm = gradient.square().sum().sqrt().into_scalar::<f32>();
                (self.look)(&self.path.join("."), norm);
            }
        }
    }
    module.visit(&mut Norms { path: vec![], gradients, look });
}

fn reference_name(name: &str) -> &str {
    match name {
        "gamma" => "weight",
        "beta" => "bias",
        name => name,
    }
}

fn check_loss(golden: &Golden, name: &str, metrics: &StepMetrics, metric: &str) {
    golden.check(name, metrics.get(metric).unwrap(), STEP_TOLERANCE);
}

/// Checks the losses and the gradients' norms of step `step`; gives back how many norms there were.
fn check_gradients(
    golden: &Golden,
    step: usize,
    module: &impl Module,
    step_gradients: &StepGradients,
    tolerance: f32,
) -> usize {
    let mut count = 0;
    each_gradient(module, &step_gradients.gradients, &mut |name, norm| {
        let expected = golden.scalar(&format!("step{step}.grad_norm.{name}"));
        let difference = (norm - expected).abs();
        assert!(difference <= tolerance * expected, "gradient of {name}: {norm} instead of {expected}");
        count += 1;
    });
    count
}

fn steps_agree(size: Size, steps: usize, norm_tolerance: f32) -> AgingModel {
    let device = device();
    let golden = Golden::read(&format!("{}_step", size.name()));
    let training = AgingTraining::new(steps);
    let mut learner = Learner::new(model(size, &device), gan_optimizer(&training), gan_lr_scheduler(&training));
    let mut norms = 0;
    for step in 0..steps {
        let batch = batch(step, &device);
        learner.lr_step();

        let generated = learner.model().generated(&batch);
        let step_gradients = learner.model().discriminator_gradients(&batch, generated.clone());
        check_loss(&golden, &format!("step{step}.loss_d"), &step_gradients.metrics, "discriminator");
        norms += check_gradients(&golden, step, &learner.model(), &step_gradients, norm_tolerance);
        learner.optimizer_step(step_gradients.gradients);

        let step_gradients = learner.model().generator_gradients(&batch, generated);
        check_loss(&golden, &format!("step{step}.loss_gan"), &step_gradients.metrics, "adversarial");
        check_loss(&golden, &format!("step{step}.loss_identity"), &step_gradients.metrics, "identity");
        check_loss(&golden, &format!("step{step}.loss_age"), &step_gradients.metrics, "age");
        norms += check_gradients(&golden, step, &learner.model(), &step_gradients, norm_tolerance);
        learner.optimizer_step(step_gradients.gradients);
    }
    let all = golden.names().filter(|name| name.contains("grad_norm")).count();
    assert_eq!(norms, all, "gradients that were compared");
    learner.model()
}

#[test]
fn a_step_of_the_published_networks_has_the_losses_and_gradients_of_the_reference() {
    steps_agree(Size::Paper, 1, PAPER_NORM_TOLERANCE);
}

#[test]
fn two_steps_leave_the_parameters_that_the_reference_has() {
    let golden = Golden::read("tiny_step");

    let model = steps_agree(Size::Tiny, 2, STEP_TOLERANCE);

    struct Check<'a> {
        path: Vec<String>,
        golden: &'a Golden,
        count: usize,
    }
    impl ModuleVisitor for Check<'_> {
        fn enter_module(&mut self, name: &str, _: &str) {
            self.path.push(reference_name(name).into());
        }
        fn exit_module(&mut self, _: &str, _: &str) {
            self.path.pop();
        }
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let name = self.path.join(".");
            if !name.contains("running") {
                self.golden.check(&format!("after.{name}"), param.val().inner(), STEP_TOLERANCE);
                self.count += 1;
            }
        }
    }
    let mut check = Check { path: vec![], golden: &golden, count: 0 };
    model.visit(&mut check);
    let all = golden.names().filter(|name| name.starts_with("after.")).count();
    assert_eq!(check.count, all, "parameters that were compared");
    let device = device();
    let aged =
        model.generator.valid().forward(input("input.source", BATCH, &device), Tensor::from_data([1, 4], &device));
    golden.check("generator.after", aged, STEP_TOLERANCE);
}
