//! Names of results, chosen for all photos before the first one is aged.
//!
//! No two photos write to the same name, and no existing file is overwritten unless this program wrote it for the same
//! photo. Names that differ only in case count as equal, as on the file systems of Windows and macOS.

use std::collections::{HashMap, HashSet};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use super::listing::Photo;
use super::resume_log::ResumeLog;
use super::suffixes::Suffixes;

/// Maximum number of names tried per photo.
const MAX_TRIES: usize = 10_000;

/// What to do if a name is in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NameConflict {
    /// Choose another name.
    Rename,
    /// Fail: the names are frame numbers that must not change.
    Refuse,
}

/// Names of the results of all photos.
#[derive(Debug)]
pub(crate) struct OutputNames {
    /// For each photo, the relative base name of its results.
    pub(crate) bases: Vec<PathBuf>,
    /// Photos with renamed results.
    pub(crate) renamed: Vec<usize>,
}

/// Label of the face `number` in the names of face crops.
pub(crate) fn face_label(number: usize) -> String {
    format!("{FACE}{number}")
}

const FACE: &str = "-face";

impl OutputNames {
    /// Chooses names in the folder `out`, whose earlier results are in `log`.
    ///
    /// # Errors
    /// A name is in use and must not change.
    pub(crate) fn plan(
        photos: &[Photo],
        out: &Path,
        suffixes: &Suffixes,
        log: &ResumeLog,
        on_conflict: NameConflict,
    ) -> Result<Self> {
        let locations = photos.iter().map(|photo| photo.location.clone()).collect();
        let mut planner = Planner { out, suffixes, log, locations, folders: HashMap::new(), reserved: HashSet::new() };
        let alike = extensions_by_stem(photos);
        let mut bases = vec![None; photos.len()];
        // Photos that were aged before keep their names.
        for (index, photo) in photos.iter().enumerate() {
            if let Some(base) = log.base_of(&photo.location).filter(|base| is_for(base, &photo.stem)) {
                bases[index] = planner.reserve(photo, base).then(|| base.to_path_buf());
            }
        }
        let mut renamed = Vec::new();
        for (index, photo) in photos.iter().enumerate().filter(|(index, _)| bases[*index].is_none()).collect::<Vec<_>>()
        {
            let extension = photo.source.path().extension().filter(|_| alike[&key(&photo.stem)].len() > 1);
            let tries = if on_conflict == NameConflict::Rename { MAX_TRIES } else { 1 };
            let mut candidates = candidates(photo, extension).take(tries);
            let Some(base) = candidates.find(|base| planner.reserve(photo, base)) else {
                bail!(
                    "results of {} would have the names of other files in {}, or of results of another photo; choose \
                     another folder with --out",
                    photo.source.name().display(),
                    out.display()
                );
            };
            if base != photo.stem {
                renamed.push(index);
            }
            bases[index] = Some(base);
        }
        Ok(Self { bases: bases.into_iter().flatten().collect(), renamed })
    }
}

/// Extensions of the photos with the same name apart from the extension, by key of that name.
fn extensions_by_stem(photos: &[Photo]) -> HashMap<String, HashSet<OsString>> {
    let mut found = HashMap::<String, HashSet<OsString>>::new();
    for photo in photos {
        let extension = photo.source.path().extension().unwrap_or_default().to_ascii_lowercase();
        found.entry(key(&photo.stem)).or_default().insert(extension);
    }
    found
}

/// Base names for a photo, best first: `IMG_1`, `IMG_1-jpg`, `IMG_1-2`, `IMG_1-3`; the second one if it has an
/// `extension` that distinguishes it from other photos of its name.
fn candidates(photo: &Photo, extension: Option<&OsStr>) -> impl Iterator<Item = PathBuf> {
    let with = |end: &OsStr| {
        let mut name = photo.stem.clone().into_os_string();
        name.push("-");
        name.push(end);
        PathBuf::from(name)
    };
    let extension = extension.map(|end| with(&end.to_ascii_lowercase()));
    let numbered = (2..).map(move |number: usize| with(number.to_string().as_ref()));
    std::iter::once(photo.stem.clone()).chain(extension).chain(numbered)
}

