//! What can go wrong with pictures and data sets.

use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};

use crate::counted;
use crate::photo::{DecodeFault, PhotoWarning, PictureKind};

/// An error of this package: what failed, where, and what to change if that is known.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// A file or folder could not be read.
    #[error("cannot read {path}")]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file or folder could not be written.
    #[error("cannot write {path}")]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A folder was given in place of a picture.
    #[error("{path} is a folder; give the path of a picture in it")]
    PictureIsFolder {
        /// The folder.
        path: PathBuf,
    },
    /// A file is no picture of any kind that is known.
    #[error("{path} is no picture of a known kind; use {}", PictureKind::readable_names())]
    UnknownFormat {
        /// The file.
        path: PathBuf,
    },
    /// A file is a picture of a kind that is not read.
    #[error("{path} is a picture of the kind {kind}, which cannot be read; {}", .kind.advice())]
    UnreadableKind {
        /// The file.
        path: PathBuf,
        /// What it is by its content.
        kind: PictureKind,
    },
    /// A file is known, but no picture.
    #[error("{path} is {what}, not a picture; {advice}")]
    NoPicture {
        /// The file.
        path: PathBuf,
        /// What it is by its content, as `a PDF document`.
        what: &'static str,
        /// What to do.
        advice: &'static str,
    },
    /// A picture's file is empty.
    #[error("{path} is an empty file; copy or download it again")]
    EmptyPicture {
        /// The file.
        path: PathBuf,
    },
    /// A file is longer than what is read into memory.
    #[error("{path} is longer than {} MB; make it smaller", .limit / 1_000_000)]
    TooLong {
        /// The file.
        path: PathBuf,
        /// The most bytes.
        limit: u64,
    },
    /// A picture's data are cut short, damaged, or of a variant of its format that is not read.
    ///
    /// The message says all that a user needs; the source has the words of the decoder.
    #[error("{path} is {}", .fault.describe(*.kind))]
    Decode {
        /// The picture.
        path: PathBuf,
        /// What it is by its content.
        kind: PictureKind,
        /// What is wrong with its data.
        fault: DecodeFault,
        /// The error of the decoder, if it was that which found out.
        source: Option<Box<image::ImageError>>,
    },
    /// A picture's file is odd, where only sound ones are wanted.
    #[error("picture {path}: {warning}; copy or download it again")]
    PhotoWarning {
        /// The picture.
        path: PathBuf,
        /// What is odd.
        warning: PhotoWarning,
    },
    /// A picture is too large to be decoded.
    #[error("picture {path} has {width} x {height} pixels, above the limit of {limit}; make it smaller")]
    TooLarge {
        /// The picture.
        path: PathBuf,
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
        /// The largest number of pixels that is decoded.
        limit: u64,
    },
    /// A picture is too small to show a face.
    #[error("picture {path} has only {width} x {height} pixels; use one of at least {least} x {least}")]
    TooSmall {
        /// The picture.
        path: PathBuf,
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
        /// The least width and height that are accepted.
        least: u32,
    },
    /// A picture could not be turned into the bytes of a file.
    #[error("cannot encode picture {path}")]
    Encode {
        /// The file that was to be written.
        path: PathBuf,
        /// Why.
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
    NoDataSet {
        /// The folder.
        path: PathBuf,
    },
    /// A folder of pictures has no `metadata.csv`.
    #[error("{path} is missing; prepare the folder first (`ipcgan prepare`)")]
    MissingMetadata {
        /// Where `metadata.csv` was looked for.
        path: PathBuf,
    },
    /// A `metadata.csv` is no CSV table.
    #[error("cannot read table {path}")]
    Metadata {
        /// The `metadata.csv`.
        path: PathBuf,
        /// Why.
        source: csv::Error,
    },
    /// A table lacks a column: that of file names, or one whose name was given.
    #[error("{path} has no column `{name}`; its columns are: {}{}", .found.join(", "), suggestion(.similar.as_deref()))]
    MissingColumn {
        /// The table.
        path: PathBuf,
        /// What we call the column.
        ours: &'static str,
        /// What the table should call it.
        name: String,
        /// The columns that it has.
        found: Vec<String>,
        /// One of them that may be meant.
        similar: Option<String>,
    },
    /// None of the rows of a `metadata.csv` can be used.
    #[error("{path} names no face that can be used: {reason}")]
    NoFaces {
        /// The `metadata.csv`.
        path: PathBuf,
        /// Why the first row was left out.
        reason: String,
    },
    /// No face is found in a picture.
    #[error("no face found in {path}")]
    NoFaceFound {
        /// The picture.
        path: PathBuf,
    },
    /// The face in a picture has too few pixels to learn from.
    #[error("the face in {path} is only {side} pixels wide; faces of at least {least} are used")]
    FaceTooSmall {
        /// The picture.
        path: PathBuf,
        /// Side of the square around the face, in pixels of the picture.
        side: u32,
        /// The least side that is accepted.
        least: u32,
    },
    /// A folder holds no picture that can be read.
    #[error("{path} holds no pictures that can be read ({readable}){skipped}", readable = PictureKind::readable_names())]
    NoPictures {
        /// The folder.
        path: PathBuf,
        /// What was skipped, as `; 3 were skipped, as a.heic: ...`, or nothing.
        skipped: String,
    },
    /// It is not clear what kind of data set a folder holds.
    #[error("it is not clear what kind of data set {path} is: it holds {seen}{}", may_be(.candidates))]
    UnclearSource {
        /// The folder.
        path: PathBuf,
        /// What was found in it.
        seen: String,
        /// Kinds that it may be, each with what speaks for it and what is missing.
        candidates: Vec<String>,
    },
    /// No picture of a data set shows a face that can be used.
    #[error("no face to prepare for {path}: {reason}")]
    NothingPrepared {
        /// The folder that was to be prepared.
        path: PathBuf,
        /// Why the first picture was left out.
        reason: String,
    },
    /// A folder holds faces that were prepared in another way.
    #[error("{path} was prepared otherwise: {}; prepare into another folder, or remove this one", .differences.join(", "))]
    PreparedOtherwise {
        /// The `prepare.json`.
        path: PathBuf,
        /// What differs, each as `size was 64 and is 128 now`.
        differences: Vec<String>,
    },
    /// A folder holds the faces of another data set, which would be removed.
    #[error(
        "{path} holds {}, of which this data set has {known} (of the same name and content); prepare into another folder, or \
         remove this one",
        counted(*.done, "face", "faces")
    )]
    OtherDataSet {
        /// The folder.
        path: PathBuf,
        /// Faces in it.
        done: usize,
        /// Those of them that the data set has, too.
        known: usize,
    },
    /// A folder that is to be prepared holds files that preparing would replace, and that it did not write.
    #[error("{folder} holds {name}, which was not written by an earlier preparation; give an empty or a new folder")]
    ForeignFile {
        /// The folder.
        folder: PathBuf,
        /// The file.
        name: &'static str,
    },
    /// Another program prepares the same folder at this moment.
    #[error("{path} is being prepared by another run; wait for it, or choose another folder")]
    BeingPrepared {
        /// The folder.
        path: PathBuf,
    },
    /// A file that another program wrote does not hold what it should.
    #[error("{path} {reason}")]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, as `is no MATLAB file`.
        reason: String,
    },
    /// The pictures of one person are labelled with several splits.
    #[error("pictures of `{identity}` are in {first} and in {second}; give one person one `split` in metadata.csv")]
    SplitPerson {
        /// The person.
        identity: String,
        /// One split.
        first: crate::Split,
        /// The other split.
        second: crate::Split,
    },
    /// An age group has no face to learn from.
    #[error("{what} has no face of age group {group}; add pictures of that age or choose other age groups")]
    EmptyGroup {
        /// Which faces, such as `the training set`.
        what: String,
        /// Name of the age group.
        group: String,
    },
    /// There are too few people to tell apart.
    #[error("{what} names {count} people, and telling people apart takes two; fill column `identity` of metadata.csv")]
    TooFewIdentities {
        /// Which faces, such as `the training set`.
        what: String,
        /// How many people it names.
        count: usize,
    },
    /// A face without an age group is among faces that all need one.
    #[error("face {name} has no age group; give it an `age` or a `group` in metadata.csv, or filter it out")]
    NoGroup {
        /// The face.
        name: String,
    },
}

