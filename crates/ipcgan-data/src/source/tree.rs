//! The files of a data set as downloaded.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use walkdir::{DirEntry, WalkDir};

use crate::excluded::{Cause, Excluded, Fault};
use crate::photo::ImageKind;
use crate::preparation::is_prepared;
use crate::{DataError, counted};

/// All files below a folder, as relative paths in alphabetical order.
#[derive(Debug)]
pub struct Tree {
    folder: PathBuf,
    files: Vec<String>,
    /// Indices in `files` of images in readable formats.
    images: Vec<usize>,
    excluded: Vec<Excluded>,
}

impl Tree {
    /// Reads the files below `folder`, following links; without those below `except`, hidden files, and faces written
    /// by an earlier preparation. All skipped images are in [`Tree::excluded`].
    ///
    /// # Errors
    /// The folder does not exist or cannot be read.
    pub fn read(folder: &Path, except: Option<&Path>) -> Result<Self, DataError> {
        if !folder.is_dir() {
            return Err(DataError::MissingDataSet { path: folder.into() });
        }
        std::fs::read_dir(folder).map_err(DataError::reading(folder))?;
        let except = except.and_then(|path| path.canonicalize().ok());
        let mut tree = Self { folder: folder.into(), files: Vec::new(), images: Vec::new(), excluded: Vec::new() };
        let top = folder.canonicalize().ok();
        let mut linked = HashSet::new();
        let mut entries = WalkDir::new(folder).follow_links(true).sort_by_file_name().into_iter();
        while let Some(entry) = entries.next() {
            match entry {
                Ok(entry) if entry.depth() == 0 => (),
                Ok(entry) if entry.file_type().is_dir() => {
                    let skipped = tree.skipped_folder(&entry) || tree.skipped_link(&entry, top.as_deref(), &mut linked);
                    if skipped || is(&entry, except.as_deref()) {
                        entries.skip_current_dir();
                    }
                }
                Ok(entry) => tree.add(&entry),
                Err(error) => tree.add_error(&error),
            }
        }
        tree.files.sort_unstable();
        let image = |file: &String| ImageKind::of_path(file.as_ref()).is_some_and(ImageKind::is_readable);
        let images = tree.files.iter().enumerate().filter(|(_, file)| image(file));
        tree.images = images.map(|(index, _)| index).collect();
        Ok(tree)
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Images in readable formats.
    pub fn images(&self) -> impl Iterator<Item = &str> {
        self.images.iter().map(|index| self.files[*index].as_str())
    }

    /// Files with the extension `extension`, such as `csv`, ignoring case.
    pub(crate) fn with_extension(&self, extension: &str) -> impl Iterator<Item = &str> {
        self.files
            .iter()
            .map(String::as_str)
            .filter(move |file| Path::new(file).extension().is_some_and(|found| found.eq_ignore_ascii_case(extension)))
    }

    /// The files named `name`, those nearest to the top first.
    pub(crate) fn named(&self, name: &str) -> Vec<&str> {
        let mut found: Vec<&str> = self.folders_of(name).into_iter().map(|below| below.file).collect();
        found.sort_by_key(|file| file.matches('/').count());
        found
    }

    /// Whether the file `name` exists.
    pub fn contains(&self, name: &str) -> bool {
        self.files.binary_search_by(|file| file.as_str().cmp(name)).is_ok()
    }

    /// The folders below which the file `name` exists, each with a trailing `/` or empty for the top folder, the
    /// shortest first.
    pub(crate) fn folders_of<'a>(&'a self, name: &str) -> Vec<Below<'a>> {
        let below = |file: &'a String| {
            let folder = file.strip_suffix(name)?;
            (folder.is_empty() || folder.ends_with('/')).then_some(Below { folder, file })
        };
        let mut found: Vec<_> = self.files.iter().filter_map(below).collect();
        found.sort_by_key(|below| below.folder.len());
        found
    }

    /// Excluded files with reasons.
    pub fn excluded(&self) -> &[Excluded] {
        &self.excluded
    }

    /// Rejects a tree without images, with a summary of the skipped files.
    ///
    /// # Errors
    /// It holds no readable image.
    pub fn check_images(&self) -> Result<(), DataError> {
        if !self.images.is_empty() {
            return Ok(());
        }
        let skipped = match &self.excluded[..] {
            [] => String::new(),
            [first, ..] => {
                let skipped = counted(self.excluded.len(), "file or folder was", "files and folders were");
                format!("; {skipped} skipped, such as {first}")
            }
        };
        Err(DataError::NoImages { path: self.folder.clone(), skipped })
    }

    /// Number of images and folders, and some of their names.
    pub(crate) fn summary(&self) -> String {
        const EXAMPLES: usize = 3;
        let folder = |file: &'_ str| file.rsplit_once('/').map_or(String::new(), |(folder, _)| folder.into());
        let folders: std::collections::BTreeSet<String> = self.images().map(folder).collect();
        let step = self.images.len().div_ceil(EXAMPLES).max(1);
        let examples: Vec<&str> = self.images().step_by(step).collect();
        let images = counted(self.images.len(), "image", "images");
        let folders = counted(folders.len(), "folder", "folders");
        format!("{images} in {folders}, such as {}", examples.join(", "))
    }

    fn inside(&self, path: &Path) -> PathBuf {
        path.strip_prefix(&self.folder).unwrap_or(path).into()
    }

    fn exclude(&mut self, path: &Path, cause: Cause, reason: impl Into<String>) {
        let fault = Fault::new(cause, reason);
        self.excluded.push(Excluded { path: self.inside(path), line: None, fault });
    }

    /// Whether the folder is skipped; records the exclusion.
    fn skipped_folder(&mut self, entry: &DirEntry) -> bool {
        if is_hidden(entry) {
            self.exclude(entry.path(), Cause::Hidden, "is a hidden folder");
        } else if is_prepared(entry.path()) {
            self.exclude(entry.path(), Cause::Prepared, "holds faces that were prepared before, not photos");
        } else {
            return false;
        }
        true
    }

    /// Whether the folder is a link to one that is read elsewhere, which would count its images twice; records the
    /// exclusion.
    fn skipped_link(&mut self, entry: &DirEntry, top: Option<&Path>, linked: &mut HashSet<PathBuf>) -> bool {
        if !entry.path_is_symlink() {
            return false;
        }
        let (Some(top), Ok(target)) = (top, entry.path().canonicalize()) else { return false };
        let reason = if top.starts_with(&target) {
            "is a link to a folder that holds the data set"
        } else if target.starts_with(top) {
            "is a link to a folder of the data set, which is read where it is"
        } else if !linked.insert(target) {
            "is a link to a folder that another link leads to"
        } else {
            return false;
        };
        self.exclude(entry.path(), Cause::Link, reason);
        true
    }

    fn add(&mut self, entry: &DirEntry) {
        let path = entry.path();
        let is_file = entry.file_type().is_file();
        match (ImageKind::of_path(path), path.strip_prefix(&self.folder).ok().and_then(Path::to_str)) {
            (Some(_), _) if is_hidden(entry) => self.exclude(path, Cause::Hidden, "is a hidden file"),
            (_, _) if is_hidden(entry) => (),
            // Reading a pipe, for example, would block.
            (Some(_), _) if !is_file => self.exclude(path, Cause::Image, "is not a regular file"),
            (Some(kind), _) if !kind.is_readable() => {
                let reason = format!("is {kind}, which cannot be read; {}", kind.advice());
                self.exclude(path, Cause::Image, reason);
            }
            (_, Some(name)) if is_file => self.files.push(name.replace(std::path::MAIN_SEPARATOR, "/")),
            (Some(_), None) => self.exclude(path, Cause::Image, "has a name that is not written in UTF-8; rename it"),
            _ => (),
        }
    }

    fn add_error(&mut self, error: &walkdir::Error) {
        let path = error.path().unwrap_or(&self.folder).to_path_buf();
        let is_link = path.is_symlink();
        let (cause, reason) = match (error.loop_ancestor(), error.io_error()) {
            (Some(ancestor), _) => (Cause::Link, format!("is a link back to {}", self.inside_or_top(ancestor))),
            (None, Some(error)) if is_link => (Cause::Link, format!("is a link that cannot be followed: {error}")),
            (None, Some(error)) => (Cause::Folder, error.to_string()),
            (None, None) => (Cause::Folder, error.to_string()),
        };
        self.exclude(&path, cause, reason);
    }

    fn inside_or_top(&self, path: &Path) -> String {
        let inside = self.inside(path);
        if inside.as_os_str().is_empty() { self.folder.display().to_string() } else { inside.display().to_string() }
    }
}

