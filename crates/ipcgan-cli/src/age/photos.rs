//! Which photos are meant, and what their pictures are called.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use ipcgan::photo::PictureKind;
use walkdir::{DirEntry, WalkDir};

use crate::unfinished::misused;

/// A photo to age.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Photo {
    /// Where it is.
    pub(crate) path: PathBuf,
    /// What its pictures' names begin with, below the folder that they are written to.
    pub(crate) name: PathBuf,
}

/// The photos in `given`, files and folders, without those in the folder `out` that pictures are written to.
///
/// Photos of a folder are in order of their names, which lie below `out` as they lie in the folder.
pub(crate) fn listed(given: &[PathBuf], out: &Path) -> Result<Vec<Photo>> {
    let mut photos = Vec::new();
    for path in given {
        if path.is_dir() {
            photos.extend(of_folder(path, out)?);
        } else {
            photos.push(Photo { path: path.clone(), name: path.file_stem().unwrap_or_default().into() });
        }
    }
    // Two photos of one name would write over one another's pictures.
    let mut seen = HashSet::new();
    match photos.iter().find(|photo| !seen.insert(&photo.name)) {
        None => Ok(photos),
        Some(photo) => bail!("two photos are called `{}`; age them into different folders", photo.name.display()),
    }
}

fn of_folder(folder: &Path, out: &Path) -> Result<Vec<Photo>> {
    let out = fs::canonicalize(out).ok();
    if out.is_some() && fs::canonicalize(folder).ok() == out {
        let folder = folder.display();
        return Err(misused(format!("{folder} holds the photos; give another folder for their pictures as --out")));
    }
    let wanted = |entry: &DirEntry| {
        let hidden = entry.depth() > 0 && entry.file_name().to_string_lossy().starts_with('.');
        let ours = out.is_some() && entry.file_type().is_dir() && fs::canonicalize(entry.path()).ok() == out;
        !hidden && !ours
    };
    let mut photos = Vec::new();
    for entry in WalkDir::new(folder).sort_by_file_name().into_iter().filter_entry(wanted) {
        let entry = entry.with_context(|| format!("cannot list the folder {}", folder.display()))?;
        let path = entry.into_path();
        if path.is_file() && PictureKind::of_path(&path).is_some_and(PictureKind::is_readable) {
            let name = path.strip_prefix(folder).unwrap_or(&path).with_extension("");
            photos.push(Photo { path, name });
        }
    }
    match photos.is_empty() {
        false => Ok(photos),
        true => {
            bail!("no photo in the folder {}: it has no {} file", folder.display(), PictureKind::readable_names())
        }
    }
}

#[cfg(test)]
mod tests {
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

    fn names(folder: &Path) -> Vec<String> {
        let photos = listed(&[folder.into()], &folder.join("aged")).unwrap();
        photos.iter().map(|photo| photo.name.display().to_string()).collect()
    }

    #[test]
    fn photos_of_a_folder_come_in_order_with_those_below_it() {
        let folder = folder(&["b.JPG", "a.png", "notes.txt", ".hidden/c.png", "trip/d.webp"]);

        assert_eq!(names(folder.path()), ["a", "b", "trip/d"]);
    }

    #[test]
    fn pictures_that_were_made_before_are_no_photos() {
        let folder = folder(&["a.png", "aged/a-51+.png"]);

        assert_eq!(names(folder.path()), ["a"]);
    }

    #[test]
    fn photos_of_one_name_are_refused() {
        let folder = folder(&["a.png", "a.jpg"]);

        let error = listed(&[folder.path().into()], Path::new("aged")).unwrap_err();

        assert!(error.to_string().starts_with("two photos are called `a`"), "{error}");
    }

    #[test]
    fn a_folder_without_photos_is_refused() {
        let folder = folder(&["notes.txt"]);

        assert!(listed(&[folder.path().into()], Path::new("aged")).is_err());
    }
}
