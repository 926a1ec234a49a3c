//! Files that are written whole or not at all.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::Path;

use tempfile::NamedTempFile;

/// Writes `contents` to the file `path`, replacing what was there, whole or not at all.
///
/// The bytes go to a temporary file in the same folder, which takes the name `path` once it is safely on disk: a
/// reader sees the old file or the new one, also after a power cut. The file has the rights of any other new file.
///
/// # Errors
/// The folder does not exist, is full or is not ours to write; the error does not name the file.
pub fn write_whole(path: &Path, contents: &[u8]) -> io::Result<()> {
    temporary(path, contents)?.persist(path)?;
    Ok(())
}

/// As [`write_whole`], where no file is called `path`: nothing is replaced, also if a file of that name appears meanwhile.
///
/// # Errors
/// As [`write_whole`]; and [`io::ErrorKind::AlreadyExists`].
pub fn write_new(path: &Path, contents: &[u8]) -> io::Result<()> {
    let error = match temporary(path, contents)?.persist_noclobber(path) {
        Ok(_) => return Ok(()),
        Err(error) => error,
    };
    if error.error.kind() == io::ErrorKind::AlreadyExists {
        return Err(error.error);
    }
    // File systems without hard links (FAT, some network drives) cannot rename without replacing: take the name first.
    OpenOptions::new().write(true).create_new(true).open(path)?;
    error.file.persist(path)?;
    Ok(())
}

/// A file with `contents`, safely on disk, in the folder of `path`.
fn temporary(path: &Path, contents: &[u8]) -> io::Result<NamedTempFile> {
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    if !folder.is_dir() {
        let reason = format!("there is no folder {}", folder.display());
        return Err(io::Error::new(io::ErrorKind::NotFound, reason));
    }
    let mut builder = tempfile::Builder::new();
    builder.prefix(".").suffix(".part");
    // A temporary file is private by default, and would stay so under its final name.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut file = builder.tempfile_in(folder)?;
    file.write_all(contents)?;
    file.as_file().sync_all()?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_and_nothing_else_is_left_in_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.json");
        write_whole(&path, b"old and longer").unwrap();

        write_whole(&path, b"new").unwrap();

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

    #[cfg(unix)]
    #[test]
    fn a_file_has_the_rights_of_any_other_new_file() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let [ours, other] = ["ours", "other"].map(|name| folder.path().join(name));

        write_whole(&ours, b"").unwrap();
        std::fs::write(&other, b"").unwrap();

        let rights = |path: &Path| path.metadata().unwrap().permissions().mode();
        assert_eq!(rights(&ours), rights(&other));
    }
}
