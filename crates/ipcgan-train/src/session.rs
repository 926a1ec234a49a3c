//! Environment of a training run: devices, display, interruption.

use std::path::PathBuf;

use burn::tensor::Device;
use burn::train::Interrupter;

use crate::monitor::lines::LineSink;
use crate::{SettingFault, TrainingConfig, TrainingError};

/// How progress is displayed.
#[derive(Clone)]
pub enum Display {
    /// Burn's full-screen dashboard.
    Dashboard,
    /// One line every few seconds.
    Lines(LineSink),
}

/// Environment of a training run: everything besides the configuration and the data.
///
/// Warnings and information go to the `log` crate, whatever the display.
pub struct Session {
    /// Devices to train on: the first one holds the networks, and each processes a part of every batch.
    pub devices: Vec<Device>,
    /// How progress is displayed.
    pub display: Display,
    /// Stops the training with a checkpoint.
    pub interrupter: Interrupter,
    /// Whether to resume from the newest checkpoints.
    pub resume: bool,
    /// Memory of the smallest device in bytes, if known. For a CPU the memory of the machine is determined
    /// automatically.
    pub device_memory: Option<u64>,
    /// Weights of the frozen [`Recogniser`](ipcgan_model::Recogniser), which settings with `discriminator.projected` need.
    pub recogniser: Option<PathBuf>,
}

/// How a stage starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StartMode {
    /// From its first step; a stage that has progress is refused.
    New,
    /// From its newest checkpoint, if there is one.
    Resume,
}

impl Session {
    /// How the stages start.
    pub(crate) fn start_mode(&self) -> StartMode {
        if self.resume { StartMode::Resume } else { StartMode::New }
    }
}

/// Checks that all devices support the precision.
///
/// # Errors
/// The first device that does not.
pub(crate) fn check_precision(config: &TrainingConfig, session: &Session) -> Result<(), TrainingError> {
    if let Some(index) = session.devices.iter().position(|device| !config.precision.is_supported_by(device)) {
        let reason = SettingFault::Precision { device: index + 1, count: session.devices.len() };
        return Err(TrainingError::Setting { setting: format!("precision={}", config.precision), reason });
    }
    Ok(())
}
