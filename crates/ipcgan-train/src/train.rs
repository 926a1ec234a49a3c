//! Running the stages of a training, one after another.

use std::sync::Arc;

use burn::data::dataloader::{DataLoader, DataLoaderBuilder};
use burn::tensor::Device;
use burn::train::Interrupter;
use ipcgan_data::{
    AgingBatcher, AgingDataset, FaceSet, IdentityLabels, LabelledBatch, LabelledBatcher, LabelledDataset, check_groups,
    check_identities, group_labels,
};
use ipcgan_model::weights::{self, Network};
use ipcgan_model::{AlexNet, AlexNetConfig};

use crate::checkpoint::{Checkpoints, Found};
use crate::config::ClassifierTraining;
use crate::optimizers::{classifier_optimizer, falling_rate, gan_optimizer, gan_rates};
use crate::progress::LineSink;
use crate::samples::SampleGrids;
use crate::stages::{AgeModel, AgingModel, IdentityModel};
use crate::summary::{Learned, Summary};
use crate::{RunFolder, Stage, TrainingConfig, TrainingData, TrainingError};

/// How progress is shown.
#[derive(Clone)]
pub enum Display {
    /// Burn's dashboard, which takes the whole terminal.
    Dashboard,
    /// A line every few seconds.
    Lines(LineSink),
}

/// Circumstances of a training that do not change its result.
pub struct Session {
    /// Where the networks learn.
    pub device: Device,
    /// How progress is shown.
    pub display: Display,
    /// Takes what must be said whatever the display, such as that a checkpoint is damaged.
    pub notices: LineSink,
    /// Stops the training cleanly, with a checkpoint, when told to.
    pub interrupter: Interrupter,
    /// Whether to go on from the newest checkpoints.
    pub resume: bool,
}

/// How a training ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Ending {
    /// All stages are done, with what each learned.
    Finished(Vec<Summary>),
    /// It was told to stop; what was done is in a checkpoint.
    Interrupted {
        /// The stage that was running.
        stage: Stage,
        /// Its steps that are done.
        step: usize,
    },
}

/// Runs `stages` in order on `data`, leaving everything in `run`.
///
/// # Errors
/// Data that cannot be learned from, missing weights of an earlier stage, a run that stands there
/// already and is not to be resumed, or files that cannot be written.
pub fn train(
    config: &TrainingConfig,
    stages: &[Stage],
    data: &TrainingData,
    run: &RunFolder,
    session: &Session,
) -> Result<Ending, TrainingError> {
    config.check()?;
    let mut summaries = Vec::new();
    for &stage in stages {
        if let Some(context) = StageContext::new(config, stage, data, run, session)? {
            let learned = match stage {
                Stage::Identity => context.identity()?,
                Stage::Age => context.age()?,
                Stage::Aging => context.aging()?,
            };
            if learned.steps < config.steps(stage) {
                return Ok(Ending::Interrupted { stage, step: learned.steps });
            }
            context.summarise(learned)?;
        }
        summaries.extend(run.summary(stage)?);
    }
    Ok(Ending::Finished(summaries))
}

/// Keeps which and how many faces `stage` begins with, or refuses to go on with another number: their order would be another.
fn check_data(data: &TrainingData, stage: Stage, run: &RunFolder, done: usize) -> Result<(), TrainingError> {
    let name = format!("log/{stage}/faces.json");
    let now = data.train().len();
    match run.read::<usize>(&name)? {
        Some(was) if done > 0 && was != now => Err(TrainingError::OtherData { stage, was, now }),
        _ => {
            run.log(stage)?;
            run.write(&name, &now)?;
            run.save_data_folder(data.folder())
        }
    }
}

/// One stage and all it needs.
pub(crate) struct StageContext<'a> {
    pub(crate) stage: Stage,
    pub(crate) config: TrainingConfig,
    data: TrainingData,
    pub(crate) run: &'a RunFolder,
    pub(crate) session: &'a Session,
    pub(crate) checkpoints: Checkpoints,
    /// Steps that an earlier run did.
    pub(crate) done: usize,
}

