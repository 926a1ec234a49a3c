//! The faces of a video and their residuals, smoothed over neighbouring frames.

use std::collections::BTreeMap;

use anyhow::{Result, anyhow, bail};
use image::{DynamicImage, RgbImage};
use ipcgan::data::alignment::aligned;
use ipcgan::data::detection::{DetectedFace, SMOOTHING_RADIUS, Track, smoothing_weights, track_faces};
use ipcgan::data::{FacePlacement, Residual, paste_back};

use crate::age::aging::Aging;
use crate::age::selection::FaceSelection;

/// Tracked faces, with their residuals in the frames near the current one.
pub(super) struct TrackedFaces<'a> {
    aging: &'a Aging,
    tracks: Vec<Track>,
    /// By frame: residuals of each track at each age.
    near: BTreeMap<usize, Vec<Option<Vec<Residual>>>>,
}

impl<'a> TrackedFaces<'a> {
    /// Tracks the faces `found` in each frame.
    ///
    /// # Errors
    /// There is no face, or not the selected one.
    pub(super) fn of(aging: &'a Aging, found: &[Vec<DetectedFace>]) -> Result<Self> {
        let tracks = selected_tracks(track_faces(found), aging.settings.face)?;
        Ok(Self { aging, tracks: tracks.iter().map(Track::smoothed).collect(), near: BTreeMap::new() })
    }

    /// Number of tracks.
    pub(super) fn count(&self) -> usize {
        self.tracks.len()
    }

    /// Frames whose residuals must have been added before `frame` is aged, out of `count`; older ones are forgotten.
    pub(super) fn missing_for(&mut self, frame: usize, count: usize) -> Vec<usize> {
        self.near.retain(|near, _| near + SMOOTHING_RADIUS >= frame);
        let needed = frame..(frame + SMOOTHING_RADIUS + 1).min(count);
        needed.filter(|near| !self.near.contains_key(near)).collect()
    }

    /// Adds the residuals of a frame; those of an unreadable one (`None`) are left out of the smoothing.
    pub(super) fn add(&mut self, frame: usize, image: Option<&RgbImage>) -> Result<()> {
        let size = self.aging.photo_aging.face_aging().image_size();
        let residuals = self.tracks.iter().map(|track| {
            let face = image.and_then(|image| aligned(image, &track.at(frame)?, size));
            face.map(|face| self.aging.residuals(&face.image)).transpose()
        });
        let residuals = residuals.collect::<Result<_>>()?;
        self.near.insert(frame, residuals);
        Ok(())
    }

    /// Ages the tracked faces of a frame, in place, to one of the ages.
    pub(super) fn age(&self, frame: usize, photo: &mut DynamicImage, age: usize) {
        let size = self.aging.photo_aging.face_aging().image_size();
        for (face, track) in self.tracks.iter().enumerate() {
            let Some(landmarks) = track.at(frame) else { continue };
            let residuals = smoothing_weights(frame, track.first..track.end()).into_iter();
            let residuals: Vec<(&Residual, f32)> =
                residuals.filter_map(|(near, weight)| Some((self.residual(near, face, age)?, weight))).collect();
            // Renormalize the weights without unreadable frames.
            let sum: f32 = residuals.iter().map(|(_, weight)| weight).sum();
            let residuals: Vec<_> = residuals.into_iter().map(|(residual, weight)| (residual, weight / sum)).collect();
            if let Some(place) = FacePlacement::of(&landmarks, size).filter(|_| !residuals.is_empty()) {
                paste_back(photo, &place, &Residual::weighted_sum(&residuals));
            }
        }
    }

    fn residual(&self, frame: usize, face: usize, age: usize) -> Option<&Residual> {
        Some(&self.near.get(&frame)?[face].as_ref()?[age])
    }
}

/// The selected tracks.
fn selected_tracks(tracks: Vec<Track>, faces: FaceSelection) -> Result<Vec<Track>> {
    if tracks.is_empty() {
        bail!("no face found in any frame");
    }
    let selected = faces.of(tracks, |track| track.largest).map_err(|error| anyhow!("{error} as they appear"))?;
    Ok(selected.into_iter().map(|(_, track)| track).collect())
}
