//! The resume log: the results in an output folder, with the photo and request of each.
//!
//! It has three purposes: an interrupted command can be resumed, results are not mistaken for photos, and only files
//! that this program wrote are replaced.

mod lines;

use std::collections::HashMap;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use ipcgan::system::{JsonPath, TemporaryFile};

use super::result_settings::ResultSettings;
use super::source::{Content, STANDARD_INPUT};
use lines::{FileRecord, Line, Text, text_of};
pub(crate) use lines::{PhotoId, PhotoRecord};

/// File name in the output folder.
const NAME: &str = "aged.jsonl";

#[derive(Debug)]
struct DonePhoto {
    record: PhotoRecord,
    /// Sizes and checksums of its results; `None` for a result that the log does not list.
    contents: Vec<Option<Content>>,
}

/// The state of an output folder.
#[derive(Debug, Default)]
pub(crate) struct ResumeLog {
    folder: PathBuf,
    /// By path; a replaced file has several records.
    files: HashMap<PathBuf, Vec<FileRecord>>,
    /// Finished photos by base name: the newest of each photo and request.
    photos: HashMap<PathBuf, Vec<DonePhoto>>,
    /// Base names by the photo's path.
    bases: HashMap<PathBuf, PathBuf>,
    /// Prefix of the next line.
    start: Option<&'static str>,
}

impl ResumeLog {
    /// Opens the log of `folder`; it is created with the first result.
    ///
    /// # Errors
    /// It cannot be read, or was written by another program or another version of its format.
    pub(crate) fn open(folder: &Path) -> Result<Self> {
        let path = folder.join(NAME);
        let text = match text_of(&path).with_context(|| format!("cannot read {}", path.display()))? {
            Text::Read(text) => text,
            Text::NoFile(what) => bail!(
                "{} is {what}, where the resume log belongs; move it away, or give another folder with --out",
                path.display()
            ),
        };
        let Some(mut log) = Self::parsed(&text) else {
            bail!(
                "{} is not a resume log of this version of ipcgan; move it away, or choose another folder with --out",
                path.display()
            );
        };
        log.folder = folder.into();
        Ok(log)
    }

    /// Paths of logged results in `folder`.
    pub(crate) fn results_in(folder: &Path) -> Vec<PathBuf> {
        let Ok(Text::Read(text)) = text_of(&folder.join(NAME)) else { return Vec::new() };
        let files = Self::parsed(&text).map(|log| log.files).unwrap_or_default();
        files.into_keys().map(|file| folder.join(file)).collect()
    }

    /// Whether a file has the name of a log.
    pub(crate) fn is_named(path: &Path) -> bool {
        path.file_name().is_some_and(|name| name == NAME)
    }

    /// Parses a log; `None` if `text` is not a log.
    fn parsed(text: &[u8]) -> Option<Self> {
        let mut log = Self::default();
        if text.is_empty() {
            return Some(log);
        }
        // A truncated line is ignored; the next one must start on a new line.
        log.start = Some(if text.ends_with(b"\n") { "" } else { "\n" });
        Line::after_first(text)?.for_each(|line| log.remember(line));
        Some(log)
    }

    fn remember(&mut self, line: Line) {
        match line {
            Line::Log { .. } => (),
            Line::File(record) => self.files.entry(record.file.as_path().into()).or_default().push(record),
            Line::Photo(record) => {
                let (path, base) = (record.photo.path.as_path(), record.base.as_path());
                self.bases.insert(path.into(), base.into());
                let contents = record.files.iter().map(|file| self.newest(file.as_path())).collect();
                let done = self.photos.entry(base.into()).or_default();
                done.retain(|other| other.record.photo != record.photo || other.record.request != record.request);
                done.push(DonePhoto { record, contents });
            }
        }
    }

    /// The content last written to a file.
    fn newest(&self, file: &Path) -> Option<Content> {
        self.files.get(file)?.last().map(|record| record.content)
    }

