//! The request of `ipcgan train`.

use std::path::PathBuf;

use ipcgan::DeviceChoice;
use ipcgan::train::Stage;
use serde::Serialize;

use crate::request::{optional_path, path, texts};

/// What `ipcgan train` does.
#[derive(Debug, Serialize)]
pub(crate) struct TrainRequest {
    /// Stages to train, in order.
    #[serde(serialize_with = "texts")]
    pub(crate) stages: Vec<Stage>,
    /// Folder of faces; `None` for that of the run, or synthetic faces.
    #[serde(serialize_with = "optional_path")]
    pub(crate) data: Option<PathBuf>,
    #[serde(serialize_with = "path")]
    pub(crate) run: PathBuf,
    /// Name of a preset, or a settings file.
    #[serde(serialize_with = "optional_path")]
    pub(crate) preset: Option<PathBuf>,
    pub(crate) resume: bool,
    /// Only estimates time and memory.
    pub(crate) dry_run: bool,
    /// Settings that differ from the preset or the run, as `key=value`.
    pub(crate) overrides: Vec<String>,
    pub(crate) progress_display: ProgressDisplay,
    #[serde(serialize_with = "texts")]
    pub(crate) devices: Vec<DeviceChoice>,
    /// Weights of the recogniser; `None` for those that are found.
    #[serde(serialize_with = "optional_path")]
    pub(crate) recogniser: Option<PathBuf>,
}

/// How progress is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ProgressDisplay {
    /// The dashboard where the terminal can show it, else lines.
    DashboardIfPossible,
    Lines,
}
