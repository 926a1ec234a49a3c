//! Training configuration and its defaults.

mod check;
mod fault;
mod preset;
pub(crate) mod schedule;
pub(crate) mod settings;
mod settings_file;
mod stages;
mod training;

pub use fault::{ConfigFault, SettingFault, SettingsFileFault};
pub use preset::Preset;
pub use settings_file::SettingsFile;
pub use stages::{AgingTraining, ClassifierTraining, IdentityLoss, LossWeights, SelectionMetric};
pub(crate) use stages::{EditableSettings, LoopSettings};
pub use training::{OnDivergence, TrainingConfig};