/// A file, and the folder below which it has the requested name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Below<'a> {
    pub(crate) folder: &'a str,
    pub(crate) file: &'a str,
}

/// Hidden, or metadata that macOS adds to archives.
fn is_hidden(entry: &DirEntry) -> bool {
    let name = entry.file_name().as_encoded_bytes();
    name.starts_with(b".") || name == b"__MACOSX"
}

fn is(entry: &DirEntry, folder: Option<&Path>) -> bool {
    folder.is_some() && entry.path().canonicalize().ok().as_deref() == folder
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

    fn images(tree: &Tree) -> Vec<&str> {
        tree.images().collect()
    }

    fn reasons(tree: &Tree) -> Vec<(Cause, String)> {
        tree.excluded().iter().map(|excluded| (excluded.fault.cause, excluded.to_string())).collect()
    }

    #[test]
    fn images_are_found_by_their_extensions_in_alphabetical_order() {
        let folder = folder(&["b/Ä.JPG", "b.png", "a/x.jpeg", "a/y.jfif", "notes.txt", ".notes", "jpg"]);

        let tree = Tree::read(folder.path(), None).unwrap();

        assert_eq!(images(&tree), ["a/x.jpeg", "a/y.jfif", "b.png", "b/Ä.JPG"]);
        assert!(tree.excluded().is_empty());
        assert!(tree.contains("notes.txt") && !tree.contains("b"));
    }

    #[test]
    fn a_folder_with_an_image_extension_is_read_as_a_folder() {
        let folder = folder(&["x.jpg/y.jpg"]);

        assert_eq!(images(&Tree::read(folder.path(), None).unwrap()), ["x.jpg/y.jpg"]);
    }

    #[test]
    fn faces_that_were_prepared_before_are_not_read_as_photos() {
        let files =
            ["a.jpg", "out/images/a.jpg.png", "old/images/a.jpg.png", "old/prepare.json", "old/fingerprints.csv"];
        let folder = folder(&files);

        let tree = Tree::read(folder.path(), Some(&folder.path().join("out/../out"))).unwrap();

        assert_eq!(images(&tree), ["a.jpg"]);
        let expected = "old: holds faces that were prepared before, not photos".to_string();
        assert_eq!(reasons(&tree), [(Cause::Prepared, expected)]);
    }

    #[test]
    fn skipped_images_are_reported() {
        let folder = folder(&["a.cr2", ".b.jpg", "__MACOSX/c.jpg", ".cache/d.jpg", ".DS_Store"]);

        let tree = Tree::read(folder.path(), None).unwrap();

        let mut reasons = reasons(&tree);
        reasons.sort();
        assert!(reasons[0].1.starts_with("a.cr2: is camera RAW, which cannot be read; develop it"), "{reasons:?}");
        let hidden: Vec<_> = reasons[1..].iter().map(|(cause, text)| (*cause, text.as_str())).collect();
        let expected = [".b.jpg: is a hidden file", ".cache: is a hidden folder", "__MACOSX: is a hidden folder"];
        assert_eq!(hidden, expected.map(|text| (Cause::Hidden, text)));
        let error = tree.check_images().unwrap_err().to_string();
        assert!(error.contains("holds no images") && error.contains("4 files and folders were skipped"), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn an_image_that_several_links_lead_to_is_read_once() {
        use std::os::unix::fs::symlink;
        let all = folder(&["data/a/1.jpg", "elsewhere/2.jpg"]);
        let data = all.path().join("data");
        symlink("..", data.join("above")).unwrap();
        symlink("a", data.join("b")).unwrap();
        symlink(all.path().join("elsewhere"), data.join("c")).unwrap();
        symlink(all.path().join("elsewhere"), data.join("d")).unwrap();

        let tree = Tree::read(&data, None).unwrap();

        assert_eq!(images(&tree), ["a/1.jpg", "c/2.jpg"]);
        let expected = [
            "above: is a link to a folder that holds the data set",
            "b: is a link to a folder of the data set, which is read where it is",
            "d: is a link to a folder that another link leads to",
        ];
        assert_eq!(reasons(&tree), expected.map(|reason| (Cause::Link, reason.to_string())));
    }

    #[cfg(unix)]
    #[test]
    fn links_are_followed_except_loops_and_broken_ones_are_reported() {
        use std::os::unix::fs::symlink;
        let elsewhere = folder(&["b.jpg"]);
        let folder = folder(&["a/a.jpg"]);
        symlink(folder.path(), folder.path().join("a/loop")).unwrap();
        symlink(elsewhere.path(), folder.path().join("link")).unwrap();
        symlink(elsewhere.path().join("b.jpg"), folder.path().join("c.jpg")).unwrap();
        symlink("nowhere", folder.path().join("broken.jpg")).unwrap();

        let tree = Tree::read(folder.path(), None).unwrap();

        assert_eq!(images(&tree), ["a/a.jpg", "c.jpg", "link/b.jpg"]);
        let reasons = reasons(&tree);
        assert!(reasons.iter().all(|(cause, _)| *cause == Cause::Link), "{reasons:?}");
        assert!(reasons[0].1.starts_with("a/loop: is a link back to "), "{reasons:?}");
        assert!(reasons[1].1.starts_with("broken.jpg: is a link that cannot be followed: No such file"), "{reasons:?}");
    }

    #[cfg(unix)]
    #[test]
    fn an_image_whose_name_is_not_utf_8_is_reported_and_the_others_are_read() {
        use std::ffi::OsStr;
        use std::os::unix::ffi::OsStrExt;
        let folder = folder(&["a.jpg"]);
        fs::write(folder.path().join(OsStr::from_bytes(b"\xe9.jpg")), "").unwrap();

        let tree = Tree::read(folder.path(), None).unwrap();

        assert_eq!(images(&tree), ["a.jpg"]);
        assert!(reasons(&tree)[0].1.contains("not written in UTF-8"));
    }
}