    /// Base name of the results of the photo at `location`, if it was aged before.
    pub(crate) fn base_of(&self, location: &Path) -> Option<&Path> {
        self.bases.get(location).map(PathBuf::as_path)
    }

    /// Whether the photo was aged with `request` before and its results exist, under the base name `base` or the one
    /// that is logged for its path.
    ///
    /// Results that another request has replaced do not count.
    pub(crate) fn has(&self, photo: &PhotoId, base: &Path, request: &ResultSettings) -> bool {
        let bases = self.base_of(photo.path.as_path()).into_iter().chain([base]);
        let mut done = bases.filter_map(|base| self.photos.get(base)).flatten();
        done.any(|DonePhoto { record, contents }| {
            let is_there = |(file, content): (&JsonPath, &Option<Content>)| {
                let is_newest = content.is_some() && self.newest(file.as_path()) == *content;
                let path = self.folder.join(file.as_path());
                is_newest && fs::metadata(path).is_ok_and(|file| file.is_file() && file.len() > 0)
            };
            let is_same = record.photo.content == photo.content && record.request == *request;
            is_same && record.files.iter().zip(contents).all(is_there)
        })
    }

    /// Whether a file of `bytes` bytes may have been written for the photo at `location`, or has the content that
    /// `content` returns, which is called only if needed.
    pub(crate) fn may_replace(
        &self,
        file: &Path,
        bytes: u64,
        location: &Path,
        content: impl Fn() -> Option<Content>,
    ) -> bool {
        let mut records = self.files.get(file).into_iter().flatten().filter(|record| record.content.bytes == bytes);
        records.any(|record| is_same_file(record.of.path.as_path(), location) || Some(record.of.content) == content())
    }

    /// Whether the file is unchanged since it was written for the photo.
    fn wrote(&self, file: &Path, photo: &PhotoId) -> bool {
        let Ok(content) = Content::of_file(&self.folder.join(file)) else { return false };
        self.files.get(file).into_iter().flatten().any(|record| {
            let same = is_same_file(record.of.path.as_path(), photo.path.as_path());
            record.content == content && (same || record.of.content == photo.content)
        })
    }

    /// Atomically writes a result of `photo` to `file`, relative to the log; returns whether it replaced an earlier
    /// result.
    ///
    /// # Errors
    /// The file exists and was not written for this photo, or was modified since; or the folder is not writable.
    pub(crate) fn write(&mut self, file: &Path, bytes: &[u8], photo: &PhotoId) -> Result<Written> {
        self.put(file, Content::of(bytes), photo, |path, written| match written {
            Written::New => ipcgan::system::write_new(path, bytes),
            Written::Replaced => ipcgan::system::write_atomic(path, bytes),
        })
    }

    /// Like [`ResumeLog::write`], with the content of a complete temporary file.
    pub(crate) fn persist(&mut self, file: &Path, complete: TemporaryFile, photo: &PhotoId) -> Result<Written> {
        let content = Content::of_file(complete.path())
            .with_context(|| format!("cannot write {}", self.folder.join(file).display()))?;
        self.put(file, content, photo, |path, written| match written {
            Written::New => complete.persist_new(path),
            Written::Replaced => complete.persist(path),
        })
    }

    /// Records that `file` has this `content`, and lets `write` write it.
    fn put(
        &mut self,
        file: &Path,
        content: Content,
        photo: &PhotoId,
        write: impl FnOnce(&Path, Written) -> io::Result<()>,
    ) -> Result<Written> {
        let (path, written) = self.destination(file, photo)?;
        self.append(Line::File(FileRecord { file: file.into(), content, of: photo.clone() }))?;
        write(&path, written).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(written)
    }

