//! The parts of each stage, and its outputs.

use std::sync::Arc;

use burn::data::dataloader::DataLoader;
use burn::optim::ModuleOptimizer;
use burn::optim::lr_scheduler::module_lr_scheduler::ModuleLrScheduler;
use burn::train::{InferenceStep, TrainStep};
use ipcgan_data::{IdentityLabels, group_labels};
use ipcgan_model::{AlexNet, Generator};

use crate::TrainingError;
use crate::config::SelectionMetric;
use crate::context::StageContext;
use crate::launch::MetricSet;
use crate::loss_scale::LossScale;
use crate::objective::OBJECTIVE;
use crate::optimizers::{classifier_lr_scheduler, classifier_optimizer, gan_lr_scheduler, gan_optimizer};
use crate::realism::REALISM_AND_AGE;
use crate::samples::SampleGrids;
use crate::stages::gan::{DIVERSITY, discriminator_objective, generator_objective};
use crate::stages::{AgeModel, AgingModel, IdentityModel, StepModel};
use crate::strategy::{MonitoredMetric, StepObserver};
use crate::summary::StageResult;

/// Model, optimizer, learning-rate schedules, data loaders and selection metric of a stage.
pub(crate) struct StageParts<M: StepModel> {
    pub(crate) model: M,
    pub(crate) optimizer: ModuleOptimizer,
    pub(crate) lr_scheduler: ModuleLrScheduler,
    pub(crate) train: Arc<dyn DataLoader<<M as TrainStep>::Input>>,
    pub(crate) valid: Arc<dyn DataLoader<<M as InferenceStep>::Input>>,
    /// Metric that selects the best checkpoint.
    pub(crate) selection_metric: MonitoredMetric,
}

