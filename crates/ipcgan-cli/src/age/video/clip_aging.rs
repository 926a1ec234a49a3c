//! Ages a clip: detects faces in all frames, then decodes again, ages and encodes.

use std::collections::VecDeque;
use std::path::Path;

use anyhow::{Context, Result, anyhow, bail};
use image::DynamicImage;
use ipcgan::RgbImage;
use ipcgan::data::detection::DetectedFace;
use ipcgan::train::Interrupter;
use log::{info, warn};

use super::aged_clip::AgedClip;
use super::clip::Clip;
use super::container::Container;
use super::decoder::Decoder;
use super::encoder::{Encoder, FrameWrite, check_encoders};
use super::probe::{ClipInfo, MAX_CONCURRENT_PIXELS};
use super::tracked_faces::TrackedFaces;
use crate::age::aging::Aging;
use crate::age::listing::Photo;
use crate::age::output_format::OutputFormat;
use crate::age::request::{AgeRequest, OutputKind, Sequence};
use crate::age::resume_log::{PhotoId, ResumeLog};
use crate::age::selection::Age;
use crate::age::source::Content;
use crate::exit_reason::usage_error;
use crate::interrupt;
use crate::progress::Progress;

/// Maximum number of ages: each has an encoder of its own.
const MAX_AGES: usize = 16;

/// Ages clips until a signal arrives.
pub(crate) struct ClipAging {
    interrupter: Interrupter,
}

impl ClipAging {
    /// Listens for Ctrl-C; `None`, without listening, if there are no clips among `photos`.
    ///
    /// # Errors
    /// An option of `request` is for photos alone.
    pub(crate) fn of(request: &AgeRequest, photos: &[Photo]) -> Result<Option<Self>> {
        let Some(clip) = photos.iter().find(|photo| photo.is_clip()) else { return Ok(None) };
        let name = clip.source.name().display();
        let photos_alone = [
            (request.sequence == Sequence::Video, "--video, which is for frames that are photos"),
            (request.shown == OutputKind::Crops, "--crops"),
            (request.shown == OutputKind::Aligned, "--aligned"),
            (request.animate, "--animate"),
            (request.format != OutputFormat::Same, "--format"),
            (request.reprocess, "--reprocess, as videos are always aged again"),
        ];
        if let Some((_, option)) = photos_alone.iter().find(|(given, _)| *given) {
            return Err(usage_error(format!("{name} is a video: leave out {option}")));
        }
        let interrupter = interrupt::interrupter_on_signal(
            "stopping; frames of a video that are already aged are kept as a partial result",
        )?;
        Ok(Some(Self { interrupter }))
    }

    /// Whether a signal has arrived.
    pub(crate) fn is_interrupted(&self) -> bool {
        self.interrupter.should_stop()
    }

    /// Ages `photo`, which is a clip, to all ages.
    ///
    /// After a signal, the results are of the frames that were aged before it.
    ///
    /// # Errors
    /// The clip cannot be decoded, shows no face, or cannot be encoded; or a signal arrived before a frame was aged.
    pub(crate) fn age(&self, aging: &Aging, photo: &Photo, base: &Path, log: &mut ResumeLog) -> Result<AgedClip> {
        let path = photo.source.path();
        let info = ClipInfo::of(path)?;
        let container = Container::of(path);
        check_size(path, &info, aging.ages.len())?;
        check_encoders(&info, container).with_context(|| path.display().to_string())?;
        if let Some(edges) = cropped_edges(info.width, info.height).filter(|_| container.needs_even_sides()) {
            let (name, width, height) = (path.display(), info.width, info.height);
            info!("{name}: results lack {edges}, because their format needs even sides, not {width} x {height}");
        }
        let content = Content::of_file(path).with_context(|| format!("cannot read {}", path.display()))?;
        let id = PhotoId { path: photo.location.as_path().into(), content };
        let clip = Clip { path, id, base, info, container };
        // A name in use is found now, not after hours.
        for age in &aging.ages {
            for file in [clip.file(&age.name), clip.partial_file(&age.name)] {
                log.destination(&file, &clip.id)?;
            }
        }
        let found = self.faces(aging, &clip)?;
        let faces = TrackedFaces::of(aging, &found).with_context(|| path.display().to_string())?;
        info!("{}: faces: {}, frames: {}", path.display(), faces.count(), found.len());
        self.aged(aging, &clip, faces, found.len(), log)
    }

    /// The faces in each frame.
    fn faces(&self, aging: &Aging, clip: &Clip<'_>) -> Result<Vec<Vec<DetectedFace>>> {
        let progress = Progress::new("detecting faces");
        let mut decoder = Decoder::start(clip.path, &clip.info)?;
        let mut found = Vec::new();
        while let Some(frame) = decoder.next()? {
            if self.is_interrupted() {
                return Err(clip.nothing_kept().into());
            }
            progress.show(found.len(), clip.info.timing.frames.max(found.len() + 1));
            found.push(aging.photo_aging.faces(&frame).into_iter().map(|face| face.found).collect());
        }
        progress.finish();
        if found.is_empty() {
            bail!("{} has no frame that can be decoded; copy or download it again", clip.path.display());
        }
        if !decoder.messages().is_empty() {
            let (name, messages) = (clip.path.display(), decoder.messages());
            warn!("{name} is cut short or damaged; only what can be decoded is aged (ffmpeg: {messages})");
        }
        Ok(found)
    }

