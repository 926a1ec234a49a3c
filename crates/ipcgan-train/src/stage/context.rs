//! One stage of a run and everything it needs.

use std::fmt::Debug;
use std::fs;
use std::sync::Arc;

use burn::data::dataloader::batcher::Batcher;
use burn::data::dataloader::{DataLoader, DataLoaderBuilder};
use burn::data::dataset::Dataset;
use burn::tensor::Device;
use ipcgan_model::weights::{self, Network};
use ipcgan_model::{AlexNet, AlexNetConfig, Recogniser};

use crate::config::LoopSettings;
use crate::run::checkpoint::{Checkpoints, Found, StageProgress};
use crate::run::summary::{StageResult, Summary};
use crate::session::{Session, StartMode};
use crate::stage::state::{StageState, check_stage};
use crate::step::devices::DeviceGroup;
use crate::{RunFolder, SettingFault, Stage, TrainingConfig, TrainingData, TrainingError};

/// Rejects data with another number of faces than `stage` was started with: their order would differ.
pub(crate) fn check_face_count(data: &TrainingData, stage: Stage, run: &RunFolder) -> Result<(), TrainingError> {
    let now = data.train().len();
    match run.read::<usize>(&faces_file(stage))? {
        Some(was) if was != now => Err(TrainingError::OtherData { stage, was, now }),
        _ => Ok(()),
    }
}

/// File that stores the number of training faces of a stage.
fn faces_file(stage: Stage) -> String {
    format!("log/{stage}/faces.json")
}

/// What the parts of a stage are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// A training, on the networks of earlier stages in the run folder.
    Training,
    /// The measurements of a dry run, where only sizes matter: networks of earlier stages have random weights, and
    /// statistics of the faces are not computed.
    DryRun,
}

/// One stage of a run and everything it needs.
#[derive(Clone)]
pub(crate) struct StageContext<'a> {
    pub(crate) stage: Stage,
    pub(crate) config: TrainingConfig,
    pub(crate) data: TrainingData,
    pub(crate) run: &'a RunFolder,
    pub(crate) session: &'a Session,
    pub(crate) device_group: DeviceGroup,
    pub(crate) checkpoints: Checkpoints,
    /// Steps done before this run.
    pub(crate) done: usize,
    /// Progress before this run.
    pub(crate) progress: StageProgress,
}

impl<'a> StageContext<'a> {
    /// The stage, resumed from its newest intact checkpoint if there is one; none if it is complete.
    ///
    /// # Errors
    /// Those of [`check_stage`], or the data or the settings do not fit.
    pub(crate) fn new(
        config: &TrainingConfig,
        stage: Stage,
        data: &TrainingData,
        run: &'a RunFolder,
        session: &'a Session,
        mode: StartMode,
    ) -> Result<Option<Self>, TrainingError> {
        let state = check_stage(config, stage, run, &[], mode)?;
        if state == StageState::Complete {
            return Ok(None);
        }
        let checkpoints = Checkpoints::of(run, stage, config);
        let Found { step: done, damaged } = checkpoints.find()?;
        for (path, reason) in damaged {
            log::warn!("checkpoint {}: {reason}; resuming from step {done}", path.display());
        }
        let newest = run.checkpoint_step(stage)?.unwrap_or(0);
        if newest > done {
            log::warn!("the checkpoint of step {newest} of the {stage} stage is missing; resuming from step {done}");
        }
        let progress = checkpoints.progress(done)?;
        let context = Self::planned(config, stage, data, run, session)?;
        context.check_data(done)?;
        run.save_config(stage, &context.config)?;
        run.write(&faces_file(stage), &context.data.train().len())?;
        run.save_data_folder(data.folder())?;
        Ok(Some(Self { checkpoints, done, progress, ..context }))
    }

    /// Rejects data with another number of faces than the stage was started with.
    pub(crate) fn check_data(&self, done: usize) -> Result<(), TrainingError> {
        if done == 0 { Ok(()) } else { check_face_count(&self.data, self.stage, self.run) }
    }

    /// The stage at step 0; nothing is written.
    ///
    /// # Errors
    /// The data or the settings are unsuitable.
    pub(crate) fn planned(
        config: &TrainingConfig,
        stage: Stage,
        data: &TrainingData,
        run: &'a RunFolder,
        session: &'a Session,
    ) -> Result<Self, TrainingError> {
        let definition = stage.definition();
        let data = definition.faces(data);
        let mut config = config.clone();
        definition.check_faces(&mut config, &data)?;
        let device_group = DeviceGroup::new(&session.devices);
        if !definition.loop_settings(&config).batch_size.is_multiple_of(device_group.count()) {
            let reason = SettingFault::Devices(device_group.count());
            return Err(TrainingError::Setting { setting: format!("{stage}.batch_size"), reason });
        }
        let checkpoints = Checkpoints::of(run, stage, &config);
        Ok(Self {
            stage,
            config,
            data,
            run,
            session,
            device_group,
            checkpoints,
            done: 0,
            progress: StageProgress::default(),
        })
    }

