//! Errors of images and data sets.

use std::io;
use std::path::{Path, PathBuf};

use burn::data::dataset::DatasetError;

use crate::counted;
use crate::photo::{DecodeFault, ImageKind, PhotoWarning};

/// An error of images or data sets.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// A file or folder could not be read.
    #[error("cannot read {path}")]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// The underlying error.
        source: io::Error,
    },
    /// A file or folder could not be written.
    #[error("cannot write {path}")]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// The underlying error.
        source: io::Error,
    },
    /// A folder was given in place of an image.
    #[error("{path} is a folder; give the path of an image in it")]
    ImageIsFolder {
        /// The folder.
        path: PathBuf,
    },
    /// A file is not an image of any known format.
    #[error("{path} is not an image of a supported format; use {}", ImageKind::readable_names())]
    UnknownFormat {
        /// The file.
        path: PathBuf,
    },
    /// A file is an image in a format that cannot be decoded.
    #[error("{path} is an image in the format {kind}, which cannot be read; {}", .kind.advice())]
    UnreadableKind {
        /// The file.
        path: PathBuf,
        /// Its format, detected by content.
        kind: ImageKind,
    },
    /// A file of a known type that is not an image.
    #[error("{path} is {what}, not an image; {advice}")]
    NotAnImage {
        /// The file.
        path: PathBuf,
        /// Its type, detected by content, such as `a PDF document`.
        what: &'static str,
        /// Advice to the user.
        advice: &'static str,
    },
    /// An image's file is empty.
    #[error("{path} is an empty file; copy or download it again")]
    EmptyFile {
        /// The file.
        path: PathBuf,
    },
    /// A file is too large to be read into memory.
    #[error("{path} is larger than {} MB; make it smaller", .limit / 1_000_000)]
    TooLong {
        /// The file.
        path: PathBuf,
        /// Maximum size in bytes.
        limit: u64,
    },
    /// An image's data are truncated, damaged, or of an unsupported variant of the format.
    ///
    /// The message is complete for users; the source holds the decoder's error.
    #[error("{path} is {}", .fault.describe(*.kind))]
    Decode {
        /// The image.
        path: PathBuf,
        /// Its format, detected by content.
        kind: ImageKind,
        /// What is wrong with its data.
        fault: DecodeFault,
        /// The decoder's error, if the decoder detected the fault.
        source: Option<Box<image::ImageError>>,
    },
    /// An image file has a warning where only intact files are accepted.
    #[error("image {path}: {warning}; copy or download it again")]
    PhotoWarning {
        /// The image.
        path: PathBuf,
        /// The warning.
        warning: PhotoWarning,
    },
    /// An image is too large to be decoded.
    #[error("{path} has {width} x {height} pixels, above the limit of {limit}; make it smaller")]
    TooLarge {
        /// The image.
        path: PathBuf,
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
        /// Maximum number of pixels that is decoded.
        limit: u64,
    },
    /// An image is too small to show a face.
    #[error("{path} has only {width} x {height} pixels; use an image of at least {min} x {min}")]
    TooSmall {
        /// The image.
        path: PathBuf,
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
        /// Minimum width and height.
        min: u32,
    },
    /// An image could not be encoded.
    #[error("cannot encode image {path}")]
    Encode {
        /// The file that was to be written.
        path: PathBuf,
        /// The underlying error.
        source: image::ImageError,
    },
    /// The folder of a data set does not exist.
    #[error("there is no folder {path}; give the folder that holds metadata.csv")]
    MissingFolder {
        /// The folder.
        path: PathBuf,
    },
    /// The folder of a downloaded data set does not exist.
    #[error("there is no folder {path}; give the folder into which the data set was unpacked")]
    MissingDataSet {
        /// The folder.
        path: PathBuf,
    },
    /// A folder of images has no `metadata.csv`.
    #[error("{path} is missing; prepare the folder first")]
    MissingMetadata {
        /// Expected path of `metadata.csv`.
        path: PathBuf,
    },
    /// A `metadata.csv` is not a valid CSV table.
    #[error("cannot read table {path}")]
    Metadata {
        /// The `metadata.csv`.
        path: PathBuf,
        /// The underlying error.
        source: csv::Error,
    },
    /// A table lacks a required column: the column of file names, or one that the user named.
    #[error("{path} has no column `{name}`; its columns are: {}{}", .found.join(", "), suggestion(.similar.as_deref()))]
    MissingColumn {
        /// The table.
        path: PathBuf,
        /// Our name of the column.
        ours: &'static str,
        /// The expected name in the table.
        name: String,
        /// The columns of the table.
        found: Vec<String>,
        /// An existing column with a similar name.
        similar: Option<String>,
    },
    /// No row of a `metadata.csv` is usable.
    #[error("{path} names no face that can be used: {reason}")]
    NoFaces {
        /// The `metadata.csv`.
        path: PathBuf,
        /// Why the first row was excluded.
        reason: String,
    },
    /// No face is found in an image.
    #[error("no face found in {path}")]
    NoFaceFound {
        /// The image.
        path: PathBuf,
    },
    /// The face detector failed on a blank photo too, as with a lost device or a damaged network.
    #[error("cannot detect faces in {path}: {reason}")]
    DetectorFailed {
        /// The image.
        path: PathBuf,
        /// The message of the detector or its device.
        reason: String,
    },
    /// The preparation of an image failed (panicked), but the face detector works.
    #[error("cannot prepare {path}: {reason}")]
    ImageFailed {
        /// The image.
        path: PathBuf,
        /// The message of the panic.
        reason: String,
    },
    /// The preparation failed on most images, so the images are not the cause.
    #[error("the preparation failed on {failed} of {}; the first one: {first}", counted(*.images, "image", "images"))]
    MostImagesFailed {
        /// Number of images on which it failed.
        failed: usize,
        /// Number of images.
        images: usize,
        /// The first of them, and why.
        first: String,
    },
    /// The face in an image has too few pixels for training.
    #[error("the face in {path} is only {side} pixels wide; the minimum is {min}")]
    FaceTooSmall {
        /// The image.
        path: PathBuf,
        /// Side of the square around the face, in pixels of the image.
        side: u32,
        /// Minimum side.
        min: u32,
    },
    /// The face in an image is blurred.
    #[error("the face in {path} is blurred: its sharpness is {sharpness:.0}; the minimum is {min}")]
    FaceBlurred {
        /// The image.
        path: PathBuf,
        /// Variance of the Laplacian.
        sharpness: f64,
        /// Minimum.
        min: f64,
    },
    /// The head in an image is turned to a side.
    #[error("the head in {path} is turned to a side by {yaw:.2}; the maximum is {max}")]
    FaceTurned {
        /// The image.
        path: PathBuf,
        /// 0 is frontal, 1 has the nose below an eye.
        yaw: f64,
        /// Maximum.
        max: f64,
    },
    /// A folder holds no readable image.
    #[error("{path} holds no images that can be read ({readable}){skipped}", readable = ImageKind::readable_names())]
    NoImages {
        /// The folder.
        path: PathBuf,
        /// Summary of skipped files, such as `; 3 files and folders were skipped, such as a.heic: ...`, or empty.
        skipped: String,
    },
    /// The kind of data set in a folder cannot be detected.
    #[error("cannot detect the kind of the data set {path}: it holds {seen}{}", may_be(.candidates))]
    AmbiguousSource {
        /// The folder.
        path: PathBuf,
        /// Summary of the folder's contents.
        seen: String,
        /// Candidate kinds, each with its evidence and what is missing.
        candidates: Vec<String>,
    },
    /// A folder holds no table of labels, or several.
    #[error("{path} holds {}; name the table to read", tables(.found))]
    AmbiguousTable {
        /// The folder.
        path: PathBuf,
        /// The tables in it.
        found: Vec<String>,
    },
    /// No image of a data set shows a usable face.
    #[error("no face to prepare for {path}: {reason}")]
    NothingPrepared {
        /// The folder that was to be prepared.
        path: PathBuf,
        /// Why the first image was excluded.
        reason: String,
    },
    /// A folder holds faces that were prepared with other settings.
    #[error("{path} was prepared with other settings: {}; prepare into another folder, or remove this one", .differences.join(", "))]
    PreparedDifferently {
        /// The `prepare.json`.
        path: PathBuf,
        /// The settings that differ, each as `size was 64 and is 128 now`.
        differences: Vec<String>,
    },
    /// A folder holds prepared faces of another data set, which would be removed.
    #[error(
        "{path} holds {}, of which this data set has {known} (of the same name and content); prepare into another folder, or \
         remove this one",
        counted(*.done, "face", "faces")
    )]
    OtherDataSet {
        /// The folder.
        path: PathBuf,
        /// Number of prepared faces in the folder.
        done: usize,
        /// Number of those that the data set also has.
        known: usize,
    },
    /// A folder holds files that the preparation would overwrite but did not write.
    #[error("{folder} holds {name}, which was not written by an earlier preparation; give an empty or a new folder")]
    ForeignFile {
        /// The folder.
        folder: PathBuf,
        /// The file.
        name: &'static str,
    },
    /// Another process is preparing the same folder.
    #[error("{path} is being prepared by another run; wait for it, or choose another folder")]
    BeingPrepared {
        /// The folder.
        path: PathBuf,
    },
    /// A file written by another program has unexpected contents.
    #[error("{path} {reason}")]
    Unusable {
        /// The file.
        path: PathBuf,
        /// The fault, such as `is not a MATLAB file`.
        reason: String,
    },
    /// Images of one identity are labelled with different splits.
    #[error(
        "identity `{identity}` has images in {first} and in {second}; give each identity one `split` in metadata.csv"
    )]
    IdentityInTwoSplits {
        /// The identity.
        identity: String,
        /// One split.
        first: crate::Split,
        /// The other split.
        second: crate::Split,
    },
    /// An age group has no face to train on.
    #[error("{what} has no face of age group {group}; add images of that age or choose other age groups")]
    EmptyGroup {
        /// Which faces, such as `the training set`.
        what: String,
        /// Name of the age group.
        group: String,
    },
    /// There are too few identities for classification.
    #[error("{what} has {count} identities, but at least two are required; fill column `identity` of metadata.csv")]
    TooFewIdentities {
        /// Which faces, such as `the training set`.
        what: String,
        /// Number of identities.
        count: usize,
    },
    /// A face has no age group in a set in which all faces need one.
    #[error("face {name} has no age group; give it an `age` or a `group` in metadata.csv, or filter it out")]
    NoGroup {
        /// The face.
        name: String,
    },
}

