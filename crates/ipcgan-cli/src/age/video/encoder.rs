//! Encodes the frames of a result through a pipe, with the audio of the clip.

use std::ffi::OsString;
use std::io::Write;
use std::path::Path;
use std::process::{ChildStdin, Stdio};

use anyhow::{Context, Result, anyhow, bail};
use ipcgan::system::TemporaryFile;
use log::warn;

use super::colours::Colours;
use super::container::Container;
use super::decoder::SCALER;
use super::probe::ClipInfo;
use super::program::{Program, Running, arguments, file_url, input};

/// Bit rate of audio that is encoded anew.
const AUDIO_BIT_RATE: &str = "192k";

/// A result that is being encoded.
pub(super) struct Encoder {
    running: Running,
    /// `None` when the last frame is written.
    frames: Option<ChildStdin>,
    file: TemporaryFile,
}

impl Encoder {
    /// Starts a result that gets the name `path` later, of the clip `source`.
    pub(super) fn start(source: &Path, info: &ClipInfo, container: Container, path: &Path) -> Result<Self> {
        let file = TemporaryFile::beside(path).with_context(|| format!("cannot write {}", path.display()))?;
        let mut command = Program::Ffmpeg.command();
        command.args(options(source, info, container, file.path())).stdin(Stdio::piped());
        let mut running = Program::Ffmpeg.start(&mut command)?;
        let frames = running.child.stdin.take();
        Ok(Self { running, frames, file })
    }

    /// Writes the pixels of a frame.
    pub(super) fn write(&mut self, pixels: &[u8]) -> FrameWrite {
        let frames = self.frames.as_mut().expect("a frame is written before the last one");
        if frames.write_all(pixels).is_ok() { FrameWrite::Whole } else { FrameWrite::Ended }
    }

    /// Ends the stream of frames.
    pub(super) fn close(&mut self) {
        self.frames = None;
    }

    /// The complete file.
    ///
    /// # Errors
    /// ffmpeg failed, such as on a full disk.
    pub(super) fn finish(mut self) -> Result<TemporaryFile> {
        self.close();
        let messages = self.running.finish().map_err(|error| anyhow!("cannot encode the result: {error}"))?;
        if !messages.is_empty() {
            warn!("while the result was encoded, ffmpeg reported: {messages}");
        }
        Ok(self.file)
    }
}

/// Whether an encoder took a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FrameWrite {
    Whole,
    /// It has ended, and [`Encoder::finish`] says why.
    Ended,
}

/// Checks that this ffmpeg has the encoders that results in `container` need.
pub(super) fn check_encoders(info: &ClipInfo, container: Container) -> Result<()> {
    let (list, _) = Program::Ffmpeg.output(Program::Ffmpeg.command().arg("-encoders"))?;
    let list = String::from_utf8_lossy(&list);
    let has = |name: &str| list.lines().any(|line| line.split_whitespace().nth(1) == Some(name));
    let audio = info.audio.iter().any(|audio| !container.holds_audio(&audio.codec));
    let needed = [Some(container.video_encoder().0), audio.then(|| container.audio_encoder())];
    match needed.into_iter().flatten().find(|name| !has(name)) {
        Some(missing) => bail!(
            "results in .{} need the encoder {missing}, which this ffmpeg was built without; install a complete build, \
             or convert the clip to another container",
            container.extension()
        ),
        None => Ok(()),
    }
}

/// The first `seconds` of the complete result `whole`, as a file that gets the name `path` later.
pub(super) fn truncated(
    whole: &TemporaryFile,
    seconds: f64,
    container: Container,
    path: &Path,
) -> Result<TemporaryFile> {
    let file = TemporaryFile::beside(path).with_context(|| format!("cannot write {}", path.display()))?;
    let mut command = Program::Ffmpeg.command();
    command.args(["-y", "-i"]).arg(file_url(whole.path()));
    command.args(["-t", &format!("{seconds:.6}"), "-map", "0:v", "-map", "0:a?", "-c", "copy"]);
    command.args(container.muxer()).arg(file_url(file.path()));
    Program::Ffmpeg.start(&mut command)?.finish().context("cannot finish the partial result")?;
    Ok(file)
}