    /// The stage with batch size `faces`, without gradient accumulation.
    pub(crate) fn with_batches_of(&self, faces: usize) -> Self {
        let mut context = self.clone();
        self.stage.definition().editable_settings(&mut context.config).set_batches(faces);
        context
    }

    /// The stage with `steps` pretraining steps, if it has any.
    pub(crate) fn with_pretraining_steps(&self, steps: usize) -> Self {
        let mut context = self.clone();
        self.stage.definition().editable_settings(&mut context.config).set_pretraining_steps(steps);
        context
    }

    /// What the training loop reads of the settings.
    pub(crate) fn loop_settings(&self) -> LoopSettings {
        self.stage.definition().loop_settings(&self.config)
    }

    /// The main device, with autodiff.
    pub(crate) fn autodiff_device(&self) -> Device {
        self.device_group.main().clone()
    }

    /// The main device, without autodiff.
    pub(crate) fn device(&self) -> Device {
        self.device_group.main().clone().inner()
    }

    /// Faces per step.
    pub(crate) fn faces_per_step(&self) -> usize {
        self.loop_settings().batch_size * self.loop_settings().batches_per_step
    }

    /// Micro-batches per step.
    pub(crate) fn micro_batches_per_step(&self) -> usize {
        self.device_group.count() * self.loop_settings().batches_per_step
    }

    /// Faces per micro-batch.
    pub(crate) fn micro_batch_size(&self) -> usize {
        self.loop_settings().batch_size / self.device_group.count()
    }

    /// Writes the summary, which marks the stage as complete; its weights are already written.
    pub(crate) fn summarise(&self, result: StageResult) -> Result<(), TrainingError> {
        let summary = Summary {
            stage: self.stage.name().into(),
            steps: result.steps,
            train_faces: self.data.train().len(),
            valid_faces: self.data.valid().len(),
            held_out: result.held_out,
            stopped_early: result.stopped_early,
            best_step: result.best_step,
        };
        self.run.save_summary(self.stage, &summary)
    }

    /// The identity network and age classifier of the earlier stages, in the precision of the run; with random weights in
    /// a dry run.
    ///
    /// # Errors
    /// They are not there, or cannot be read.
    pub(crate) fn alexnet(&self, purpose: Purpose) -> Result<(AlexNet, AlexNetConfig), TrainingError> {
        let device = self.device();
        match purpose {
            Purpose::DryRun => {
                let config = self.config.alexnet.clone();
                let alexnet = config.init(&self.config.age_groups, self.config.seed, &device);
                Ok((alexnet.with_precision(self.config.precision), config))
            }
            Purpose::Training => {
                let path = self.run.weights(AlexNet::KIND);
                if !path.exists() {
                    return Err(TrainingError::MissingWeights { stage: self.stage, path });
                }
                let weights = weights::load::<AlexNet>(&path, &device)?;
                Ok((weights.network.with_precision(self.config.precision), weights.config))
            }
        }
    }

    /// The frozen recogniser of the projected discriminator, if there is one, on the main device without autodiff; with
    /// weights of zero in a dry run.
    ///
    /// # Errors
    /// It is not given, or cannot be read.
    pub(crate) fn recogniser(&self, purpose: Purpose) -> Result<Option<Recogniser>, TrainingError> {
        let device = self.device();
        match (self.config.discriminator.projected, purpose) {
            (false, _) => Ok(None),
            (true, Purpose::DryRun) => Ok(Some(Recogniser::without_weights(&device))),
            (true, Purpose::Training) => {
                let path = self.session.recogniser.as_ref().ok_or(TrainingError::NoRecogniser)?;
                let bytes = fs::read(path)
                    .map_err(|source| TrainingError::UnreadableRecogniser { path: path.clone(), source })?;
                Ok(Some(Recogniser::from_bytes(bytes, path, &device)?))
            }
        }
    }

    /// Writes the weights of `network`.
    pub(crate) fn save<N: Network>(&self, network: &N, config: &N::Config) -> Result<(), TrainingError> {
        let path = self.run.weights(N::KIND);
        Ok(weights::save(&network.valid(), config, &self.config.age_groups, &path)?)
    }

    /// Batches of `batch_size` items of `dataset`, in order.
    pub(crate) fn loader<I, B, D>(
        &self,
        batcher: impl Batcher<I, B> + 'static,
        dataset: D,
        batch_size: usize,
    ) -> Arc<dyn DataLoader<B>>
    where
        I: Send + Sync + Clone + Debug + 'static,
        B: Send + Clone + Debug + 'static,
        D: Dataset<I> + 'static,
    {
        // With several devices, micro-batches are distributed by the CPU.
        let device = if self.device_group.count() == 1 { self.device() } else { Device::flex() };
        // One worker: with several, the order of batches would depend on thread timing.
        DataLoaderBuilder::new(batcher).batch_size(batch_size).num_workers(1).set_device(device).build(dataset)
    }
}
