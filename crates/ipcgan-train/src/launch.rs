//! Putting a stage on Burn's learner and running it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use burn::optim::ModuleOptimizer;
use burn::optim::lr_scheduler::module_lr_scheduler::ModuleLrScheduler;
use burn::store::ModuleRecord;
use burn::train::metric::Adaptor;
use burn::train::{InferenceStep, Interrupter, Learner, SupervisedTraining, TrainingStrategy};

use crate::TrainingError;
use crate::begun::Begun;
use crate::checkpoint::SaveAlways;
use crate::context::StageContext;
use crate::dashboard::dashboard;
use crate::health::Health;
use crate::held_out::HeldOut;
use crate::progress::ProgressLines;
use crate::realism::{AgingValidation, KERNEL_DISTANCE, REALISM_AND_AGE};
use crate::record::Recorder;
use crate::set_metric::SetMetric;
use crate::stages::{Recognition, StepModel};
use crate::strategy::{FACES_PER_SECOND, Gentler, JudgedBy, MEMORY, Outcome, StepObserver, StepStrategy, Watch};
use crate::summary::Learned;
use crate::terms::{TermMetric, Terms};
use crate::train::Display;

/// A stage about to be launched.
pub(crate) struct Setup<M: StepModel> {
    training: SupervisedTraining<M>,
    outcome: Arc<Mutex<Outcome>>,
}

impl<M: StepModel> Setup<M> {
    fn map(self, change: impl FnOnce(SupervisedTraining<M>) -> SupervisedTraining<M>) -> Self {
        Self { training: change(self.training), outcome: self.outcome }
    }

    /// Keeps what is called `name` for the summary.
    fn measured(self, name: &'static str) -> Self {
        self.outcome.lock().expect("no holder panics").measured.push(name);
        self
    }
}

impl<M: StepModel> Setup<M> {
    /// Shows a term that should fall while training.
    pub(crate) fn loss(self, term: &'static str) -> Self {
        self.map(|training| training.metric_train_numeric(TermMetric::loss(term)))
    }

    /// Shows a term that should rise while training.
    pub(crate) fn accuracy(self, term: &'static str) -> Self {
        self.map(|training| training.metric_train_numeric(TermMetric::accuracy(term)))
    }

    /// Shows a term where there is room for more than losses.
    pub(crate) fn detail(self, term: &'static str) -> Self {
        self.map(|training| training.metric_train_numeric(TermMetric::detail(term)))
    }
}

impl<M: StepModel + InferenceStep<Output: Adaptor<Terms>>> Setup<M> {
    /// Shows a term that should fall on held-out faces.
    pub(crate) fn valid_loss(self, term: &'static str) -> Self {
        self.measured(term).map(|training| training.metric_valid_numeric(TermMetric::loss(term)))
    }

    /// Shows a term that should rise on held-out faces.
    pub(crate) fn valid_accuracy(self, term: &'static str) -> Self {
        self.measured(term).map(|training| training.metric_valid_numeric(TermMetric::accuracy(term)))
    }
}

impl<M: StepModel + InferenceStep<Output = Recognition>> Setup<M> {
    /// Shows how well held-out people are recognised.
    pub(crate) fn recognition(self) -> Self {
        self.measured("verification").measured("nearest is same").map(|training| {
            training.metric_valid_numeric(SetMetric::verification()).metric_valid_numeric(SetMetric::nearest_is_same())
        })
    }
}

impl<M: StepModel + InferenceStep<Output = AgingValidation>> Setup<M> {
    /// Shows how much aged faces are like real ones of their age.
    pub(crate) fn realism(self) -> Self {
        self.measured(KERNEL_DISTANCE).measured(REALISM_AND_AGE).map(|training| {
            training
                .metric_valid_numeric(SetMetric::kernel_distance())
                .metric_valid_numeric(SetMetric::realism_and_age())
        })
    }
}

