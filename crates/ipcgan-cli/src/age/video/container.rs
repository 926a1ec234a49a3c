//! Containers of results: which codecs they hold.

use std::path::Path;

/// Container of a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Container {
    Mp4,
    QuickTime,
    WebM,
    Matroska,
    Avi,
}

impl Container {
    /// Container of the results of a clip: its own, or Matroska, which holds almost any audio, for one that is out of
    /// use.
    pub(crate) fn of(clip: &Path) -> Self {
        let extension = clip.extension().unwrap_or_default().to_ascii_lowercase();
        match extension.to_str() {
            Some("mp4" | "m4v") => Self::Mp4,
            Some("mov") => Self::QuickTime,
            Some("webm") => Self::WebM,
            Some("avi") => Self::Avi,
            _ => Self::Matroska,
        }
    }

    /// File name extension of results.
    pub(crate) fn extension(self) -> &'static str {
        match self {
            Self::Mp4 => "mp4",
            Self::QuickTime => "mov",
            Self::WebM => "webm",
            Self::Matroska => "mkv",
            Self::Avi => "avi",
        }
    }

    /// The muxer of ffmpeg.
    pub(super) fn muxer(self) -> &'static [&'static str] {
        match self {
            // The index at the start, so that a browser plays while it loads.
            Self::Mp4 => &["-movflags", "+faststart", "-f", "mp4"],
            Self::QuickTime => &["-movflags", "+faststart", "-f", "mov"],
            Self::WebM => &["-f", "webm"],
            Self::Matroska => &["-f", "matroska"],
            Self::Avi => &["-f", "avi"],
        }
    }

    /// Name of the video encoder, and its settings: visually lossless, and not slower than the networks.
    pub(super) fn video_encoder(self) -> (&'static str, &'static [&'static str]) {
        match self {
            Self::WebM => {
                ("libvpx-vp9", &["-crf", "20", "-b:v", "0", "-row-mt", "1", "-deadline", "good", "-cpu-used", "4"])
            }
            // H.264 needs times that AVI cannot hold.
            Self::Avi => ("mpeg4", &["-vtag", "xvid", "-q:v", "2"]),
            Self::Mp4 | Self::QuickTime | Self::Matroska => ("libx264", &["-preset", "fast", "-crf", "16"]),
        }
    }

    /// Whether sides must be even, because the encoder halves the resolution of colours and takes no odd rest.
    pub(super) fn needs_even_sides(self) -> bool {
        self.video_encoder().0 == "libx264"
    }

    /// Whether colour properties can be stored.
    pub(super) fn holds_colour_tags(self) -> bool {
        self != Self::Avi
    }

    /// Whether it holds audio of the codec as it is.
    pub(super) fn holds_audio(self, codec: &str) -> bool {
        let codecs: &[&str] = match self {
            Self::Mp4 => &["aac", "mp3", "ac3", "eac3", "alac", "opus"],
            Self::QuickTime => &[
                "aac",
                "mp3",
                "ac3",
                "eac3",
                "alac",
                "pcm_s16le",
                "pcm_s16be",
                "pcm_s24le",
                "pcm_s24be",
                "pcm_s32le",
                "pcm_s32be",
                "pcm_f32le",
                "pcm_f32be",
                "pcm_u8",
                "pcm_alaw",
                "pcm_mulaw",
            ],
            Self::WebM => &["opus", "vorbis"],
            Self::Matroska => &[
                "aac",
                "mp2",
                "mp3",
                "ac3",
                "eac3",
                "dts",
                "truehd",
                "flac",
                "alac",
                "opus",
                "vorbis",
                "pcm_s16le",
                "pcm_s16be",
                "pcm_s24le",
                "pcm_s24be",
                "pcm_s32le",
                "pcm_f32le",
                "pcm_u8",
                "wmav2",
            ],
            Self::Avi => &["mp2", "mp3", "ac3", "aac", "pcm_s16le", "pcm_u8", "adpcm_ms", "adpcm_ima_wav", "wmav2"],
        };
        codecs.contains(&codec)
    }

    /// Encoder for audio that it does not hold as it is.
    pub(super) fn audio_encoder(self) -> &'static str {
        match self {
            Self::WebM => "libopus",
            Self::Avi => "ac3",
            Self::Mp4 | Self::QuickTime | Self::Matroska => "aac",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clip_keeps_its_container_and_an_outdated_one_becomes_matroska() {
        for (name, extension) in [
            ("a.mp4", "mp4"),
            ("a.M4V", "mp4"),
            ("a.MOV", "mov"),
            ("a.webm", "webm"),
            ("a.avi", "avi"),
            ("a.flv", "mkv"),
        ] {
            assert_eq!(Container::of(name.as_ref()).extension(), extension, "{name}");
        }
    }

    #[test]
    fn audio_is_copied_where_the_container_holds_it() {
        assert!(Container::Mp4.holds_audio("aac") && !Container::Mp4.holds_audio("pcm_s16le"));
        assert!(Container::WebM.holds_audio("opus") && !Container::WebM.holds_audio("aac"));
        assert!(!Container::Matroska.holds_audio("amr_nb"));
    }
}
