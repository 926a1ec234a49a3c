//! Runs a stage on Burn's learner.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use burn::optim::ModuleOptimizer;
use burn::optim::lr_scheduler::module_lr_scheduler::ModuleLrScheduler;
use burn::store::ModuleRecord;
use burn::train::{Interrupter, Learner, SupervisedTraining, TrainingStrategy};
use ipcgan_system::with_causes;

use crate::TrainingError;
use crate::metric::set::MetricSet;
use crate::monitor::Recorder;
use crate::monitor::dashboard::dashboard;
use crate::monitor::lines::ProgressLines;
use crate::monitor::validation_logger::ValidationLogger;
use crate::run::checkpoint::{CheckpointFault, RecordKind, SaveAlways};
use crate::run::summary::StageResult;
use crate::session::Display;
use crate::stage::context::StageContext;
use crate::stage::parts::StageParts;
use crate::step::model::StepModel;
use crate::trainer::{
    CheckpointSchedule, FACES_PER_SECOND, MEMORY, MonitoredMetric, Monitors, Outcome, RetryHints, Selection, StepPlan,
    Trainer,
};

/// Runs the training loop of a stage. Returns the best model after early stopping, else the last one.
pub(crate) fn launch<M: StepModel>(
    context: &StageContext,
    parts: StageParts<M>,
) -> Result<(M, StageResult), TrainingError> {
    let StageParts {
        model,
        optimizer,
        lr_scheduler,
        train,
        valid,
        metrics,
        selection_metric,
        sample_grids,
        symptom_monitor,
    } = parts;
    let learner = resumed(context, model, optimizer, lr_scheduler)?;
    // A separate interrupter, because Burn's dashboard resets it when the stage ends.
    let interrupter = Interrupter::new();
    let training = SupervisedTraining::new(context.run.log(context.stage)?, train, valid)
        .num_epochs(context.config.validations)
        .with_interrupter(interrupter.clone())
        .with_application_logger(None)
        .with_metric_logger(ValidationLogger::default())
        .with_checkpointing_strategy(SaveAlways)
        .with_custom_checkpointers(
            context.checkpoints.record(RecordKind::Model),
            context.checkpoints.record(RecordKind::Optimizer),
            context.checkpoints.record(RecordKind::Scheduler),
        )
        .label(context.stage.name());
    let training = match &context.session.display {
        Display::Dashboard => training.renderer(dashboard(interrupter)),
        Display::Lines(sink) => training.renderer(Box::new(ProgressLines::new(
            context.stage.name(),
            context.loop_settings().steps,
            context.done,
            context.faces_per_step(),
            sink.clone(),
        ))),
    };
    let MetricSet { training, validation } =
        metrics(MetricSet { training, validation: Vec::new() }).detail(FACES_PER_SECOND).detail(MEMORY);
    let outcome = Arc::<Mutex<Outcome>>::default();
    let monitors = Monitors {
        recorder: Recorder::new(context.run, context.stage, context.done, context.progress.validated)?,
        symptom_monitor,
        sample_grids,
        histogram_every: context.config.histogram_every,
    };
    let trainer = trainer(context, selection_metric, validation, monitors, outcome.clone());
    let training = training.with_training_strategy(TrainingStrategy::Custom(Arc::new(trainer)));
    let result = training.launch(learner);
    let outcome = std::mem::take(&mut *outcome.lock().expect("no holder panics"));
    if let Some(error) = outcome.error {
        return Err(error);
    }
    if let Some(error) = result.error {
        let (step, reason) = (outcome.steps_done, with_causes(&*error));
        return Err(TrainingError::Stopped { step, reason });
    }
    let Outcome { steps_done: steps, progress, stopped_early, .. } = outcome;
    let validated = progress.validated;
    let best_step = progress.best.as_ref().map(|best| best.step);
    let model = match progress.best.filter(|_| stopped_early) {
        None => result.model,
        Some(best) => load_model(context, result.model, best.step)?,
    };
    Ok((model, StageResult { steps, validated, held_out: progress.held_out, stopped_early, best_step }))
}

fn trainer<M: StepModel>(
    context: &StageContext,
    metric: MonitoredMetric,
    validation_metrics: Vec<&'static str>,
    monitors: Monitors<M>,
    outcome: Arc<Mutex<Outcome>>,
) -> Trainer<M> {
    let settings = context.loop_settings();
    Trainer {
        device_group: context.device_group.clone(),
        plan: StepPlan {
            seed: context.config.seed,
            steps: settings.steps,
            validations: context.config.validations,
            micro_batches_per_step: context.micro_batches_per_step(),
            faces_per_step: context.faces_per_step(),
        },
        checkpoints: CheckpointSchedule {
            checkpoints: context.checkpoints.clone(),
            every: context.config.checkpoint_every,
            max_interval: Duration::from_secs_f64(60.0 * context.config.checkpoint_minutes),
        },
        selection: Selection { metric, patience: settings.patience, validation_metrics },
        retry_hints: RetryHints::of(context.stage, &settings),
        resumed: (context.done, context.progress.clone()),
        stop: context.session.interrupter.clone(),
        monitors: Mutex::new(Some(monitors)),
        outcome,
    }
}

/// A learner with the state of the newest checkpoint, if there is one.
fn resumed<M: StepModel>(
    context: &StageContext,
    model: M,
    optimizer: ModuleOptimizer,
    lr_scheduler: ModuleLrScheduler,
) -> Result<Learner<M>, TrainingError> {
    if context.done == 0 {
        return Ok(Learner::new(model, optimizer, lr_scheduler));
    }
    let mut learner = Learner::new(load_model(context, model, context.done)?, optimizer, lr_scheduler);
    learner.load_optim(context.checkpoints.record(RecordKind::Optimizer).load(context.done)?);
    learner.load_scheduler(context.checkpoints.record(RecordKind::Scheduler).load(context.done)?);
    learner.model().loss_scale().restore(context.progress.loss_scale);
    Ok(learner)
}

/// `model` with the weights of the checkpoint at `step`.
fn load_model<M: StepModel>(context: &StageContext, model: M, step: usize) -> Result<M, TrainingError> {
    let record = context.checkpoints.record(RecordKind::Model).load::<ModuleRecord>(step)?;
    model.try_load_record(record).map_err(|error| TrainingError::Checkpoint {
        path: context.run.checkpoints(context.stage),
        reason: CheckpointFault::Mismatch(error.to_string()),
    })
}
