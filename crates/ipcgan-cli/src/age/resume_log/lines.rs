//! The file of a resume log: its lines, and how it is read.

use std::fs;
use std::io;
use std::path::Path;

use ipcgan::system::JsonPath;
use serde::{Deserialize, Serialize};

use crate::age::result_settings::ResultSettings;
use crate::age::source::Content;

const PROGRAM: &str = "ipcgan age";
const VERSION: u32 = 1;

/// A line of the log.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Line {
    Log {
        program: String,
        version: u32,
    },
    /// Written before the file, so that the log lists every file.
    File(FileRecord),
    Photo(PhotoRecord),
}

/// Identifies a photo by location and content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PhotoId {
    pub(crate) path: JsonPath,
    #[serde(flatten)]
    pub(crate) content: Content,
}

/// A file that was written for a photo.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct FileRecord {
    /// Relative to the log.
    pub(super) file: JsonPath,
    #[serde(flatten)]
    pub(super) content: Content,
    pub(super) of: PhotoId,
}

/// A completed photo.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct PhotoRecord {
    pub(crate) photo: PhotoId,
    /// Base name of its results.
    pub(crate) base: JsonPath,
    pub(crate) request: ResultSettings,
    /// Its results, relative to the log.
    pub(crate) files: Vec<JsonPath>,
}

impl Line {
    /// The first line of a log.
    pub(super) fn first() -> Self {
        Self::Log { program: PROGRAM.into(), version: VERSION }
    }

    /// The lines of the log `text` after its first one, without truncated ones; `None` if it is not a log of this
    /// version.
    pub(super) fn after_first(text: &[u8]) -> Option<impl Iterator<Item = Self>> {
        let mut lines = text.split(|byte| *byte == b'\n').map(serde_json::from_slice::<Self>);
        match lines.next()? {
            Ok(Self::Log { program, version: VERSION }) if program == PROGRAM => Some(lines.flatten()),
            _ => None,
        }
    }

    /// As JSON, with the line break at its end.
    pub(super) fn json(&self) -> String {
        serde_json::to_string(self).expect("plain data turn into JSON") + "\n"
    }
}

/// Contents of the path of a log.
pub(super) enum Text {
    /// Text of a log; empty if there is none yet.
    Read(Vec<u8>),
    /// Not a regular file, such as `a folder`; reading a pipe would block forever.
    NoFile(&'static str),
}

/// Reads the log at `path` without blocking.
pub(super) fn text_of(path: &Path) -> io::Result<Text> {
    let found = match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let is_link = fs::symlink_metadata(path).is_ok();
            return Ok(if is_link { Text::NoFile("a link to nothing") } else { Text::Read(Vec::new()) });
        }
        found => found?,
    };
    match (found.is_file(), found.is_dir()) {
        (true, _) => fs::read(path).map(Text::Read),
        (_, true) => Ok(Text::NoFile("a folder")),
        _ => Ok(Text::NoFile("a pipe or a device")),
    }
}
