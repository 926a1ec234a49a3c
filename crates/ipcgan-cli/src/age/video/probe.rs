//! What a clip holds, according to `ffprobe` and its first frame.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::Path;

use anyhow::{Context, Result, anyhow, bail};
use log::{info, warn};
use serde::Deserialize;

use super::colours::Colours;
use super::first_frame::FirstFrame;
use super::program::{MissingProgram, Program, file_url, input};
use super::timing::{OwnRate, Rate, Timing};

/// Maximum number of pixels of a frame, times the number of ages: 4K at five ages, or 8K at one. An encoder holds
/// dozens of frames.
pub(super) const MAX_CONCURRENT_PIXELS: u64 = 45_000_000;

/// What is needed to decode a clip and to encode it again.
#[derive(Clone, Debug)]
pub(super) struct ClipInfo {
    /// Size of the frames as they are shown, with the rotation of the clip applied.
    pub(super) width: u32,
    pub(super) height: u32,
    /// Width and height of a pixel as shown, if they are not equal.
    pub(super) pixel_aspect: Option<(u32, u32)>,
    /// Index of the video stream.
    pub(super) video: usize,
    pub(super) audio: Vec<AudioStream>,
    pub(super) colours: Colours,
    pub(super) timing: Timing,
}

/// An audio stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct AudioStream {
    pub(super) index: usize,
    pub(super) codec: String,
}

/// The JSON of ffprobe.
#[derive(Debug, Deserialize)]
struct Probed {
    #[serde(default)]
    streams: Vec<Stream>,
}

#[derive(Debug, Deserialize)]
struct Stream {
    index: usize,
    #[serde(default)]
    codec_name: String,
    #[serde(default)]
    codec_type: String,
    #[serde(default)]
    width: u32,
    #[serde(default)]
    height: u32,
    #[serde(default)]
    pix_fmt: String,
    #[serde(default)]
    r_frame_rate: String,
    #[serde(default)]
    avg_frame_rate: String,
    field_order: Option<String>,
    color_range: Option<String>,
    color_space: Option<String>,
    color_transfer: Option<String>,
    color_primaries: Option<String>,
    #[serde(default)]
    disposition: Disposition,
    #[serde(default)]
    tags: Tags,
}

#[derive(Debug, Default, Deserialize)]
struct Disposition {
    #[serde(default)]
    attached_pic: u8,
}

#[derive(Debug, Default, Deserialize)]
struct Tags {
    alpha_mode: Option<String>,
}

impl ClipInfo {
    /// Describes the clip at `path`.
    ///
    /// # Errors
    /// There is no such file, it holds no video, or nothing that can be decoded and encoded again; errors name `path`.
    pub(super) fn of(path: &Path) -> Result<Self> {
        check_file(path)?;
        let probed = probed(path)?;
        let stream = probed.video(path)?;
        check_pixels(path, stream.width, stream.height)?;
        let colours = stream.colours();
        if let Some(name) = colours.high_dynamic_range() {
            bail!(
                "{} has high dynamic range ({name}), which is not supported; convert it to standard dynamic range \
                 first",
                path.display()
            );
        }
        let times = times(path, stream.index)?;
        let first = FirstFrame::of(path, stream.index)?;
        let rate = |text: &str| text.parse::<Rate>().ok();
        let known = times.iter().flatten().copied().collect();
        let info = Self {
            width: first.width,
            height: first.height,
            pixel_aspect: first.pixel_aspect,
            video: stream.index,
            audio: probed.audio(),
            colours,
            timing: Timing::of(known, times.len(), rate(&stream.r_frame_rate), rate(&stream.avg_frame_rate)),
        };
        if info.timing.jumps(times.len()) {
            bail!(
                "the clock of {} jumps: its {} frames span {:.0} seconds; correct it first (ffmpeg -vf setpts=N/25/TB)",
                path.display(),
                times.len(),
                info.timing.seconds(info.timing.frames)
            );
        }
        report(path, &probed, stream, &info);
        Ok(info)
    }
}

/// Refuses what ffprobe would block on, or describe less clearly.
fn check_file(path: &Path) -> Result<()> {
    let file = std::fs::metadata(path).and_then(|file| {
        if file.is_file() {
            File::open(path)?;
        }
        Ok(file)
    });
    let file = file.with_context(|| format!("cannot read {}", path.display()))?;
    match (file.is_file(), file.len()) {
        (false, _) => bail!("{} is a pipe or a device, not a video file", path.display()),
        (_, 0) => bail!("{} is an empty file; copy or download it again", path.display()),
        _ => Ok(()),
    }
}

fn check_pixels(path: &Path, width: u32, height: u32) -> Result<()> {
    if u64::from(width) * u64::from(height) > MAX_CONCURRENT_PIXELS {
        bail!(
            "{} has {width} x {height} pixels, and at most {} megapixels are supported; scale it down first",
            path.display(),
            MAX_CONCURRENT_PIXELS / 1_000_000
        );
    }
    Ok(())
}

