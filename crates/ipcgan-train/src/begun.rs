//! What each stage begins with, and what it leaves.

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
use crate::launch::Setup;
use crate::loss_scale::LossScale;
use crate::optimizers::{classifier_optimizer, classifier_rate, gan_optimizer, gan_rates};
use crate::realism::REALISM_AND_AGE;
use crate::samples::SampleGrids;
use crate::stages::{AgeModel, AgingModel, IdentityModel, StepModel};
use crate::strategy::{JudgedBy, StepObserver};
use crate::summary::Learned;

/// A stage's model and what it learns by and from.
pub(crate) struct Begun<M: StepModel> {
    pub(crate) model: M,
    pub(crate) optimizer: ModuleOptimizer,
    pub(crate) rates: ModuleLrScheduler,
    pub(crate) train: Arc<dyn DataLoader<<M as TrainStep>::Input>>,
    pub(crate) valid: Arc<dyn DataLoader<<M as InferenceStep>::Input>>,
    /// What tells a better model from a worse one.
    pub(crate) judged_by: JudgedBy,
}

impl StageContext<'_> {
    /// Runs the identity stage.
    pub(crate) fn identity(&self) -> Result<Learned, TrainingError> {
        let held_out = self.data.valid();
        // Without two pictures of anybody there is nothing to recognise.
        let recognisable = IdentityLabels::of(held_out.as_ref()).count < held_out.len();
        let setup = |setup: Setup<IdentityModel>| {
            let setup = setup.loss("loss").accuracy("accuracy").detail("gradient");
            if recognisable { setup.recognition() } else { setup }
        };
        let (model, learned) = self.launch(self.identity_begun()?, None, setup)?;
        self.save("alexnet", &model.alexnet, &self.config.alexnet)?;
        Ok(learned)
    }

    pub(crate) fn identity_begun(&self) -> Result<Begun<IdentityModel>, TrainingError> {
        let training = &self.config.identity;
        let labels = IdentityLabels::of(self.data.train().as_ref()).labels;
        let held_out = IdentityLabels::of(self.data.valid().as_ref()).labels;
        let (groups, seed) = (&self.config.age_groups, self.config.seed);
        let alexnet = self.config.alexnet.init(groups, seed, &self.autodiff_device());
        Ok(Begun {
            model: IdentityModel {
                alexnet,
                rules: training.clone(),
                age_weight: self.config.trunk_age_weight,
                steps: self.done,
                loss_scale: LossScale::selected(),
            },
            optimizer: classifier_optimizer(),
            rates: classifier_rate(training),
            train: self.labelled_stream(labels, training),
            valid: self.labelled_once(held_out, training),
            judged_by: JudgedBy { name: "verification", higher_is_better: true },
        })
    }

    /// Runs the age stage.
    pub(crate) fn age(&self) -> Result<Learned, TrainingError> {
        let (alexnet, config) = self.alexnet(&self.device())?;
        let setup = |setup: Setup<AgeModel>| {
            let setup = setup.loss("loss").accuracy("accuracy").detail("gradient");
            setup.valid_loss("loss").valid_accuracy("accuracy").valid_accuracy("within one group")
        };
        let (model, learned) = self.launch(self.age_begun(alexnet)?, None, setup)?;
        self.save("alexnet", &model.into_alexnet(), &config)?;
        Ok(learned)
    }

    pub(crate) fn age_begun(&self, alexnet: AlexNet) -> Result<Begun<AgeModel>, TrainingError> {
        let training = &self.config.age;
        let labels = group_labels(self.data.train().as_ref())?;
        let held_out = group_labels(self.data.valid().as_ref())?;
        Ok(Begun {
            model: AgeModel::new(alexnet, training.clone(), &self.autodiff_device()).after(self.done),
            optimizer: classifier_optimizer(),
            rates: classifier_rate(training),
            train: self.labelled_stream(labels, training),
            valid: self.labelled_once(held_out, training),
            judged_by: JudgedBy { name: "accuracy", higher_is_better: true },
        })
    }

    /// Runs the ageing stage.
    pub(crate) fn aging(&self) -> Result<Learned, TrainingError> {
        let (alexnet, _) = self.alexnet(&self.device())?;
        let samples = SampleGrids::new(self.run.clone(), self.data.valid().as_ref(), &self.config, &self.device())?;
        let samples: Arc<dyn StepObserver<AgingModel>> = Arc::new(samples);
        let setup = |setup: Setup<AgingModel>| {
            let setup = setup.loss("discriminator").loss("adversarial").loss("identity").loss("age");
            let setup = match self.config.aging.weights.reconstruction {
                0.0 => setup,
                _ => setup.loss("reconstruction"),
            };
            let setup = setup.accuracy("age accuracy").detail("variety");
            let setup = setup.detail("discriminator gradient").detail("generator gradient");
            let setup = setup.valid_loss("identity").valid_loss("age").valid_accuracy("age accuracy");
            setup.valid_loss("objective").realism()
        };
        let (model, learned) = self.launch(self.aging_begun(alexnet)?, Some(samples), setup)?;
        self.save("generator", &self.with_standing_statistics(model.kept())?, &self.config.generator)?;
        self.save("discriminator", &model.discriminator, &self.config.discriminator)?;
        Ok(learned)
    }

    pub(crate) fn aging_begun(&self, alexnet: AlexNet) -> Result<Begun<AgingModel>, TrainingError> {
        let training = &self.config.aging;
        let (groups, seed, device) = (&self.config.age_groups, self.config.seed, self.autodiff_device());
        let generator = || self.config.generator.init(groups, seed, &device);
        let discriminator = self.config.discriminator.init(groups, seed, &device);
        let model = AgingModel::new(generator(), discriminator, alexnet, training.clone()).after(self.done);
        let model = match training.average {
            0.0 => model,
            _ => model.with_average(generator()),
        };
        Ok(Begun {
            model,
            optimizer: gan_optimizer(),
            rates: gan_rates(training),
            train: self.aging_stream()?,
            valid: self.aging_once()?,
            judged_by: match training.selection_metric {
                SelectionMetric::RealismAndAge => JudgedBy { name: REALISM_AND_AGE, higher_is_better: true },
                SelectionMetric::Objective => JudgedBy { name: "objective", higher_is_better: false },
            },
        })
    }

    /// `generator` with running statistics measured anew on the first faces of the stage, if that is wanted.
    pub(crate) fn with_standing_statistics(&self, generator: &Generator) -> Result<Generator, TrainingError> {
        let batches = self.config.aging.statistics_batches;
        if batches == 0 {
            return Ok(generator.clone());
        }
        let stream = self.aging_stream()?.to_device(&self.autodiff_device());
        let stream = stream.slice(0, batches * self.config.aging.batch_size);
        let mut failed = None;
        // The stream ends at the first batch that cannot be read, and the reason is told.
        let batches = stream.iter().map_while(|batch| match batch {
            Ok(batch) => Some((batch.source, batch.target)),
            Err(error) => {
                failed = Some(error.to_string());
                None
            }
        });
        let generator = generator.clone().with_standing_statistics(batches);
        match failed {
            None => Ok(generator),
            Some(reason) => Err(TrainingError::Stopped { step: self.config.aging.steps, reason }),
        }
    }

    /// An AlexNet that has learned nothing, where only its size matters.
    pub(crate) fn blank_alexnet(&self) -> AlexNet {
        self.config.alexnet.init(&self.config.age_groups, self.config.seed, &self.device())
    }
}
