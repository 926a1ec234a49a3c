//! Ages the frames of a video with face tracking and temporal smoothing.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Result, bail};
use ipcgan::data::alignment::aligned;
use ipcgan::data::detection::{SMOOTHING_RADIUS, Track, smoothing_weights, track_faces};
use ipcgan::data::{FacePlacement, Residual, paste_back};
use ipcgan::photo::{self, Original};
use log::info;

use super::aging::Aging;
use super::listing::{Listing, Photo};
use super::photo::{Job, Results};
use super::resume_log::{PhotoId, ResumeLog};
use super::selection::FaceSelection;
use super::source::Content;
use super::summary::Summary;
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
            Ok((_, photo)) => aging.photo_aging.faces(&photo.rgb()),
            Err(error) => {
                print_error(&error);
                Vec::new()
            }
        };
        found.push(faces.into_iter().map(|face| face.found).collect());
    }
    progress.finish();
    let people = selected_tracks(track_faces(&found), aging.settings.face)?;
    info!("people: {}, frames: {}", people.len(), frames.len());
    let people = people.iter().map(Track::smoothed).collect();
    let mut video = Video { aging, frames, bases, people, near: BTreeMap::new(), log };
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

/// Bytes and photo of a frame.
fn read(frame: &Photo) -> Result<(Arc<[u8]>, Original)> {
    let bytes = frame.source.read()?;
    let photo = photo::original(&bytes, frame.source.name())?;
    Ok((bytes, photo))
}

/// The selected tracks.
fn selected_tracks(people: Vec<Track>, faces: FaceSelection) -> Result<Vec<Track>> {
    let count = people.len();
    let chosen: Vec<Track> = match faces {
        FaceSelection::All => people,
        FaceSelection::Largest => {
            people.into_iter().max_by(|a, b| a.largest.total_cmp(&b.largest)).into_iter().collect()
        }
        FaceSelection::Number(number) => people.into_iter().skip(number.get() - 1).take(1).collect(),
    };
    match (count, chosen.len()) {
        (0, _) => bail!("no face found in any frame"),
        (1, 0) => bail!("there is no such person: one was found"),
        (_, 0) => bail!("there is no such person: {count} were found, numbered as they appear, from left to right"),
        _ => Ok(chosen),
    }
}

struct Video<'a> {
    aging: &'a Aging,
    frames: &'a [Photo],
    bases: &'a [PathBuf],
    people: Vec<Track>,
    /// Frames adjacent to the current one; `None` for an unreadable one.
    near: BTreeMap<usize, Option<Frame>>,
    log: ResumeLog,
}

struct Frame {
    bytes: Arc<[u8]>,
    photo: Original,
    /// Residuals of each track at each age.
    residuals: Vec<Option<Vec<Residual>>>,
}

impl Video<'_> {
    /// Writes a frame at each age, with residuals averaged over adjacent frames. Returns the number of replaced
    /// results; `None` if the frame cannot be read.
    fn write(&mut self, frame: usize) -> Result<Option<usize>> {
        self.near.retain(|near, _| near + SMOOTHING_RADIUS >= frame);
        for near in frame..(frame + SMOOTHING_RADIUS + 1).min(self.frames.len()) {
            if !self.near.contains_key(&near) {
                let read = self.read(near)?;
                self.near.insert(near, read);
            }
        }
        let Some(Frame { bytes, photo, .. }) = &self.near[&frame] else { return Ok(None) };
        let Photo { source, location, .. } = &self.frames[frame];
        let id = PhotoId { path: location.as_path().into(), content: Content::of(bytes) };
        let job = Job { id: &id, source, bytes, base: &self.bases[frame] };
        let aged: Vec<Original> = (0..self.aging.ages.len()).map(|age| self.aged(frame, photo, age)).collect();
        let mut results = Results::new(self.aging, &job, photo, &mut self.log);
        for (age, photo) in self.aging.ages.iter().zip(&aged) {
            results.image("", &age.name, photo)?;
        }
        results.written.iter().for_each(|file| print_path(&self.aging.out.join(file)));
        Ok(Some(results.replaced))
    }

    /// A frame with its tracked faces at one of the ages.
    fn aged(&self, frame: usize, photo: &Original, age: usize) -> Original {
        let mut photo = photo.clone();
        let size = self.aging.photo_aging.face_aging().image_size();
        for (person, track) in self.people.iter().enumerate() {
            let Some(landmarks) = track.at(frame) else { continue };
            let residuals = smoothing_weights(frame, track.first..track.end()).into_iter();
            let residuals: Vec<(&Residual, f32)> =
                residuals.filter_map(|(near, weight)| Some((self.residual(near, person, age)?, weight))).collect();
            // Renormalize the weights without unreadable frames.
            let sum: f32 = residuals.iter().map(|(_, weight)| weight).sum();
            let residuals: Vec<_> = residuals.into_iter().map(|(residual, weight)| (residual, weight / sum)).collect();
            if let Some(place) = FacePlacement::of(&landmarks, size).filter(|_| !residuals.is_empty()) {
                paste_back(&mut photo.image, &place, &Residual::weighted_sum(&residuals));
            }
        }
        photo
    }

    fn residual(&self, frame: usize, person: usize, age: usize) -> Option<&Residual> {
        let frame = self.near.get(&frame)?.as_ref()?;
        Some(&frame.residuals[person].as_ref()?[age])
    }

    /// Reads a frame; `None` if it cannot be read, which face detection has reported.
    fn read(&self, frame: usize) -> Result<Option<Frame>> {
        let Ok((bytes, photo)) = read(&self.frames[frame]) else { return Ok(None) };
        let rgb = photo.rgb();
        let size = self.aging.photo_aging.face_aging().image_size();
        let residuals = self.people.iter().map(|person| {
            let face = person.at(frame).and_then(|landmarks| aligned(&rgb, &landmarks, size));
            face.map(|face| self.aging.residuals(&face.image)).transpose()
        });
        let residuals = residuals.collect::<Result<_>>()?;
        Ok(Some(Frame { bytes, photo, residuals }))
    }
}