/// Whether `base` has the form of one of the [`candidates`] for `stem`.
fn is_for(base: &Path, stem: &Path) -> bool {
    let (base, stem) = (base.as_os_str().as_encoded_bytes(), stem.as_os_str().as_encoded_bytes());
    base.strip_prefix(stem).is_some_and(|rest| rest.is_empty() || rest.starts_with(b"-"))
}

struct Planner<'a> {
    out: &'a Path,
    suffixes: &'a Suffixes,
    log: &'a ResumeLog,
    /// Locations of the photos: none of them is a result that may be replaced.
    locations: HashSet<PathBuf>,
    /// Files of each output folder, by key.
    folders: HashMap<PathBuf, HashMap<String, Vec<PathBuf>>>,
    /// Keys of results of earlier photos.
    reserved: HashSet<String>,
}

impl Planner<'_> {
    /// Reserves the names with `base` for `photo`, if none is in use.
    fn reserve(&mut self, photo: &Photo, base: &Path) -> bool {
        let keys: Vec<String> =
            self.suffixes.all.iter().flat_map(|end| ["", "-face0"].map(|face| joined(base, face, end))).collect();
        if keys.iter().any(|key| self.reserved.contains(key)) || self.is_on_disk(photo, base, &keys) {
            return false;
        }
        self.reserved.extend(keys);
        true
    }

    /// Whether one of the names is in use by an input photo, or by a file that is not a result of this photo.
    fn is_on_disk(&mut self, photo: &Photo, base: &Path, keys: &[String]) -> bool {
        let folder = base.parent().unwrap_or(Path::new("")).to_path_buf();
        let files = self.folders.entry(folder).or_insert_with_key(|folder| files_of(self.out, folder));
        let mut found = keys.iter().filter_map(|key| files.get(key)).flatten();
        found.any(|file| {
            let path = self.out.join(file);
            let bytes = fs::symlink_metadata(&path).ok().filter(fs::Metadata::is_file).map(|file| file.len());
            let is_photo = self.locations.contains(&super::source::located(&path));
            let is_ours = bytes.is_some_and(|bytes| {
                self.log.may_replace(file, bytes, &photo.location, || photo.source.content().ok())
            });
            is_photo || !is_ours
        })
    }
}

/// Files of an output folder, below `out`, by key.
fn files_of(out: &Path, folder: &Path) -> HashMap<String, Vec<PathBuf>> {
    let mut files = HashMap::<String, Vec<PathBuf>>::new();
    // A missing folder has no files; an unreadable one is reported when something is written.
    for entry in fs::read_dir(out.join(folder)).into_iter().flatten().flatten() {
        let file = folder.join(entry.file_name());
        files.entry(key(&file)).or_default().push(file);
    }
    files
}

fn joined(base: &Path, face: &str, end: &str) -> String {
    let mut name = base.as_os_str().to_owned();
    name.push(face);
    name.push(end);
    key(Path::new(&name))
}

