//! Training of IPCGAN in three stages: identity network, age classifier, GAN.
//!
//! Each stage runs on Burn's learner with its dashboard, metrics and interrupter; a custom training strategy
//! ([`train`]) counts steps, writes checkpoints by step and resumes exactly.
//!
//! In reading order: [`TrainingConfig`], [`TrainingData`], [`Stage`], [`train`], the models of the
//! stages ([`IdentityModel`], [`AgeModel`], [`AgingModel`]), [`RunFolder`].

mod checkpoint;
mod config;
mod context;
mod dashboard;
mod data;
mod device_group;
mod ema;
mod epoch_metric;
mod error;
pub mod evaluation;
mod generator_source;
mod launch;
mod loss_scale;
mod measure;
mod memory;
mod metric_set;
mod monitor;
mod objective;
mod optimizers;
mod parameter_values;
mod plan;
mod preflight;
mod progress;
mod realism;
mod run_folder;
mod samples;
mod schedule;
mod session;
mod settings;
mod stage;
mod stage_definition;
mod stage_parts;
mod stage_state;
mod stages;
mod step_metrics;
mod step_model;
mod strategy;
mod summary;
mod train;
mod training_stage;
mod update;
mod validation_logger;
mod verification;

pub use burn::train::Interrupter;
pub use config::{
    AgingTraining, ClassifierTraining, IdentityLoss, LossWeights, OnDivergence, Preset, SelectionMetric, SettingsFile,
    TrainingConfig,
};
pub use dashboard::{forget_lost_terminal, leave_dashboard, show_above_dashboard};
pub use data::TrainingData;
pub use error::TrainingError;
pub use generator_source::GeneratorSource;
pub use optimizers::{gan_lr_scheduler, gan_optimizer};
pub use plan::{StagePlan, plan};
pub use progress::{LineSink, human_duration};
pub use realism::AgingValidation;
pub use run_folder::{RunFolder, TENSORBOARD_FOLDER};
pub use samples::at_every_age;
pub use schedule::Schedule;
pub use session::{Display, Session};
pub use stage::Stage;
pub use stages::{AgeModel, AgingModel, IdentityModel};
pub use step_metrics::StepMetrics;
pub use summary::Summary;
pub use train::{TrainingOutcome, train};
pub use update::StepGradients;
pub use verification::IdentityValidation;