fn probed(path: &Path) -> Result<Probed> {
    let mut command = Program::Ffprobe.command();
    command.args(["-show_streams", "-of", "json"]).args(input(path));
    let (json, _) = Program::Ffprobe.output(&mut command).map_err(|error| unreadable(path, &error))?;
    serde_json::from_slice(&json).with_context(|| format!("cannot parse the output of ffprobe for {}", path.display()))
}

/// An error of ffmpeg about a clip; it does not repeat its name.
pub(super) fn unreadable(path: &Path, error: &anyhow::Error) -> anyhow::Error {
    if error.is::<MissingProgram>() {
        return anyhow!("{error}");
    }
    let message = error.to_string().replace(&*format!("{}: ", file_url(path).to_string_lossy()), "");
    let (name, format) = (path.display(), refused_format(&message));
    match format {
        Some(format) => anyhow!("{name} is not a video of a supported format: ffmpeg recognises it as {format}"),
        None => anyhow!("{name} is not a readable video; copy or download it again ({message})"),
    }
}

/// The format in `ffprobe: [hls] Format not on whitelist`.
fn refused_format(message: &str) -> Option<&str> {
    message.split_once("] Format not on whitelist")?.0.rsplit_once('[').map(|(_, format)| format)
}

impl Probed {
    /// The video stream to age: the first one that is not a cover picture.
    fn video(&self, path: &Path) -> Result<&Stream> {
        let mut videos = self.streams.iter().filter(|stream| stream.codec_type == "video");
        videos.find(|stream| stream.disposition.attached_pic == 0).ok_or_else(|| {
            let kinds: BTreeSet<&str> = self.streams.iter().map(|stream| stream.codec_type.as_str()).collect();
            let kinds: Vec<&str> = kinds.into_iter().filter(|kind| *kind != "video").collect();
            let held = if kinds.is_empty() { "nothing".into() } else { format!("only {}", kinds.join(" and ")) };
            anyhow!("{} has no video stream: it holds {held}", path.display())
        })
    }

    /// Audio streams that ffmpeg can copy or decode.
    fn audio(&self) -> Vec<AudioStream> {
        let audio = self.streams.iter().filter(|stream| stream.has_known_audio());
        audio.map(|stream| AudioStream { index: stream.index, codec: stream.codec_name.clone() }).collect()
    }

    /// Kinds of the streams that a result does not hold, besides the one `aged`.
    fn left_out(&self, aged: &Stream) -> Vec<String> {
        let others = self.streams.iter().filter(|stream| !stream.has_known_audio() && stream.index != aged.index);
        let kinds = others.map(|stream| match (stream.codec_type.as_str(), stream.disposition.attached_pic) {
            ("video", 0) => "another video stream".into(),
            ("video", _) => "a cover picture".into(),
            ("audio", _) => "audio of an unknown codec".into(),
            ("subtitle", _) => "subtitles".into(),
            ("", _) => "unknown data".into(),
            (kind, _) => String::from(kind),
        });
        kinds.collect::<BTreeSet<_>>().into_iter().collect()
    }
}

impl Stream {
    /// Whether it is audio of a codec that ffprobe knows by name.
    fn has_known_audio(&self) -> bool {
        self.codec_type == "audio" && !self.codec_name.is_empty()
    }

    fn colours(&self) -> Colours {
        Colours {
            pixel_format: self.pix_fmt.clone(),
            matrix: self.color_space.clone(),
            primaries: self.color_primaries.clone(),
            transfer: self.color_transfer.clone(),
            range: self.color_range.clone(),
        }
    }

    fn is_interlaced(&self) -> bool {
        self.field_order.as_deref().is_some_and(|order| ["tt", "bb", "tb", "bt"].contains(&order))
    }
}

/// Reports what the result will not hold.
fn report(path: &Path, probed: &Probed, stream: &Stream, info: &ClipInfo) {
    let name = path.display();
    let Timing { rate, own_rate, .. } = info.timing;
    let why = match own_rate {
        OwnRate::Constant => None,
        OwnRate::Variable => Some("varies"),
        OwnRate::TooHigh => Some("is too high"),
    };
    if let Some(why) = why {
        let rate = (rate.per_second() * 1000.0).round() / 1000.0;
        info!("{name}: the frame rate {why}; results have {rate} frames per second, and the same duration");
    }
    let left_out = probed.left_out(stream);
    if !left_out.is_empty() {
        warn!("{name}: not in the results: {}", left_out.join(", "));
    }
    if stream.colours().has_alpha() || stream.tags.alpha_mode.as_deref() == Some("1") {
        warn!("{name}: results are opaque, without the transparency of the clip");
    }
    if stream.colours().is_deep() {
        info!("{name}: results have 8 bits per channel");
    }
    if stream.is_interlaced() {
        warn!(
            "{name} is interlaced, which results are not; deinterlace it first (ffmpeg -vf bwdif) if edges are jagged"
        );
    }
}

