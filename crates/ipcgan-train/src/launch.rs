//! Runs a stage on Burn's learner.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use burn::optim::ModuleOptimizer;
use burn::optim::lr_scheduler::module_lr_scheduler::ModuleLrScheduler;
use burn::store::ModuleRecord;
use burn::train::metric::Adaptor;
use burn::train::{InferenceStep, Interrupter, Learner, SupervisedTraining, TrainingStrategy};

use crate::TrainingError;
use crate::checkpoint::SaveAlways;
use crate::context::StageContext;
use crate::dashboard::dashboard;
use crate::epoch_metric::EpochMetric;
use crate::gan_monitor::GanMonitor;
use crate::monitor::Recorder;
use crate::progress::ProgressLines;
use crate::realism::{AgingValidation, KERNEL_DISTANCE, REALISM_AND_AGE};
use crate::stage_parts::StageParts;
use crate::stages::{IdentityValidation, StepModel};
use crate::step_metrics::{ScalarMetric, StepMetrics};
use crate::strategy::{
    FACES_PER_SECOND, MEMORY, MonitoredMetric, Monitors, Outcome, RetryHint, StepObserver, StepStrategy,
};
use crate::summary::StageResult;
use crate::train::Display;
use crate::validation_logger::ValidationLogger;

/// Metrics that a stage shows and keeps.
pub(crate) struct MetricSet<M: StepModel> {
    training: SupervisedTraining<M>,
    outcome: Arc<Mutex<Outcome>>,
}

impl<M: StepModel> MetricSet<M> {
    fn map(self, change: impl FnOnce(SupervisedTraining<M>) -> SupervisedTraining<M>) -> Self {
        Self { training: change(self.training), outcome: self.outcome }
    }

    /// Keeps the validation metric `name` for summary and checkpoint selection.
    fn track_validation(self, name: &'static str) -> Self {
        self.outcome.lock().expect("no holder panics").validation_metrics.push(name);
        self
    }
}

impl<M: StepModel> MetricSet<M> {
    /// Adds a training metric where lower is better.
    pub(crate) fn loss(self, metric: &'static str) -> Self {
        self.map(|training| training.metric_train_numeric(ScalarMetric::loss(metric)))
    }

    /// Adds training metrics where lower is better.
    pub(crate) fn losses(self, metrics: impl IntoIterator<Item = &'static str>) -> Self {
        metrics.into_iter().fold(self, Self::loss)
    }

    /// Adds a training metric where higher is better.
    pub(crate) fn accuracy(self, metric: &'static str) -> Self {
        self.map(|training| training.metric_train_numeric(ScalarMetric::accuracy(metric)))
    }

    /// Adds a training metric that is only shown where there is room.
    pub(crate) fn detail(self, metric: &'static str) -> Self {
        self.map(|training| training.metric_train_numeric(ScalarMetric::detail(metric)))
    }
}

impl<M: StepModel + InferenceStep<Output: Adaptor<StepMetrics>>> MetricSet<M> {
    /// Adds a validation metric where lower is better.
    pub(crate) fn valid_loss(self, metric: &'static str) -> Self {
        self.track_validation(metric).map(|training| training.metric_valid_numeric(ScalarMetric::loss(metric)))
    }

    /// Adds validation metrics where lower is better.
    pub(crate) fn valid_losses(self, metrics: impl IntoIterator<Item = &'static str>) -> Self {
        metrics.into_iter().fold(self, Self::valid_loss)
    }

    /// Adds a validation metric where higher is better.
    pub(crate) fn valid_accuracy(self, metric: &'static str) -> Self {
        self.track_validation(metric).map(|training| training.metric_valid_numeric(ScalarMetric::accuracy(metric)))
    }
}

impl<M: StepModel + InferenceStep<Output = IdentityValidation>> MetricSet<M> {
    /// Adds the identity verification metrics: ROC AUC and rank-1 accuracy.
    pub(crate) fn verification(self) -> Self {
        self.track_validation("verification AUC").track_validation("rank-1 accuracy").map(|training| {
            training
                .metric_valid_numeric(EpochMetric::verification_auc())
                .metric_valid_numeric(EpochMetric::rank_1_accuracy())
        })
    }
}

impl<M: StepModel + InferenceStep<Output = AgingValidation>> MetricSet<M> {
    /// Adds the realism metrics of aged faces.
    pub(crate) fn realism(self) -> Self {
        self.track_validation(KERNEL_DISTANCE).track_validation(REALISM_AND_AGE).map(|training| {
            training
                .metric_valid_numeric(EpochMetric::kernel_distance())
                .metric_valid_numeric(EpochMetric::realism_and_age())
        })
    }
}

