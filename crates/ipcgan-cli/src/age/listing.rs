//! Lists the photos to age, and skipped files.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use ipcgan::photo::ImageKind;
use walkdir::{DirEntry, WalkDir};

use super::natural_order;
use super::resume_log::ResumeLog;
use super::skipped::Skipped;
use super::source::{STANDARD_INPUT, Source, VIDEO_ADVICE, is_video, located};
use crate::exit_reason::usage_error;

/// A photo to age.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Photo {
    pub(crate) source: Source,
    /// Canonical location, from [`located`].
    pub(crate) location: PathBuf,
    /// Relative output name without suffix: `trip/IMG_1`.
    pub(crate) stem: PathBuf,
    pub(crate) given: Given,
}

impl Photo {
    /// Whether it is a video file by its name, which is aged as a whole.
    pub(crate) fn is_clip(&self) -> bool {
        matches!(&self.source, Source::File(path) if is_video(path))
    }
}

/// How a photo was selected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Given {
    /// Named on the command line, so it is always aged.
    ByName,
    InFolder,
}

/// Photos to age, and what was skipped.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    pub(crate) photos: Vec<Photo>,
    /// Skipped files, counted by kind.
    pub(crate) skipped: BTreeMap<Skipped, usize>,
    /// Folders and links that could not be read.
    pub(crate) unreadable: Vec<Unreadable>,
    seen: HashSet<PathBuf>,
    /// Folders on the command line that hold no photo.
    without_photo: Vec<Unreadable>,
}

/// A folder or a link that yields no photo.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unreadable {
    pub(crate) path: PathBuf,
    /// Error message; it names the path.
    pub(crate) reason: String,
}

impl Listing {
    /// The photos in `given` (files, folders and `-` for standard input), without results of earlier runs and files in
    /// the output folder `out`.
    ///
    /// Photos of a folder are in natural order of their names; links are followed.
    ///
    /// # Errors
    /// There is no photo, or an input folder is `out` itself.
    pub(crate) fn of(given: &[PathBuf], out: &Path) -> Result<Self> {
        let mut listing = Self::default();
        for path in given {
            if path.as_os_str() == STANDARD_INPUT {
                listing.add(Source::standard_input()?, "stdin".into(), Given::ByName);
            } else if path.is_dir() {
                listing.add_folder(path, out)?;
            } else {
                let stem = path.file_stem().unwrap_or_default().into();
                listing.add(Source::File(path.clone()), stem, Given::ByName);
            }
        }
        let without_photo = std::mem::take(&mut listing.without_photo);
        if listing.photos.is_empty() && listing.unreadable.is_empty() {
            let reasons: Vec<_> = without_photo.into_iter().map(|folder| folder.reason).collect();
            let advice = listing.advice().map(|advice| format!("; {advice}")).unwrap_or_default();
            bail!("{}{advice}", reasons.join("; "));
        }
        // If other inputs have photos, report a folder without any, so that it does not seem to be done.
        listing.unreadable.extend(without_photo);
        Ok(listing)
    }

    /// Advice on unsupported images and videos: `3 HEIC: convert it to PNG or JPEG`.
    pub(crate) fn advice(&self) -> Option<String> {
        let kinds = self.skipped.iter().filter_map(|(skipped, count)| match skipped {
            Skipped::Unread(kind) => Some(format!("{count} {kind}: {}", kind.advice())),
            Skipped::Video => Some(format!("{count} video: {VIDEO_ADVICE}")),
            _ => None,
        });
        let kinds: Vec<_> = kinds.collect();
        (!kinds.is_empty()).then(|| kinds.join("; "))
    }

    /// Summary of skipped files: `3 HEIC, 1 video`.
    pub(crate) fn skipped_text(&self) -> Option<String> {
        text_of(&self.skipped)
    }

    /// Sorts all photos in natural order of their paths.
    pub(crate) fn sort(&mut self) {
        self.photos.sort_by(|a, b| natural_order::compare_paths(a.source.path(), b.source.path()));
    }

