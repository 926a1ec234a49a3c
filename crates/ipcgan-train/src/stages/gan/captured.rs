//! The step of the GAN as a graph of a GPU: recorded once, replayed from then on.
//!
//! The first step of some shapes runs as usual and initializes the optimizer, the next ones warm up in fixed memory, one is
//! recorded, and each later step is one replay. The host still advances schedules, the optimizer's step count and the
//! decay of the EMA, so checkpoints and validations find the same state as after an ordinary step.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;
use burn::train::Learner;
use ipcgan_data::AgingBatch;
use ipcgan_model::{StepGraph, TensorCopies, renew_window_offset};

use super::model::AgingModel;
use crate::step::devices::{DeviceGroup, Statistics};
use crate::step::loss_scale::LossScale;
use crate::step::metrics::StepMetrics;

/// Steps in fixed memory before one is recorded: the first allocates it, the others reuse it.
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
    /// One step has run, so the optimizer is initialized.
    Initialized(Form),
    WarmUp(Box<Capture>, usize),
    Recorded(Box<Capture>, Box<Recorded>),
    /// Steps run launch by launch.
    Unsupported,
}

/// Warns that steps run launch by launch although `aging.capture` is set, because of `reason`.
pub(super) fn warn_of_launched_steps(reason: &str) {
    log::warn!("steps are not captured: {reason}");
}

