//! The request of `ipcgan prepare`.

use std::path::PathBuf;

use ipcgan::DeviceChoice;
use ipcgan::data::Columns;
use ipcgan::data::preparation::PreparationConfig;
use serde::Serialize;

use crate::request::{optional_path, path, text};

/// Name of the source that generates synthetic faces.
pub(crate) const SYNTHETIC: &str = "synthetic";

/// What `ipcgan prepare` does.
#[derive(Debug, Serialize)]
pub(crate) struct PrepareRequest {
    /// The downloaded data set; `None` for synthetic faces.
    pub(crate) data_set: Option<DataSet>,
    /// Number of synthetic identities.
    pub(crate) identities: usize,
    pub(crate) split: SplitChoice,
    #[serde(serialize_with = "path")]
    pub(crate) out: PathBuf,
    /// How faces are prepared; its source is decided when the data set is read.
    pub(crate) config: PreparationConfig,
    /// Number of worker threads; `None` for one per processor.
    pub(crate) threads: Option<usize>,
    #[serde(serialize_with = "text")]
    pub(crate) device: DeviceChoice,
}

/// A downloaded data set.
#[derive(Debug, Serialize)]
pub(crate) struct DataSet {
    #[serde(serialize_with = "path")]
    pub(crate) folder: PathBuf,
    /// Name of its kind; `None` to detect it.
    pub(crate) source: Option<String>,
    /// Table with labels; `None` for the data set's own.
    #[serde(serialize_with = "optional_path")]
    pub(crate) table: Option<PathBuf>,
    #[serde(serialize_with = "text")]
    pub(crate) columns: Columns,
    pub(crate) unknown_ages: UnknownAges,
}

/// Whether a data set may have mostly unknown ages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum UnknownAges {
    Refuse,
    Allow,
}

/// How the faces are split.
#[derive(Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum SplitChoice {
    /// Official split of the data set.
    Source,
    /// By seed, ignoring the official split.
    Seeded,
    /// From a table.
    Table(#[serde(serialize_with = "path")] PathBuf),
}

impl SplitChoice {
    /// `source`, `seeded`, or else a table.
    pub(crate) fn of(how: PathBuf) -> Self {
        match how.to_str() {
            Some("source") => Self::Source,
            Some("seeded") => Self::Seeded,
            _ => Self::Table(how),
        }
    }
}
