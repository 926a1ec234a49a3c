//! Messages to the writer thread, and the files that they are written to.

use std::borrow::Cow;
use std::path::Path;
use std::sync::mpsc::SyncSender;

use image::RgbImage;

use crate::TrainingError;

/// The split that a metric was measured on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Split {
    Train,
    Valid,
}

impl Split {
    pub(super) const ALL: [Self; 2] = [Self::Train, Self::Valid];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Valid => "valid",
        }
    }
}

/// Named metrics of a step.
pub(super) type Scalars = Vec<(Cow<'static, str>, f64)>;

/// A message to the writer thread.
pub(super) enum Message {
    Scalars {
        split: Split,
        step: usize,
        scalars: Scalars,
    },
    Image {
        step: usize,
        name: &'static str,
        image: RgbImage,
    },
    Weights {
        step: usize,
        name: String,
        values: Vec<f32>,
    },
    /// Requests that all earlier messages are flushed to disk, and signals when they are.
    Sync(SyncSender<()>),
}

/// An output of the monitor.
pub(super) trait Sink: Send {
    /// Writes `message`, or ignores it.
    fn record(&mut self, message: &Message) -> Result<(), TrainingError>;

    /// Flushes to disk everything that a resumed run needs.
    fn sync(&mut self) -> Result<(), TrainingError> {
        Ok(())
    }

    /// Flushes everything.
    fn finish(&mut self) -> Result<(), TrainingError>;
}

/// Adds the path to an I/O error.
pub(super) fn access(path: &Path) -> impl FnOnce(std::io::Error) -> TrainingError {
    let path = path.to_path_buf();
    move |source| TrainingError::Access { path, source }
}
