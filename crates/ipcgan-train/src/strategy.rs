//! The training loop of all three stages: steps, with checkpoints by step and an exact resume.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use burn::data::dataloader::Progress;
use burn::tensor::Device;
use burn::train::metric::store::{Aggregate, Split};
use burn::train::{
    EventProcessorTraining, InferenceStep, Interrupter, Learner, LearnerEvent, SupervisedLearningStrategy,
    SupervisedTrainingEventProcessor, TrainLoader, TrainingComponents, TrainingItem, ValidLoader,
};

use crate::TrainingError;
use crate::checkpoint::Checkpoints;
use crate::stages::StepModel;
use crate::terms::Terms;

/// Looks at a model after every step.
pub(crate) trait StepObserver<M>: Send + Sync {
    fn after_step(&self, step: usize, model: &M) -> Result<(), TrainingError>;
}

/// The loop: what Burn calls an epoch is the steps between two validations.
///
/// The loader gives the items of the whole stage in order, so a run that goes on after step `k`
/// reads from item `k * batch_size`; random numbers of a step follow from the seed and the step.
pub(crate) struct StepStrategy<M> {
    pub(crate) device: Device,
    pub(crate) seed: u64,
    pub(crate) steps: usize,
    pub(crate) batch_size: usize,
    pub(crate) validations: usize,
    pub(crate) checkpoint_every: usize,
    /// Time after which a checkpoint is due whatever the step.
    pub(crate) checkpoint_after: Duration,
    pub(crate) checkpoints: Checkpoints,
    /// Steps that an earlier run did.
    pub(crate) done: usize,
    pub(crate) observer: Option<Arc<dyn StepObserver<M>>>,
    /// What stopped the loop, if it was ours.
    pub(crate) outcome: Arc<Mutex<Outcome>>,
}

/// How far the loop came.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) steps_done: usize,
    /// Names of what is measured on held-out faces.
    pub(crate) measured: Vec<&'static str>,
    /// What was measured on them last.
    pub(crate) held_out: BTreeMap<&'static str, f64>,
    pub(crate) error: Option<TrainingError>,
}

impl<M: StepModel> StepStrategy<M> {
    /// Step after which each epoch ends.
    fn epoch_ends(&self) -> Vec<usize> {
        let epochs = self.validations.clamp(1, self.steps.max(1));
        (1..=epochs).map(|epoch| epoch * self.steps / epochs).collect()
    }

    fn train_epoch(&self, epoch: usize, end: usize, loader: &TrainLoader<M>, parts: &mut Parts<M>) {
        let first = parts.step * self.batch_size;
        let batches = loader.slice(first, end * self.batch_size);
        parts.report(LearnerEvent::StartSplit { epoch_number: epoch, total_items: batches.num_items() });
        let mut iterator = batches.iter();
        while parts.step < end && !parts.interrupter.should_stop() {
            let batch = match iterator.next() {
                Some(Ok(batch)) => batch,
                Some(Err(error)) => return parts.interrupter.fail(error),
                None => break,
            };
            parts.step += 1;
            self.device.seed(step_seed(self.seed, parts.step));
            parts.learner.lr_step();
            let terms = M::learn(&mut parts.learner, batch);

            let rate = Some(parts.learner.lr_current());
            let item = TrainingItem::new(terms.clone(), iterator.progress(), Some(parts.step), rate);
            parts.report(LearnerEvent::ProcessedItem(item));
            self.observe(parts);
            let due = parts.step.is_multiple_of(self.checkpoint_every) || parts.step == self.steps;
            let due = due || parts.saved.elapsed() >= self.checkpoint_after || parts.interrupter.should_stop();
            let last = parts.terms.replace(terms);
            // The losses of the step before, so that the device need not be waited for; of this one if it is to be kept.
            let looked_at = if due { parts.terms.as_ref() } else { last.as_ref() };
            if let Some((term, value)) = looked_at.and_then(Terms::unlearnable) {
                return self.stop_diverged(term, value, parts);
            }
            if due {
                parts.checkpoint();
            }
        }
        drop(iterator);
        parts.report(LearnerEvent::EndSplit(epoch));
    }

    fn stop_diverged(&self, term: &str, value: f64, parts: &Parts<M>) {
        let lower = "go on from it with --resume and lower rates, as --set aging.generator_learning_rate=0.0001";
        let advice = match self.checkpoints.newest() {
            Some(path) => format!("the last good checkpoint is {}; {lower}", path.display()),
            None => "there is no checkpoint before; begin again with lower rates".into(),
        };
        parts.interrupter.stop(Some("a loss diverged"));
        let error = TrainingError::Diverged { term: term.into(), value, step: parts.step, advice };
        self.outcome.lock().expect("no holder panics").error = Some(error);
    }