    /// Whether there is one photo alone, named on the command line: its failure is that of the command.
    pub(crate) fn is_one_named_photo(&self) -> bool {
        self.unreadable.is_empty() && matches!(&self.photos[..], [Photo { given: Given::ByName, .. }])
    }

    fn skip(&mut self, why: Skipped) {
        *self.skipped.entry(why).or_default() += 1;
    }

    /// Number of photos, including repeated and unreadable ones.
    fn noticed(&self) -> usize {
        self.photos.len() + self.unreadable.len() + self.skipped.get(&Skipped::Repeated).copied().unwrap_or(0)
    }

    fn add(&mut self, source: Source, stem: PathBuf, given: Given) {
        let location = match &source {
            Source::File(path) => located(path),
            Source::StandardInput(_) => STANDARD_INPUT.into(),
        };
        if self.seen.insert(location.clone()) {
            self.photos.push(Photo { source, location, stem, given });
        } else {
            self.skip(Skipped::Repeated);
        }
    }

    fn add_folder(&mut self, folder: &Path, out: &Path) -> Result<()> {
        let out = fs::canonicalize(out).ok();
        if out.is_some() && fs::canonicalize(folder).ok() == out {
            let folder = folder.display();
            return Err(usage_error(format!("{folder} contains the photos; choose another output folder with --out")));
        }
        let (before, skipped_before) = (self.noticed(), self.skipped.clone());
        let mut results = results_above(folder);
        let mut out_folder = None;
        let order = |a: &DirEntry, b: &DirEntry| natural_order::compare_names(a.file_name(), b.file_name());
        let mut walk = WalkDir::new(folder).follow_links(true).sort_by(order).into_iter();
        while let Some(entry) = walk.next() {
            let entry = match entry {
                Ok(entry) => entry,
                Err(error) => {
                    self.add_error(&error);
                    continue;
                }
            };
            let (is_folder, is_file) = (entry.file_type().is_dir(), entry.file_type().is_file());
            if entry.depth() > 0 && entry.file_name().as_encoded_bytes().starts_with(b".") {
                self.skip(Skipped::Hidden);
                if is_folder {
                    walk.skip_current_dir();
                }
                continue;
            }
            let path = entry.into_path();
            if is_folder {
                results.extend(ResumeLog::results_in(&path));
                if out.is_some() && fs::canonicalize(&path).ok() == out {
                    out_folder = Some(path);
                }
                continue;
            }
            // Reading a pipe could block forever.
            if !is_file {
                self.skip(Skipped::OtherFile);
                continue;
            }
            match why_skipped(&path, &results, out_folder.as_deref()) {
                Some(why) => self.skip(why),
                None => {
                    let stem = path.strip_prefix(folder).unwrap_or(&path).with_extension("");
                    self.add(Source::File(path), stem, Given::InFolder);
                }
            }
        }
        if self.noticed() == before {
            let mut skipped = self.skipped.clone();
            skipped.iter_mut().for_each(|(kind, count)| *count -= skipped_before.get(kind).copied().unwrap_or(0));
            skipped.retain(|_, count| *count > 0);
            let reason = format!("no photo in the folder {}: {}", folder.display(), what_it_holds(&skipped));
            self.without_photo.push(Unreadable { path: folder.into(), reason });
        }
        Ok(())
    }

    fn add_error(&mut self, error: &walkdir::Error) {
        if error.loop_ancestor().is_some() {
            return self.skip(Skipped::LinkLoop);
        }
        let path = error.path().unwrap_or(Path::new(""));
        let is_link = fs::symlink_metadata(path).is_ok_and(|file| file.is_symlink());
        if !is_link {
            let reason = error.io_error().map(ToString::to_string).unwrap_or_default();
            let reason = format!("cannot list {}: {reason}", path.display());
            return self.unreadable.push(Unreadable { path: path.into(), reason });
        }
        if ImageKind::of_path(path).is_none() && path.extension().is_some() {
            return self.skip(Skipped::BrokenLink);
        }
        let target = fs::read_link(path).unwrap_or_default();
        let reason = format!("{} is a broken link, to {}", path.display(), target.display());
        self.unreadable.push(Unreadable { path: path.into(), reason });
    }
}