    /// Ages and encodes all `count` frames.
    fn aged(
        &self,
        aging: &Aging,
        clip: &Clip<'_>,
        faces: TrackedFaces<'_>,
        count: usize,
        log: &mut ResumeLog,
    ) -> Result<AgedClip> {
        let start =
            |age: &Age| Encoder::start(clip.path, &clip.info, clip.container, &aging.out.join(clip.file(&age.name)));
        let mut encoders: Vec<Encoder> = aging.ages.iter().map(start).collect::<Result<_>>()?;
        let face_count = faces.count();
        let mut frames = Frames { decoder: Decoder::start(clip.path, &clip.info)?, faces, ahead: VecDeque::new() };
        let done = self.encode(clip, &mut frames, count, &mut encoders)?;
        if done == 0 {
            return Err(clip.nothing_kept().into());
        }
        // All encoders finish at the same time.
        encoders.iter_mut().for_each(Encoder::close);
        let files = encoders.into_iter().map(Encoder::finish).collect::<Result<Vec<_>>>();
        let files = files.with_context(|| clip.path.display().to_string())?;
        if done < count {
            return clip.keep_partial(aging, files, face_count, [done, count], log);
        }
        clip.keep(aging, files, face_count, count, log)
    }

    /// Ages and encodes frames until the last one or a signal; returns their number.
    fn encode(
        &self,
        clip: &Clip<'_>,
        frames: &mut Frames<'_>,
        count: usize,
        encoders: &mut Vec<Encoder>,
    ) -> Result<usize> {
        let progress = Progress::new("ageing frames");
        for current in 0..count {
            if self.is_interrupted() {
                return Ok(current);
            }
            progress.show(current, count);
            let Some(frame) = frames.next(current, count)? else {
                bail!("{} changed while it was aged; run the command again", clip.path.display())
            };
            for index in 0..encoders.len() {
                let mut aged = DynamicImage::from(frame.clone());
                frames.faces.age(current, &mut aged, index);
                if encoders[index].write(aged.as_bytes()) == FrameWrite::Ended {
                    let reason = encoders.swap_remove(index).finish().err();
                    let reason = reason.unwrap_or_else(|| anyhow!("ffmpeg ended before the last frame"));
                    return Err(reason.context(clip.path.display().to_string()));
                }
            }
        }
        Ok(count)
    }
}

/// Frames of the second decoding, which runs ahead of the current frame: smoothing needs the residuals of later frames.
struct Frames<'a> {
    decoder: Decoder,
    faces: TrackedFaces<'a>,
    /// Decoded frames, from the current one on.
    ahead: VecDeque<RgbImage>,
}

impl Frames<'_> {
    /// The frame `current` of `count`; `None` if there are fewer.
    fn next(&mut self, current: usize, count: usize) -> Result<Option<RgbImage>> {
        for near in self.faces.missing_for(current, count) {
            let Some(frame) = self.decoder.next()? else { return Ok(None) };
            self.faces.add(near, Some(&frame))?;
            self.ahead.push_back(frame);
        }
        Ok(self.ahead.pop_front())
    }
}

/// What the encoder crops from a clip to make both sides even; `None` if they are.
fn cropped_edges(width: u32, height: u32) -> Option<&'static str> {
    match (width % 2, height % 2) {
        (0, 0) => None,
        (_, 0) => Some("the rightmost column of pixels"),
        (0, _) => Some("the bottom row of pixels"),
        _ => Some("the rightmost column and the bottom row of pixels"),
    }
}

/// Refuses what would fill the memory.
fn check_size(path: &Path, info: &ClipInfo, ages: usize) -> Result<()> {
    let (name, width, height) = (path.display(), info.width, info.height);
    if ages > MAX_AGES {
        bail!("{name} is a video, which is aged to at most {MAX_AGES} ages at once; give fewer ages with --to");
    }
    let pixels = u64::from(width) * u64::from(height);
    if pixels * ages as u64 > MAX_CONCURRENT_PIXELS {
        let possible = MAX_CONCURRENT_PIXELS / pixels;
        bail!(
            "{name} has {width} x {height} pixels, and {ages} ages of them at once would fill the memory; give at most \
             {possible} with --to, or scale it down first"
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::age::video::colours::Colours;
    use crate::age::video::timing::Timing;

    #[test]
    fn the_row_or_column_that_results_lack_is_named() {
        assert_eq!(cropped_edges(64, 48), None);
        assert_eq!(cropped_edges(65, 48), Some("the rightmost column of pixels"));
        assert_eq!(cropped_edges(64, 49), Some("the bottom row of pixels"));
        assert_eq!(cropped_edges(65, 49), Some("the rightmost column and the bottom row of pixels"));
    }

    #[test]
    fn a_clip_that_would_fill_the_memory_is_rejected_with_what_to_do() {
        let checked = |width, height, ages| {
            let timing = Timing::of(Vec::new(), 1, None, None);
            let (audio, colours) = (Vec::new(), Colours::default());
            let info = ClipInfo { width, height, pixel_aspect: None, video: 0, audio, colours, timing };
            check_size("8k.mp4".as_ref(), &info, ages).map_err(|error| error.to_string())
        };

        assert_eq!(checked(3840, 2160, 5), Ok(()));
        assert_eq!(checked(7680, 4320, 1), Ok(()));
        assert!(checked(7680, 4320, 5).unwrap_err().contains("8k.mp4 has 7680 x 4320 pixels, and 5 ages"));
        assert!(checked(64, 64, 17).unwrap_err().contains("at most 16 ages"));
    }
}
