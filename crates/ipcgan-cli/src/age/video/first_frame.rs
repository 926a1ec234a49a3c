//! The first frame of a clip: its size and pixel aspect as ffmpeg turns it.

use std::path::Path;

use anyhow::{Result, anyhow};

use super::probe::unreadable;
use super::program::{Program, input};

/// Size and pixel aspect of a frame as ffmpeg turns it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FirstFrame {
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) pixel_aspect: Option<(u32, u32)>,
}

impl FirstFrame {
    /// Decodes the first frame of a stream.
    pub(super) fn of(path: &Path, stream: usize) -> Result<Self> {
        let mut command = Program::Ffmpeg.command();
        command.args(input(path)).args(["-map", &format!("0:{stream}"), "-frames:v", "1", "-pix_fmt", "yuv420p"]);
        let (frame, messages) = Program::Ffmpeg
            .output(command.args(["-f", "yuv4mpegpipe", "pipe:1"]))
            .map_err(|error| unreadable(path, &error))?;
        let header = frame.split(|byte| *byte == b'\n').next().unwrap_or_default();
        Self::parsed(&String::from_utf8_lossy(header)).ok_or_else(|| {
            let messages = if messages.is_empty() { messages } else { format!(" (ffmpeg: {messages})") };
            anyhow!("{} has no frame that can be decoded; copy or download it again{messages}", path.display())
        })
    }

    /// Parses the header of YUV4MPEG2: `YUV4MPEG2 W480 H360 F30:1 Ip A1:1`.
    fn parsed(header: &str) -> Option<Self> {
        let mut words = header.split(' ');
        words.next().filter(|magic| *magic == "YUV4MPEG2")?;
        let words: Vec<&str> = words.collect();
        let value = |tag: char| words.iter().find_map(|word| word.strip_prefix(tag));
        let aspect = value('A').and_then(|aspect| {
            let (width, height) = aspect.split_once(':')?;
            Some((width.parse::<u32>().ok()?, height.parse::<u32>().ok()?))
        });
        Some(Self {
            width: value('W')?.parse().ok()?,
            height: value('H')?.parse().ok()?,
            pixel_aspect: aspect.filter(|(width, height)| *width > 0 && *height > 0 && width != height),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn size_and_pixel_aspect_are_those_of_the_turned_frame() {
        let parsed = |header| FirstFrame::parsed(header).map(|frame| (frame.width, frame.height, frame.pixel_aspect));

        assert_eq!(parsed("YUV4MPEG2 W576 H720 F25:1 Ip A45:64 C420"), Some((576, 720, Some((45, 64)))));
        assert_eq!(parsed("YUV4MPEG2 W8 H6 F30:1 Ip A1:1"), Some((8, 6, None)));
        assert_eq!(parsed("YUV4MPEG2 W8 H6 F30:1 Ip A0:0"), Some((8, 6, None)));
        assert_eq!(parsed(""), None);
        assert_eq!(parsed("YUV4MPEG2 W8"), None);
    }
}
