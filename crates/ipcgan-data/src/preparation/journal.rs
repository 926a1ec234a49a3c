//! Which faces are done: `fingerprints.csv`, a line a face, appended while the work goes on.

use std::collections::HashMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Component, Path, PathBuf};
use std::sync::Mutex;

use csv::{ReaderBuilder, WriterBuilder};
use ipcgan_model::write_whole;

use super::fingerprint::Fingerprint;
use crate::{DataError, metadata};

/// What the file is called.
pub(super) const NAME: &str = "fingerprints.csv";
/// The names of the table's columns.
const HEADER: [&str; 2] = ["name", "fingerprint"];

pub(super) struct Journal {
    path: PathBuf,
    /// Locked until it is closed, also by a kill.
    file: Mutex<File>,
}

impl Journal {
    /// The journal of the prepared folder `folder`, and the faces that are done.
    ///
    /// # Errors
    /// Another run has it open, or it cannot be read or written.
    pub(super) fn open(folder: &Path) -> Result<(Self, HashMap<String, Fingerprint>), DataError> {
        let path = folder.join(NAME);
        let write_error = |source| DataError::Write { path: path.clone(), source };
        let mut file = OpenOptions::new().read(true).append(true).create(true).open(&path).map_err(write_error)?;
        file.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => DataError::BeingPrepared { path: folder.into() },
            TryLockError::Error(source) => write_error(source),
        })?;
        let mut text = Vec::new();
        file.read_to_end(&mut text).map_err(DataError::reading(&path))?;
        let done = done(&text);
        // A line that a crash cut short must not join the next one.
        let whole = text.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
        file.set_len(whole as u64).map_err(write_error)?;
        Ok((Self { path, file: Mutex::new(file) }, done))
    }

    /// Notes that the face `name` is done.
    pub(super) fn add(&self, name: &str, fingerprint: &Fingerprint) -> Result<(), DataError> {
        let line = line([name, &fingerprint.to_string()]);
        let written = self.file.lock().expect("no holder panics").write_all(&line);
        written.map_err(DataError::writing(&self.path))
    }

    /// Writes it anew with these faces alone, in this order.
    pub(super) fn rewrite(self, faces: impl Iterator<Item = (String, Fingerprint)>) -> Result<(), DataError> {
        let rows = faces.map(|(name, fingerprint)| [name, fingerprint.to_string()]);
        let contents = metadata::written(&self.path, HEADER, rows)?;
        // Windows replaces no file that is open.
        drop(self.file);
        write_whole(&self.path, &contents).map_err(DataError::writing(&self.path))
    }
}

/// What the journal says, as far as it is whole.
fn done(text: &[u8]) -> HashMap<String, Fingerprint> {
    let rows = ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text).into_records();
    let done = rows.filter_map(|row| {
        let row = row.ok()?;
        // A journal may come from somewhere else; pictures lie in the folder.
        let inside = |part| matches!(part, Component::Normal(_));
        Path::new(row.get(0)?).components().all(inside).then_some(())?;
        Some((row.get(0)?.to_string(), Fingerprint::read(row.get(1)?)?))
    });
    done.collect()
}

fn line(cells: [&str; 2]) -> Vec<u8> {
    let mut writer = WriterBuilder::new().from_writer(Vec::new());
    let written = writer.write_record(cells).map_err(io::Error::from).and_then(|()| writer.flush());
    written.expect("memory can be written");
    writer.into_inner().expect("memory can be written")
}

#[cfg(test)]
mod tests {
    use image::{Rgb, RgbImage};

    use super::*;

    fn fingerprint(blue: u8) -> Fingerprint {
        Fingerprint::of(&RgbImage::from_fn(32, 32, |x, y| Rgb([(x * y) as u8, (7 * x) as u8, blue])))
    }

    #[test]
    fn what_was_done_is_known_after_a_crash_but_for_the_line_that_was_cut_short() {
        let folder = tempfile::tempdir().unwrap();
        let (journal, done) = Journal::open(folder.path()).unwrap();
        assert!(done.is_empty());
        for name in ["a \"b\", c.jpg", "d.jpg", "e.jpg"] {
            journal.add(name, &fingerprint(1)).unwrap();
        }
        drop(journal);
        let path = folder.path().join("fingerprints.csv");
        let text = std::fs::read(&path).unwrap();
        std::fs::write(&path, &text[..text.len() - 20]).unwrap();

        let (journal, done) = Journal::open(folder.path()).unwrap();
        assert_eq!(done.len(), 2);
        assert_eq!(done["a \"b\", c.jpg"], fingerprint(1));
        journal.add("f.jpg", &fingerprint(2)).unwrap();
        drop(journal);

        assert!(Journal::open(folder.path()).unwrap().1.contains_key("f.jpg"));
    }

    #[test]
    fn a_name_outside_of_the_folder_is_none() {
        let hash = String::from_utf8(line(["inside/a.jpg", &fingerprint(1).to_string()])).unwrap();
        let outside = ["../a.jpg", "/a.jpg"].map(|name| hash.replace("inside/a.jpg", name)).concat();

        let done = done((hash + &outside).as_bytes());

        assert_eq!(done.keys().collect::<Vec<_>>(), ["inside/a.jpg"]);
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
