//! The training loop of all three stages: steps, with checkpoints by step and an exact resume.

mod parts;

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use burn::data::dataloader::{DataLoaderIterator, Progress};
use burn::train::{
    Learner, LearnerEvent, SupervisedLearningStrategy, SupervisedTrainingEventProcessor, TrainLoader, TrainStep,
    TrainingComponents, TrainingItem, ValidLoader,
};
use image::RgbImage;
use ipcgan_model::{give_back_freed_memory, guarded, guarded_try};

pub(crate) use parts::resident_megabytes;
use parts::{Parts, Pending};

use crate::TrainingError;
use crate::checkpoint::{Best, Checkpoints, Standing};
use crate::health::Health;
use crate::record::Recorder;
use crate::stages::StepModel;
use crate::team::Team;
use crate::terms::Terms;
use crate::weights_of::weights_of;

/// Names of what the loop measures beside the losses.
pub(crate) const FACES_PER_SECOND: &str = "faces per second";
pub(crate) const MEMORY: &str = "memory MB";

/// Draws something from a model, every so many steps.
pub(crate) trait StepObserver<M>: Send + Sync {
    fn after_step(&self, step: usize, model: &M) -> Result<Option<RgbImage>, TrainingError>;
}

/// What tells a better model from a worse one: a number measured on held-out faces.
#[derive(Clone, Copy, Debug)]
pub(crate) struct JudgedBy {
    pub(crate) name: &'static str,
    pub(crate) higher_is_better: bool,
}

impl JudgedBy {
    fn better(self, value: f64, than: f64) -> bool {
        if self.higher_is_better { value > than } else { value < than }
    }
}

/// The loop: what Burn calls an epoch is the steps between two validations.
///
/// The loader gives the items of the whole stage in order, so a run that goes on after step `k` reads from item
/// `k * items_per_step`; random numbers of a step follow from the seed and the step.
///
/// Losses are read from the device one step late, so that it always has work.
pub(crate) struct StepStrategy<M> {
    pub(crate) team: Team,
    pub(crate) seed: u64,
    pub(crate) steps: usize,
    /// Parts of batches that a step takes from the loader.
    pub(crate) parts_per_step: usize,
    /// Faces that a step learns from.
    pub(crate) items_per_step: usize,
    pub(crate) validations: usize,
    pub(crate) checkpoint_every: usize,
    /// Time after which a checkpoint is due whatever the step.
    pub(crate) checkpoint_after: Duration,
    /// Steps between histograms; zero for none.
    pub(crate) histogram_every: usize,
    pub(crate) checkpoints: Checkpoints,
    /// Steps that an earlier run did.
    pub(crate) done: usize,
    /// How far it had come.
    pub(crate) standing: Standing,
    pub(crate) judged_by: JudgedBy,
    /// Validations without a better one after which the stage ends; zero for never.
    pub(crate) patience: usize,
    pub(crate) observer: Option<Arc<dyn StepObserver<M>>>,
    /// Taken by the loop when it begins.
    pub(crate) watch: Mutex<Option<Watch>>,
    /// How it went.
    pub(crate) outcome: Arc<Mutex<Outcome>>,
}

/// What looks on.
pub(crate) struct Watch {
    pub(crate) recorder: Recorder,
    pub(crate) health: Health,
}

/// How far the loop came.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) steps_done: usize,
    /// Names of what is measured on held-out faces.
    pub(crate) measured: Vec<&'static str>,
    pub(crate) standing: Standing,
    pub(crate) stopped_early: bool,
    pub(crate) error: Option<TrainingError>,
}

impl<M: StepModel> StepStrategy<M> {
    /// Step after which each epoch ends.
    fn epoch_ends(&self) -> Vec<usize> {
        let epochs = self.validations.clamp(1, self.steps.max(1));
        (1..=epochs).map(|epoch| epoch * self.steps / epochs).collect()
    }

    fn train_epoch(&self, epoch: usize, end: usize, loader: &TrainLoader<M>, parts: &mut Parts<M>) {
        let items = [parts.step, end].map(|step| step * self.items_per_step);
        let batches = loader.slice(items[0], items[1]);
        parts.report(LearnerEvent::StartSplit { epoch_number: epoch, total_items: batches.num_items() });
        let mut iterator = batches.iter();
        while parts.step < end && !parts.interrupter.should_stop() {
            let Some(batches) = self.batches_of_step(&mut *iterator, parts) else { break };
            let Some(terms) = self.learn(batches, parts) else { break };
            let progress = iterator.progress();
            self.after_step(terms, progress, end, parts);
        }
        drop(iterator);
        self.look_at_pending(parts);
        parts.report(LearnerEvent::EndSplit(epoch));
    }

