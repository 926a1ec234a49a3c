//! Ages the frames of a video that are photos.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Result;
use ipcgan::photo::{self, Original};
use log::info;

use super::tracked_faces::TrackedFaces;
use crate::age::aging::Aging;
use crate::age::listing::{Listing, Photo};
use crate::age::results::{Job, Output, Results};
use crate::age::resume_log::{PhotoId, ResumeLog};
use crate::age::source::Content;
use crate::age::summary::Summary;
use crate::output::{print_error, print_path};
use crate::progress::Progress;

/// Writes each frame of `listing`, in order, at each age; `bases` are the base names of the results.
pub(crate) fn run(aging: &Aging, listing: &Listing, bases: &[PathBuf], log: ResumeLog) -> Result<()> {
    let frames = &listing.photos;
    let mut summary = Summary::new(listing);
    let progress = Progress::new("detecting faces");
    let mut found = Vec::new();
    for (index, frame) in frames.iter().enumerate() {
        progress.show(index, frames.len());
        // An unreadable frame counts as one without faces; the other frames are still aged.
        let faces = match read(frame) {
            Ok(Frame { photo, .. }) => aging.photo_aging.faces(&photo.rgb()),
            Err(error) => {
                print_error(&error);
                Vec::new()
            }
        };
        found.push(faces.into_iter().map(|face| face.found).collect());
    }
    progress.finish();
    let faces = TrackedFaces::of(aging, &found)?;
    info!("faces: {}, frames: {}", faces.count(), frames.len());
    let mut video = Video { aging, frames, bases, faces, near: BTreeMap::new(), log };
    let progress = Progress::new("ageing frames");
    for frame in 0..frames.len() {
        progress.show(frame, frames.len());
        match video.write(frame)? {
            Some(replaced) => {
                summary.aged += 1;
                summary.replaced += replaced;
            }
            None => summary.failed += 1,
        }
    }
    progress.finish();
    summary.report_replaced();
    info!("{summary}");
    summary.result()
}

struct Frame {
    bytes: Arc<[u8]>,
    photo: Original,
}

fn read(frame: &Photo) -> Result<Frame> {
    let bytes = frame.source.read()?;
    let photo = photo::original(&bytes, frame.source.name())?;
    Ok(Frame { bytes, photo })
}

struct Video<'a> {
    aging: &'a Aging,
    frames: &'a [Photo],
    bases: &'a [PathBuf],
    faces: TrackedFaces<'a>,
    /// The current frame and those after it that the smoothing needed; `None` for an unreadable one.
    near: BTreeMap<usize, Option<Frame>>,
    log: ResumeLog,
}

impl Video<'_> {
    /// Writes a frame at each age, with residuals averaged over adjacent frames. Returns the number of replaced
    /// results; `None` if the frame cannot be read.
    fn write(&mut self, frame: usize) -> Result<Option<usize>> {
        for near in self.faces.missing_for(frame, self.frames.len()) {
            // Face detection has reported an unreadable frame.
            let read = read(&self.frames[near]).ok();
            self.faces.add(near, read.as_ref().map(|frame| frame.photo.rgb()).as_ref())?;
            self.near.insert(near, read);
        }
        let Some(Frame { bytes, photo }) = self.near.remove(&frame).flatten() else { return Ok(None) };
        let Photo { source, location, .. } = &self.frames[frame];
        let id = PhotoId { path: location.as_path().into(), content: Content::of(&bytes) };
        let job = Job { id: &id, source, bytes: &bytes, base: &self.bases[frame] };
        let mut results = Results::new(self.aging, &job, &photo, &mut self.log);
        let (photo, faces) = (&photo, &self.faces);
        let aged = self.aging.ages.iter().enumerate().map(|(index, age)| {
            let aged = move || {
                let mut aged = photo.clone();
                faces.age(frame, &mut aged.image, index);
                aged
            };
            Output::image("", &age.name, aged)
        });
        results.write_all(aged.collect())?;
        results.written.iter().for_each(|file| print_path(&self.aging.out.join(file)));
        Ok(Some(results.replaced))
    }
}