/// Key that is equal for all names that may be the same file: ignores case, and the numbers of faces, which are
/// unknown before detection.
fn key(path: &Path) -> String {
    let name = path.to_string_lossy().to_lowercase();
    let mut parts = name.split(FACE);
    let mut key = parts.next().unwrap_or_default().to_string();
    for part in parts {
        key += FACE;
        match part.trim_start_matches(|digit: char| digit.is_ascii_digit()) {
            rest if rest.len() < part.len() => key = key + "#" + rest,
            rest => key += rest,
        }
    }
    key
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::age::listing::{Given, Listing};
    use crate::age::output_format::OutputFormat;
    use crate::age::selection::Age;

    const GROUPS: [&str; 2] = ["21-30", "51+"];

    fn plan_with(
        folder: &Path,
        given: &[&str],
        out: &str,
        ages: &[&str],
        on_conflict: NameConflict,
    ) -> Result<Vec<String>> {
        let given: Vec<PathBuf> = given.iter().map(|name| folder.join(name)).collect();
        let out = folder.join(out);
        let photos = Listing::of(&given, &out)?.photos;
        let ages: Vec<Age> = ages.iter().map(|name| Age::named(name)).collect();
        let suffixes = Suffixes::new(&ages, &GROUPS.map(String::from), OutputFormat::Same);
        let names = OutputNames::plan(&photos, &out, &suffixes, &ResumeLog::open(&out)?, on_conflict)?;
        Ok(names.bases.iter().map(|base| base.display().to_string()).collect())
    }

    fn plan(folder: &Path, given: &[&str], out: &str) -> Vec<String> {
        plan_with(folder, given, out, &GROUPS, NameConflict::Rename).unwrap()
    }

    fn folder(files: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for file in files {
            let path = folder.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, file).unwrap();
        }
        folder
    }

    #[test]
    fn a_pair_that_differs_in_the_extension_or_in_case_gets_two_names() {
        let folder = folder(&["in/IMG_1.JPG", "in/IMG_1.png", "in/b.png", "in/B.png", "in/trip/IMG_1.png"]);

        let names = plan(folder.path(), &["in"], "out");

        assert_eq!(names, ["B", "IMG_1", "IMG_1-png", "b-2", "trip/IMG_1"]);
    }

    #[test]
    fn face_crops_do_not_collide_with_photos_of_that_name() {
        let folder = folder(&["in/a.jpg", "in/a-face2.jpg", "in/a-faces.jpg"]);

        assert_eq!(plan(folder.path(), &["in"], "out"), ["a-face2", "a-faces", "a-2"]);
    }

    #[test]
    fn an_age_in_the_name_of_a_photo_causes_no_collision() {
        let folder = folder(&["in/a.png", "in/a-11.png"]);

        let names = plan_with(folder.path(), &["in"], "out", &["20", "11-20"], NameConflict::Rename).unwrap();

        assert_eq!(names, ["a-11", "a-2"]);
    }

    #[test]
    fn existing_files_are_not_overwritten() {
        for file in ["a.gif", "A.GIF", "a-51+.jpg", "a-face3-51+.png", "a-strip.png", "a-face12-strip.png"] {
            let folder = folder(&["a.png", file]);

            assert_eq!(plan(folder.path(), &["a.png"], "."), ["a-2"], "{file}");
        }
        let folder = folder(&["a.png", "a-31-40.png", "b-51+.png", "a.jpg"]);
        assert_eq!(plan(folder.path(), &["a.png"], "."), ["a"]);
    }

    #[test]
    fn an_input_photo_is_not_replaced() {
        let folder = folder(&["a.png", "a-51+.png"]);

        assert_eq!(plan(folder.path(), &["a.png", "a-51+.png"], "."), ["a-2", "a-51+"]);
    }

    #[test]
    fn photos_of_equal_names_in_two_folders_get_two_names() {
        let folder = folder(&["one/a.png", "two/a.png"]);

        assert_eq!(plan(folder.path(), &["one", "two"], "out"), ["a", "a-2"]);
    }

    #[test]
    fn frames_keep_their_numbers_or_are_rejected() {
        let folder = folder(&["clip/1.png", "clip/2.png", "out/2-51+.png"]);
        let plan = |out| plan_with(folder.path(), &["clip"], out, &GROUPS, NameConflict::Refuse);

        assert_eq!(plan("other").unwrap(), ["1", "2"]);
        let error = plan("out").unwrap_err().to_string();
        assert!(error.contains("2.png") && error.contains("--out"), "{error}");
    }

    #[test]
    fn photos_given_by_name_and_in_a_folder_are_distinguished() {
        let folder = folder(&["in/a.png"]);
        let given = |path: &Path| Listing::of(&[path.into()], Path::new("out")).unwrap().photos[0].given;

        assert_eq!(given(&folder.path().join("in")), Given::InFolder);
        assert_eq!(given(&folder.path().join("in/a.png")), Given::ByName);
    }
}