    fn batches_of_step(
        &self,
        iterator: &mut dyn DataLoaderIterator<<M as TrainStep>::Input>,
        parts: &Parts<M>,
    ) -> Option<Vec<<M as TrainStep>::Input>> {
        match iterator.take(self.parts_per_step).collect::<Result<Vec<_>, _>>() {
            Ok(batches) if batches.len() == self.parts_per_step => Some(batches),
            Ok(_) => None,
            Err(error) => {
                parts.interrupter.fail(error);
                None
            }
        }
    }

    /// One step; nothing if a device failed.
    fn learn(&self, batches: Vec<<M as TrainStep>::Input>, parts: &mut Parts<M>) -> Option<Terms> {
        // Of several devices one may be lost in the middle of a step. (A clone costs the memory of the weights, because
        // the optimizer cannot update them in place then; with one device there is nothing left to save.)
        let several = self.team.count() > 1;
        let before = several.then(|| parts.learner.clone());
        self.team.main().seed(step_seed(self.seed, parts.step + 1));
        parts.learner.lr_step();
        let learned = guarded_try(|| {
            let terms = M::learn(&mut parts.learner, &self.team, batches);
            // Devices work by themselves, and say that they failed when something is read: the norms of the gradients
            // come from all of them.
            if several { terms.read().map_err(|error| error.to_string()) } else { Ok(terms) }
        });
        match learned {
            Ok(terms) => {
                parts.step += 1;
                Some(terms)
            }
            Err(reason) => {
                self.stop_without_device(&reason, before, parts);
                None
            }
        }
    }

    fn after_step(&self, terms: Terms, progress: Progress, end: usize, parts: &mut Parts<M>) {
        let terms = terms
            .with_number(FACES_PER_SECOND, parts.speed(self.items_per_step))
            .with_number(MEMORY, resident_megabytes());
        self.look_at_pending(parts);
        let rate = parts.learner.lr_current();
        parts.pending = Some(Pending { step: parts.step, terms, progress, rate });
        self.observe(parts);
        let due = parts.step.is_multiple_of(self.checkpoint_every)
            || parts.saved.elapsed() >= self.checkpoint_after
            || parts.interrupter.should_stop();
        // After the last step of an epoch comes the validation, and a checkpoint that knows of it.
        if due && (parts.step < end || parts.interrupter.should_stop()) {
            // What is kept must be sound.
            self.look_at_pending(parts);
            self.checkpoint(parts);
        }
    }

    /// Reads the losses of the newest step that is not read yet, and shows them.
    fn look_at_pending(&self, parts: &mut Parts<M>) {
        let Some(Pending { step, terms, progress, rate }) = parts.pending.take() else { return };
        let terms = match guarded_try(|| terms.read().map_err(|error| error.to_string())) {
            Ok(terms) => terms,
            Err(reason) => return self.stop_without_device(&reason, None, parts),
        };
        parts.watch.health.look(step, &terms);
        parts.watch.recorder.step(step, terms.numbers());
        if parts.watch.recorder.has_failed() {
            parts.interrupter.stop(Some("nothing can be recorded"));
        }
        if let Some((term, value)) = terms.unlearnable()
            && !parts.unsound
        {
            parts.unsound = true;
            self.stop_diverged(term, value, step, parts);
        }
        parts.report(LearnerEvent::ProcessedItem(TrainingItem::new(terms, progress, Some(step), Some(rate))));
    }

    fn observe(&self, parts: &Parts<M>) {
        if let Some(observer) = &self.observer {
            match observer.after_step(parts.step, &parts.learner.model()) {
                Ok(None) => (),
                Ok(Some(picture)) => parts.watch.recorder.picture(parts.step, "samples", picture),
                Err(error) => self.stop("a sample could not be written", error, parts),
            }
        }
        if self.histogram_every > 0 && parts.step.is_multiple_of(self.histogram_every) {
            for (name, values) in weights_of(&parts.learner.model()) {
                parts.watch.recorder.weights(parts.step, name, values);
            }
        }
    }

    fn stop(&self, reason: &str, error: TrainingError, parts: &Parts<M>) {
        parts.interrupter.stop(Some(reason));
        self.outcome.lock().expect("no holder panics").error.get_or_insert(error);
    }