impl<'a> StageContext<'a> {
    /// The stage ready to run; none if an earlier run finished it.
    fn new(
        config: &TrainingConfig,
        stage: Stage,
        data: &TrainingData,
        run: &'a RunFolder,
        session: &'a Session,
    ) -> Result<Option<Self>, TrainingError> {
        let checkpoints = Checkpoints::new(run.checkpoints(stage), config.checkpoints_kept);
        let summary = run.summary(stage)?;
        if !session.resume && (checkpoints.any() || summary.is_some()) {
            return Err(TrainingError::RunExists { path: run.path().into(), stage });
        }
        if summary.is_some_and(|summary| summary.steps >= config.steps(stage)) {
            return Ok(None);
        }
        let Found { step: done, damaged } = checkpoints.find()?;
        for (path, reason) in damaged {
            (session.notices)(&format!("checkpoint {}: {reason}; going on from step {done}", path.display()));
        }
        let data = data.of_stage(stage);
        check_data(&data, stage, run, done)?;
        let mut config = config.clone();
        match stage {
            Stage::Identity => {
                config.alexnet.identities = IdentityLabels::of(data.train().as_ref()).count;
                if config.alexnet.identities < 2 {
                    check_identities(data.train().as_ref(), "the faces to train on")?;
                }
            }
            Stage::Age | Stage::Aging => {
                for (faces, what) in [(data.train(), "train on"), (data.valid(), "validate on")] {
                    let what = format!("the faces to {what}");
                    check_groups(faces.as_ref(), &config.age_groups, &what)?;
                }
            }
        }
        run.save_config(stage, &config)?;
        let context = Self { stage, config, data, run, session, checkpoints, done };
        Ok(Some(context))
    }

    fn identity(&self) -> Result<Learned, TrainingError> {
        let training = &self.config.identity;
        let labels = IdentityLabels::of(self.data.train().as_ref());
        let held_out = IdentityLabels::of(self.data.valid().as_ref());
        let train = self.labelled_stream(labels.labels, training);
        let valid = self.labelled_once(held_out.labels, training);

        let alexnet_config = &self.config.alexnet;
        let (groups, seed) = (&self.config.age_groups, self.config.seed);
        let alexnet = alexnet_config.init(groups, seed, &self.autodiff_device());
        let setup = self
            .supervised::<IdentityModel>(train, valid, training.batch_size, None)?
            .loss("loss")
            .accuracy("accuracy")
            .recognition();
        let learner = self.learner(
            IdentityModel { alexnet },
            classifier_optimizer(),
            falling_rate(training.learning_rate, training.steps),
        )?;
        let (model, learned) = self.launch(setup, learner)?;
        self.save("alexnet", &model.alexnet, alexnet_config)?;
        Ok(learned)
    }

    fn age(&self) -> Result<Learned, TrainingError> {
        let training = &self.config.age;
        let train = self.labelled_stream(group_labels(self.data.train().as_ref())?, training);
        let valid = self.labelled_once(group_labels(self.data.valid().as_ref())?, training);

        let (alexnet, alexnet_config) = self.alexnet(&self.autodiff_device())?;
        let setup = self
            .supervised::<AgeModel>(train, valid, training.batch_size, None)?
            .loss("loss")
            .accuracy("accuracy")
            .valid_loss("loss")
            .valid_accuracy("accuracy")
            .valid_accuracy("within one group");
        let learner = self.learner(
            AgeModel::new(alexnet),
            classifier_optimizer(),
            falling_rate(training.learning_rate, training.steps),
        )?;
        let (model, learned) = self.launch(setup, learner)?;
        self.save("alexnet", &model.into_alexnet(), &alexnet_config)?;
        Ok(learned)
    }

