//! Where a photo comes from: a file or standard input.

use std::fs::{self, File};
use std::io::{self, IsTerminal, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use ipcgan::data::DataError;
use ipcgan::photo::{self, MAX_FILE_BYTES};
use serde::{Deserialize, Serialize};

use crate::exit_reason::usage_error;

/// Argument that stands for standard input.
pub(crate) const STANDARD_INPUT: &str = "-";
const STANDARD_INPUT_NAME: &str = "standard input";
/// Bytes from which the file type is detected.
const HEAD_BYTES: u64 = 4096;
/// File name extensions of videos, in lower case.
const VIDEO_EXTENSIONS: [&str; 16] =
    ["3gp", "avi", "flv", "m2ts", "m4v", "mkv", "mov", "mp4", "mpeg", "mpg", "mts", "mxf", "ogv", "vob", "webm", "wmv"];

/// Advice for videos among photos.
pub(crate) const VIDEO_ADVICE: &str = "name it on the command line to age it: ipcgan age clip.mp4";
/// Advice for a video that is not a file with the name of one.
const NAME_ADVICE: &str = "give it as a file whose name ends as a video's (.mp4, .mov, .webm, .mkv, .avi)";

/// Where a photo comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    File(PathBuf),
    /// Contents of standard input.
    StandardInput(Arc<[u8]>),
}

/// Size and checksum of a file's content, which identify it regardless of name and time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Content {
    pub(crate) bytes: u64,
    crc32c: u32,
}

impl Content {
    pub(crate) fn of(bytes: &[u8]) -> Self {
        Self { bytes: bytes.len() as u64, crc32c: crc32c::crc32c(bytes) }
    }

    /// Of a file, which may be large.
    pub(crate) fn of_file(path: &Path) -> io::Result<Self> {
        let mut file = File::open(path)?;
        let mut content = Self { bytes: 0, crc32c: 0 };
        let mut part = vec![0; 1 << 20];
        loop {
            match file.read(&mut part)? {
                0 => return Ok(content),
                read => {
                    content.bytes += read as u64;
                    content.crc32c = crc32c::crc32c_append(content.crc32c, &part[..read]);
                }
            }
        }
    }
}

impl Source {
    /// Reads standard input to its end.
    pub(crate) fn standard_input() -> Result<Self> {
        let input = io::stdin();
        if input.is_terminal() {
            return Err(usage_error(
                "`-` reads a photo from standard input, but nothing is piped into it: ipcgan age - < photo.jpg",
            ));
        }
        Ok(Self::StandardInput(read(input.lock(), Path::new(STANDARD_INPUT_NAME))?.into()))
    }

    /// Name in messages.
    pub(crate) fn name(&self) -> &Path {
        match self {
            Self::File(path) => path,
            Self::StandardInput(_) => STANDARD_INPUT_NAME.as_ref(),
        }
    }

    /// Path as given.
    pub(crate) fn path(&self) -> &Path {
        match self {
            Self::File(path) => path,
            Self::StandardInput(_) => STANDARD_INPUT.as_ref(),
        }
    }

    /// Contents.
    ///
    /// # Errors
    /// It cannot be read, or its first bytes are not those of a photo.
    pub(crate) fn read(&self) -> Result<Arc<[u8]>> {
        match self {
            Self::StandardInput(bytes) => Ok(bytes.clone()),
            Self::File(path) => {
                let opened = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
                if opened.metadata().is_ok_and(|file| file.is_dir()) {
                    bail!("{} is a folder, not a photo", path.display());
                }
                Ok(read(opened, path)?.into())
            }
        }
    }

    pub(crate) fn content(&self) -> io::Result<Content> {
        match self {
            Self::File(path) => Content::of_file(path),
            Self::StandardInput(bytes) => Ok(Content::of(bytes)),
        }
    }
}

/// Reads a file if its first bytes are those of a photo: other files, such as devices or videos, are not read to the
/// end.
fn read(mut file: impl Read, path: &Path) -> Result<Vec<u8>> {
    let unreadable = || format!("cannot read {}", path.display());
    let mut bytes = Vec::new();
    file.by_ref().take(HEAD_BYTES).read_to_end(&mut bytes).with_context(unreadable)?;
    if is_video(path) || holds_video(&bytes) {
        bail!("{} is a video, not a photo; {NAME_ADVICE}", path.display());
    }
    use DataError::{NotAnImage, UnknownFormat, UnreadableKind};
    if let Err(error @ (UnknownFormat { .. } | UnreadableKind { .. } | NotAnImage { .. })) =
        photo::pixels_of(&bytes, path)
    {
        return Err(error.into());
    }
    file.take(MAX_FILE_BYTES).read_to_end(&mut bytes).with_context(unreadable)?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(DataError::TooLong { path: path.into(), limit: MAX_FILE_BYTES }.into());
    }
    Ok(bytes)
}

/// Whether a file has the extension of a video.
pub(crate) fn is_video(path: &Path) -> bool {
    let extension = path.extension().unwrap_or_default().to_ascii_lowercase();
    VIDEO_EXTENSIONS.iter().any(|known| *known == extension)
}

/// Whether a file starts like MP4, QuickTime, Matroska (WebM) or AVI.
fn holds_video(head: &[u8]) -> bool {
    let brand = (head.get(4..8) == Some(b"ftyp")).then(|| head.get(8..12)).flatten();
    let has_video_brand = brand.is_some_and(|brand| {
        [
            &b"isom"[..],
            b"iso2",
            b"iso4",
            b"iso5",
            b"iso6",
            b"mp41",
            b"mp42",
            b"avc1",
            b"M4V ",
            b"qt  ",
            b"3gp4",
            b"3gp5",
        ]
        .contains(&brand)
    });
    has_video_brand
        || head.starts_with(b"\x1a\x45\xdf\xa3")
        || (head.starts_with(b"RIFF") && head.get(8..12) == Some(b"AVI "))
}

/// Canonical location of `path`: links to folders are resolved, a link to the file itself is another photo.
pub(crate) fn located(path: &Path) -> PathBuf {
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    match (fs::canonicalize(parent), path.file_name()) {
        (Ok(parent), Some(name)) => parent.join(name),
        _ => std::path::absolute(path).unwrap_or_else(|_| path.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_video_is_recognised_by_its_name_or_first_bytes() {
        for name in ["clip.mp4", "a/b.MOV", "x.webm"] {
            assert!(is_video(name.as_ref()), "{name}");
        }
        assert!(!is_video("clip.jpg".as_ref()) && !is_video("mp4".as_ref()));
        assert!(holds_video(b"\0\0\0\x20ftypisom\0\0"));
        assert!(!holds_video(b"\0\0\0\x20ftypheic\0\0") && !holds_video(b"") && !holds_video(b"\xff\xd8\xff"));
    }

    #[test]
    fn contents_of_one_size_differ_by_checksum() {
        assert_eq!(Content::of(b"one"), Content::of(b"one"));
        assert_ne!(Content::of(b"one"), Content::of(b"two"));
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, b"one").unwrap();

        assert_eq!(Content::of_file(&path).unwrap(), Content::of(b"one"));
    }
}
