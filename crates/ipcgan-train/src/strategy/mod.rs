//! The training loop of all stages: a Burn training strategy that counts steps, writes checkpoints by step and
//! resumes exactly.

mod failure;
mod state;
mod validation;

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use burn::data::dataloader::{DataLoaderIterator, Progress};
use burn::train::{
    Interrupter, Learner, LearnerEvent, SupervisedLearningStrategy, SupervisedTrainingEventProcessor, TrainLoader,
    TrainStep, TrainingComponents, TrainingItem, ValidLoader,
};
use image::RgbImage;
use ipcgan_model::try_catch_panic;

pub(crate) use failure::RetryHint;
use state::{LoopState, Pending};
pub(crate) use state::{Monitors, StepMonitor};

use crate::TrainingError;
use crate::checkpoint::{Checkpoints, StageProgress};
use crate::device_group::DeviceGroup;
use crate::memory::resident_bytes;
use crate::parameter_values::parameter_values;
use crate::step_metrics::StepMetrics;
use crate::step_model::StepModel;

/// Names of the performance metrics.
pub(crate) const FACES_PER_SECOND: &str = "faces per second";
pub(crate) const MEMORY: &str = "memory MB";
const LOSS_SCALE: &str = "loss scale";

/// Renders something from the model every few steps.
pub(crate) trait StepObserver<M>: Send + Sync {
    fn after_step(&self, step: usize, model: &M) -> Result<Option<RgbImage>, TrainingError>;

    /// Does the same work without output, to measure its time.
    fn dry_run(&self, model: &M);
}

/// Metric on held-out faces that selects the best checkpoint.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MonitoredMetric {
    pub(crate) name: &'static str,
    pub(crate) higher_is_better: bool,
}

impl MonitoredMetric {
    fn better(self, value: f64, than: f64) -> bool {
        if self.higher_is_better { value > than } else { value < than }
    }
}

/// The training loop. What Burn calls an epoch is the steps between two validations.
///
/// The loader yields the items of the whole stage in a fixed order, so a run resumed after step `k` reads from item
/// `k * items_per_step`; the random numbers of a step are derived from the seed and the step.
///
/// Losses are read from the device one step late, so that the device never idles.
pub(crate) struct StepStrategy<M> {
    pub(crate) retry_hint: RetryHint,
    pub(crate) device_group: DeviceGroup,
    pub(crate) seed: u64,
    pub(crate) steps: usize,
    /// Micro-batches that a step takes from the loader.
    pub(crate) micro_batches_per_step: usize,
    /// Faces per step.
    pub(crate) items_per_step: usize,
    pub(crate) validations: usize,
    pub(crate) checkpoint_every: usize,
    /// Maximum time between checkpoints.
    pub(crate) checkpoint_after: Duration,
    /// Steps between histograms; zero disables them.
    pub(crate) histogram_every: usize,
    pub(crate) checkpoints: Checkpoints,
    /// Steps done before this run.
    pub(crate) done: usize,
    /// Progress before this run.
    pub(crate) progress: StageProgress,
    pub(crate) selection_metric: MonitoredMetric,
    /// Early stopping: validations without improvement after which the stage ends; zero disables it.
    pub(crate) patience: usize,
    pub(crate) observer: Option<Arc<dyn StepObserver<M>>>,
    /// Stops the whole training. (Burn's own interrupter of the stage is reset by its dashboard.)
    pub(crate) stop: Interrupter,
    /// Taken by the loop when it starts.
    pub(crate) monitors: Mutex<Option<Monitors>>,
    /// Result of the loop.
    pub(crate) outcome: Arc<Mutex<Outcome>>,
}

/// Result of the training loop.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) steps_done: usize,
    /// Names of the metrics on held-out faces.
    pub(crate) validation_metrics: Vec<&'static str>,
    pub(crate) progress: StageProgress,
    pub(crate) stopped_early: bool,
    pub(crate) error: Option<TrainingError>,
}

impl<M: StepModel> StepStrategy<M> {
    /// Last step of each epoch.
    fn epoch_ends(&self) -> Vec<usize> {
        let epochs = self.validations.clamp(1, self.steps.max(1));
        (1..=epochs).map(|epoch| epoch * self.steps / epochs).collect()
    }

    fn train_epoch(&self, epoch: usize, end: usize, loader: &TrainLoader<M>, state: &mut LoopState<M>) {
        let items = [state.step, end].map(|step| step * self.items_per_step);
        let batches = loader.slice(items[0], items[1]);
        state.report(LearnerEvent::StartSplit { epoch_number: epoch, total_items: batches.num_items() });
        let mut iterator = batches.iter();
        while state.step < end && !state.should_stop() {
            let Some(batches) = self.batches_of_step(&mut *iterator, state) else { break };
            let Some(metrics) = self.learn(batches, state) else { break };
            let progress = iterator.progress();
            self.after_step(metrics, progress, end, state);
        }
        drop(iterator);
        self.report_pending(state);
        state.report(LearnerEvent::EndSplit(epoch));
    }

    fn batches_of_step(
        &self,
        iterator: &mut dyn DataLoaderIterator<<M as TrainStep>::Input>,
        state: &LoopState<M>,
    ) -> Option<Vec<<M as TrainStep>::Input>> {
        match iterator.take(self.micro_batches_per_step).collect::<Result<Vec<_>, _>>() {
            Ok(batches) if batches.len() == self.micro_batches_per_step => Some(batches),
            Ok(_) => None,
            Err(error) => {
                state.interrupter.fail(error);
                None
            }
        }
    }

