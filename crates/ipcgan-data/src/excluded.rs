//! Faces excluded from a data set, with the reason.

use std::fmt;
use std::path::PathBuf;

use crate::DataError;

/// Kind of reason for an exclusion.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// The age belongs to no age group.
    Age,
    /// The label is invalid or missing.
    Label,
    /// A spreadsheet program converted the age range to a date.
    SpreadsheetDate,
    /// No row of the data set's tables names the image.
    Unlisted,
    /// Another version of the same image is used.
    OtherVersion,
    /// The image is missing or cannot be read.
    Image,
    /// The preparation of the image failed.
    Failed,
    /// A broken or circular link.
    Link,
    /// A folder that cannot be read.
    Folder,
    /// A hidden file or folder, or metadata that macOS adds to archives.
    Hidden,
    /// A folder of faces written by an earlier preparation.
    Prepared,
    /// No face is found in the image.
    NoFace,
    /// The face has too few pixels.
    SmallFace,
    /// The face is blurred.
    Blurred,
    /// The head is turned to a side.
    Turned,
    /// The identity, or a near-duplicate, is in another split.
    OtherSplit,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Age => "age outside of all age groups",
            Self::Label => "unusable label",
            Self::SpreadsheetDate => "age that a spreadsheet turned into a date",
            Self::Unlisted => "not listed in the tables",
            Self::OtherVersion => "other version of an image that is used",
            Self::Image => "unreadable image",
            Self::Failed => "failed preparation",
            Self::Link => "broken or circular link",
            Self::Folder => "unreadable folder",
            Self::Hidden => "hidden file or folder",
            Self::Prepared => "prepared faces, not photos",
            Self::NoFace => "no face found",
            Self::SmallFace => "face too small",
            Self::Blurred => "face too blurred",
            Self::Turned => "head turned to a side",
            Self::OtherSplit => "identity or image in another split",
        })
    }
}

/// Reason for an exclusion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The kind of reason.
    pub cause: Cause,
    /// The reason as text.
    pub reason: String,
}

impl Fault {
    pub(crate) fn label(reason: impl Into<String>) -> Self {
        Self { cause: Cause::Label, reason: reason.into() }
    }

    pub(crate) fn new(cause: Cause, reason: impl Into<String>) -> Self {
        Self { cause, reason: reason.into() }
    }

    pub(crate) fn image(reason: impl Into<String>) -> Self {
        Self { cause: Cause::Image, reason: reason.into() }
    }

    /// Why no face could be extracted from an image.
    pub(crate) fn of(error: &DataError) -> Self {
        match error {
            DataError::NoFaceFound { .. } => Self { cause: Cause::NoFace, reason: "no face found".into() },
            DataError::FaceTooSmall { side, min, .. } => {
                let reason = format!("the face is {side} pixels wide; the minimum is {min}");
                Self { cause: Cause::SmallFace, reason }
            }
            DataError::FaceBlurred { sharpness, min, .. } => {
                Self::new(Cause::Blurred, format!("the face is blurred: sharpness {sharpness:.0}, minimum {min}"))
            }
            DataError::FaceTurned { yaw, max, .. } => {
                Self::new(Cause::Turned, format!("the head is turned to a side: {yaw:.2}, maximum {max}"))
            }
            DataError::ImageFailed { reason, .. } => {
                Self::new(Cause::Failed, format!("the preparation failed: {reason}"))
            }
            error => Self::image(error.user_message()),
        }
    }
}

/// A face excluded from a data set, with the reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Excluded {
    /// The image, or the table if its row names no image.
    pub path: PathBuf,
    /// Line in the table, from 1, if a table names the face.
    pub line: Option<u64>,
    /// The reason for the exclusion.
    pub fault: Fault,
}

impl fmt::Display for Excluded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(f, "line {line}: ")?;
        }
        write!(f, "{}: {}", self.path.display(), self.fault.reason)
    }
}
