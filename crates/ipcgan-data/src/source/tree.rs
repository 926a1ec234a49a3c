//! The files of a data set as it was downloaded.

use std::path::{Path, PathBuf};

use walkdir::{DirEntry, WalkDir};

use crate::DataError;
use crate::left_out::{Fault, LeftOut};
use crate::photo::PictureKind;

/// All files below a folder, by their paths relative to it, in alphabetical order.
#[derive(Debug)]
pub struct Tree {
    folder: PathBuf,
    files: Vec<String>,
    left_out: Vec<LeftOut>,
}

impl Tree {
    /// The files below `folder`, also behind links; but not those below `except`, nor hidden ones.
    ///
    /// # Errors
    /// There is no such folder.
    pub fn read(folder: &Path, except: Option<&Path>) -> Result<Self, DataError> {
        if !folder.is_dir() {
            return Err(DataError::NoDataSet { path: folder.into() });
        }
        let except = except.and_then(|path| path.canonicalize().ok());
        let wanted = |entry: &DirEntry| entry.depth() == 0 || !hidden(entry) && !is(entry, except.as_deref());
        let mut tree = Self { folder: folder.into(), files: Vec::new(), left_out: Vec::new() };
        for entry in WalkDir::new(folder).follow_links(true).sort_by_file_name().into_iter().filter_entry(wanted) {
            match entry {
                Ok(entry) if entry.file_type().is_dir() => (),
                Ok(entry) => tree.add(&entry),
                Err(error) => {
                    let path = tree.inside(error.path().unwrap_or(folder));
                    let reason = match (error.loop_ancestor(), error.io_error()) {
                        (Some(ancestor), _) => format!("is a link back to {}", ancestor.display()),
                        (None, Some(error)) => error.to_string(),
                        (None, None) => error.to_string(),
                    };
                    tree.left_out.push(LeftOut { path, line: None, fault: Fault::picture(reason) });
                }
            }
        }
        tree.files.sort_unstable();
        Ok(tree)
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Pictures of kinds that we read.
    pub fn pictures(&self) -> impl Iterator<Item = &str> {
        self.files.iter().map(String::as_str).filter(|file| kind(file).is_some_and(PictureKind::is_readable))
    }

    /// Files with one of these endings, such as `csv`.
    pub(crate) fn with_ending(&self, ending: &str) -> impl Iterator<Item = &str> {
        self.files.iter().map(String::as_str).filter(move |file| has_ending(file, &[ending]))
    }

    /// Whether the file `name` is there.
    pub fn contains(&self, name: &str) -> bool {
        self.files.binary_search_by(|file| file.as_str().cmp(name)).is_ok()
    }

    /// The folder, with a `/` at its end, below which the file `name` is first found; nothing for the data set's own.
    pub(crate) fn folder_of(&self, name: &str) -> Option<&str> {
        let whole = |folder: &&str| folder.is_empty() || folder.ends_with('/');
        self.files.iter().filter_map(|file| file.strip_suffix(name)).filter(whole).min_by_key(|folder| folder.len())
    }

    /// What cannot be used, and why.
    pub fn left_out(&self) -> &[LeftOut] {
        &self.left_out
    }

    fn inside(&self, path: &Path) -> PathBuf {
        path.strip_prefix(&self.folder).unwrap_or(path).into()
    }

    fn add(&mut self, entry: &DirEntry) {
        let path = entry.path();
        let fault = match path.strip_prefix(&self.folder).ok().and_then(Path::to_str) {
            None => Some("has a name that is not written in UTF-8".into()),
            Some(name) => match kind(name) {
                // A pipe, for one, would be waited for.
                Some(_) if !entry.file_type().is_file() => Some("is no file".into()),
                Some(kind) if !kind.is_readable() => {
                    Some(format!("is a picture of the kind {kind}, which cannot be read; {}", kind.advice()))
                }
                _ => {
                    if entry.file_type().is_file() {
                        self.files.push(name.replace(std::path::MAIN_SEPARATOR, "/"));
                    }
                    None
                }
            },
        };
        if let Some(reason) = fault {
            let fault = Fault::picture(reason);
            self.left_out.push(LeftOut { path: self.inside(path), line: None, fault });
        }
    }
}

/// Hidden, or what macOS adds to archives.
fn hidden(entry: &DirEntry) -> bool {
    let name = entry.file_name().as_encoded_bytes();
    name.starts_with(b".") || name == b"__MACOSX"
}

fn is(entry: &DirEntry, folder: Option<&Path>) -> bool {
    folder.is_some() && entry.file_type().is_dir() && entry.path().canonicalize().ok().as_deref() == folder
}

fn kind(file: &str) -> Option<PictureKind> {
    PictureKind::of_path(file.as_ref())
}

fn has_ending(file: &str, endings: &[&str]) -> bool {
    let ending = file.rsplit('/').next().and_then(|name| name.rsplit_once('.')).map(|(_, ending)| ending);
    ending.is_some_and(|ending| endings.iter().any(|known| ending.eq_ignore_ascii_case(known)))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn folder(files: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for file in files {
            let path = folder.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        folder
    }

    fn pictures(tree: &Tree) -> Vec<&str> {
        tree.pictures().collect()
    }

    #[test]
    fn pictures_are_found_by_their_endings_in_alphabetical_order() {
        let folder = folder(&["b/Ä.JPG", "b.png", "a/x.jpeg", "notes.txt", ".hidden.jpg", "__MACOSX/a.jpg", "jpg"]);

        let tree = Tree::read(folder.path(), None).unwrap();

        assert_eq!(pictures(&tree), ["a/x.jpeg", "b.png", "b/Ä.JPG"]);
        assert!(tree.left_out().is_empty());
        assert!(tree.contains("notes.txt") && !tree.contains("b"));
    }

    #[test]
    fn a_folder_that_is_called_a_picture_is_a_folder() {
        let folder = folder(&["x.jpg/y.jpg"]);

        assert_eq!(pictures(&Tree::read(folder.path(), None).unwrap()), ["x.jpg/y.jpg"]);
    }

    #[test]
    fn the_folder_that_is_written_is_not_read() {
        let folder = folder(&["a.jpg", "out/pictures/a.jpg.png"]);

        let tree = Tree::read(folder.path(), Some(&folder.path().join("out/../out"))).unwrap();

        assert_eq!(pictures(&tree), ["a.jpg"]);
    }

    #[test]
    fn pictures_of_kinds_that_cannot_be_read_are_named() {
        let folder = folder(&["a.heic", "b.gif", "c.NEF"]);

        let tree = Tree::read(folder.path(), None).unwrap();

        let left_out: Vec<_> = tree.left_out().iter().map(ToString::to_string).collect();
        assert_eq!(left_out.len(), 2, "{left_out:?}");
        assert!(left_out[0].starts_with("a.heic: is a picture of the kind HEIC, which cannot be read; "));
        assert!(left_out[1].starts_with("c.NEF: is a picture of the kind camera RAW, which cannot be read; "));
        assert_eq!(pictures(&tree), ["b.gif"]);
    }

    #[cfg(unix)]
    #[test]
    fn links_are_followed_but_not_in_circles() {
        use std::os::unix::fs::symlink;
        let elsewhere = folder(&["b.jpg"]);
        let folder = folder(&["a/a.jpg"]);
        symlink(folder.path(), folder.path().join("a/loop")).unwrap();
        symlink(elsewhere.path(), folder.path().join("link")).unwrap();
        symlink("nowhere", folder.path().join("broken.jpg")).unwrap();

        let tree = Tree::read(folder.path(), None).unwrap();

        assert_eq!(pictures(&tree), ["a/a.jpg", "link/b.jpg"]);
        let reasons: Vec<_> = tree.left_out().iter().map(|left_out| left_out.fault.reason.as_str()).collect();
        assert!(reasons[0].starts_with("is a link back to "), "{reasons:?}");
        assert!(reasons[1].contains("No such file"), "{reasons:?}");
    }
}