    fn stop_diverged(&self, term: &str, value: f64, step: usize, parts: &Parts<M>) {
        let lower = "go on from it with --resume and lower rates, as --set aging.generator_learning_rate=0.0001";
        let advice = match self.checkpoints.newest() {
            Some(path) => format!("the last good checkpoint is {}; {lower}", path.display()),
            None => "there is no checkpoint before; begin again with lower rates".into(),
        };
        let error = TrainingError::Diverged { term: term.into(), value, step, advice };
        self.stop("a loss diverged", error, parts);
    }

    /// `before` is the state that the step began with, if it can still be saved.
    fn stop_without_device(&self, reason: &str, before: Option<Learner<M>>, parts: &mut Parts<M>) {
        let step = parts.step + 1;
        if let Some(learner) = before {
            parts.learner = learner;
            self.checkpoint(parts);
        }
        parts.unsound = true;
        let advice =
            "go on from the last checkpoint with --resume, on devices that work; if its memory was full, with smaller \
                      batches (--set aging.batch_size=8)"
                .into();
        let error = TrainingError::Device { step, reason: reason.into(), advice };
        self.stop("a device failed", error, parts);
    }

    /// Saves how far the loop has come, unless the networks are not sound.
    fn checkpoint(&self, parts: &mut Parts<M>) {
        if parts.unsound {
            return;
        }
        parts.saved = Instant::now();
        give_back_freed_memory();
        self.checkpoints.begin(parts.step, parts.standing.clone());
        // Without the device that keeps the networks there is nothing to save, which stops the loop if nothing has yet.
        let saved = guarded(|| {
            // Batch norm keeps its last update pending, and a record would miss it; this applies it.
            let _ = parts.learner.model().valid();
            if let Some(checkpointer) = &mut parts.components.checkpointer {
                checkpointer.checkpoint(&parts.learner, parts.step, &parts.components.event_store);
            }
        });
        if let Err(reason) = saved {
            self.stop_without_device(&reason, None, parts);
        }
    }

    /// Validates, and keeps what came of it; whether the stage ends here because nothing becomes better any more.
    fn validate(&self, epoch: usize, loader: &ValidLoader<M>, parts: &mut Parts<M>) -> bool {
        if let Err(reason) = guarded(|| parts.validate(epoch, loader)) {
            self.stop_without_device(&reason, None, parts);
            return false;
        }
        if parts.interrupter.should_stop() {
            self.checkpoint(parts);
            return false;
        }
        let measured = parts.measured(&self.outcome.lock().expect("no holder panics").measured, epoch);
        parts.watch.recorder.validation(parts.step, measured.iter().map(|(name, value)| (*name, *value)));
        let standing = &mut parts.standing;
        standing.validated = parts.step;
        if let Some(value) = measured.get(self.judged_by.name) {
            match &mut standing.best {
                Some(best) if !self.judged_by.better(*value, best.value) => best.since += 1,
                best => *best = Some(Best { step: parts.step, value: *value, since: 0 }),
            }
        }
        standing.held_out = measured.into_iter().map(|(name, value)| (name.into(), value)).collect();
        let since = standing.best.as_ref().map_or(0, |best| best.since);
        self.checkpoint(parts);
        self.patience > 0 && since >= self.patience
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
        let train = self.team.fed(train);
        let valid = valid.to_device(&self.team.main().clone().inner());
        learner.fork(self.team.main());
        let watch = self.watch.lock().expect("no holder panics").take().expect("a strategy runs once");
        let mut parts = Parts {
            step: self.done,
            standing: self.standing.clone(),
            pending: None,
            unsound: false,
            saved: Instant::now(),
            stepped: Instant::now(),
            watch,
            learner,
            interrupter: components.interrupter.clone(),
            components,
        };
        let mut stopped_early = false;
        for (index, end) in self.epoch_ends().into_iter().enumerate() {
            let epoch = index + 1;
            if parts.step < end {
                self.train_epoch(epoch, end, &train, &mut parts);
            }
            if parts.interrupter.should_stop() {
                break;
            }
            // A run that was stopped between the last step of an epoch and its validation makes up for it.
            if parts.standing.validated < end && self.validate(epoch, &valid, &mut parts) {
                stopped_early = true;
                break;
            }
        }
        let recorded = parts.watch.recorder.finish();
        let mut outcome = self.outcome.lock().expect("no holder panics");
        outcome.steps_done = parts.step;
        outcome.stopped_early = stopped_early;
        outcome.standing = parts.standing.clone();
        if let Err(error) = recorded {
            outcome.error.get_or_insert(error);
        }
        (parts.learner.model(), parts.components.event_processor)
    }
}

/// A seed of its own for each step, so that a run that goes on draws what an unbroken one draws.
fn step_seed(seed: u64, step: usize) -> u64 {
    seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(step as u64)
}