fn text_of(skipped: &BTreeMap<Skipped, usize>) -> Option<String> {
    let kinds: Vec<_> = skipped.iter().map(|(skipped, count)| skipped.counted(*count)).collect();
    (!kinds.is_empty()).then(|| kinds.join(", "))
}

/// What a folder without photos contains.
fn what_it_holds(skipped: &BTreeMap<Skipped, usize>) -> String {
    let Some(text) = text_of(skipped) else { return "it is empty".into() };
    let by_name = match skipped.contains_key(&Skipped::OtherFile) {
        true => format!("; photos are files whose names end as those of {} do", ImageKind::readable_names()),
        false => String::new(),
    };
    format!("it holds {text} and nothing else{by_name}")
}

/// Why the file at `path` is not a photo to age; `None` if it is one.
fn why_skipped(path: &Path, results: &HashSet<PathBuf>, out: Option<&Path>) -> Option<Skipped> {
    match ImageKind::of_path(path) {
        _ if results.contains(path) || ResumeLog::is_named(path) => Some(Skipped::Result),
        Some(kind) if kind.is_readable() => out.filter(|out| path.starts_with(out)).map(|_| Skipped::InOutputFolder),
        Some(kind) => Some(Skipped::Unread(kind)),
        None if is_video(path) => Some(Skipped::Video),
        None => Some(Skipped::OtherFile),
    }
}