    /// Path of the result `file` of `photo`, and whether an earlier result is there.
    ///
    /// # Errors
    /// The file exists and was not written for this photo, or was modified since.
    pub(crate) fn destination(&self, file: &Path, photo: &PhotoId) -> Result<(PathBuf, Written)> {
        let path = self.folder.join(file);
        match fs::symlink_metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok((path, Written::New)),
            Ok(found) if found.is_file() && self.wrote(file, photo) => Ok((path, Written::Replaced)),
            Ok(_) => bail!(
                "{} already exists, and is not a result of {} or was changed since; move it away, or choose another \
                 folder with --out",
                path.display(),
                photo.path.as_path().display()
            ),
            Err(error) => Err(error).with_context(|| format!("cannot write {}", path.display())),
        }
    }

    /// Records that a photo is complete.
    pub(crate) fn note(&mut self, record: PhotoRecord) -> Result<()> {
        self.append(Line::Photo(record))
    }

    fn append(&mut self, line: Line) -> Result<()> {
        let path = self.folder.join(NAME);
        let mut text = String::new();
        let start = self.start;
        match start {
            None => text = Line::first().json(),
            Some(start) => text.push_str(start),
        }
        text += &line.json();
        // In one write, so that two processes do not mix their lines.
        let file = OpenOptions::new().append(true).create(true).open(&path);
        let written = file.and_then(|mut file| match (file.write_all(text.as_bytes()), start) {
            // On a full disk, a part of the first line may have been written; without all of it the file is not a log.
            (Err(error), None) => file.set_len(0).and(Err(error)),
            (written, _) => written,
        });
        self.start = match (&written, start) {
            (Ok(()), _) => Some(""),
            (Err(_), None) => None,
            (Err(_), Some(_)) => Some("\n"),
        };
        written.with_context(|| format!("cannot write {}", path.display()))?;
        self.remember(line);
        Ok(())
    }
}

/// Whether a result is new or replaced an earlier one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Written {
    New,
    Replaced,
}

