//! Atomic file writes: a file is written completely or not at all.
//!
//! A killed process leaves its temporary file behind. Every temporary file is locked by the process that writes it, so
//! an unlocked one is stale: the next process that writes into its folder removes it.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use tempfile::NamedTempFile;

/// Atomically writes `contents` to the file `path`, replacing an existing file.
///
/// The bytes go to a temporary file in the same folder, which is renamed to `path` once it is synced to disk: a reader
/// sees the old file or the new one, even after a power failure. The file has the default permissions of new files.
///
/// # Errors
/// The folder does not exist, the disk is full, or the folder is not writable; the error does not name the file.
pub fn write_atomic(path: &Path, contents: &[u8]) -> io::Result<()> {
    with_contents(path, contents)?.persist(path)
}

/// Like [`write_atomic`], but never replaces a file, not even one that another process creates at `path` meanwhile.
///
/// # Errors
/// As [`write_atomic`], and [`io::ErrorKind::AlreadyExists`].
pub fn write_new(path: &Path, contents: &[u8]) -> io::Result<()> {
    with_contents(path, contents)?.persist_new(path)
}

/// A temporary file with `contents` in the folder of `path`.
fn with_contents(path: &Path, contents: &[u8]) -> io::Result<TemporaryFile> {
    let mut file = locked(path)?;
    file.write_all(contents)?;
    Ok(TemporaryFile(file))
}

/// A file under a temporary name in its final folder, for content that another program writes.
///
/// It is removed if it is dropped before it gets its name.
#[derive(Debug)]
pub struct TemporaryFile(NamedTempFile);

impl TemporaryFile {
    /// An empty file in the folder of `path`.
    ///
    /// # Errors
    /// As [`write_atomic`].
    pub fn beside(path: &Path) -> io::Result<Self> {
        let file = locked(path)?;
        // The lock of Windows keeps other programs from writing; there, an open file cannot be removed as stale either.
        #[cfg(windows)]
        file.as_file().unlock()?;
        Ok(Self(file))
    }

    /// Its temporary name.
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Syncs the file to disk and renames it to `path`, replacing an existing file.
    ///
    /// # Errors
    /// As [`write_atomic`].
    pub fn persist(self, path: &Path) -> io::Result<()> {
        self.0.as_file().sync_all()?;
        self.0.persist(path)?;
        Ok(())
    }

    /// Like [`TemporaryFile::persist`], but never replaces a file.
    ///
    /// # Errors
    /// As [`write_new`].
    pub fn persist_new(self, path: &Path) -> io::Result<()> {
        self.0.as_file().sync_all()?;
        let error = match self.0.persist_noclobber(path) {
            Ok(_) => return Ok(()),
            Err(error) => error,
        };
        if error.error.kind() == io::ErrorKind::AlreadyExists {
            return Err(error.error);
        }
        // File systems without hard links (FAT, some network drives) cannot rename without replacing: an empty file
        // reserves the name first.
        OpenOptions::new().write(true).create_new(true).open(path)?;
        if let Err(error) = error.file.persist(path) {
            // Nothing is left behind; a failure to remove it is less important than the first one.
            let _ = fs::remove_file(path);
            return Err(error.error);
        }
        Ok(())
    }
}

/// An empty, locked temporary file in the folder of `path`.
fn locked(path: &Path) -> io::Result<NamedTempFile> {
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    if !folder.is_dir() {
        let reason = format!("there is no folder {}", folder.display());
        return Err(io::Error::new(io::ErrorKind::NotFound, reason));
    }
    remove_stale_temporary_files_once(folder);
    let mut builder = tempfile::Builder::new();
    builder.prefix(PREFIX).suffix(SUFFIX).rand_bytes(RANDOM_LETTERS);
    // A temporary file is private by default; the final file must not be.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    loop {
        let file = builder.tempfile_in(folder)?;
        // Another process may have removed it as stale before it was locked: try again with a new file. On file systems
        // without locks, no process removes files.
        match file.as_file().try_lock() {
            Err(TryLockError::WouldBlock) => continue,
            Ok(()) if !file.path().exists() => continue,
            _ => return Ok(file),
        }
    }
}

/// Prefix of temporary file names.
const PREFIX: &str = ".ipcgan-";
/// Suffix of temporary file names.
const SUFFIX: &str = ".part";
/// Number of random letters and digits between them.
const RANDOM_LETTERS: usize = 6;