/// The arguments of ffmpeg.
fn options(source: &Path, info: &ClipInfo, container: Container, file: &Path) -> Vec<OsString> {
    let ClipInfo { width, height, timing, audio, .. } = info;
    let size = format!("{width}x{height}");
    let rate = timing.rate.to_string();
    let mut options = arguments(["-y", "-f", "rawvideo", "-pix_fmt", "rgb24", "-video_size", &size]);
    options.extend(arguments(["-framerate", &rate, "-i", "pipe:0"]));
    // For its audio, chapters and description.
    options.extend(input(source));
    options.extend(arguments(["-map", "0:v:0", "-map_metadata", "1", "-map_chapters", "1"]));
    for (number, stream) in audio.iter().enumerate() {
        let codec = if container.holds_audio(&stream.codec) { "copy" } else { container.audio_encoder() };
        options.extend(arguments(["-map", &format!("1:{}", stream.index), &format!("-c:a:{number}"), codec]));
        if codec != "copy" {
            options.extend(arguments([&format!("-b:a:{number}"), AUDIO_BIT_RATE]));
        }
    }
    let (encoder, settings) = container.video_encoder();
    options.extend(arguments(["-vf", &filters(info, container), "-c:v", encoder]));
    options.extend(arguments(settings));
    if container.holds_colour_tags() {
        options.extend(arguments(info.colours.tags(*height)));
    }
    options.extend(arguments(container.muxer()));
    options.push(file_url(file));
    options
}

fn filters(info: &ClipInfo, container: Container) -> String {
    let ClipInfo { height, pixel_aspect, .. } = info;
    // Without tags, players assume the usual colours.
    let colours = if container.holds_colour_tags() { info.colours.clone() } else { Colours::default() };
    let mut filters = format!("scale={SCALER}{},format=yuv420p", colours.of_rgb(*height));
    if container.needs_even_sides() && (info.width % 2, info.height % 2) != (0, 0) {
        filters = format!("crop=trunc(iw/2)*2:trunc(ih/2)*2:0:0,{filters}");
    }
    if let Some((width, height)) = pixel_aspect {
        filters += &format!(",setsar=sar={width}/{height}:max=65535");
    }
    filters
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::age::video::probe::AudioStream;
    use crate::age::video::timing::Timing;

    fn info(width: u32, pixel_aspect: Option<(u32, u32)>, codecs: &[&str]) -> ClipInfo {
        let audio = (1..).zip(codecs).map(|(index, codec)| AudioStream { index, codec: (*codec).into() });
        ClipInfo {
            width,
            height: 360,
            pixel_aspect,
            video: 0,
            audio: audio.collect(),
            colours: Colours::default(),
            timing: Timing::of(Vec::new(), 1, "24/1".parse().ok(), None),
        }
    }

    fn text(info: &ClipInfo, container: Container) -> String {
        let options = options("-a b.mp4".as_ref(), info, container, "out/.part".as_ref());
        options.join(" ".as_ref()).into_string().unwrap()
    }

    #[test]
    fn audio_is_copied_or_encoded_anew_by_stream() {
        let text = text(&info(640, None, &["aac", "pcm_s16le"]), Container::Mp4);

        assert!(text.contains("-map 1:1 -c:a:0 copy -map 1:2 -c:a:1 aac -b:a:1 192k"), "{text}");
        assert!(text.contains("-framerate 24/1 -i pipe:0") && text.contains("-i file:-a b.mp4"), "{text}");
        assert!(text.ends_with("-f mp4 file:out/.part"), "{text}");
    }

    #[test]
    fn an_odd_side_loses_a_line_only_where_the_encoder_needs_it() {
        assert!(text(&info(641, None, &[]), Container::Mp4).contains("crop="));
        assert!(!text(&info(640, None, &[]), Container::Mp4).contains("crop="));
        assert!(!text(&info(641, None, &[]), Container::WebM).contains("crop="));
    }

    #[test]
    fn a_container_without_colour_tags_gets_the_usual_range() {
        let mut info = info(640, None, &[]);
        info.colours.range = Some("pc".into());

        let [tagged, untagged] = [Container::Mp4, Container::Avi].map(|container| text(&info, container));

        assert!(tagged.contains(":out_range=pc") && tagged.contains("-color_range pc"), "{tagged}");
        assert!(untagged.contains(":out_range=tv") && !untagged.contains("-color_range"), "{untagged}");
    }

    #[test]
    fn pixels_that_are_not_square_keep_their_aspect() {
        assert!(text(&info(720, Some((64, 45)), &[]), Container::Matroska).contains(",setsar=sar=64/45:max=65535 "));
    }
}