/// Whether two photos are the same file; standard input never is.
fn is_same_file(one: &Path, other: &Path) -> bool {
    one == other && one != Path::new(STANDARD_INPUT)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn photo(path: &str, content: &str) -> PhotoId {
        PhotoId { path: path.into(), content: Content::of(content.as_bytes()) }
    }

    fn request(strength: &str) -> ResultSettings {
        let text = format!(
            r#"{{"program":"0.1.0","weights":null,"ages":["51+"],"face":"all","strength":{strength},"format":"same",
            "shown":"photo","animate":false}}"#
        );
        serde_json::from_str(&text).unwrap()
    }

    /// A folder with one finished result of one photo.
    fn aged(photo: &PhotoId) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let mut log = ResumeLog::open(folder.path()).unwrap();
        assert_eq!(log.write("a-51+.png".as_ref(), b"result", photo).unwrap(), Written::New);
        let record = PhotoRecord {
            photo: photo.clone(),
            base: "a".into(),
            request: request("1.0"),
            files: vec!["a-51+.png".into()],
        };
        log.note(record).unwrap();
        folder
    }

    #[test]
    fn a_photo_is_complete_while_its_results_exist_and_the_request_is_equal() {
        let photo = photo("/photos/a.png", "photo");
        let folder = aged(&photo);
        let has = |photo: &PhotoId, strength| {
            ResumeLog::open(folder.path()).unwrap().has(photo, "a".as_ref(), &request(strength))
        };

        assert!(has(&photo, "1.0"));
        assert!(!has(&photo, "2.0"), "another strength");
        assert!(!has(&self::photo("/photos/a.png", "other"), "1.0"), "another photo of the same name");
        assert!(has(&self::photo("/moved/a.png", "photo"), "1.0"), "the same photo in a folder that was moved");
        fs::write(folder.path().join("a-51+.png"), "").unwrap();
        assert!(!has(&photo, "1.0"), "a result that was emptied");
        fs::remove_file(folder.path().join("a-51+.png")).unwrap();
        assert!(!has(&photo, "1.0"), "a missing result");
    }

    #[test]
    fn each_request_is_remembered_while_its_results_stay() {
        let photo = photo("/photos/a.png", "photo");
        let folder = aged(&photo);
        let mut log = ResumeLog::open(folder.path()).unwrap();
        let mut age = |file: &str, strength: &str| {
            log.write(file.as_ref(), strength.as_bytes(), &photo).unwrap();
            let (base, files) = ("a".into(), vec![file.into()]);
            log.note(PhotoRecord { photo: photo.clone(), base, request: request(strength), files }).unwrap();
        };
        let has =
            |strength: &str| ResumeLog::open(folder.path()).unwrap().has(&photo, "a".as_ref(), &request(strength));

        age("a-25.png", "2.0");
        assert!(has("1.0") && has("2.0"), "their results have different names");

        age("a-51+.png", "3.0");
        assert!(!has("1.0"), "its result was replaced");
        assert!(has("2.0") && has("3.0"));
    }

    #[cfg(unix)]
    #[test]
    fn a_log_path_that_is_no_regular_file_is_an_error_without_blocking() {
        let at = |make: &dyn Fn(&Path)| {
            let folder = tempfile::tempdir().unwrap();
            make(&folder.path().join(NAME));
            assert!(ResumeLog::results_in(folder.path()).is_empty());
            ResumeLog::open(folder.path()).unwrap_err().to_string()
        };
        let pipe = |path: &Path| assert!(std::process::Command::new("mkfifo").arg(path).status().unwrap().success());

        assert!(
            at(&|path| fs::create_dir(path).unwrap()).contains("aged.jsonl is a folder, where the resume log belongs")
        );
        assert!(at(&|path| std::os::unix::fs::symlink("gone", path).unwrap()).contains("is a link to nothing"));
        assert!(at(&pipe).contains("is a pipe or a device"));
    }

    #[test]
    fn a_result_is_replaced_by_another_of_the_same_photo() {
        let photo = photo("/photos/a.png", "photo");
        let folder = aged(&photo);
        let mut log = ResumeLog::open(folder.path()).unwrap();

        let written = log.write("a-51+.png".as_ref(), b"stronger", &photo).unwrap();

        assert_eq!(written, Written::Replaced);
        assert_eq!(fs::read(folder.path().join("a-51+.png")).unwrap(), b"stronger");
    }

    #[test]
    fn nothing_else_is_replaced() {
        let photo = photo("/photos/a.png", "photo");
        let folder = aged(&photo);
        let path = folder.path().join("a-51+.png");
        let write = |photo: &PhotoId| {
            ResumeLog::open(folder.path()).unwrap().write("a-51+.png".as_ref(), b"new", photo).unwrap_err().to_string()
        };

        let error = write(&self::photo("/others/a.png", "another"));
        assert!(error.contains("a-51+.png already exists"), "the result of another photo: {error}");
        fs::write(&path, "resulT").unwrap();
        assert!(write(&photo).contains("changed since"), "a result that was edited");

        assert_eq!(fs::read(path).unwrap(), b"resulT");
    }

    #[test]
    fn a_truncated_line_is_ignored() {
        let photo = photo("/photos/a.png", "photo");
        let folder = aged(&photo);
        let path = folder.path().join(NAME);
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, format!("{text}{{\"photo\": \"b")).unwrap();

        let mut log = ResumeLog::open(folder.path()).unwrap();
        log.write("b-51+.png".as_ref(), b"result", &photo).unwrap();

        let log = ResumeLog::open(folder.path()).unwrap();
        assert!(log.has(&photo, "a".as_ref(), &request("1.0")));
        assert!(log.files.contains_key(Path::new("b-51+.png")));
    }

    #[test]
    fn a_foreign_file_in_place_of_the_log_is_an_error_and_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(NAME), "my list\n").unwrap();

        let error = ResumeLog::open(folder.path()).unwrap_err().to_string();

        assert!(error.contains("aged.jsonl is not a resume log"), "{error}");
        assert!(ResumeLog::results_in(folder.path()).is_empty());
    }
}
