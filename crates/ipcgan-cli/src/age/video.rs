//! The frames of a video at other ages, without trembling.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use ipcgan::data::alignment::aligned;
use ipcgan::data::detection::{NEIGHBOURS, Track, neighbour_weights, tracks};
use ipcgan::data::{Change, Place, put_back};
use ipcgan::photo::{self, Original};

use super::one::Aging;
use super::photos::Photo;
use super::wishes::Faces;
use crate::progress::Progress;
use crate::{answer, report};

/// Writes each of `frames`, which follow one another, with its people at each age.
pub(crate) fn run(aging: &Aging<'_>, frames: &[Photo]) -> Result<()> {
    let progress = Progress::new("looking for faces");
    let found = frames.iter().enumerate().map(|(index, frame)| {
        progress.show(index, frames.len());
        let faces = aging.aging.faces(&photo::read_original(&frame.path)?.into_rgb());
        Ok(faces.into_iter().map(|face| face.found).collect())
    });
    let found = found.collect::<Result<Vec<_>>>()?;
    progress.finish();
    let people = wanted(tracks(&found), aging.arguments.face)?;
    report(&format!("people: {}, frames: {}", people.len(), frames.len()));
    let mut video =
        Video { aging, frames, people: people.iter().map(Track::smoothed).collect(), near: BTreeMap::new() };
    let progress = Progress::new("ageing frames");
    for frame in 0..frames.len() {
        progress.show(frame, frames.len());
        video.write(frame)?;
    }
    progress.finish();
    Ok(())
}

/// The people who are to be aged.
fn wanted(people: Vec<Track>, faces: Faces) -> Result<Vec<Track>> {
    let count = people.len();
    let chosen: Vec<Track> = match faces {
        Faces::All => people,
        Faces::Largest => people.into_iter().max_by(|a, b| a.largest.total_cmp(&b.largest)).into_iter().collect(),
        Faces::Number(number) => people.into_iter().skip(number.get() - 1).take(1).collect(),
    };
    match (count, chosen.len()) {
        (0, _) => bail!("no face found in any frame"),
        (_, 0) => bail!("there is no such person: {count} were found, numbered as they appear, from left to right"),
        _ => Ok(chosen),
    }
}

struct Video<'a> {
    aging: &'a Aging<'a>,
    frames: &'a [Photo],
    people: Vec<Track>,
    /// The frames around the one that is written.
    near: BTreeMap<usize, Frame>,
}

struct Frame {
    photo: Original,
    /// What each age changes in each person.
    changes: Vec<Option<Vec<Change>>>,
}

impl Video<'_> {
    /// Writes a frame at each age; what is added to a face is a mean over the frames around.
    fn write(&mut self, frame: usize) -> Result<()> {
        self.near.retain(|near, _| near + NEIGHBOURS >= frame);
        for near in frame..(frame + NEIGHBOURS + 1).min(self.frames.len()) {
            if !self.near.contains_key(&near) {
                let read = self.read(near)?;
                self.near.insert(near, read);
            }
        }
        let arguments = self.aging.arguments;
        for (index, age) in self.aging.ages.iter().enumerate() {
            let mut photo = self.near[&frame].photo.clone();
            for (person, track) in self.people.iter().enumerate() {
                let Some(landmarks) = track.at(frame) else { continue };
                let changes = neighbour_weights(frame, track.first..track.end()).into_iter();
                let changes: Vec<(&Change, f32)> = changes
                    .filter_map(|(near, weight)| Some((&self.near[&near].changes[person].as_ref()?[index], weight)))
                    .collect();
                let size = self.aging.aging.face_aging().image_size();
                if let Some(place) = Place::of(&landmarks, size).filter(|_| !changes.is_empty()) {
                    put_back(&mut photo.picture, &place, &Change::weighted_sum(&changes));
                }
            }
            let name = format!("{}-{}.{}", self.frames[frame].name.display(), age.name, arguments.format);
            let path = arguments.out.join(name);
            self.aging.check_is_no_photo(&path)?;
            if let Some(folder) = path.parent() {
                std::fs::create_dir_all(folder)
                    .with_context(|| format!("cannot make the folder {}", folder.display()))?;
            }
            photo.write(&path, arguments.format)?;
            answer(&path.display().to_string());
        }
        Ok(())
    }

    fn read(&self, frame: usize) -> Result<Frame> {
        let photo = photo::read_original(&self.frames[frame].path)?;
        let rgb = photo.rgb();
        let size = self.aging.aging.face_aging().image_size();
        let changes = self.people.iter().map(|person| {
            let face = aligned(&rgb, &person.at(frame)?, size)?;
            Some(self.aging.changes(&face.picture))
        });
        Ok(Frame { changes: changes.collect(), photo })
    }
}
