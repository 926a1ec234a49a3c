//! The step of the GAN as a graph of a GPU: recorded once, replayed from then on.
//!
//! The first step with its shapes runs as usual and gives the optimizer its state, the next ones run in memory that stays, one is
//! recorded, and each later step is one replay. Beside it, the host does what it does in any step: schedules, the optimizer's
//! step count, the decay of the EMA. So checkpoints, validations and further steps without a graph find the state of an
//! ordinary step.

use std::sync::{Arc, Mutex};

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Int, Tensor};
use burn::train::Learner;
use ipcgan_data::AgingBatch;
use ipcgan_model::{StepGraph, TensorCopies, renew_window_offset};

use super::model::AgingModel;
use crate::step::devices::DeviceGroup;
use crate::step::metrics::StepMetrics;

/// Steps in memory that stays, before one is recorded: the first allocates it, the second only reuses it.
const WARM_UP_STEPS: usize = 3;

/// The captured step of a model, shared by its clones.
#[derive(Clone, Debug, Default)]
pub(super) struct CapturedStep {
    state: Arc<Mutex<State>>,
    /// The gradients of each update of the step that is being recorded, in order.
    updates: Arc<Mutex<Vec<GradientsParams>>>,
}

#[derive(Debug, Default)]
enum State {
    /// No step has run with these shapes.
    #[default]
    Fresh,
    /// The optimizer has its state.
    Begun(Form),
    WarmUp(Box<Capture>, usize),
    Recorded(Box<Capture>, Box<Recorded>),
    /// Steps run launch by launch.
    Unsupported,
}

/// What distinguishes steps with other launches.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Form {
    pretraining: bool,
    /// Sizes of the source faces of each batch.
    batches: Vec<[usize; 4]>,
}

#[derive(Debug)]
struct Capture {
    form: Form,
    graph: StepGraph,
    /// Inputs in memory that stays.
    inputs: Vec<AgingBatch>,
}

#[derive(Debug)]
struct Recorded {
    /// Metrics of the newest replay.
    metrics: StepMetrics,
    /// The gradients of each update, in order.
    updates: Vec<GradientsParams>,
    /// The networks, whose memory the graph uses.
    _model: AgingModel,
}

impl CapturedStep {
    /// As [`AgingModel::learn_eagerly`], by a graph as soon as there is one.
    ///
    /// # Panics
    /// If the GPU refuses a graph that it has begun; the caller reports it as a failure of the device.
    pub(super) fn learn(
        &self,
        learner: &mut Learner<AgingModel>,
        device_group: &DeviceGroup,
        batches: Vec<AgingBatch>,
    ) -> StepMetrics {
        let model = learner.model();
        let form = Form {
            pretraining: model.is_pretraining(),
            batches: batches.iter().map(|batch| batch.source.dims()).collect(),
        };
        let supported = device_group.count() == 1 && model.loss_scale.state().is_none();
        drop(model);
        let mut state = self.state.lock().expect("no holder panics");
        if !supported {
            if !matches!(*state, State::Unsupported) {
                log::warn!("steps are not captured: that needs one device and no loss scaling");
            }
            *state = State::Unsupported;
        }
        let eagerly =
            |learner: &mut Learner<AgingModel>, batches| AgingModel::learn_eagerly(learner, device_group, batches);
        let before = std::mem::take(&mut *state);
        let (next, metrics) = match before.unless_other_than(&form) {
            State::Unsupported => (State::Unsupported, eagerly(learner, batches)),
            State::Fresh => (State::Begun(form), eagerly(learner, batches)),
            State::Begun(form) => match StepGraph::prepare(&batches[0].source.device()) {
                Ok(graph) => {
                    let mut capture = Box::new(Capture { form, graph, inputs: copies(&batches) });
                    let metrics = capture.warm_up(learner, eagerly);
                    (State::WarmUp(capture, 1), metrics)
                }
                Err(reason) => {
                    log::warn!("steps are not captured: {reason}");
                    (State::Unsupported, eagerly(learner, batches))
                }
            },
            State::WarmUp(mut capture, steps) => {
                capture.set_inputs(batches);
                if steps < WARM_UP_STEPS {
                    let metrics = capture.warm_up(learner, eagerly);
                    (State::WarmUp(capture, steps + 1), metrics)
                } else {
                    let metrics = capture.record(learner, eagerly);
                    let updates = std::mem::take(&mut *self.updates.lock().expect("no holder panics"));
                    let recorded = Box::new(Recorded { metrics, updates, _model: learner.model() });
                    let metrics = capture.replay(&recorded);
                    (State::Recorded(capture, recorded), metrics)
                }
            }
            State::Recorded(mut capture, recorded) => {
                capture.set_inputs(batches);
                capture.renew(learner, &recorded.updates);
                let metrics = capture.replay(&recorded);
                (State::Recorded(capture, recorded), metrics)
            }
        };
        *state = next;
        metrics
    }

    /// Keeps the `gradients` of an update of the recorded step.
    pub(super) fn keep(&self, gradients: &GradientsParams, model: &AgingModel) {
        self.updates.lock().expect("no holder panics").push(clone_of(gradients, model));
    }
}

impl State {
    /// The state, or a fresh one for steps of another form.
    fn unless_other_than(self, form: &Form) -> Self {
        let of_state = match &self {
            Self::Fresh | Self::Unsupported => return self,
            Self::Begun(form) => form,
            Self::WarmUp(capture, _) | Self::Recorded(capture, _) => &capture.form,
        };
        if of_state == form { self } else { Self::Fresh }
    }
}