impl StageContext<'_> {
    /// Runs the training loop of a stage with its `parts`, and the metrics that `metrics` adds. Returns the best
    /// model after early stopping, else the last one.
    pub(crate) fn launch<M: StepModel>(
        &self,
        parts: StageParts<M>,
        observer: Option<Arc<dyn StepObserver<M>>>,
        metrics: impl FnOnce(MetricSet<M>) -> MetricSet<M>,
    ) -> Result<(M, StageResult), TrainingError> {
        let StageParts { model, optimizer, lr_scheduler, train, valid, selection_metric } = parts;
        let learner = self.resumed(model, optimizer, lr_scheduler)?;
        let outcome = Arc::<Mutex<Outcome>>::default();
        let strategy = self.strategy(selection_metric, observer, outcome.clone())?;
        // A separate interrupter, because Burn's dashboard resets it when the stage ends.
        let interrupter = Interrupter::new();
        let training = SupervisedTraining::new(self.run.log(self.stage)?, train, valid)
            .num_epochs(self.config.validations)
            .with_interrupter(interrupter.clone())
            .with_application_logger(None)
            .with_metric_logger(ValidationLogger::default())
            .with_checkpointing_strategy(SaveAlways)
            .with_custom_checkpointers(
                self.checkpoints.record("model"),
                self.checkpoints.record("optimizer"),
                self.checkpoints.record("scheduler"),
            )
            .with_training_strategy(TrainingStrategy::Custom(Arc::new(strategy)))
            .label(self.stage.name());
        let training = match &self.session.display {
            Display::Dashboard => training.renderer(dashboard(interrupter)),
            Display::Lines(sink) => training.renderer(Box::new(ProgressLines::new(
                self.stage.name(),
                self.config.steps(self.stage),
                self.done,
                self.items_per_step(),
                sink.clone(),
            ))),
        };
        let metrics = metrics(MetricSet { training, outcome: outcome.clone() }).detail(FACES_PER_SECOND).detail(MEMORY);
        let result = metrics.training.launch(learner);
        let outcome = std::mem::take(&mut *outcome.lock().expect("no holder panics"));
        if let Some(error) = outcome.error {
            return Err(error);
        }
        if let Some(error) = result.error {
            let (step, reason) = (outcome.steps_done, error.to_string());
            return Err(TrainingError::Stopped { step, reason });
        }
        let Outcome { steps_done: steps, progress, stopped_early, .. } = outcome;
        let validated = progress.validated;
        let best_step = progress.best.as_ref().map(|best| best.step);
        let model = match progress.best.filter(|_| stopped_early) {
            None => result.model,
            Some(best) => self.load_model(result.model, best.step)?,
        };
        Ok((model, StageResult { steps, validated, held_out: progress.held_out, stopped_early, best_step }))
    }

    fn strategy<M: StepModel>(
        &self,
        selection_metric: MonitoredMetric,
        observer: Option<Arc<dyn StepObserver<M>>>,
        outcome: Arc<Mutex<Outcome>>,
    ) -> Result<StepStrategy<M>, TrainingError> {
        let monitors = Monitors {
            recorder: Recorder::new(self.run, self.stage, self.done, self.progress.validated)?,
            gan: GanMonitor::new(self.session.notices.clone()),
        };
        let (rate, value) = self.config.learning_rate(self.stage);
        let retry_hint = RetryHint {
            rate: format!("{rate}={}", value / 2.0),
            batch: format!("{}.batch_size={}", self.stage, self.config.batch_size(self.stage).div_ceil(2)),
        };
        Ok(StepStrategy {
            retry_hint,
            device_group: self.device_group.clone(),
            seed: self.config.seed,
            steps: self.config.steps(self.stage),
            micro_batches_per_step: self.micro_batches_per_step(),
            items_per_step: self.items_per_step(),
            validations: self.config.validations,
            checkpoint_every: self.config.checkpoint_every,
            checkpoint_after: Duration::from_secs_f64(60.0 * self.config.checkpoint_minutes),
            histogram_every: self.config.histogram_every,
            checkpoints: self.checkpoints.clone(),
            done: self.done,
            progress: self.progress.clone(),
            selection_metric,
            patience: self.config.patience(self.stage),
            observer,
            stop: self.session.interrupter.clone(),
            monitors: Mutex::new(Some(monitors)),
            outcome,
        })
    }

    /// A learner with the state of the newest checkpoint, if there is one.
    fn resumed<M: StepModel>(
        &self,
        model: M,
        optimizer: ModuleOptimizer,
        lr_scheduler: ModuleLrScheduler,
    ) -> Result<Learner<M>, TrainingError> {
        if self.done == 0 {
            return Ok(Learner::new(model, optimizer, lr_scheduler));
        }
        let damaged = |(path, reason)| TrainingError::Checkpoint { path, reason };
        let mut learner = Learner::new(self.load_model(model, self.done)?, optimizer, lr_scheduler);
        learner.load_optim(self.checkpoints.record("optimizer").load(self.done).map_err(damaged)?);
        learner.load_scheduler(self.checkpoints.record("scheduler").load(self.done).map_err(damaged)?);
        learner.model().loss_scale().restore(self.progress.loss_scale);
        Ok(learner)
    }

    /// `model` with the weights of the checkpoint at `step`.
    fn load_model<M: StepModel>(&self, model: M, step: usize) -> Result<M, TrainingError> {
        let damaged = |(path, reason)| TrainingError::Checkpoint { path, reason };
        let record = self.checkpoints.record("model").load::<ModuleRecord>(step).map_err(damaged)?;
        model.try_load_record(record).map_err(|error| TrainingError::Checkpoint {
            path: self.run.checkpoints(self.stage),
            reason: format!("does not fit this configuration: {error}"),
        })
    }
}
