//! Everything that determines the results for a photo.

use std::fs;
use std::io;
use std::path::Path;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use walkdir::WalkDir;

use super::output_format::OutputFormat;
use super::request::{AgeRequest, OutputKind};
use super::selection::{Age, FaceSelection};
use super::source::Content;

/// Everything that determines the results for a photo, as stored in the resume log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ResultSettings {
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

impl ResultSettings {
    /// The settings of `request`, for `ages`, with the generator in the file or folder `weights`.
    ///
    /// # Errors
    /// The weights cannot be read.
    pub(crate) fn new(request: &AgeRequest, ages: &[Age], weights: Option<&Path>) -> Result<Self> {
        let weights = weights.map(contents).transpose().context("cannot read the weights")?;
        Ok(Self {
            program: env!("CARGO_PKG_VERSION").into(),
            weights,
            ages: ages.iter().map(|age| age.name.clone()).collect(),
            face: request.face,
            strength: request.strength,
            format: request.format,
            shown: request.shown,
            animate: request.animate,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_read_back_as_they_were_written() {
        let settings = ResultSettings {
            program: "0.1.0".into(),
            weights: Some(vec![Content::of(b"weights")]),
            ages: vec!["51+".into()],
            face: "2".parse().unwrap(),
            strength: 1.3,
            format: OutputFormat::Same,
            shown: OutputKind::Crops,
            animate: true,
        };

        let json = serde_json::to_string(&settings).unwrap();

        assert_eq!(serde_json::from_str::<ResultSettings>(&json).unwrap(), settings);
    }
}
