//! Decodes the frames of a clip through a pipe.

use std::ffi::OsString;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{ChildStdout, Stdio};

use anyhow::{Context, Result, anyhow, bail};
use ipcgan::RgbImage;

use super::probe::ClipInfo;
use super::program::{Program, Running, arguments, input};

/// Best conversion between the resolutions of brightness and colours.
pub(super) const SCALER: &str = "flags=bicubic+accurate_rnd+full_chroma_int+full_chroma_inp";

/// The frames of a clip, upright and at a constant rate.
pub(super) struct Decoder {
    path: PathBuf,
    /// `None` after the last frame.
    running: Option<Running>,
    frames: ChildStdout,
    width: u32,
    height: u32,
    /// Messages of ffmpeg on a clip that it decoded.
    messages: String,
}

impl Decoder {
    /// Starts at the first frame of the clip at `path`.
    pub(super) fn start(path: &Path, info: &ClipInfo) -> Result<Self> {
        let mut command = Program::Ffmpeg.command();
        let mut running = Program::Ffmpeg.start(command.args(options(path, info)).stdout(Stdio::piped()))?;
        let frames = running.child.stdout.take().expect("standard output is a pipe");
        let (width, height) = (info.width, info.height);
        Ok(Self { path: path.into(), running: Some(running), frames, width, height, messages: String::new() })
    }

    /// The next frame; `None` after the last one.
    ///
    /// # Errors
    /// ffmpeg fails.
    pub(super) fn next(&mut self) -> Result<Option<RgbImage>> {
        let mut pixels = vec![0; 3 * self.width as usize * self.height as usize];
        let read = read_up_to(&mut self.frames, &mut pixels);
        let read = read.with_context(|| format!("cannot read the frames of {}", self.path.display()))?;
        if read == pixels.len() {
            return Ok(RgbImage::from_raw(self.width, self.height, pixels));
        }
        if let Some(running) = self.running.take() {
            self.messages =
                running.finish().map_err(|error| anyhow!("cannot decode {}: {error}", self.path.display()))?;
        }
        if read > 0 {
            bail!("cannot decode {}: ffmpeg ended within a frame", self.path.display());
        }
        Ok(None)
    }

    /// Messages of ffmpeg, after the last frame, on damage that it concealed; empty for an intact clip.
    pub(super) fn messages(&self) -> &str {
        &self.messages
    }
}

/// Fills `buffer` as far as there are bytes; returns their number.
fn read_up_to(from: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut done = 0;
    while done < buffer.len() {
        match from.read(&mut buffer[done..]) {
            Ok(0) => break,
            Ok(count) => done += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => (),
            Err(error) => return Err(error),
        }
    }
    Ok(done)
}

/// The arguments of ffmpeg. Its rotation of the frames is applied before these filters.
fn options(path: &Path, info: &ClipInfo) -> Vec<OsString> {
    let ClipInfo { width, height, video, colours, timing, .. } = info;
    // From time zero, so that frame and audio stay together where the video starts later.
    let rate = format!("fps=fps={}:start_time=0", timing.rate);
    // A clip whose size changes would shift all pixels after the change.
    let scale = format!("scale={width}:{height}:{SCALER}{}", colours.to_rgb(*height));
    let mut options = arguments(input(path));
    options.extend(arguments(["-map", &format!("0:{video}"), "-vf", &format!("{rate},{scale},format=rgb24")]));
    options.extend(arguments(["-f", "rawvideo", "-pix_fmt", "rgb24", "pipe:1"]));
    options
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::age::video::colours::Colours;
    use crate::age::video::timing::Timing;

    #[test]
    fn frames_are_decoded_at_one_size_and_rate_from_time_zero() {
        let info = ClipInfo {
            width: 640,
            height: 360,
            pixel_aspect: None,
            video: 2,
            audio: Vec::new(),
            colours: Colours { matrix: Some("bt709".into()), ..Colours::default() },
            timing: Timing::of(Vec::new(), 1, "30000/1001".parse().ok(), None),
        };

        let options = options("-clip.mp4".as_ref(), &info);

        let options: Vec<_> = options.iter().map(|option| option.to_str().unwrap()).collect();
        assert!(options.windows(2).any(|pair| pair == ["-i", "file:-clip.mp4"]), "{options:?}");
        assert!(options.windows(2).any(|pair| pair == ["-map", "0:2"]), "{options:?}");
        let filters =
            format!("fps=fps=30000/1001:start_time=0,scale=640:360:{SCALER}:in_color_matrix=bt709,format=rgb24");
        assert!(options.contains(&filters.as_str()), "{options:?}");
    }

    #[test]
    fn a_pipe_is_read_to_the_end_of_a_frame_or_of_the_clip() {
        let mut buffer = [0; 4];

        assert_eq!(read_up_to(&mut &b"abcdef"[..], &mut buffer).unwrap(), 4);
        assert_eq!(read_up_to(&mut &b"ab"[..], &mut buffer).unwrap(), 2);
        assert_eq!(read_up_to(&mut &b""[..], &mut buffer).unwrap(), 0);
    }
}
