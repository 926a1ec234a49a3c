//! Journal of a preparation: `fingerprints.csv`, one line per finished face.

use std::collections::HashMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Component, Path, PathBuf};
use std::sync::Mutex;

use csv::{ReaderBuilder, WriterBuilder};
use ipcgan_system::write_atomic;

use super::fingerprint::Fingerprint;
use crate::{DataError, metadata};

/// File name of the journal.
pub(super) const NAME: &str = "fingerprints.csv";
/// Column names of the table.
const HEADER: [&str; 3] = ["name", "fingerprint", "source"];

/// A finished face.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Done {
    pub(super) fingerprint: Fingerprint,
    /// [`FaceSet::source_checksum`](crate::FaceSet::source_checksum) at the time it was finished.
    pub(super) source: Option<u32>,
}

impl Done {
    fn cells(self, name: &str) -> [String; 3] {
        let source = self.source.map(|sum| format!("{sum:08x}")).unwrap_or_default();
        [name.into(), self.fingerprint.to_string(), source]
    }

    /// Parses the cells after the name; `None` if they are invalid.
    fn of_cells(fingerprint: &str, source: Option<&str>) -> Option<Self> {
        let source = source.filter(|text| !text.is_empty());
        let source = source.map(|text| u32::from_str_radix(text, 16)).transpose().ok()?;
        Some(Self { fingerprint: Fingerprint::read(fingerprint)?, source })
    }
}

pub(super) struct Journal {
    path: PathBuf,
    /// Locked until it is closed; a kill also releases the lock.
    file: Mutex<File>,
}

impl Journal {
    /// Opens the journal of the prepared folder `folder` and reads the finished faces.
    ///
    /// # Errors
    /// Another process has it open, or it cannot be read or written.
    pub(super) fn open(folder: &Path) -> Result<(Self, HashMap<String, Done>), DataError> {
        let path = folder.join(NAME);
        let write_error = |source| DataError::Write { path: path.clone(), source };
        // Reading a pipe would block forever.
        if path.exists() && !path.is_file() {
            return Err(DataError::unusable(
                &path,
                "is not a regular file; move it away, or prepare into another folder",
            ));
        }
        let mut file = OpenOptions::new().read(true).append(true).create(true).open(&path).map_err(write_error)?;
        file.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => DataError::BeingPrepared { path: folder.into() },
            TryLockError::Error(source) => write_error(source),
        })?;
        let mut text = Vec::new();
        file.read_to_end(&mut text).map_err(DataError::reading(&path))?;
        let done = done(&text);
        // A line truncated by a crash must not merge with the next one.
        let whole = text.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
        file.set_len(whole as u64).map_err(write_error)?;
        Ok((Self { path, file: Mutex::new(file) }, done))
    }

    /// Appends the finished face `name`.
    pub(super) fn add(&self, name: &str, done: Done) -> Result<(), DataError> {
        let line = line(done.cells(name));
        let written = self.file.lock().expect("no holder panics").write_all(&line);
        written.map_err(DataError::writing(&self.path))
    }

    /// Rewrites the journal with only these faces, in this order.
    pub(super) fn rewrite(self, faces: impl Iterator<Item = (String, Done)>) -> Result<(), DataError> {
        let rows = faces.map(|(name, done)| done.cells(&name));
        let contents = metadata::written(&self.path, HEADER, rows)?;
        // Windows cannot replace an open file.
        drop(self.file);
        write_atomic(&self.path, &contents).map_err(DataError::writing(&self.path))
    }
}

/// Finished faces in the journal, without a truncated last line.
fn done(text: &[u8]) -> HashMap<String, Done> {
    let rows = ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text).into_records();
    let done = rows.filter_map(|row| {
        let row = row.ok()?;
        // A journal may come from elsewhere: accept only paths inside the folder.
        let inside = |part| matches!(part, Component::Normal(_));
        Path::new(row.get(0)?).components().all(inside).then_some(())?;
        Some((row.get(0)?.to_string(), Done::of_cells(row.get(1)?, row.get(2))?))
    });
    done.collect()
}

fn line(cells: [String; 3]) -> Vec<u8> {
    let mut writer = WriterBuilder::new().from_writer(Vec::new());
    let written = writer.write_record(cells).map_err(io::Error::from).and_then(|()| writer.flush());
    written.expect("memory can be written");
    writer.into_inner().expect("memory can be written")
}

#[cfg(test)]
mod tests {
    use image::{Rgb, RgbImage};

    use super::*;

    fn done_with(blue: u8) -> Done {
        let image = RgbImage::from_fn(32, 32, |x, y| Rgb([(x * y) as u8, (7 * x) as u8, blue]));
        Done { fingerprint: Fingerprint::of(&image), source: Some(0xab).filter(|_| blue > 1) }
    }

    #[test]
    fn after_a_crash_the_journal_is_read_without_its_truncated_last_line() {
        let folder = tempfile::tempdir().unwrap();
        let (journal, done) = Journal::open(folder.path()).unwrap();
        assert!(done.is_empty());
        for name in ["a \"b\", c.jpg", "d.jpg", "e.jpg"] {
            journal.add(name, done_with(1)).unwrap();
        }
        drop(journal);
        let path = folder.path().join("fingerprints.csv");
        let text = std::fs::read(&path).unwrap();
        std::fs::write(&path, &text[..text.len() - 20]).unwrap();

        let (journal, done) = Journal::open(folder.path()).unwrap();
        assert_eq!(done.len(), 2);
        assert_eq!(done["a \"b\", c.jpg"], done_with(1));
        journal.add("f.jpg", done_with(2)).unwrap();
        drop(journal);

        assert_eq!(Journal::open(folder.path()).unwrap().1["f.jpg"], done_with(2));
    }

    #[test]
    fn a_name_outside_the_folder_is_ignored() {
        let hash = String::from_utf8(line(done_with(2).cells("inside/a.jpg"))).unwrap();
        let outside = ["../a.jpg", "/a.jpg"].map(|name| hash.replace("inside/a.jpg", name)).concat();

        let done = done((hash + &outside).as_bytes());

        assert_eq!(done.keys().collect::<Vec<_>>(), ["inside/a.jpg"]);
    }

    #[cfg(unix)]
    #[test]
    fn a_pipe_in_place_of_the_journal_is_an_error_without_blocking() {
        let folder = tempfile::tempdir().unwrap();
        let made = std::process::Command::new("mkfifo").arg(folder.path().join(NAME)).status().unwrap();
        assert!(made.success());

        let error = Journal::open(folder.path()).err().unwrap().to_string();

        assert!(error.contains("fingerprints.csv is not a regular file; move it away"), "{error}");
    }

    #[test]
    fn a_folder_is_prepared_by_one_run_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let first = Journal::open(folder.path()).unwrap();

        let second = Journal::open(folder.path()).err().unwrap();

        assert!(matches!(second, DataError::BeingPrepared { .. }));
        drop(first);
        assert!(Journal::open(folder.path()).is_ok());
    }
}
