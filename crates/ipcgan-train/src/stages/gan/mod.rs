//! Third stage: adversarial training of generator and discriminator.

mod captured;
mod loaders;
mod model;
mod monitor;
mod objective;
mod optimizer;
mod samples;
mod saved_generator;
mod step;

pub use model::AgingModel;
pub use optimizer::{gan_lr_scheduler, gan_optimizer};
pub(crate) use saved_generator::load_saved_generator;

use std::sync::Arc;

use burn::module::Module;
use burn::tensor::Device;
use captured::{CapturedStep, warn_of_launched_steps};
use ipcgan_model::weights::Network;
use ipcgan_model::{Discriminator, Generator, Recogniser};
use loaders::{prototypes, train_loader, valid_loader};
use monitor::GanMonitor;
use objective::{
    AGE_ACCURACY, DISCRIMINATOR_GRADIENT_NORM, DIVERSITY, GENERATOR_GRADIENT_NORM, discriminator_objective,
    generator_objective,
};
use samples::SampleGrids;
use saved_generator::saved_generator;

use super::age_labelled_faces::{age_labelled_faces, check_age_labelled_faces};
use crate::config::{AgingTraining, EditableSettings, LoopSettings, SelectionMetric};
use crate::measure::{Measured, measure};
use crate::metric::epoch::EpochMetric;
use crate::metric::realism::REALISM_AND_AGE;
use crate::metric::set::MetricSet;
use crate::run::summary::StageResult;
use crate::stage::context::{Purpose, StageContext};
use crate::stage::definition::{COPIES_OF_WEIGHTS, Footprint, StageDefinition};
use crate::stage::parts::StageParts;
use crate::step::loss_scale::LossScale;
use crate::step::objective::OBJECTIVE;
use crate::trainer::{MonitoredMetric, launch};
use crate::{Stage, TrainingConfig, TrainingData, TrainingError};

/// The ageing stage.
pub(super) struct GanStage;

impl StageDefinition for GanStage {
    fn name(&self) -> &'static str {
        "aging"
    }

    fn loop_settings(&self, config: &TrainingConfig) -> LoopSettings {
        config.aging.loop_settings()
    }

    fn editable_settings<'a>(&self, config: &'a mut TrainingConfig) -> &'a mut dyn EditableSettings {
        &mut config.aging
    }

    fn networks(&self) -> &'static [&'static str] {
        &[Generator::KIND, Discriminator::KIND]
    }

    fn fixed_settings(&self) -> &'static [&'static str] {
        &["generator", "discriminator"]
    }

    fn changeable_settings(&self) -> &'static [&'static str] {
        // Both networks are convolutional.
        &["generator.image_size"]
    }

    fn fixed_switches(&self) -> &'static [&'static str] {
        &["aging.ema_decay"]
    }

    fn faces(&self, data: &TrainingData) -> TrainingData {
        age_labelled_faces(data)
    }

    fn check_faces(&self, config: &mut TrainingConfig, data: &TrainingData) -> Result<(), TrainingError> {
        check_age_labelled_faces(Stage::Aging, config, data)
    }

    fn log_limitations(&self, context: &StageContext) {
        if let Err(reason) = check_capture(context) {
            warn_of_launched_steps(&reason);
        }
    }

    fn footprint(&self, config: &TrainingConfig) -> Footprint {
        let (groups, size) = (config.age_groups.count(), config.generator.image_size);
        let gan = config.generator.num_params(groups) + config.discriminator.num_params(groups);
        let recogniser = match config.discriminator.projected {
            true => Recogniser::without_weights(&Device::flex()).num_params(),
            false => 0,
        };
        Footprint {
            weights: config.alexnet.num_params(groups) + recogniser + COPIES_OF_WEIGHTS * gan,
            activations: config.generator.num_activations() + config.discriminator.num_activations(size),
        }
    }

    fn check_files(&self, context: &StageContext) -> Result<(), TrainingError> {
        context.recogniser(Purpose::Training).map(drop)
    }

    fn train(&self, context: &StageContext) -> Result<StageResult, TrainingError> {
        let (model, result) = launch(context, parts(context, Purpose::Training)?)?;
        context.save(&saved_generator(context, &model)?, &context.config.generator)?;
        context.save(&model.discriminator, &context.config.discriminator)?;
        Ok(result)
    }

    fn measure(&self, context: &StageContext) -> Result<Measured, TrainingError> {
        measure(context, parts(context, Purpose::DryRun)?)
    }
}