/// Removes stale temporary files in `folder`: those with our names that no process has locked.
///
/// Files that cannot be inspected or removed are ignored.
pub fn remove_stale_temporary_files(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if !is_temporary(&entry.file_name()) || !entry.file_type().is_ok_and(|kind| kind.is_file()) {
            continue;
        }
        let path = entry.path();
        // Removed under the lock, so that a writer that has created it but not locked it yet detects the removal.
        if let Ok(file) = File::open(&path)
            && file.try_lock().is_ok()
        {
            let _ = fs::remove_file(&path);
        }
    }
}

/// [`remove_stale_temporary_files`], once per process and folder: the process's own files are never stale, and reading
/// a large folder at every write would be slow.
fn remove_stale_temporary_files_once(folder: &Path) {
    static DONE: Mutex<Option<HashSet<PathBuf>>> = Mutex::new(None);
    let is_first = {
        let mut done = DONE.lock().unwrap_or_else(PoisonError::into_inner);
        done.get_or_insert_default().insert(folder.into())
    };
    if is_first {
        remove_stale_temporary_files(folder);
    }
}

/// Whether a file has the name of a temporary file.
fn is_temporary(name: &OsStr) -> bool {
    let middle = name.as_encoded_bytes().strip_prefix(PREFIX.as_bytes());
    let middle = middle.and_then(|rest| rest.strip_suffix(SUFFIX.as_bytes()));
    middle.is_some_and(|middle| middle.len() == RANDOM_LETTERS && middle.iter().all(u8::is_ascii_alphanumeric))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_and_nothing_else_is_left_in_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.json");
        write_atomic(&path, b"old and longer").unwrap();

        write_atomic(&path, b"new").unwrap();

        assert_eq!(std::fs::read(&path).unwrap(), b"new");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_new_file_never_replaces_another() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("photo.gif");

        write_new(&path, b"ours").unwrap();
        let error = write_new(&path, b"another").unwrap_err();

        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(std::fs::read(&path).unwrap(), b"ours");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_write_removes_the_unlocked_temporary_files_of_its_folder_and_no_other_files() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let others = [".ipcgan-notes.part", ".ipcgan-abcdef.part2", ".abcdef.part", "ipcgan-abcdef.part"];
        for name in others {
            std::fs::write(path(name), "mine").unwrap();
        }
        std::fs::write(path(".ipcgan-k1LLed.part"), "half").unwrap();
        let being_written = File::create(path(".ipcgan-inWork.part")).unwrap();
        being_written.lock().unwrap();

        write_atomic(&path("result"), b"whole").unwrap();

        assert!(!path(".ipcgan-k1LLed.part").exists());
        assert!(path(".ipcgan-inWork.part").exists());
        assert!(others.iter().all(|name| path(name).exists()));
    }

    #[test]
    fn a_file_that_is_being_written_is_never_removed_as_stale() {
        let folder = tempfile::tempdir().unwrap();
        std::thread::scope(|scope| {
            for writer in 0..4 {
                let path = folder.path().join(format!("{writer}"));
                scope.spawn(move || (0..40).for_each(|_| write_atomic(&path, b"whole").unwrap()));
            }
            scope.spawn(|| (0..400).for_each(|_| remove_stale_temporary_files(folder.path())));
        });

        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 4);
    }

    #[test]
    fn what_another_program_writes_gets_its_name_when_it_is_complete() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("clip.mp4");
        let started = || {
            let file = TemporaryFile::beside(&path).unwrap();
            std::fs::write(file.path(), b"frames").unwrap();
            file
        };

        drop(started());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "a dropped file is removed");
        started().persist_new(&path).unwrap();

        assert_eq!(std::fs::read(&path).unwrap(), b"frames");
        assert_eq!(started().persist_new(&path).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        started().persist(&path).unwrap();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn a_file_has_the_permissions_of_any_other_new_file() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let [ours, other] = ["ours", "other"].map(|name| folder.path().join(name));

        write_atomic(&ours, b"").unwrap();
        std::fs::write(&other, b"").unwrap();

        let permissions = |path: &Path| path.metadata().unwrap().permissions().mode();
        assert_eq!(permissions(&ours), permissions(&other));
    }
}
