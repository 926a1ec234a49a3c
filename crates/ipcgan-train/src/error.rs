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
    /// Another process trains in the run folder.
    #[error("{path} is in use by another training; wait until it has ended, or choose another folder with --run")]
    RunInUse {
        /// The run folder.
        path: PathBuf,
    },
    /// There is no run that could go on.
    #[error("there is no run in {path} to resume; check --run, or begin one without --resume")]
    NoRun {
        /// The folder in which a run was expected.
        path: PathBuf,
    },
    /// Where the run folder should be is a file.
    #[error("{path} is not a folder; choose another one with --run")]
    NotAFolder {
        /// The file.
        path: PathBuf,
    },
    /// A folder holds what a run would write over, and is no run.
    #[error("{path} holds {found} but no config.json, so it is not a run; choose another folder with --run")]
    NoRunFolder {
        /// The folder.
        path: PathBuf,
        /// What a run would write over.
        found: PathBuf,
    },
    /// The configuration of a run cannot be used.
    #[error("{path} is not the configuration of a run: {reason}; choose another folder with --run")]
    NoConfig {
        /// The `config.json`.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A stage has learned something, but the checkpoints to go on from are gone.
    #[error(
        "the {stage} stage has learned {steps} steps, but there is no checkpoint of it in {path}; put the checkpoints back, or \
         begin anew in another folder with --run"
    )]
    MissingCheckpoint {
        /// The stage.
        stage: crate::Stage,
        /// Steps that are known to be done.
        steps: usize,
        /// Where the checkpoints should be.
        path: PathBuf,
    },
    /// A stage builds on one that has not been completed.
    #[error(
        "the {stage} stage builds on the {needs} stage, which {path} has not completed; run `--stage {needs}` first, or all \
         stages without --stage"
    )]
    MissingStage {
        /// The stage that cannot start.
        stage: crate::Stage,
        /// The stage that it needs.
        needs: crate::Stage,
        /// The run folder.
        path: PathBuf,
    },
    /// A stage would learn more, and a later one has already learned from what it was.
    #[error(
        "the {later} stage in {path} has learned from the {stage} stage as it is, so the {stage} stage cannot learn more; \
         train in another folder with --run"
    )]
    LaterStage {
        /// The stage that would learn more.
        stage: crate::Stage,
        /// The stage that has learned from it.
        later: crate::Stage,
        /// The run folder.
        path: PathBuf,
    },
    /// A setting differs from what a stage of the run has learned with, and cannot change any more.
    #[error(
        "setting `{setting}` was {was} when the {stage} stage learned and cannot become {now}; choose another folder with --run"
    )]
    FixedSetting {
        /// The setting.
        setting: String,
        /// Its value then.
        was: String,
        /// Its value now.
        now: String,
        /// The stage that has learned with it.
        stage: crate::Stage,
    },
    /// A setting would change, and no stage is left that could learn with it.
    #[error(
        "all stages in {path} are complete, so setting `{setting}` has no effect; more steps, as with --set aging.steps=NUMBER, go \
         on"
    )]
    NothingLeft {
        /// The run folder.
        path: PathBuf,
        /// The setting.
        setting: String,
    },
    /// A file of a run was cut short or changed.
    #[error("{path} is damaged: {reason}; put it back as it was, or train in another folder with --run")]
    DamagedFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// No face has an age, which a stage needs.
    #[error(
        "none of the {count} faces to {purpose} has an age, and the {stage} stage learns from ages; fill the column `age` of \
         metadata.csv"
    )]
    NoAges {
        /// The stage.
        stage: crate::Stage,
        /// What the faces are for, as `train on`.
        purpose: &'static str,
        /// How many faces there are.
        count: usize,
    },
    /// There are no faces for a purpose.
    #[error("there are no faces to {purpose}; {advice}")]
    NoFaces {
        /// What the faces are for, as `train on`.
        purpose: &'static str,
        /// What to change.
        advice: &'static str,
    },
    /// A stage needs more memory than there is.
    #[error("the {stage} stage needs about {needed:.1} GB of memory, and {place} has {total:.1} GB; {advice}")]
    Memory {
        /// The stage.
        stage: crate::Stage,
        /// Gigabytes that it needs.
        needed: f64,
        /// Gigabytes that there are in all.
        total: f64,
        /// Whose memory, as `this machine`.
        place: &'static str,
        /// What to change.
        advice: String,
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
    #[error("{metric} is {value} after step {step}; {advice}")]
    Diverged {
        /// The loss.
        metric: String,
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
