//! The training loop of all stages: a Burn training strategy that counts steps, writes checkpoints by step and
//! resumes exactly.

mod checkpoints;
mod failure;
mod launch;
mod monitors;
mod retry_hint;
mod selection;
mod state;
mod steps;
mod validation;

use std::sync::{Arc, Mutex};
use std::time::Instant;

use burn::data::dataloader::{DataLoaderIterator, Progress};
use burn::train::{
    Interrupter, Learner, LearnerEvent, SupervisedLearningStrategy, SupervisedTrainingEventProcessor, TrainLoader,
    TrainStep, TrainingComponents, TrainingItem, ValidLoader,
};
use ipcgan_system::{catch_device_panic, try_catch_device_panic, with_causes};

pub(crate) use checkpoints::CheckpointSchedule;
pub(crate) use launch::launch;
pub(crate) use monitors::{Monitors, SampleGridRenderer, SymptomMonitor};
pub use retry_hint::RetryHint;
pub(crate) use retry_hint::RetryHints;
pub(crate) use selection::{MonitoredMetric, Selection};
use state::{LoopState, Pending};
pub(crate) use steps::StepPlan;

use crate::TrainingError;
use crate::memory::resident_bytes;
use crate::run::checkpoint::StageProgress;
use crate::step::devices::DeviceGroup;
use crate::step::metrics::StepMetrics;
use crate::step::model::StepModel;

/// Names of the performance metrics.
pub(crate) const FACES_PER_SECOND: &str = "faces per second";
pub(crate) const MEMORY: &str = "memory MB";
const LOSS_SCALE: &str = "loss scale";

/// The training loop. One epoch of Burn is the steps between two validations.
///
/// Losses are read from the device one step late, so that the device never idles.
pub(crate) struct Trainer<M> {
    pub(crate) device_group: DeviceGroup,
    pub(crate) plan: StepPlan,
    pub(crate) checkpoints: CheckpointSchedule,
    pub(crate) selection: Selection,
    pub(crate) retry_hints: RetryHints,
    /// Steps done before this run, and the progress after them.
    pub(crate) resumed: (usize, StageProgress),
    /// Stops the whole training. (Burn's own interrupter of the stage is reset by its dashboard.)
    pub(crate) stop: Interrupter,
    /// The loop takes them when it starts.
    pub(crate) monitors: Mutex<Option<Monitors<M>>>,
    /// Result of the loop.
    pub(crate) outcome: Arc<Mutex<Outcome>>,
}

/// Result of the training loop.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) steps_done: usize,
    pub(crate) progress: StageProgress,
    pub(crate) stopped_early: bool,
    pub(crate) error: Option<TrainingError>,
}

impl<M: StepModel> Trainer<M> {
    fn train_epoch(&self, epoch: usize, end: usize, loader: &TrainLoader<M>, state: &mut LoopState<M>) {
        let items = self.plan.items(state.step..end);
        let batches = loader.slice(items.start, items.end);
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
        match self.plan.next_batches(iterator) {
            Ok(Ok(batches)) => Some(batches),
            Ok(Err(found)) => {
                let expected = self.plan.micro_batches_per_step;
                let error = TrainingError::DataEnded { step: state.step, found, expected };
                self.stop("the training data ended early", error, state);
                None
            }
            Err(error) => {
                state.interrupter.fail(error);
                None
            }
        }
    }