/// Checks that steps can be captured if `aging.capture` is set, as far as that is known before the first one.
///
/// # Errors
/// They cannot; the reason.
fn check_capture(context: &StageContext) -> Result<(), String> {
    match context.config.aging.capture {
        true => CapturedStep::check(&context.device_group, &LossScale::of(context.config.precision)),
        false => Ok(()),
    }
}

/// Model, optimizers, learning-rate schedules, data loaders and metrics.
fn parts(context: &StageContext, purpose: Purpose) -> Result<StageParts<AgingModel>, TrainingError> {
    let training = &context.config.aging;
    let prototypes = match purpose {
        Purpose::Training => prototypes(context)?,
        // Their statistics take a pass over all faces and do not change the cost of a step.
        Purpose::DryRun => None,
    };
    let (alexnet, _) = context.alexnet(purpose)?;
    let sample_grids =
        SampleGrids::new(context.run.clone(), context.data.valid().as_ref(), &context.config, &context.device())?;
    let (groups, seed, device) = (&context.config.age_groups, context.config.seed, context.autodiff_device());
    let precision = context.config.precision;
    let generator = || context.config.generator.init(groups, seed, &device).with_precision(precision);
    let discriminator = context.config.discriminator.init(groups, seed, &device).with_precision(precision);
    // If steps cannot be captured, a warning was logged before the training; the model would repeat it.
    let capture = training.capture && check_capture(context).is_ok();
    let settings = AgingTraining { capture, ..training.clone() };
    let model = AgingModel::new(generator(), discriminator, alexnet, settings).after(context.done);
    let model = match context.recogniser(purpose)? {
        Some(recogniser) => model.with_recogniser(recogniser),
        None => model,
    };
    let model = if training.has_ema() { model.with_ema(generator()) } else { model };
    let (discriminator, generator) = (discriminator_objective(training), generator_objective(training));
    let metrics = move |metrics: MetricSet<AgingModel>| {
        let metrics = metrics.losses(discriminator.training_metrics()).losses(generator.training_metrics());
        let metrics = metrics.accuracy(AGE_ACCURACY).detail(DIVERSITY);
        let metrics = metrics.detail(DISCRIMINATOR_GRADIENT_NORM).detail(GENERATOR_GRADIENT_NORM);
        let metrics = metrics.valid_losses(generator.validation_metrics()).valid_accuracy(AGE_ACCURACY);
        metrics.valid_epoch(EpochMetric::kernel_distance()).valid_epoch(EpochMetric::realism_and_age())
    };
    let mut monitor = GanMonitor::default();
    Ok(StageParts {
        model,
        optimizer: gan_optimizer(training),
        lr_scheduler: gan_lr_scheduler(training),
        train: train_loader(context, prototypes.clone())?,
        valid: valid_loader(context, prototypes)?,
        metrics: Box::new(metrics),
        selection_metric: match training.selection_metric {
            SelectionMetric::RealismAndAge => MonitoredMetric { name: REALISM_AND_AGE, higher_is_better: true },
            SelectionMetric::Objective => MonitoredMetric { name: OBJECTIVE, higher_is_better: false },
        },
        sample_grids: Some(Arc::new(sample_grids)),
        symptom_monitor: Some(Box::new(move |step, metrics| {
            monitor.observe(step, metrics).iter().for_each(|symptom| log::warn!("{symptom}"));
        })),
    })
}
