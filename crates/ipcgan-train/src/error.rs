//! What can go wrong while training.

use std::path::PathBuf;

use ipcgan_data::DataError;
use ipcgan_model::ModelError;

/// Why a training could not start, go on or end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainingError {
    /// Pictures or tables cannot be read or written.
    #[error(transparent)]
    Data(#[from] DataError),
    /// Weights cannot be read or written.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// A folder or file of the run cannot be made, read or removed.
    #[error("cannot access {path}")]
    Access {
        /// The file or folder.
        path: PathBuf,
        /// Why the system refused.
        source: std::io::Error,
    },
    /// The run folder holds a run of this stage already.
    #[error(
        "{path} already holds a run of the {stage} stage; continue it with --resume, or choose another folder with --run"
    )]
    RunExists {
        /// The run folder.
        path: PathBuf,
        /// The stage.
        stage: crate::Stage,
    },
    /// A stage needs the weights that an earlier one writes.
    #[error("the {stage} stage needs {path}; run the earlier stages first, or all three without --stage")]
    MissingWeights {
        /// The stage that cannot start.
        stage: crate::Stage,
        /// The missing file.
        path: PathBuf,
    },
    /// What a face set says of a face makes no sense.
    #[error("face `{name}`: {reason}")]
    Label {
        /// The face.
        name: String,
        /// What is wrong with its label.
        reason: String,
    },
    /// No generator is where one was looked for.
    #[error("{path}: {reason}")]
    NoGenerator {
        /// Where it was looked for.
        path: PathBuf,
        /// Why there is none.
        reason: String,
    },
    /// A setting does not exist or has a value of the wrong kind.
    #[error("setting `{setting}`: {reason}")]
    Setting {
        /// The setting as given, `key=value`.
        setting: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A checkpoint cannot be written or read.
    #[error("checkpoint {path}: {reason}")]
    Checkpoint {
        /// The checkpoint's folder.
        path: PathBuf,
        /// What went wrong.
        reason: String,
    },
    /// A loss is no number any more, or beyond all bounds.
    #[error("{term} is {value} after step {step}; {advice}")]
    Diverged {
        /// The loss.
        term: String,
        /// Its value.
        value: f64,
        /// Steps done.
        step: usize,
        /// What to go on from, and how.
        advice: String,
    },
    /// Too few faces to measure anything with.
    #[error(
        "{found} held-out faces of known age are too few to evaluate with; two are the least, hundreds tell something"
    )]
    TooFewFaces {
        /// Faces that were found.
        found: usize,
    },
    /// Curves cannot be drawn.
    #[error("cannot draw the curves of the {stage} stage: {reason}")]
    Plot {
        /// The stage.
        stage: crate::Stage,
        /// Why.
        reason: String,
    },
    /// A device of several, or the only one, does not answer any more.
    #[error("a device failed at step {step}: {reason}; {advice}")]
    Device {
        /// The step that was not done.
        step: usize,
        /// What it said.
        reason: String,
        /// What to go on from, and how.
        advice: String,
    },
    /// A run goes on with other faces than it began with.
    #[error(
        "the {stage} stage began with {was} faces to learn from and now there are {now}; give the data it began with"
    )]
    OtherData {
        /// The stage.
        stage: crate::Stage,
        /// Faces when it began.
        was: usize,
        /// Faces now.
        now: usize,
    },
    /// The training loop stopped on an error.
    #[error("training stopped at step {step}: {reason}")]
    Stopped {
        /// Steps done.
        step: usize,
        /// What went wrong.
        reason: String,
    },
}