    /// Runs one step; `None` if a device failed.
    fn learn(&self, batches: Vec<<M as TrainStep>::Input>, state: &mut LoopState<M>) -> Option<StepMetrics> {
        // With several devices, one may fail in the middle of a step: the state before the step is then saved. (The
        // clone costs the memory of the weights, because the optimizer cannot update them in place. If the only device
        // fails, there is nothing left to save.)
        let several = self.device_group.count() > 1;
        let before = several.then(|| state.learner.clone());
        self.device_group.main().seed(self.plan.seed_of(state.step + 1));
        state.learner.lr_step();
        let (learner, device_group) = (&mut state.learner, &self.device_group);
        let step = || {
            let metrics = M::learn(learner, device_group, batches);
            // Devices work asynchronously and report failures when a result is read; the gradient norm depends on all
            // devices.
            if several { metrics.read().map_err(|error| error.to_string()) } else { Ok(metrics) }
        };
        let result = device_group.run_step(|| try_catch_device_panic(step));
        match result {
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
            .with_number(FACES_PER_SECOND, state.speed(self.plan.faces_per_step))
            .with_number(MEMORY, resident_bytes() / 1e6);
        let loss_scale = state.learner.model().loss_scale().clone();
        let metrics = match loss_scale.state() {
            Some(_) => metrics.with_number(LOSS_SCALE, loss_scale.factor()),
            None => metrics,
        };
        self.report_pending(state);
        let rate = state.learner.lr_current();
        state.pending = Some(Pending { step: state.step, metrics, progress, rate });
        match catch_device_panic(|| state.monitors.render(state.step, &state.learner)) {
            Ok(Ok(())) => (),
            Ok(Err(error)) => self.stop("a sample grid could not be written", error, state),
            Err(reason) => {
                let reason = format!("the sample grid could not be computed: {reason}");
                let error = TrainingError::Stopped { step: state.step, reason };
                self.stop("a sample grid could not be computed", error, state);
            }
        }
        let due = self.checkpoints.is_due(state.step, state.saved) || state.should_stop();
        // The last step of an epoch is followed by a validation and a checkpoint that includes it.
        if due && (state.step < end || state.should_stop()) {
            self.checkpoint(state);
        }
    }

    /// Reads the losses of the newest unread step, and reports them.
    fn report_pending(&self, state: &mut LoopState<M>) {
        let Some(Pending { step, metrics, progress, rate }) = state.pending.take() else { return };
        let metrics = match try_catch_device_panic(|| metrics.read().map_err(|error| error.to_string())) {
            Ok(metrics) => metrics,
            Err(reason) => return self.stop_on_device_failure(&reason, None, state),
        };
        state.monitors.step(step, &metrics);
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

    /// The state at the start of the loop.
    fn initial_state(&self, components: TrainingComponents<M>, learner: Learner<M>) -> LoopState<M> {
        let (step, progress) = self.resumed.clone();
        LoopState {
            step,
            progress,
            pending: None,
            diverged: false,
            stopped_early: false,
            saved: Instant::now(),
            stepped: Instant::now(),
            monitors: self.monitors.lock().expect("no holder panics").take().expect("a trainer runs once"),
            learner,
            interrupter: components.interrupter.clone(),
            stop: self.stop.clone(),
            components,
        }
    }

    /// Waits for logs and checkpoints, and stores the result of the loop.
    fn finish(&self, state: &mut LoopState<M>) {
        let recorded = state.monitors.recorder.finish();
        // Waits for the last checkpoint, which reports errors through the interrupter; the dashboard resets that when
        // the training ends.
        drop(state.components.checkpointer.take());
        let failed = state.interrupter.error();
        let interrupted = state.interrupter.interruption().is_some();
        let mut outcome = self.outcome.lock().expect("no holder panics");
        // The loop also interrupts itself on errors, which a retry may resolve.
        if interrupted && outcome.error.is_none() {
            self.stop.stop(Some("stopped"));
        }
        outcome.steps_done = state.step;
        outcome.stopped_early = state.stopped_early;
        outcome.progress = state.progress.clone();
        if let Some(error) = failed {
            let (step, reason) = (state.step, with_causes(&*error));
            outcome.error.get_or_insert(TrainingError::Stopped { step, reason });
        }
        if let Err(error) = recorded {
            outcome.error.get_or_insert(error);
        }
    }
}

impl<M: StepModel> SupervisedLearningStrategy<M> for Trainer<M> {
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
        let mut state = self.initial_state(components, learner);
        for (index, end) in self.plan.epoch_ends().into_iter().enumerate() {
            let epoch = index + 1;
            if state.step < end {
                self.train_epoch(epoch, end, &train, &mut state);
            }
            if state.should_stop() {
                break;
            }
            // Also after a run that was interrupted between the last step of an epoch and its validation.
            if state.progress.validated < end {
                self.validate(epoch, &valid, &mut state);
            }
            if state.stopped_early {
                break;
            }
        }
        self.finish(&mut state);
        (state.learner.model(), state.components.event_processor)
    }
}