/// What the launches of a step depend on: a recorded step is replayed for steps of the same form only.
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
    /// Inputs in fixed memory.
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
    /// Checks what is known before the first step: captured steps need one GPU, and losses that are not scaled.
    ///
    /// # Errors
    /// Steps on `device_group` with `loss_scale` cannot be captured; the reason.
    pub(super) fn check(device_group: &DeviceGroup, loss_scale: &LossScale) -> Result<(), String> {
        if device_group.count() > 1 || loss_scale.state().is_some() {
            return Err("that needs one device and no loss scaling".into());
        }
        StepGraph::check_device(device_group.main())
    }

    /// As [`AgingModel::learn_eagerly`], by a graph as soon as there is one.
    ///
    /// # Panics
    /// If the GPU fails to record or to replay the step; the caller reports it as a failure of the device.
    pub(super) fn learn(
        &self,
        learner: &mut Learner<AgingModel>,
        device_group: &DeviceGroup,
        batches: Vec<AgingBatch>,
    ) -> StepMetrics {
        let model = learner.model();
        let form = Form::of(&model, &batches);
        let checked = Self::check(device_group, &model.loss_scale);
        // A clone would prevent in-place updates of the weights.
        drop(model);
        // After a step that panicked, the state is a fresh one.
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(reason) = checked
            && !matches!(*state, State::Unsupported)
        {
            *state = State::unsupported(&reason);
        }
        let eagerly =
            |learner: &mut Learner<AgingModel>, batches| AgingModel::learn_eagerly(learner, device_group, batches);
        let before = std::mem::take(&mut *state);
        let (next, metrics) = match before.for_form(&form) {
            State::Unsupported => (State::Unsupported, eagerly(learner, batches)),
            State::Fresh => (State::Initialized(form), eagerly(learner, batches)),
            State::Initialized(form) => match StepGraph::prepare(&batches[0].source.device()) {
                Ok(graph) => {
                    // A recording that panicked may have left some.
                    self.recorded_updates().clear();
                    let mut capture = Box::new(Capture { form, graph, inputs: duplicated(&batches) });
                    let metrics = capture.warm_up(learner, eagerly);
                    (State::WarmUp(capture, 1), metrics)
                }
                Err(reason) => (State::unsupported(&reason), eagerly(learner, batches)),
            },
            State::WarmUp(mut capture, steps) => {
                capture.set_inputs(batches);
                if steps < WARM_UP_STEPS {
                    let metrics = capture.warm_up(learner, eagerly);
                    (State::WarmUp(capture, steps + 1), metrics)
                } else if let Err(reason) = capture.graph.begin_recording() {
                    (State::unsupported(&reason), eagerly(learner, capture.inputs))
                } else {
                    let metrics = capture.record(learner, eagerly);
                    let updates = std::mem::take(&mut *self.recorded_updates());
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
        let gradients = clone_of(gradients, model);
        self.recorded_updates().push(gradients);
    }

    fn recorded_updates(&self) -> MutexGuard<'_, Vec<GradientsParams>> {
        self.updates.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Form {
    /// The form of a step on `batches`.
    fn of(model: &AgingModel, batches: &[AgingBatch]) -> Self {
        let batches = batches.iter().map(|batch| batch.source.dims()).collect();
        Self { pretraining: model.is_pretraining(), batches }
    }
}

impl State {
    /// [`State::Unsupported`], with a warning that says why.
    fn unsupported(reason: &str) -> Self {
        warn_of_launched_steps(reason);
        Self::Unsupported
    }

    /// The state for steps of `form`: this one, or a fresh one if it is of another form.
    fn for_form(self, form: &Form) -> Self {
        let of_state = match &self {
            Self::Fresh | Self::Unsupported => return self,
            Self::Initialized(form) => form,
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
        self.graph.warm_up(|| with_fixed_statistics(learner, |learner| step(learner, inputs)))
    }

    fn record(
        &mut self,
        learner: &mut Learner<AgingModel>,
        step: impl FnOnce(&mut Learner<AgingModel>, Vec<AgingBatch>) -> StepMetrics,
    ) -> StepMetrics {
        let inputs = self.inputs.clone();
        let metrics = self.graph.record(|| with_fixed_statistics(learner, |learner| step(learner, inputs)));
        metrics.unwrap_or_else(|reason| failed("recorded", &reason))
    }

    /// Does what the host does in a step: the updates, with their learning rates and step counts.
    fn renew(&mut self, learner: &mut Learner<AgingModel>, updates: &[GradientsParams]) {
        let device = self.inputs[0].source.device();
        let renewed = self.graph.renew(|| {
            for gradients in updates {
                let model = learner.model();
                let gradients = clone_of(gradients, &model);
                if let (true, Some(offset)) = (model.are_of_generator(&gradients), model.window_offset())
                    && !model.is_pretraining()
                {
                    let micro_batches = self.inputs.len() / model.config.updates();
                    (0..micro_batches).for_each(|_| renew_window_offset(offset, &device));
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
        // SAFETY: `self` keeps the inputs, `recorded` the networks and metrics, and the learner, which renewed the step,
        // keeps the moments; one thread runs all steps.
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
            // All fields by name, so that a new one is not forgotten.
            let AgingBatch { source, expected, real, own_group, target, mismatched, augmentation } = batch;
            copies.add(source, &input.source);
            copies.add(expected, &input.expected);
            copies.add(real, &input.real);
            copies.add(own_group, &input.own_group);
            copies.add(augmentation, &input.augmentation);
            copies.add_int(target, &input.target);
            copies.add_int(mismatched, &input.mismatched);
        }
        copies.launch();
    }
}

/// Runs `step`, after which the running statistics of both networks are where they were before. They are not updated in
/// place, because the update of the discriminator normalizes by a copy of the generator that shares their memory.
fn with_fixed_statistics(
    learner: &mut Learner<AgingModel>,
    step: impl FnOnce(&mut Learner<AgingModel>) -> StepMetrics,
) -> StepMetrics {
    let AgingModel { generator, discriminator, .. } = learner.model();
    let device = generator.devices().remove(0).inner();
    let before = (Statistics::of(&generator, &device), Statistics::of(&discriminator, &device));
    // Clones would prevent in-place updates of the weights.
    drop((generator, discriminator));
    let metrics = step(learner);
    let AgingModel { generator, discriminator, .. } = learner.model();
    before.0.keep_memory(&generator, &device);
    before.1.keep_memory(&discriminator, &device);
    metrics
}

/// Stops the training: the host has counted the step, but the device has not run it.
fn failed(what: &str, reason: &str) -> ! {
    panic!("the step could not be {what}: {reason}; --set aging.capture=false trains without a graph")
}

/// `batches` in memory of their own.
fn duplicated(batches: &[AgingBatch]) -> Vec<AgingBatch> {
    let mut copies = TensorCopies::default();
    let duplicate = |batch: &AgingBatch| AgingBatch {
        source: copies.duplicate(batch.source.clone()),
        expected: copies.duplicate(batch.expected.clone()),
        real: copies.duplicate(batch.real.clone()),
        own_group: copies.duplicate(batch.own_group.clone()),
        target: copies.duplicate_int(batch.target.clone()),
        mismatched: copies.duplicate_int(batch.mismatched.clone()),
        augmentation: copies.duplicate(batch.augmentation.clone()),
    };
    let duplicates = batches.iter().map(duplicate).collect();
    copies.launch();
    duplicates
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

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;

    #[test]
    fn steps_on_a_cpu_on_several_devices_or_with_loss_scaling_are_not_captured() {
        let refused = |devices: usize, loss_scale: LossScale| {
            let device_group = DeviceGroup::new(&vec![Device::flex(); devices]);
            CapturedStep::check(&device_group, &loss_scale).unwrap_err()
        };

        let of_cpu = refused(1, LossScale::none());
        let others = [refused(2, LossScale::none()), refused(1, LossScale::dynamic())];

        assert!(of_cpu.contains("GPU"), "{of_cpu}");
        assert_eq!(others, ["that needs one device and no loss scaling"; 2]);
    }
}
