//! The request of `ipcgan age`.

use std::path::PathBuf;

use ipcgan::DeviceChoice;
use serde::{Deserialize, Serialize};

use super::output_format::OutputFormat;
use super::selection::FaceSelection;
use crate::request::{optional_path, path, paths, text};

/// What `ipcgan age` does.
#[derive(Debug, Serialize)]
pub(crate) struct AgeRequest {
    /// Photos, folders, and `-` for standard input.
    #[serde(serialize_with = "paths")]
    pub(crate) photos: Vec<PathBuf>,
    /// Target ages by name; the weights decide which exist.
    pub(crate) ages: Vec<String>,
    pub(crate) face: FaceSelection,
    pub(crate) strength: f32,
    #[serde(serialize_with = "path")]
    pub(crate) out: PathBuf,
    pub(crate) format: OutputFormat,
    pub(crate) shown: OutputKind,
    pub(crate) animate: bool,
    pub(crate) sequence: Sequence,
    pub(crate) report: Report,
    /// Ages photos of a folder again even if their results are up to date.
    pub(crate) reprocess: bool,
    /// Where the generator is; `None` for the embedded weights.
    #[serde(serialize_with = "optional_path")]
    pub(crate) weights: Option<PathBuf>,
    #[serde(serialize_with = "text")]
    pub(crate) device: DeviceChoice,
}

/// What is written for a photo.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum OutputKind {
    /// The photo with its faces aged.
    Photo,
    /// Face crops.
    Crops,
    /// The photo, which is one aligned face.
    Aligned,
}

/// How the photos belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Sequence {
    /// Each photo by itself.
    Photos,
    /// Frames of a video, with tracked faces.
    Video,
}

/// What is printed on standard output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Report {
    /// Written files.
    Files,
    /// Results as JSON.
    Json,
}