impl StageContext<'_> {
    /// Runs the identity stage.
    pub(crate) fn identity(&self) -> Result<StageResult, TrainingError> {
        let held_out = self.data.valid();
        // Verification needs two images of one identity.
        let recognisable = IdentityLabels::of(held_out.as_ref()).count < held_out.len();
        let metrics = |metrics: MetricSet<IdentityModel>| {
            let metrics = metrics.loss("loss").accuracy("accuracy").detail("gradient norm");
            if recognisable { metrics.verification() } else { metrics }
        };
        let (model, learned) = self.launch(self.identity_parts()?, None, metrics)?;
        self.save("alexnet", &model.alexnet, &self.config.alexnet)?;
        Ok(learned)
    }

    pub(crate) fn identity_parts(&self) -> Result<StageParts<IdentityModel>, TrainingError> {
        let training = &self.config.identity;
        let labels = IdentityLabels::of(self.data.train().as_ref()).labels;
        let held_out = IdentityLabels::of(self.data.valid().as_ref()).labels;
        let (groups, seed) = (&self.config.age_groups, self.config.seed);
        let alexnet = self.config.alexnet.init(groups, seed, &self.autodiff_device());
        Ok(StageParts {
            model: IdentityModel {
                alexnet,
                config: training.clone(),
                age_weight: self.config.trunk_age_weight,
                steps: self.done,
                loss_scale: LossScale::selected(),
            },
            optimizer: classifier_optimizer(),
            lr_scheduler: classifier_lr_scheduler(training),
            train: self.labelled_train_loader(labels, training),
            valid: self.labelled_valid_loader(held_out, training),
            selection_metric: MonitoredMetric { name: "verification AUC", higher_is_better: true },
        })
    }

    /// Runs the age stage.
    pub(crate) fn age(&self) -> Result<StageResult, TrainingError> {
        let (alexnet, config) = self.alexnet(&self.device())?;
        let metrics = |metrics: MetricSet<AgeModel>| {
            let metrics = metrics.loss("loss").accuracy("accuracy").detail("gradient norm");
            metrics.valid_loss("loss").valid_accuracy("accuracy").valid_accuracy("within one group")
        };
        let (model, learned) = self.launch(self.age_parts(alexnet)?, None, metrics)?;
        self.save("alexnet", &model.into_alexnet(), &config)?;
        Ok(learned)
    }

    pub(crate) fn age_parts(&self, alexnet: AlexNet) -> Result<StageParts<AgeModel>, TrainingError> {
        let training = &self.config.age;
        let labels = group_labels(self.data.train().as_ref())?;
        let held_out = group_labels(self.data.valid().as_ref())?;
        Ok(StageParts {
            model: AgeModel::new(alexnet, training.clone(), &self.autodiff_device()).after(self.done),
            optimizer: classifier_optimizer(),
            lr_scheduler: classifier_lr_scheduler(training),
            train: self.labelled_train_loader(labels, training),
            valid: self.labelled_valid_loader(held_out, training),
            selection_metric: MonitoredMetric { name: "accuracy", higher_is_better: true },
        })
    }

    /// Runs the ageing stage.
    pub(crate) fn aging(&self) -> Result<StageResult, TrainingError> {
        let (alexnet, _) = self.alexnet(&self.device())?;
        let samples = SampleGrids::new(self.run.clone(), self.data.valid().as_ref(), &self.config, &self.device())?;
        let samples: Arc<dyn StepObserver<AgingModel>> = Arc::new(samples);
        let (discriminator, generator) =
            (discriminator_objective(&self.config.aging), generator_objective(&self.config.aging));
        let metrics = |metrics: MetricSet<AgingModel>| {
            let metrics = metrics.losses(discriminator.training_metrics()).losses(generator.training_metrics());
            let metrics = metrics.accuracy("age accuracy").detail(DIVERSITY);
            let metrics = metrics.detail("discriminator gradient norm").detail("generator gradient norm");
            metrics.valid_losses(generator.validation_metrics()).valid_accuracy("age accuracy").realism()
        };
        let (model, learned) = self.launch(self.aging_parts(alexnet)?, Some(samples), metrics)?;
        self.save("generator", &self.recalibrate_batch_norm(model.ema_generator())?, &self.config.generator)?;
        self.save("discriminator", &model.discriminator, &self.config.discriminator)?;
        Ok(learned)
    }

    pub(crate) fn aging_parts(&self, alexnet: AlexNet) -> Result<StageParts<AgingModel>, TrainingError> {
        let training = &self.config.aging;
        let (groups, seed, device) = (&self.config.age_groups, self.config.seed, self.autodiff_device());
        let generator = || self.config.generator.init(groups, seed, &device);
        let discriminator = self.config.discriminator.init(groups, seed, &device);
        let model = AgingModel::new(generator(), discriminator, alexnet, training.clone()).after(self.done);
        let model = match training.ema_decay {
            0.0 => model,
            _ => model.with_ema(generator()),
        };
        Ok(StageParts {
            model,
            optimizer: gan_optimizer(),
            lr_scheduler: gan_lr_scheduler(training),
            train: self.aging_train_loader()?,
            valid: self.aging_valid_loader()?,
            selection_metric: match training.selection_metric {
                SelectionMetric::RealismAndAge => MonitoredMetric { name: REALISM_AND_AGE, higher_is_better: true },
                SelectionMetric::Objective => MonitoredMetric { name: OBJECTIVE, higher_is_better: false },
            },
        })
    }

    /// `generator` after batch-norm recalibration on the first faces of the stage, if it is enabled.
    pub(crate) fn recalibrate_batch_norm(&self, generator: &Generator) -> Result<Generator, TrainingError> {
        let batches = self.config.aging.recalibration_batches;
        if batches == 0 {
            return Ok(generator.clone());
        }
        let stream = self.aging_train_loader()?.to_device(&self.autodiff_device());
        let stream = stream.slice(0, batches * self.config.aging.batch_size);
        let mut failed = None;
        // Stops at the first batch that cannot be read, and returns the error.
        let batches = stream.iter().map_while(|batch| match batch {
            Ok(batch) => Some((batch.source, batch.target)),
            Err(error) => {
                failed = Some(error.to_string());
                None
            }
        });
        let generator = generator.clone().recalibrate_batch_norm(batches);
        match failed {
            None => Ok(generator),
            Some(reason) => Err(TrainingError::Stopped { step: self.config.aging.steps, reason }),
        }
    }

    /// A randomly initialized AlexNet, where only its size matters.
    pub(crate) fn untrained_alexnet(&self) -> AlexNet {
        self.config.alexnet.init(&self.config.age_groups, self.config.seed, &self.device())
    }
}
