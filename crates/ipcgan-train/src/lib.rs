//! Training of IPCGAN in three stages: identity net, age classifier, GAN.
//!
//! Each stage runs on Burn's learner, so its dashboard, metrics and interruption are at hand; the
//! loop itself ([`train`]) counts steps, keeps checkpoints by step and goes on where it stopped.
//!
//! In reading order: [`TrainingConfig`], [`TrainingData`], [`Stage`], [`train`], the models of the
//! stages ([`IdentityModel`], [`AgeModel`], [`AgingModel`]), [`RunFolder`].

mod average;
mod begun;
mod checkpoint;
mod config;
mod context;
mod dashboard;
mod data;
mod error;
pub mod evaluation;
mod generator_source;
mod health;
mod held_out;
mod launch;
mod loss_scale;
mod memory;
mod optimizers;
mod plan;
mod preflight;
mod progress;
mod realism;
mod record;
mod run_folder;
mod samples;
mod schedule;
mod set_metric;
mod settings;
mod stage;
mod stage_state;
mod stages;
mod strategy;
mod summary;
mod team;
mod terms;
mod train;
mod update;
mod verification;
mod weights_of;

pub use burn::train::Interrupter;
pub use config::{
    AgingTraining, ClassifierTraining, IdentityLoss, LossWeights, OnDivergence, SelectionMetric, TrainingConfig,
};
pub use dashboard::{forget_lost_terminal, leave_dashboard, show_above_dashboard};
pub use data::TrainingData;
pub use error::TrainingError;
pub use generator_source::GeneratorSource;
pub use optimizers::{gan_optimizer, gan_rates};
pub use plan::{StagePlan, plan};
pub use progress::{LineSink, span};
pub use realism::AgingValidation;
pub use record::EVENTS_FOLDER;
pub use run_folder::RunFolder;
pub use samples::{aged_sheet, at_every_age};
pub use schedule::Schedule;
pub use stage::Stage;
pub use stages::{AgeModel, AgingModel, IdentityModel, Recognition, Turn};
pub use summary::Summary;
pub use terms::Terms;
pub use train::{Display, Ending, Session, train};