impl StageContext<'_> {
    /// Runs the loop of a stage that has `begun`, which `setup` says what to show of; the best model of a stage that
    /// stopped early, else the last one.
    pub(crate) fn launch<M: StepModel>(
        &self,
        begun: Begun<M>,
        observer: Option<Arc<dyn StepObserver<M>>>,
        setup: impl FnOnce(Setup<M>) -> Setup<M>,
    ) -> Result<(M, Learned), TrainingError> {
        let Begun { model, optimizer, rates, train, valid, judged_by } = begun;
        let learner = self.resumed(model, optimizer, rates)?;
        let outcome = Arc::<Mutex<Outcome>>::default();
        let strategy = self.strategy(judged_by, observer, outcome.clone())?;
        // Of its own, because Burn's dashboard resets it when the stage ends.
        let interrupter = Interrupter::new();
        let training = SupervisedTraining::new(self.run.log(self.stage)?, train, valid)
            .num_epochs(self.config.validations)
            .with_interrupter(interrupter.clone())
            .with_application_logger(None)
            .with_metric_logger(HeldOut::default())
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
        let setup = setup(Setup { training, outcome: outcome.clone() }).detail(FACES_PER_SECOND).detail(MEMORY);
        let result = setup.training.launch(learner);
        let outcome = std::mem::take(&mut *outcome.lock().expect("no holder panics"));
        if let Some(error) = outcome.error {
            return Err(error);
        }
        if let Some(error) = result.error {
            let (step, reason) = (outcome.steps_done, error.to_string());
            return Err(TrainingError::Stopped { step, reason });
        }
        let Outcome { steps_done: steps, standing, stopped_early, .. } = outcome;
        let validated = standing.validated;
        let best_step = standing.best.as_ref().map(|best| best.step);
        let model = match standing.best.filter(|_| stopped_early) {
            None => result.model,
            Some(best) => self.load_model(result.model, best.step)?,
        };
        Ok((model, Learned { steps, validated, held_out: standing.held_out, stopped_early, best_step }))
    }

    fn strategy<M: StepModel>(
        &self,
        judged_by: JudgedBy,
        observer: Option<Arc<dyn StepObserver<M>>>,
        outcome: Arc<Mutex<Outcome>>,
    ) -> Result<StepStrategy<M>, TrainingError> {
        let watch = Watch {
            recorder: Recorder::new(self.run, self.stage, self.done, self.standing.validated)?,
            health: Health::new(self.session.notices.clone()),
        };
        let (rate, value) = self.config.rate(self.stage);
        let gentler = Gentler {
            rate: format!("{rate}={}", value / 2.0),
            batch: format!("{}.batch_size={}", self.stage, self.config.batch_size(self.stage).div_ceil(2)),
        };
        Ok(StepStrategy {
            gentler,
            team: self.team.clone(),
            seed: self.config.seed,
            steps: self.config.steps(self.stage),
            parts_per_step: self.parts_per_step(),
            items_per_step: self.items_per_step(),
            validations: self.config.validations,
            checkpoint_every: self.config.checkpoint_every,
            checkpoint_after: Duration::from_secs_f64(60.0 * self.config.checkpoint_minutes),
            histogram_every: self.config.histogram_every,
            checkpoints: self.checkpoints.clone(),
            done: self.done,
            standing: self.standing.clone(),
            judged_by,
            patience: self.config.patience(self.stage),
            observer,
            stop: self.session.interrupter.clone(),
            watch: Mutex::new(Some(watch)),
            outcome,
        })
    }

    /// A learner, with the state of the newest checkpoint if there is one.
    fn resumed<M: StepModel>(
        &self,
        model: M,
        optimizer: ModuleOptimizer,
        rates: ModuleLrScheduler,
    ) -> Result<Learner<M>, TrainingError> {
        if self.done == 0 {
            return Ok(Learner::new(model, optimizer, rates));
        }
        let damaged = |(path, reason)| TrainingError::Checkpoint { path, reason };
        let mut learner = Learner::new(self.load_model(model, self.done)?, optimizer, rates);
        learner.load_optim(self.checkpoints.record("optimizer").load(self.done).map_err(damaged)?);
        learner.load_scheduler(self.checkpoints.record("scheduler").load(self.done).map_err(damaged)?);
        learner.model().loss_scale().restore(self.standing.loss_scale);
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
