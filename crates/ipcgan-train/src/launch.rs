//! Putting a stage on Burn's learner and running it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use burn::data::dataloader::DataLoader;
use burn::optim::ModuleOptimizer;
use burn::optim::lr_scheduler::module_lr_scheduler::ModuleLrScheduler;
use burn::store::ModuleRecord;
use burn::train::{InferenceStep, Learner, SupervisedTraining, TrainStep, TrainingStrategy};

use crate::TrainingError;
use crate::checkpoint::SaveAlways;
use crate::progress::ProgressLines;
use crate::stages::{Recognition, StepModel};
use crate::strategy::{Outcome, StepObserver, StepStrategy};
use crate::summary::Learned;
use crate::terms::{TermMetric, Terms};
use crate::train::{Display, StageContext};
use crate::verification::VerificationMetric;

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
}

impl<M: StepModel + InferenceStep<Output = Terms>> Setup<M> {
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
            training
                .metric_valid_numeric(VerificationMetric::verification())
                .metric_valid_numeric(VerificationMetric::nearest_is_same())
        })
    }
}

impl StageContext<'_> {
    /// A learner, with the state of the newest checkpoint if there is one.
    pub(crate) fn learner<M: StepModel>(
        &self,
        model: M,
        optimizer: ModuleOptimizer,
        rates: ModuleLrScheduler,
    ) -> Result<Learner<M>, TrainingError> {
        if self.done == 0 {
            return Ok(Learner::new(model, optimizer, rates));
        }
        let damaged = |(path, reason)| TrainingError::Checkpoint { path, reason };
        let record = self.checkpoints.record("model").load::<ModuleRecord>(self.done).map_err(damaged)?;
        let model = model.try_load_record(record).map_err(|error| TrainingError::Checkpoint {
            path: self.run.checkpoints(self.stage),
            reason: format!("does not fit this configuration: {error}"),
        })?;
        let mut learner = Learner::new(model, optimizer, rates);
        learner.load_optim(self.checkpoints.record("optimizer").load(self.done).map_err(damaged)?);
        let rates = self.checkpoints.record("scheduler").load(self.done).map_err(damaged)?;
        learner.load_scheduler(rates);
        Ok(learner)
    }

    pub(crate) fn supervised<M: StepModel>(
        &self,
        train: Arc<dyn DataLoader<<M as TrainStep>::Input>>,
        valid: Arc<dyn DataLoader<<M as InferenceStep>::Input>>,
        batch_size: usize,
        observer: Option<Arc<dyn StepObserver<M>>>,
    ) -> Result<Setup<M>, TrainingError> {
        let steps = self.config.steps(self.stage);
        let outcome = Arc::<Mutex<Outcome>>::default();
        let strategy = StepStrategy {
            device: self.autodiff_device(),
            seed: self.config.seed,
            steps,
            batch_size,
            validations: self.config.validations,
            checkpoint_every: self.config.checkpoint_every,
            checkpoint_after: Duration::from_secs_f64(60.0 * self.config.checkpoint_minutes),
            checkpoints: self.checkpoints.clone(),
            done: self.done,
            observer,
            outcome: outcome.clone(),
        };
        let training = SupervisedTraining::new(self.run.log(self.stage)?, train, valid)
            .num_epochs(self.config.validations)
            .with_interrupter(self.session.interrupter.clone())
            .with_application_logger(None)
            .with_checkpointing_strategy(SaveAlways)
            .with_custom_checkpointers(
                self.checkpoints.record("model"),
                self.checkpoints.record("optimizer"),
                self.checkpoints.record("scheduler"),
            )
            .with_training_strategy(TrainingStrategy::Custom(Arc::new(strategy)))
            .label(self.stage.name());
        let training = match &self.session.display {
            Display::Dashboard => training,
            Display::Lines(sink) => training.renderer(Box::new(ProgressLines::new(
                self.stage.name(),
                steps,
                self.done,
                batch_size,
                sink.clone(),
            ))),
        };
        Ok(Setup { training, outcome })
    }

    pub(crate) fn launch<M: StepModel>(
        &self,
        setup: Setup<M>,
        learner: Learner<M>,
    ) -> Result<(M, Learned), TrainingError> {
        let result = setup.training.launch(learner);
        let outcome = std::mem::take(&mut *setup.outcome.lock().expect("no holder panics"));
        if let Some(error) = outcome.error {
            return Err(error);
        }
        if let Some(error) = result.error {
            let (step, reason) = (outcome.steps_done, error.to_string());
            return Err(TrainingError::Stopped { step, reason });
        }
        Ok((result.model, Learned { steps: outcome.steps_done, held_out: outcome.held_out }))
    }
}
