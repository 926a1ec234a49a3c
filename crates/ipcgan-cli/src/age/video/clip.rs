//! A clip that is aged, and its results.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Result;
use ipcgan::system::TemporaryFile;

use super::aged_clip::AgedClip;
use super::container::Container;
use super::encoder::truncated;
use super::probe::ClipInfo;
use crate::age::aging::Aging;
use crate::age::resume_log::{PhotoId, ResumeLog};
use crate::age::suffixes::Suffixes;
use crate::exit_reason::ExitReason;

/// A clip with the names of its results.
pub(super) struct Clip<'a> {
    pub(super) path: &'a Path,
    pub(super) id: PhotoId,
    pub(super) base: &'a Path,
    pub(super) info: ClipInfo,
    pub(super) container: Container,
}

impl Clip<'_> {
    /// The result at an age, relative to the output folder.
    pub(super) fn file(&self, age: &str) -> PathBuf {
        self.with_suffix(&Suffixes::image(age, self.container.extension()))
    }

    /// The result at an age if the command is interrupted.
    pub(super) fn partial_file(&self, age: &str) -> PathBuf {
        self.with_suffix(&Suffixes::partial(age, self.container.extension()))
    }

    fn with_suffix(&self, suffix: &str) -> PathBuf {
        let mut name = self.base.as_os_str().to_owned();
        name.push(suffix);
        name.into()
    }

    /// Gives the complete results their names.
    pub(super) fn keep(
        &self,
        aging: &Aging,
        files: Vec<TemporaryFile>,
        faces: usize,
        frames: usize,
        log: &mut ResumeLog,
    ) -> Result<AgedClip> {
        let mut aged = self.result(faces, frames);
        for (age, complete) in aging.ages.iter().zip(files) {
            aged.add(aging, age, self.file(&age.name), complete, &self.id, log)?;
        }
        Ok(aged)
    }

    /// Keeps the first `done` of `count` frames, with their audio, under another name than a complete result.
    pub(super) fn keep_partial(
        &self,
        aging: &Aging,
        files: Vec<TemporaryFile>,
        faces: usize,
        [done, count]: [usize; 2],
        log: &mut ResumeLog,
    ) -> Result<AgedClip> {
        let [seconds, duration] = [done, count].map(|frames| self.info.timing.seconds(frames));
        let mut aged = self.result(faces, done);
        for (age, whole) in aging.ages.iter().zip(files) {
            let file = self.partial_file(&age.name);
            let partial = truncated(&whole, seconds, self.container, &aging.out.join(&file))?;
            aged.add(aging, age, file, partial, &self.id, log)?;
        }
        aged.interrupted_after = Some(seconds);
        aged.duration = duration;
        Ok(aged)
    }

    /// The result of `frames` frames, without files.
    fn result(&self, faces: usize, frames: usize) -> AgedClip {
        AgedClip {
            path: self.path.into(),
            width: self.info.width,
            height: self.info.height,
            frames,
            frame_rate: self.info.timing.rate.to_string(),
            faces,
            interrupted_after: None,
            videos: BTreeMap::new(),
            files: Vec::new(),
            replaced: 0,
            duration: self.info.timing.seconds(frames),
        }
    }

    /// Why the command stops if it was interrupted before a frame was aged.
    pub(super) fn nothing_kept(&self) -> ExitReason {
        let name = self.path.display();
        ExitReason::Stopped(format!("interrupted before a frame of {name} was aged; the same command starts again"))
    }
}