    fn observe(&self, parts: &Parts<M>) {
        let Some(observer) = &self.observer else { return };
        if let Err(error) = observer.after_step(parts.step, &parts.learner.model()) {
            parts.interrupter.stop(Some("a sample could not be written"));
            self.outcome.lock().expect("no holder panics").error = Some(error);
        }
    }
}

impl<M: StepModel> SupervisedLearningStrategy<M> for StepStrategy<M> {
    fn fit(
        &self,
        components: TrainingComponents<M>,
        mut learner: Learner<M>,
        train: TrainLoader<M>,
        valid: ValidLoader<M>,
        _starting_epoch: usize,
    ) -> (M, SupervisedTrainingEventProcessor<M>) {
        let train = train.to_device(&self.device);
        let valid = valid.to_device(&self.device.clone().inner());
        learner.fork(&self.device);
        let interrupter = components.interrupter.clone();
        let mut parts = Parts { step: self.done, terms: None, saved: Instant::now(), learner, interrupter, components };
        for (index, end) in self.epoch_ends().into_iter().enumerate() {
            if end <= self.done {
                continue;
            }
            let epoch = index + 1;
            self.train_epoch(epoch, end, &train, &mut parts);
            if parts.interrupter.should_stop() {
                break;
            }
            parts.validate(epoch, &valid);
            let mut outcome = self.outcome.lock().expect("no holder panics");
            outcome.held_out = parts.measured(&outcome.measured, epoch);
        }
        self.outcome.lock().expect("no holder panics").steps_done = parts.step;
        (parts.learner.model(), parts.components.event_processor)
    }
}

/// A seed of its own for each step, so that a run that goes on draws what an unbroken one draws.
fn step_seed(seed: u64, step: usize) -> u64 {
    seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(step as u64)
}

/// What changes while the loop runs.
struct Parts<M: StepModel> {
    step: usize,
    /// Losses of the last step.
    terms: Option<Terms>,
    /// When the last checkpoint was made.
    saved: Instant,
    learner: Learner<M>,
    interrupter: Interrupter,
    components: TrainingComponents<M>,
}

impl<M: StepModel> Parts<M> {
    fn report(&mut self, event: LearnerEvent<Terms>) {
        let result = self.components.event_processor.process_train(event);
        self.interrupter.fail_on_error(result);
    }

    fn report_valid(&mut self, event: LearnerEvent<<M as InferenceStep>::Output>) {
        let result = self.components.event_processor.process_valid(event);
        self.interrupter.fail_on_error(result);
    }

    /// The means over the faces of a validation.
    fn measured(&self, names: &[&'static str], epoch: usize) -> BTreeMap<&'static str, f64> {
        let store = &self.components.event_store;
        let value = |name: &&'static str| {
            let value = store.find_metric(name, epoch, Aggregate::Mean, &Split::Valid)?;
            Some((*name, value))
        };
        names.iter().filter_map(value).collect()
    }

    fn checkpoint(&mut self) {
        self.saved = Instant::now();
        // Batch norm keeps its last update pending, and a record would miss it; this applies it.
        let _ = self.learner.model().valid();
        if let Some(checkpointer) = &mut self.components.checkpointer {
            checkpointer.checkpoint(&self.learner, self.step, &self.components.event_store);
        }
    }

    fn validate(&mut self, epoch: usize, loader: &ValidLoader<M>) {
        let model = self.learner.model().valid();
        let total_items = loader.num_items();
        self.report_valid(LearnerEvent::StartSplit { epoch_number: epoch, total_items });
        let mut iterator = loader.iter();
        while let Some(batch) = iterator.next() {
            let batch = match batch {
                Ok(batch) => batch,
                Err(error) => return self.interrupter.fail(error),
            };
            let progress: Progress = iterator.progress();
            let item = TrainingItem::new(InferenceStep::step(&model, batch), progress, None, None);
            self.report_valid(LearnerEvent::ProcessedItem(item));
            if self.interrupter.should_stop() {
                break;
            }
        }
        drop(iterator);
        self.report_valid(LearnerEvent::EndSplit(epoch));
        self.report(LearnerEvent::EndEpoch(epoch));
        let flushed = self.components.event_processor.flush();
        self.interrupter.fail_on_error(flushed);
    }
}