impl DataError {
    /// The message with its causes, separated by colons, in one line; without the words of a decoder, which say nothing to
    /// users.
    pub fn in_one_line(&self) -> String {
        let mut text = self.to_string();
        let mut cause = match self {
            Self::Decode { .. } => None,
            error => error.source(),
        };
        while let Some(error) = cause {
            text += &format!(": {error}").replace('\n', " ");
            cause = error.source();
        }
        text
    }

    /// What the decoder of a picture said, which [`DataError::in_one_line`] leaves out.
    pub fn decoder_error(&self) -> Option<&image::ImageError> {
        match self {
            Self::Decode { source, .. } => source.as_deref(),
            _ => None,
        }
    }

    /// Makes a [`DataError::Read`] of what the system says of `path`.
    pub(crate) fn reading(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Read { path: path.into(), source }
    }

    /// Says what is wrong with the file `path`, as `is no MATLAB file`.
    pub(crate) fn unusable(path: &Path, reason: impl Into<String>) -> Self {
        Self::Unusable { path: path.into(), reason: reason.into() }
    }

    /// Makes a [`DataError::Write`] of what the system says of `path`.
    pub(crate) fn writing(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Write { path: path.into(), source }
    }
}

/// The end of a message that names what may be meant.
fn suggestion(similar: Option<&str>) -> String {
    similar.map(|name| format!(" (is it `{name}`?)")).unwrap_or_default()
}

/// The end of a message that names what may be meant, of several.
fn may_be(candidates: &[String]) -> String {
    match candidates {
        [] => String::new(),
        _ => format!("; it may be {}", candidates.join(", or ")),
    }
}