/// Times of all packets of a stream in seconds, as far as they are known.
fn times(path: &Path, stream: usize) -> Result<Vec<Option<f64>>> {
    let mut command = Program::Ffprobe.command();
    command.args(["-select_streams", &stream.to_string(), "-show_entries", "packet=pts_time", "-of", "csv=p=0"]);
    let (lines, _) = Program::Ffprobe.output(command.args(input(path))).map_err(|error| unreadable(path, &error))?;
    Ok(parsed_times(&String::from_utf8_lossy(&lines)))
}

fn parsed_times(lines: &str) -> Vec<Option<f64>> {
    let lines = lines.lines().filter(|line| !line.is_empty());
    lines.map(|line| line.split(',').next()?.parse().ok().filter(|time: &f64| time.is_finite())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn probed(streams: &str) -> Probed {
        serde_json::from_str(&format!(r#"{{"streams": [{streams}]}}"#)).unwrap()
    }

    #[test]
    fn the_first_stream_of_moving_pictures_is_aged_and_all_audio_is_kept() {
        let probed = probed(
            r#"{"index": 0, "codec_type": "audio", "codec_name": "aac"},
            {"index": 1, "codec_type": "video", "codec_name": "mjpeg", "disposition": {"attached_pic": 1}},
            {"index": 2, "codec_type": "video", "codec_name": "h264", "color_space": "bt709", "field_order": "tt"},
            {"index": 3, "codec_type": "audio", "codec_name": "opus"},
            {"index": 4, "codec_type": "subtitle"}, {"index": 5, "codec_type": "data"}, {"index": 6},
            {"index": 7, "codec_type": "audio"}"#,
        );

        let stream = probed.video("a.mp4".as_ref()).unwrap();

        assert_eq!(stream.index, 2);
        assert!(stream.is_interlaced());
        assert_eq!(stream.colours().matrix.as_deref(), Some("bt709"));
        let audio: Vec<(usize, String)> =
            probed.audio().into_iter().map(|stream| (stream.index, stream.codec)).collect();
        assert_eq!(audio, [(0, "aac".into()), (3, "opus".into())]);
        assert_eq!(
            probed.left_out(stream),
            ["a cover picture", "audio of an unknown codec", "data", "subtitles", "unknown data"]
        );
    }

    #[test]
    fn a_file_without_moving_pictures_is_an_error_that_says_what_it_holds() {
        let error = |streams: &str| probed(streams).video("song.mp4".as_ref()).unwrap_err().to_string();

        let cover = r#"{"index": 1, "codec_type": "video", "disposition": {"attached_pic": 1}}"#;
        let audio = error(&format!(r#"{{"index": 0, "codec_type": "audio"}}, {cover}"#));
        assert_eq!(audio, "song.mp4 has no video stream: it holds only audio");
        assert!(error("").contains("it holds nothing"));
    }

    #[test]
    fn a_frame_of_8k_is_the_largest() {
        assert!(check_pixels("8k.mp4".as_ref(), 8192, 4320).is_ok());

        let error = check_pixels("16k.mp4".as_ref(), 15_360, 8640).unwrap_err().to_string();

        assert_eq!(
            error,
            "16k.mp4 has 15360 x 8640 pixels, and at most 45 megapixels are supported; scale it down first"
        );
    }

    #[test]
    fn what_is_no_video_is_named_and_a_missing_program_is_not_the_fault_of_the_clip() {
        let error = |message: &str| unreadable("a.mp4".as_ref(), &anyhow!("{message}")).to_string();

        let playlist = error("ffprobe: [hls] Format not on whitelist 'mov'; file:a.mp4: Invalid argument");
        assert_eq!(playlist, "a.mp4 is not a video of a supported format: ffmpeg recognises it as hls");
        let cut = error("ffprobe: [mov] moov atom not found; file:a.mp4: Invalid data");
        assert!(cut.ends_with("copy or download it again (ffprobe: [mov] moov atom not found; Invalid data)"), "{cut}");
        let missing = unreadable("a.mp4".as_ref(), &MissingProgram("ffprobe").into()).to_string();
        assert!(missing.starts_with("videos need the program ffprobe"), "{missing}");
    }

    #[test]
    fn times_are_parsed_with_unknown_ones_and_side_data() {
        assert_eq!(parsed_times("0.5\nN/A\n\n0.25,side\n"), [Some(0.5), None, Some(0.25)]);
    }

    #[test]
    fn a_missing_an_empty_and_an_irregular_file_are_rejected_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("empty.mp4");
        std::fs::write(&path, "").unwrap();
        let error = |path: &Path| format!("{:#}", check_file(path).unwrap_err());

        assert!(error(&path).ends_with("empty.mp4 is an empty file; copy or download it again"));
        assert!(error(&folder.path().join("none.mp4")).contains("cannot read"));
        assert!(error(folder.path()).contains("not a video file"));
    }
}