    fn aging(&self) -> Result<Learned, TrainingError> {
        let training = &self.config.aging;
        let (groups, seed) = (&self.config.age_groups, self.config.seed);
        let size = self.config.generator.image_size;
        let items = training.steps * training.batch_size;
        let loader = |faces: &Arc<dyn FaceSet>, flip, items| {
            let dataset = AgingDataset::stream(faces.clone(), groups, size as u32, flip, seed, items)?;
            let loader = DataLoaderBuilder::new(AgingBatcher)
                .batch_size(training.batch_size)
                .num_workers(1)
                .set_device(self.session.device.clone())
                .build(dataset);
            Ok::<_, TrainingError>(loader)
        };
        let train = loader(self.data.train(), training.flip, items)?;
        let valid = loader(self.data.valid(), false, self.data.valid().len())?;

        let device = self.autodiff_device();
        let (alexnet, _) = self.alexnet(&self.session.device)?;
        let model = AgingModel::new(
            self.config.generator.init(groups, seed, &device),
            self.config.discriminator.init(groups, seed, &device),
            alexnet,
            training.weights.clone(),
        );
        let samples =
            SampleGrids::new(self.run.clone(), self.data.valid().as_ref(), &self.config, &self.session.device)?;
        let setup = self
            .supervised::<AgingModel>(train, valid, training.batch_size, Some(Arc::new(samples)))?
            .loss("discriminator")
            .loss("adversarial")
            .loss("identity")
            .loss("age")
            .accuracy("age accuracy")
            .valid_loss("identity")
            .valid_loss("age")
            .valid_accuracy("age accuracy");
        let rates = gan_rates(training.generator_learning_rate, training.discriminator_learning_rate);
        let learner = self.learner(model, gan_optimizer(), rates)?;
        let (model, learned) = self.launch(setup, learner)?;
        self.save("generator", &model.generator, &self.config.generator)?;
        self.save("discriminator", &model.discriminator, &self.config.discriminator)?;
        Ok(learned)
    }

    /// Says that the stage is complete, and what it learned; its weights are there by now.
    fn summarise(&self, learned: Learned) -> Result<(), TrainingError> {
        // One person alone cannot be told from others, and JSON has no word for that.
        let known = learned.held_out.into_iter().filter(|(_, value)| value.is_finite());
        let held_out = known.map(|(name, value)| (name.into(), value)).collect();
        let summary = Summary {
            stage: self.stage.name().into(),
            steps: learned.steps,
            train_faces: self.data.train().len(),
            valid_faces: self.data.valid().len(),
            held_out,
        };
        self.run.save_summary(self.stage, &summary)
    }

    pub(crate) fn autodiff_device(&self) -> Device {
        self.session.device.clone().autodiff()
    }

    /// The identity net and age classifier that the earlier stages left.
    fn alexnet(&self, device: &Device) -> Result<(AlexNet, AlexNetConfig), TrainingError> {
        let path = self.run.weights("alexnet");
        if !path.exists() {
            return Err(TrainingError::MissingWeights { stage: self.stage, path });
        }
        let weights = weights::load::<AlexNet>(&path, device)?;
        Ok((weights.network, weights.config))
    }

    fn save<N: Network>(&self, name: &str, network: &N, config: &N::Config) -> Result<(), TrainingError> {
        let path = self.run.weights(name);
        Ok(weights::save(&network.valid(), config, &self.config.age_groups, &path)?)
    }

    fn labelled_stream(&self, labels: Vec<usize>, training: &ClassifierTraining) -> Arc<dyn DataLoader<LabelledBatch>> {
        let dataset = LabelledDataset::stream(
            self.data.train().clone(),
            labels,
            self.config.generator.image_size as u32,
            training.augmentation.clone(),
            self.config.seed,
            training.steps * training.batch_size,
        );
        self.labelled_loader(dataset, training)
    }

    fn labelled_once(&self, labels: Vec<usize>, training: &ClassifierTraining) -> Arc<dyn DataLoader<LabelledBatch>> {
        let size = self.config.generator.image_size as u32;
        let dataset = LabelledDataset::once(self.data.valid().clone(), labels, size);
        self.labelled_loader(dataset, training)
    }

    fn labelled_loader(
        &self,
        dataset: LabelledDataset,
        training: &ClassifierTraining,
    ) -> Arc<dyn DataLoader<LabelledBatch>> {
        // One worker: with more, batches come in the order in which threads finish.
        DataLoaderBuilder::new(LabelledBatcher)
            .batch_size(training.batch_size)
            .num_workers(1)
            .set_device(self.session.device.clone())
            .build(dataset)
    }
}