/// Results in `folder` according to the resume logs of its parent folders.
fn results_above(folder: &Path) -> HashSet<PathBuf> {
    let Ok(whole) = fs::canonicalize(folder) else { return HashSet::new() };
    let results = whole.ancestors().skip(1).flat_map(ResumeLog::results_in);
    results.filter_map(|result| Some(folder.join(result.strip_prefix(&whole).ok()?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for file in files {
            let path = folder.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            match file.ends_with('/') {
                true => fs::create_dir(path).unwrap(),
                false => fs::write(path, "").unwrap(),
            }
        }
        folder
    }

    fn listed(folder: &Path) -> Listing {
        Listing::of(&[folder.into()], &folder.join("aged")).unwrap()
    }

    fn stems(listing: &Listing) -> Vec<String> {
        listing.photos.iter().map(|photo| photo.stem.display().to_string()).collect()
    }

    #[cfg(unix)]
    #[test]
    fn a_pipe_in_a_folder_is_skipped_and_a_folder_given_twice_is_no_error() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a.jpg"), "").unwrap();
        let made = std::process::Command::new("mkfifo").arg(folder.path().join("b.jpg")).status().unwrap();
        assert!(made.success());
        let given = [folder.path().to_path_buf(), folder.path().to_path_buf()];

        let listing = Listing::of(&given, &folder.path().join("out")).unwrap();

        assert_eq!(listing.photos.len(), 1);
        assert!(listing.unreadable.is_empty());
        assert_eq!(listing.skipped_text().as_deref(), Some("2 other files, 1 given twice"));
    }

    #[test]
    fn photos_of_a_folder_are_in_natural_order() {
        let folder = folder(&["f10.JPG", "f2.png", "f1.jpeg", "trip/d.webp"]);

        assert_eq!(stems(&listed(folder.path())), ["f1", "f2", "f10", "trip/d"]);
    }

    #[test]
    fn skipped_files_are_counted_by_kind() {
        let files = ["a.jpg", "b.dng", "c.DNG", "d.psd", "clip.mov", "notes.txt", "none", ".hidden/e.png", ".f.png"];
        let folder = folder(&files);

        let listing = listed(folder.path());

        assert_eq!(stems(&listing), ["a"]);
        let text = listing.skipped_text().unwrap();
        assert_eq!(text, "2 camera RAW, 1 Photoshop, 1 video, 2 other files, 2 hidden files or folders");
        let advice = listing.advice().unwrap();
        assert!(advice.starts_with("2 camera RAW: develop it") && advice.contains("1 video: name it"), "{advice}");
    }

    #[test]
    fn two_photos_that_differ_in_the_extension_are_both_listed() {
        let folder = folder(&["a.png", "a.jpg"]);

        assert_eq!(stems(&listed(folder.path())), ["a", "a"]);
    }

    #[test]
    fn a_photo_that_is_given_twice_is_listed_once() {
        let folder = folder(&["a.png"]);
        let photo = folder.path().join("a.png");

        let listing = Listing::of(&[photo.clone(), folder.path().into(), photo], Path::new("aged")).unwrap();

        assert_eq!((listing.photos.len(), listing.skipped[&Skipped::Repeated]), (1, 2));
        assert_eq!(listing.photos[0].given, Given::ByName);
    }

    #[test]
    fn files_in_the_output_folder_are_skipped() {
        let folder = folder(&["a.png", "aged/a-51+.png"]);

        let listing = listed(folder.path());

        assert_eq!(stems(&listing), ["a"]);
        assert_eq!(listing.skipped[&Skipped::InOutputFolder], 1);
    }

    #[test]
    fn a_folder_without_photos_is_an_error_that_lists_its_files() {
        let folder = folder(&["notes.txt", "clip.mp4"]);

        let error = Listing::of(&[folder.path().into()], Path::new("aged")).unwrap_err().to_string();

        assert!(error.contains("no photo") && error.contains("1 video") && error.contains("1 other file"), "{error}");
    }

    #[test]
    fn a_folder_of_results_alone_is_rejected_for_that_reason() {
        let folder = folder(&["in/aged/a-51+.png", "in/.b.png", "empty/"]);
        let refused = |name: &str, out: &str| {
            Listing::of(&[folder.path().join(name)], &folder.path().join(out)).unwrap_err().to_string()
        };

        let error = refused("in", "in/aged");
        assert!(
            error.ends_with(": it holds 1 hidden file or folder, 1 file in the folder of results and nothing else"),
            "{error}"
        );
        assert!(refused("empty", "out").ends_with("empty: it is empty"));
    }

    #[test]
    fn a_folder_without_photos_is_reported_in_any_position() {
        let folder = folder(&["full/a.png", "empty/notes.txt"]);
        for order in [["full", "empty"], ["empty", "full"]] {
            let given = order.map(|name| folder.path().join(name));

            let listing = Listing::of(&given, Path::new("out")).unwrap();

            assert_eq!(listing.photos.len(), 1, "{order:?}");
            assert_eq!(listing.unreadable[0].path, folder.path().join("empty"), "{order:?}");
            assert!(listing.unreadable[0].reason.contains("it holds 1 other file and nothing else"), "{order:?}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn links_are_followed_and_broken_links_and_loops_are_reported() {
        use std::os::unix::fs::symlink;
        let folder = folder(&["photos/a.png", "elsewhere/trip/b.png"]);
        let photos = folder.path().join("photos");
        symlink(folder.path().join("elsewhere/trip"), photos.join("trip")).unwrap();
        symlink(folder.path().join("elsewhere/trip/b.png"), photos.join("c.png")).unwrap();
        symlink(&photos, photos.join("loop")).unwrap();
        symlink(folder.path().join("gone.png"), photos.join("broken.png")).unwrap();
        symlink(folder.path().join("gone.txt"), photos.join("broken.txt")).unwrap();

        let listing = listed(&photos);

        assert_eq!(stems(&listing), ["a", "c", "trip/b"]);
        assert_eq!((listing.skipped[&Skipped::LinkLoop], listing.skipped[&Skipped::BrokenLink]), (1, 1));
        assert_eq!(listing.unreadable.len(), 1);
        assert!(listing.unreadable[0].reason.contains("broken.png is a broken link"), "{:?}", listing.unreadable);
    }
}