impl DataError {
    /// The message with its causes on one line, separated by colons; without the decoder's error, which does not help
    /// users.
    pub fn user_message(&self) -> String {
        match self {
            Self::Decode { .. } => self.to_string(),
            error => ipcgan_system::with_causes(error),
        }
    }

    /// The decoder's error, which [`DataError::user_message`] omits.
    pub fn decoder_error(&self) -> Option<&image::ImageError> {
        match self {
            Self::Decode { source, .. } => source.as_deref(),
            _ => None,
        }
    }

    /// As the error of a Burn data set, with all causes in its message: Burn's loaders pass on nothing else.
    pub(crate) fn into_dataset_error(self) -> DatasetError {
        DatasetError::new(io::Error::other(self.user_message()))
    }

    /// Converts an I/O error into [`DataError::Read`] for `path`.
    pub(crate) fn reading(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Read { path: path.into(), source }
    }

    /// An error about the contents of the file `path`; `reason` is, for example, `is not a MATLAB file`.
    pub(crate) fn unusable(path: &Path, reason: impl Into<String>) -> Self {
        Self::Unusable { path: path.into(), reason: reason.into() }
    }

    /// Converts an I/O error into [`DataError::Write`] for `path`.
    pub(crate) fn writing(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Write { path: path.into(), source }
    }
}

/// Message suffix that suggests a similar name.
fn suggestion(similar: Option<&str>) -> String {
    similar.map(|name| format!(" (did you mean `{name}`?)")).unwrap_or_default()
}

/// Names of tables.
fn tables(found: &[String]) -> String {
    if found.is_empty() { "no table (CSV or TSV)".into() } else { found.join(", ") }
}

/// Message suffix that lists candidates.
fn may_be(candidates: &[String]) -> String {
    match candidates {
        [] => String::new(),
        _ => format!("; it may be {}", candidates.join(", or ")),
    }
}
