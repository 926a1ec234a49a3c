#![doc = include_str!("../README.md")]
//!
#![doc = concat!("![Synthetic faces at five age groups, by the networks of a run of minutes](data:image/webp;base64,", include_str!("../front_picture.txt"), ")")]
//!
//! Each stage runs on Burn's learner with its dashboard, metrics and interrupter; a custom training strategy
//! ([`train`]) counts steps, writes checkpoints by step and resumes exactly.
//!
//! In reading order: [`TrainingConfig`], [`TrainingData`], [`Stage`], [`train`], the models of the
//! stages ([`IdentityModel`], [`AgeModel`], [`AgingModel`]), [`RunFolder`].

mod config;
mod data;
mod error;
pub mod evaluation;
mod generator_source;
mod measure;
mod memory;
mod metric;
mod monitor;
mod plan;
mod preflight;
mod run;
mod samples;
mod session;
mod stage;
mod stages;
mod step;
mod train;
mod trainer;

pub use burn::train::Interrupter;
pub use config::schedule::Schedule;
pub use config::{
    AgingTraining, ClassifierTraining, ConfigFault, IdentityLoss, LossWeights, OnDivergence, Preset, SelectionMetric,
    SettingFault, SettingsFile, SettingsFileFault, TrainingConfig,
};
pub use data::TrainingData;
pub use error::TrainingError;
pub use generator_source::{GeneratorSource, NoGenerator};
pub use memory::{MemoryLimit, MemoryShortage};
pub use metric::realism::AgingValidation;
pub use metric::verification::IdentityValidation;
pub use monitor::dashboard::{forget_lost_terminal, leave_dashboard, show_above_dashboard};
pub use monitor::lines::{LineSink, human_duration};
pub use plan::{StagePlan, plan};
pub use run::checkpoint::CheckpointFault;
pub use run::folder::{RunFolder, TENSORBOARD_FOLDER};
pub use run::summary::Summary;
pub use samples::at_every_age;
pub use session::{Display, Session};
pub use stages::{AgeModel, AgingModel, IdentityModel, Stage, gan_lr_scheduler, gan_optimizer};
pub use step::metrics::StepMetrics;
pub use step::update::StepGradients;
pub use train::{TrainingOutcome, train};
pub use trainer::RetryHint;