    /// Runs one step; none if a device failed.
    fn learn(&self, batches: Vec<<M as TrainStep>::Input>, state: &mut LoopState<M>) -> Option<StepMetrics> {
        // With several devices, one may be lost in the middle of a step. (The clone costs the memory of the weights,
        // because the optimizer cannot update them in place; with one device there is nothing left to save.)
        let several = self.device_group.count() > 1;
        let before = several.then(|| state.learner.clone());
        self.device_group.main().seed(step_seed(self.seed, state.step + 1));
        state.learner.lr_step();
        let learned = try_catch_panic(|| {
            let metrics = M::learn(&mut state.learner, &self.device_group, batches);
            // Devices work asynchronously and report failures when something is read; gradient norms depend on all of
            // them.
            if several { metrics.read().map_err(|error| error.to_string()) } else { Ok(metrics) }
        });
        match learned {
            Ok(metrics) => {
                state.step += 1;
                Some(metrics)
            }
            Err(reason) => {
                self.stop_on_device_failure(&reason, before, state);
                None
            }
        }
    }

    fn after_step(&self, metrics: StepMetrics, progress: Progress, end: usize, state: &mut LoopState<M>) {
        let metrics = metrics
            .with_number(FACES_PER_SECOND, state.speed(self.items_per_step))
            .with_number(MEMORY, resident_bytes() / 1e6);
        let loss_scale = state.learner.model().loss_scale().clone();
        let metrics = match loss_scale.state() {
            Some(_) => metrics.with_number(LOSS_SCALE, loss_scale.factor()),
            None => metrics,
        };
        self.report_pending(state);
        let rate = state.learner.lr_current();
        state.pending = Some(Pending { step: state.step, metrics, progress, rate });
        self.observe(state);
        let due = state.step.is_multiple_of(self.checkpoint_every)
            || state.saved.elapsed() >= self.checkpoint_after
            || state.should_stop();
        // The last step of an epoch is followed by a validation and a checkpoint that includes it.
        if due && (state.step < end || state.should_stop()) {
            self.checkpoint(state);
        }
    }

    /// Reads the losses of the newest unread step, and reports them.
    fn report_pending(&self, state: &mut LoopState<M>) {
        let Some(Pending { step, metrics, progress, rate }) = state.pending.take() else { return };
        let metrics = match try_catch_panic(|| metrics.read().map_err(|error| error.to_string())) {
            Ok(metrics) => metrics,
            Err(reason) => return self.stop_on_device_failure(&reason, None, state),
        };
        if let Some(monitor) = &mut state.monitors.steps {
            monitor(step, &metrics);
        }
        state.monitors.recorder.step(step, metrics.numbers());
        if state.monitors.recorder.has_failed() {
            state.interrupter.stop(Some("the log cannot be written"));
        }
        if let Some((metric, value)) = metrics.non_finite()
            && !state.diverged
        {
            state.diverged = true;
            self.stop_diverged(metric, value, step, state);
        }
        state.report(LearnerEvent::ProcessedItem(TrainingItem::new(metrics, progress, Some(step), Some(rate))));
    }

    fn observe(&self, state: &LoopState<M>) {
        if let Some(observer) = &self.observer {
            match observer.after_step(state.step, &state.learner.model()) {
                Ok(None) => (),
                Ok(Some(image)) => state.monitors.recorder.image(state.step, "samples", image),
                Err(error) => self.stop("a sample grid could not be written", error, state),
            }
        }
        if self.histogram_every > 0 && state.step.is_multiple_of(self.histogram_every) {
            for (name, values) in parameter_values(&state.learner.model()) {
                state.monitors.recorder.weights(state.step, name, values);
            }
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
        let train = self.device_group.prepare_loader(train);
        let valid = valid.to_device(&self.device_group.main().clone().inner());
        learner.fork(self.device_group.main());
        let monitors = self.monitors.lock().expect("no holder panics").take().expect("a strategy runs once");
        let mut state = LoopState {
            step: self.done,
            progress: self.progress.clone(),
            pending: None,
            diverged: false,
            saved: Instant::now(),
            stepped: Instant::now(),
            monitors,
            learner,
            interrupter: components.interrupter.clone(),
            stop: self.stop.clone(),
            components,
        };
        let mut stopped_early = false;
        for (index, end) in self.epoch_ends().into_iter().enumerate() {
            let epoch = index + 1;
            if state.step < end {
                self.train_epoch(epoch, end, &train, &mut state);
            }
            if state.should_stop() {
                break;
            }
            // A run that was interrupted between the last step of an epoch and its validation catches up on it.
            if state.progress.validated < end && self.validate(epoch, &valid, &mut state) {
                stopped_early = true;
                break;
            }
        }
        let recorded = state.monitors.recorder.finish();
        // Waits for the last checkpoint, which reports errors through the interrupter; the dashboard resets that when
        // the training ends.
        drop(state.components.checkpointer.take());
        let failed = state.interrupter.error();
        let asked_to_stop = state.interrupter.interruption().is_some();
        let mut outcome = self.outcome.lock().expect("no holder panics");
        // The loop also interrupts itself on errors, which a retry may resolve.
        if asked_to_stop && outcome.error.is_none() {
            self.stop.stop(Some("stopped"));
        }
        outcome.steps_done = state.step;
        outcome.stopped_early = stopped_early;
        outcome.progress = state.progress.clone();
        if let Some(error) = failed {
            let (step, reason) = (state.step, error.to_string());
            outcome.error.get_or_insert(TrainingError::Stopped { step, reason });
        }
        if let Err(error) = recorded {
            outcome.error.get_or_insert(error);
        }
        (state.learner.model(), state.components.event_processor)
    }
}

/// Seed of a step, so that a resumed run draws the same random numbers as an uninterrupted one.
fn step_seed(seed: u64, step: usize) -> u64 {
    seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(step as u64)
}
