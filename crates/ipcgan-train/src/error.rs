//! Errors of training.

use std::path::{Path, PathBuf};

use burn::data::dataset::DatasetError;
use ipcgan_data::{DataError, Split};
use ipcgan_model::ModelError;

/// Error of a training run or an evaluation.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainingError {
    /// An image or table cannot be read or written.
    #[error(transparent)]
    Data(#[from] DataError),
    /// Weights cannot be read or written.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// A file or folder of the run cannot be created, read or removed.
    #[error("cannot access {path}")]
    Access {
        /// The file or folder.
        path: PathBuf,
        /// The I/O error.
        source: std::io::Error,
    },
    /// The run folder already contains a run of this stage.
    #[error("{path} already holds a run of the {stage} stage")]
    RunExists {
        /// The run folder.
        path: PathBuf,
        /// The stage.
        stage: crate::Stage,
    },
    /// Another process trains in the run folder.
    #[error("{path} is in use by another process; wait until it exits, or train in another folder")]
    RunInUse {
        /// The run folder.
        path: PathBuf,
    },
    /// There is no run to resume.
    #[error("there is no run in {path} to resume")]
    NoRun {
        /// The folder in which a run was expected.
        path: PathBuf,
    },
    /// The run path is a file.
    #[error("{path} is not a folder")]
    NotAFolder {
        /// The file.
        path: PathBuf,
    },
    /// The folder is not a run, but contains files that a run would overwrite.
    #[error("{path} contains {found} but no config.json, so it is not a run")]
    NoRunFolder {
        /// The folder.
        path: PathBuf,
        /// The file or folder that a run would overwrite.
        found: PathBuf,
    },
    /// The configuration of a run is invalid.
    #[error("{path} is not a valid run configuration: {reason}")]
    NoConfig {
        /// The `config.json`.
        path: PathBuf,
        /// What is wrong with it.
        reason: crate::ConfigFault,
    },
    /// A stage was trained, but its checkpoints are missing.
    #[error(
        "the {stage} stage was trained for {steps} steps, but there is no checkpoint of it in {path}; restore the \
         checkpoints, or start a new run"
    )]
    MissingCheckpoint {
        /// The stage.
        stage: crate::Stage,
        /// Number of steps that were done.
        steps: usize,
        /// Where the checkpoints should be.
        path: PathBuf,
    },
    /// A stage requires another stage that is not complete.
    #[error("the {stage} stage requires the {needs} stage, which is not complete in {path}")]
    MissingStage {
        /// The stage that cannot start.
        stage: crate::Stage,
        /// The required stage.
        needs: crate::Stage,
        /// The run folder.
        path: PathBuf,
    },
    /// A stage cannot be continued because a later stage was trained with its result.
    #[error(
        "the {later} stage in {path} was trained with the result of the {stage} stage, so the {stage} stage cannot be \
         continued; start a new run in another folder"
    )]
    LaterStage {
        /// The stage that would learn more.
        stage: crate::Stage,
        /// The later stage.
        later: crate::Stage,
        /// The run folder.
        path: PathBuf,
    },
    /// A setting differs from the value that a stage was trained with, and cannot change.
    #[error("setting `{setting}` was {was} when the {stage} stage was trained and cannot change to {now}")]
    FixedSetting {
        /// The setting.
        setting: String,
        /// Saved value.
        was: String,
        /// New value.
        now: String,
        /// The stage that has learned with it.
        stage: crate::Stage,
    },
    /// A setting was changed, but all stages are complete.
    #[error(
        "all stages in {path} are complete, so setting `{setting}` has no effect; to continue, raise the number of steps"
    )]
    NothingLeft {
        /// The run folder.
        path: PathBuf,
        /// The setting.
        setting: String,
    },
    /// A file of a run is damaged.
    #[error("{path} is damaged: {reason}; restore it, or start a new run in another folder")]
    DamagedFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: serde_json::Error,
    },
    /// No face has an age, which the stage requires.
    #[error(
        "none of the {count} faces to {} has an age, which the {stage} stage requires; fill in the column `age` of \
         metadata.csv",
        purpose(.split)
    )]
    NoAges {
        /// The stage.
        stage: crate::Stage,
        /// The split.
        split: Split,
        /// How many faces there are.
        count: usize,
    },
    /// A split has no faces.
    #[error(
        "there are no faces to {}; add photos of more identities, or {} valid_fraction",
        purpose(.split),
        more(.split)
    )]
    NoFaces {
        /// The split.
        split: Split,
    },
    /// A stage needs more memory than the machine or device has.
    #[error("{0}")]
    Memory(crate::MemoryShortage),
    /// The settings have a projected discriminator, but no weights of the recogniser are given.
    #[error("setting `discriminator.projected` requires the weights of the recogniser")]
    NoRecogniser,
    /// The weights of the recogniser cannot be read.
    #[error("cannot read the weights of the recogniser, {path}")]
    UnreadableRecogniser {
        /// The file.
        path: PathBuf,
        /// The I/O error.
        source: std::io::Error,
    },
    /// A stage needs weights that an earlier stage writes.
    #[error("the {stage} stage needs {path}, which an earlier stage writes")]
    MissingWeights {
        /// The stage that cannot start.
        stage: crate::Stage,
        /// The missing file.
        path: PathBuf,
    },
    /// The label of a face is invalid.
    #[error("face `{name}`: its group index {group} is not in 0 to {}", .groups - 1)]
    Label {
        /// The face.
        name: String,
        /// Its group index.
        group: usize,
        /// Number of age groups.
        groups: usize,
    },
    /// No generator was found.
    #[error("{path}: {reason}")]
    NoGenerator {
        /// Where it was looked for.
        path: PathBuf,
        /// Why there is none.
        reason: crate::NoGenerator,
    },
    /// No stage has this name.
    #[error("unknown stage `{name}`; valid are {}", crate::Stage::ALL.map(crate::Stage::name).join(", "))]
    UnknownStage {
        /// The name.
        name: String,
    },
    /// A setting is unknown or has an invalid value.
    #[error("setting `{setting}`: {reason}")]
    Setting {
        /// The setting as given, `key=value`.
        setting: String,
        /// What is wrong with it.
        reason: crate::SettingFault,
    },
    /// No preset has this name.
    #[error("unknown preset `{name}`; use one of {}", crate::Preset::names())]
    UnknownPreset {
        /// The name.
        name: String,
    },
    /// A settings file is invalid.
    #[error("settings file {path}: {reason}")]
    SettingsFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: crate::SettingsFileFault,
    },
    /// A run has other settings than the settings file.
    #[error("setting `{setting}` is {run} in the run and {file} in {path}")]
    OtherSettings {
        /// The settings file.
        path: PathBuf,
        /// The setting.
        setting: String,
        /// Its value in the file.
        file: String,
        /// Its value in the run.
        run: String,
    },
    /// A checkpoint cannot be written or read.
    #[error("checkpoint {path}: {reason}")]
    Checkpoint {
        /// The checkpoint's folder.
        path: PathBuf,
        /// What went wrong.
        reason: crate::CheckpointFault,
    },
    /// All checkpoints of a stage are damaged.
    #[error("checkpoint {path}: {reason}; {}; restore one, or start a new run in another folder", others(.older))]
    NoIntactCheckpoint {
        /// The newest checkpoint.
        path: PathBuf,
        /// What is wrong with it.
        reason: crate::CheckpointFault,
        /// Number of older checkpoints, which are damaged as well.
        older: usize,
    },
    /// A loss diverged: it is not finite (NaN or infinite), or above 1e9.
    #[error("loss `{metric}` diverged: it is {value} after step {step}; {}", last_good(.checkpoint.as_deref()))]
    Diverged {
        /// The loss.
        metric: String,
        /// Its value.
        value: f64,
        /// Steps done.
        step: usize,
        /// The last good checkpoint.
        checkpoint: Option<PathBuf>,
        /// A setting that should help: a lower learning rate.
        retry: crate::RetryHint,
        /// Whether it was trained in float16, whose range is small.
        float16: bool,
    },
    /// Too few faces to evaluate with.
    #[error(
        "{found} held-out faces of known age are too few for an evaluation; at least two are required, and hundreds \
         recommended"
    )]
    TooFewFaces {
        /// Faces that were found.
        found: usize,
    },
    /// The loss curves cannot be plotted.
    #[error("cannot plot the loss curves of the {stage} stage: {reason}")]
    Plot {
        /// The stage.
        stage: crate::Stage,
        /// Why.
        reason: String,
    },
    /// A device failed.
    #[error("a device failed at step {step}: {reason}; if it ran out of memory, lower the batch size")]
    Device {
        /// The step that was not done.
        step: usize,
        /// The error of the device.
        reason: String,
        /// The last checkpoint.
        checkpoint: Option<PathBuf>,
        /// A setting that helps if the device ran out of memory: a smaller batch size, if there is one.
        retry: Option<crate::RetryHint>,
    },
    /// A run was resumed with different data.
    #[error(
        "the {stage} stage was started with {was} training faces and now there are {now}; resume it with the same data"
    )]
    OtherData {
        /// The stage.
        stage: crate::Stage,
        /// Number of training faces when it was started.
        was: usize,
        /// Number of training faces now.
        now: usize,
    },
    /// The training data ended before the last step: an incomplete step would have other gradients.
    #[error(
        "training stopped at step {step}: the training data ended after {found} of {expected} micro-batches of the \
         next step"
    )]
    DataEnded {
        /// Steps done.
        step: usize,
        /// Micro-batches that were left.
        found: usize,
        /// Micro-batches of a step.
        expected: usize,
    },
    /// Batch norm cannot be recalibrated, because a training face cannot be read or the faces ended early.
    #[error("cannot recalibrate batch norm on the training faces")]
    Recalibration {
        /// The error of the faces.
        source: DatasetError,
    },
    /// The training loop stopped with an error.
    #[error("training stopped at step {step}: {reason}")]
    Stopped {
        /// Steps done.
        step: usize,
        /// What went wrong.
        reason: String,
    },
}

/// What the faces of `split` are for.
fn purpose(split: &Split) -> &'static str {
    match split {
        Split::Train => "train on",
        Split::Valid => "validate on",
        Split::Test => "test on",
    }
}

/// Which change of `valid_fraction` gives `split` more faces.
fn more(split: &Split) -> &'static str {
    match split {
        Split::Train => "lower",
        Split::Valid | Split::Test => "raise",
    }
}

fn others(older: &usize) -> String {
    match *older {
        0 => "there is no other checkpoint of this stage".into(),
        _ => format!("the older ones ({older}) are damaged as well"),
    }
}

fn last_good(checkpoint: Option<&Path>) -> String {
    match checkpoint {
        Some(path) => {
            format!("the last good checkpoint is {}; continue from it with a lower learning rate", path.display())
        }
        None => "there is no earlier checkpoint; start again with a lower learning rate".into(),
    }
}
