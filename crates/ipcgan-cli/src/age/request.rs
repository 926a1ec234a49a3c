//! The request of `ipcgan age`: everything that determines the results for a photo.

use std::fmt;
use std::fs;
use std::io;
use std::path::Path;
use std::str::FromStr;

use anyhow::{Context, Result};
use ipcgan::photo::{Original, PhotoFormat};
use serde::{Deserialize, Serialize};
use walkdir::WalkDir;

use super::selection::{Age, FaceSelection};
use super::source::Content;
use crate::arguments::AgeArguments;

/// The request, as stored in the resume log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct AgeRequest {
    /// Version of the program.
    program: String,
    /// Content of the weights; none for the embedded ones.
    weights: Option<Vec<Content>>,
    ages: Vec<String>,
    pub(crate) face: FaceSelection,
    pub(crate) strength: f32,
    pub(crate) format: OutputFormat,
    pub(crate) shown: OutputKind,
    pub(crate) animate: bool,
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

/// File format of results.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OutputFormat {
    /// That of the photo, or PNG where that cannot be written.
    Same,
    Fixed(PhotoFormat),
}

impl AgeRequest {
    /// The request of `arguments`, with the generator in the file or folder `weights`.
    ///
    /// # Errors
    /// The weights cannot be read.
    pub(crate) fn new(arguments: &AgeArguments, ages: &[Age], weights: Option<&Path>) -> Result<Self> {
        let weights = weights.map(contents).transpose().context("cannot read the weights")?;
        let shown = match (arguments.aligned, arguments.crops) {
            (true, _) => OutputKind::Aligned,
            (_, true) => OutputKind::Crops,
            _ => OutputKind::Photo,
        };
        Ok(Self {
            program: env!("CARGO_PKG_VERSION").into(),
            weights,
            ages: ages.iter().map(|age| age.name.clone()).collect(),
            face: arguments.face,
            strength: arguments.strength,
            format: arguments.format,
            shown,
            animate: arguments.animate,
        })
    }
}

/// Content of a file, or of all files in a folder.
fn contents(path: &Path) -> io::Result<Vec<Content>> {
    if !fs::metadata(path)?.is_dir() {
        return Ok(vec![Content::of_file(path)?]);
    }
    let entries = WalkDir::new(path).sort_by_file_name().into_iter();
    let files = entries.filter(|entry| entry.as_ref().is_ok_and(|entry| entry.file_type().is_file()));
    files.map(|file| Content::of_file(file?.path())).collect()
}

impl OutputFormat {
    /// Format of the results of `photo`.
    pub(crate) fn of(self, photo: &Original) -> PhotoFormat {
        match self {
            Self::Fixed(format) => format,
            Self::Same => PhotoFormat::like(photo),
        }
    }

    /// Possible formats of results.
    pub(crate) fn possible(self) -> Vec<PhotoFormat> {
        match self {
            Self::Same => PhotoFormat::ALL.to_vec(),
            Self::Fixed(format) => vec![format],
        }
    }
}

impl fmt::Display for OutputFormat {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Same => formatter.write_str("same"),
            Self::Fixed(format) => format.fmt(formatter),
        }
    }
}

impl FromStr for OutputFormat {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.trim().to_ascii_lowercase().as_str() {
            "same" => Ok(Self::Same),
            name => {
                name.parse().map(Self::Fixed).map_err(|error| format!("{error}; `same` keeps the format of the photo"))
            }
        }
    }
}

impl Serialize for OutputFormat {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for OutputFormat {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_format_is_known_by_its_usual_names_in_any_case() {
        for name in ["jpg", "jpeg", "JPEG", ".jpg", " Jpg"] {
            assert_eq!(name.parse(), Ok(OutputFormat::Fixed(PhotoFormat::Jpeg)), "{name}");
        }
        assert_eq!("PNG".parse(), Ok(OutputFormat::Fixed(PhotoFormat::Png)));
        assert_eq!("Same".parse(), Ok(OutputFormat::Same));
        assert!("heic".parse::<OutputFormat>().unwrap_err().contains("png"));
    }

    #[test]
    fn a_request_is_read_back_as_it_was_written() {
        let request = AgeRequest {
            program: "0.1.0".into(),
            weights: Some(vec![Content::of(b"weights")]),
            ages: vec!["51+".into()],
            face: "2".parse().unwrap(),
            strength: 1.3,
            format: OutputFormat::Same,
            shown: OutputKind::Crops,
            animate: true,
        };

        let json = serde_json::to_string(&request).unwrap();

        assert_eq!(serde_json::from_str::<AgeRequest>(&json).unwrap(), request);
    }
}
