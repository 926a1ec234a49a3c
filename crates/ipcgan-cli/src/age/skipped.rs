//! Why files of a folder are skipped.

use std::fmt;

use ipcgan::data::counted;
use ipcgan::photo::ImageKind;

/// Why a file is skipped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Skipped {
    /// An image format that this build cannot decode.
    Unread(ImageKind),
    Video,
    OtherFile,
    /// A file or folder whose name starts with a dot.
    Hidden,
    /// A result of an earlier run.
    Result,
    /// In the output folder.
    InOutputFolder,
    /// Given more than once.
    Repeated,
    /// A link to one of its parent folders.
    LinkLoop,
    /// A broken link with an extension that is not an image's.
    BrokenLink,
}

impl fmt::Display for Skipped {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unread(kind) => kind.fmt(formatter),
            Self::Video => formatter.write_str("video"),
            Self::OtherFile => formatter.write_str("other file"),
            Self::Hidden => formatter.write_str("hidden"),
            Self::Result => formatter.write_str("result of an earlier command"),
            Self::InOutputFolder => formatter.write_str("in the output folder"),
            Self::Repeated => formatter.write_str("given twice"),
            Self::LinkLoop => formatter.write_str("link to a parent folder"),
            Self::BrokenLink => formatter.write_str("broken link"),
        }
    }
}

impl Skipped {
    /// Count and kind as text, such as `3 other files`.
    pub(super) fn counted(self, count: usize) -> String {
        match self {
            Self::Unread(_) | Self::Repeated => format!("{count} {self}"),
            Self::Video => counted(count, "video", "videos"),
            Self::OtherFile => counted(count, "other file", "other files"),
            Self::Hidden => counted(count, "hidden file or folder", "hidden files or folders"),
            Self::InOutputFolder => counted(count, "file in the folder of results", "files in the folder of results"),
            Self::Result => counted(count, "result of an earlier command", "results of earlier commands"),
            Self::LinkLoop => counted(count, "link to a folder around it", "links to folders around them"),
            Self::BrokenLink => counted(count, "broken link", "broken links"),
        }
    }
}
