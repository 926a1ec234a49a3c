//! Results for a clip.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::Result;
use ipcgan::system::{JsonPath, TemporaryFile};
use serde::Serialize;

use crate::age::aging::Aging;
use crate::age::resume_log::{PhotoId, ResumeLog, Written};
use crate::age::selection::Age;
use crate::exit_reason::ExitReason;

/// Results for a clip.
#[derive(Debug, Serialize)]
pub(crate) struct AgedClip {
    pub(super) path: JsonPath,
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) frames: usize,
    /// Frames per second as a fraction.
    pub(super) frame_rate: String,
    /// Number of tracked faces.
    pub(super) faces: usize,
    /// The seconds of the clip that were aged before an interrupt, if there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) interrupted_after: Option<f64>,
    /// Results by age.
    pub(super) videos: BTreeMap<String, JsonPath>,
    /// All results.
    pub(crate) files: Vec<JsonPath>,
    /// Number of replaced results of earlier runs.
    #[serde(skip)]
    pub(crate) replaced: usize,
    /// Duration of the clip in seconds.
    #[serde(skip)]
    pub(super) duration: f64,
}

impl AgedClip {
    /// Gives the result at `age` its name, `file`, which is relative to the output folder.
    pub(super) fn add(
        &mut self,
        aging: &Aging,
        age: &Age,
        file: PathBuf,
        content: TemporaryFile,
        clip: &PhotoId,
        log: &mut ResumeLog,
    ) -> Result<()> {
        self.replaced += usize::from(log.persist(&file, content, clip)? == Written::Replaced);
        let path = JsonPath::from(aging.out.join(file));
        self.videos.insert(age.name.clone(), path.clone());
        self.files.push(path);
        Ok(())
    }

    /// Why the results are partial; none if they are complete.
    pub(crate) fn interruption(&self) -> Option<ExitReason> {
        let seconds = self.interrupted_after?;
        let kept: Vec<_> = self.files.iter().map(|file| file.as_path().display().to_string()).collect();
        Some(ExitReason::Stopped(format!(
            "interrupted after {seconds:.1} of {:.1} seconds: kept {}; the same command starts again at the first \
             frame",
            self.duration,
            kept.join(", ")
        )))
    }
}