impl Capture {
    fn warm_up(
        &mut self,
        learner: &mut Learner<AgingModel>,
        step: impl FnOnce(&mut Learner<AgingModel>, Vec<AgingBatch>) -> StepMetrics,
    ) -> StepMetrics {
        let inputs = self.inputs.clone();
        self.graph.warm_up(|| step(learner, inputs))
    }

    fn record(
        &mut self,
        learner: &mut Learner<AgingModel>,
        step: impl FnOnce(&mut Learner<AgingModel>, Vec<AgingBatch>) -> StepMetrics,
    ) -> StepMetrics {
        let inputs = self.inputs.clone();
        let metrics = self.graph.record(|| step(learner, inputs));
        metrics.unwrap_or_else(|reason| failed("recorded", &reason))
    }

    /// What the host does in a step: the updates with their rates and step counts.
    fn renew(&mut self, learner: &mut Learner<AgingModel>, updates: &[GradientsParams]) {
        let device = self.inputs[0].source.device();
        let renewed = self.graph.renew(|| {
            for gradients in updates {
                let model = learner.model();
                let gradients = clone_of(gradients, &model);
                if let (true, Some(offset)) = (model.are_of_generator(&gradients), model.window_offset())
                    && !model.is_pretraining()
                {
                    renew_window_offset(offset, &device);
                }
                drop(model);
                learner.optimizer_step(gradients);
            }
        });
        renewed.unwrap_or_else(|reason| failed("replayed", &reason));
    }

    /// Runs the recorded step; the metrics are copies, because the next replay overwrites them.
    #[allow(unsafe_code, reason = "the device cannot check which memory a graph uses")]
    fn replay(&self, recorded: &Recorded) -> StepMetrics {
        // SAFETY: `self` keeps the inputs, `recorded` the networks and metrics, and the learner, which renewed the step, keeps the
        // moments; one thread runs all steps.
        let replayed = unsafe { self.graph.replay() };
        replayed.unwrap_or_else(|reason| failed("replayed", &reason));
        let mut copies = TensorCopies::default();
        let metrics = recorded.metrics.duplicated(&mut copies);
        copies.launch();
        metrics
    }

    fn set_inputs(&mut self, batches: Vec<AgingBatch>) {
        let mut copies = TensorCopies::default();
        for (batch, input) in batches.into_iter().zip(&self.inputs) {
            let mut add4 = |from: Tensor<4>, to: &Tensor<4>| copies.add(plain(from), &plain(to.clone()));
            add4(batch.source, &input.source);
            add4(batch.expected, &input.expected);
            add4(batch.real, &input.real);
            copies.add(plain(batch.own_group), &plain(input.own_group.clone()));
            copies.add(plain(batch.augmentation), &plain(input.augmentation.clone()));
            copies.add_int(plain_int(batch.target), &plain_int(input.target.clone()));
            copies.add_int(plain_int(batch.mismatched), &plain_int(input.mismatched.clone()));
        }
        copies.launch();
    }
}

/// Stops the training: the host has counted the step, but the device has not run it.
fn failed(what: &str, reason: &str) -> ! {
    panic!("the step could not be {what}: {reason}; --set aging.capture=false trains without a graph")
}

/// `batches` in memory of their own.
fn copies(batches: &[AgingBatch]) -> Vec<AgingBatch> {
    let mut copies = TensorCopies::default();
    let mut copied = |batch: &AgingBatch| {
        let device = batch.source.device();
        AgingBatch {
            source: lifted(copies.duplicate(plain(batch.source.clone())), &device),
            expected: lifted(copies.duplicate(plain(batch.expected.clone())), &device),
            real: lifted(copies.duplicate(plain(batch.real.clone())), &device),
            own_group: lifted(copies.duplicate(plain(batch.own_group.clone())), &device),
            target: lifted_int(copies.duplicate_int(plain_int(batch.target.clone())), &device),
            mismatched: lifted_int(copies.duplicate_int(plain_int(batch.mismatched.clone())), &device),
            augmentation: lifted(copies.duplicate(plain(batch.augmentation.clone())), &device),
        }
    };
    let copied = batches.iter().map(&mut copied).collect();
    copies.launch();
    copied
}

fn plain<const D: usize>(tensor: Tensor<D>) -> Tensor<D> {
    tensor.without_autodiff()
}

fn plain_int<const D: usize>(tensor: Tensor<D, Int>) -> Tensor<D, Int> {
    tensor.without_autodiff()
}

fn lifted<const D: usize>(tensor: Tensor<D>, device: &Device) -> Tensor<D> {
    if device.is_autodiff() { tensor.autodiff() } else { tensor }
}

fn lifted_int<const D: usize>(tensor: Tensor<D, Int>, device: &Device) -> Tensor<D, Int> {
    if device.is_autodiff() { tensor.autodiff() } else { tensor }
}

/// A clone of `gradients`, which are of parameters of `model`.
fn clone_of(gradients: &GradientsParams, model: &AgingModel) -> GradientsParams {
    struct Clones<'a> {
        of: &'a GradientsParams,
        clones: GradientsParams,
    }

    impl ModuleVisitor for Clones<'_> {
        fn visit_float<const D: usize>(&mut self, parameter: &Param<Tensor<D>>) {
            if let Some(gradient) = self.of.get::<D>(parameter.id) {
                self.clones.register(parameter.id, gradient);
            }
        }
    }

    let mut clones = Clones { of: gradients, clones: GradientsParams::new() };
    model.visit(&mut clones);
    clones.clones
}
