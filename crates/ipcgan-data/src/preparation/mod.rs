//! Preparation of a data set: aligned faces, a split by identity, and a report.
//!
//! The contents of a prepared folder are identical, byte for byte, for any number of threads and any number of
//! interruptions.

mod config;
mod crops;
mod fingerprint;
mod folder;
mod journal;
mod options;
mod prepared;
mod published;
mod readiness;
mod report;
mod resume;
mod split_assignment;
mod union_find;

use std::fs;
use std::path::Path;

pub use config::PreparationConfig;
pub(crate) use config::{check_age_groups, is_prepared};
pub use options::PrepareOptions;
pub use prepared::Prepared;
pub use published::{AppliedSplit, PublishedSplit};
pub use readiness::{Readiness, StageReadiness};

use crate::counted;
use crate::excluded::{Cause, Excluded};
use crate::split::HeldOut;
use crate::{DataError, FaceLabel, FaceSet};
use fingerprint::{Fingerprint, duplicate_pairs};
use folder::{CreatedPaths, IMAGES, check_foreign_files, file_name, remove_stale_files};
use journal::Journal;

/// Prepares `faces` in `folder`; `excluded` are images that were excluded before.
///
/// Existing faces of an earlier call are kept. `metadata.csv` is written last, so a folder that has one is complete.
/// Returns `None` if it was stopped. A call that prepares no face removes the files that it created.
///
/// # Errors
/// No face is usable; the folder was prepared with other settings or from another data set, is being prepared by
/// another process, or holds foreign files; the face detector failed, or the preparation of most images; or the disk is
/// full.
pub fn prepare(
    faces: &dyn FaceSet,
    mut excluded: Vec<Excluded>,
    folder: &Path,
    config: &PreparationConfig,
    options: &PrepareOptions<'_>,
) -> Result<Option<Prepared>, DataError> {
    if faces.is_empty() {
        return Err(nothing_prepared(folder, &excluded));
    }
    check_foreign_files(folder)?;
    let new = CreatedPaths::of(folder);
    let images = folder.join(IMAGES);
    fs::create_dir_all(&images).map_err(DataError::writing(&images))?;
    let (journal, mut done) = Journal::open(folder)?;
    done.retain(|name, _| folder.join(file_name(name)).is_file());
    if !done.is_empty() {
        config.check(folder)?;
        resume::remove_replaced(faces, &mut done, folder)?;
    }
    let made_before = !done.is_empty();
    config.write(folder)?;
    remove_stale_files(folder)?;

    let outcomes = crops::write_crops(faces, &done, folder, &journal, options)?;
    let Some(outcomes) = outcomes else { return Ok(None) };
    let mut kept = Vec::new();
    let mut made = Vec::new();
    for (index, outcome) in outcomes.into_iter().enumerate() {
        let name = faces.name(index);
        done.remove(&name);
        match outcome {
            Ok(face) => {
                kept.push((name, faces.label(index).clone()));
                made.push(face);
            }
            Err(fault) => excluded.push(Excluded { path: name.into(), line: None, fault }),
        }
    }
    let error = most_images_failed(&excluded, faces.len());
    let error = error.or_else(|| kept.is_empty().then(|| nothing_prepared(folder, &excluded)));
    if let Some(error) = error {
        if kept.is_empty() && !made_before {
            drop(journal);
            new.remove();
        }
        return Err(error);
    }
    // Faces that the data set no longer has.
    for name in done.keys() {
        let path = folder.join(file_name(name));
        fs::remove_file(&path).map_err(DataError::writing(path))?;
    }
    let names: Vec<String> = kept.iter().map(|(name, _)| name.clone()).collect();
    let fingerprints: Vec<_> = made.iter().map(|face| face.fingerprint).collect();
    let prepared = with_splits(kept, &fingerprints, excluded, config);
    folder::write(&prepared, folder, config)?;
    // Last, because the journal's lock keeps other processes out until then.
    journal.rewrite(names.into_iter().zip(made))?;
    Ok(Some(prepared))
}

/// The error of a preparation that failed on most of `images` images.
fn most_images_failed(excluded: &[Excluded], images: usize) -> Option<DataError> {
    let failed: Vec<_> = excluded.iter().filter(|excluded| excluded.fault.cause == Cause::Failed).collect();
    let first = failed.first().filter(|_| 2 * failed.len() > images)?;
    Some(DataError::MostImagesFailed { failed: failed.len(), images, first: first.to_string() })
}

fn nothing_prepared(folder: &Path, excluded: &[Excluded]) -> DataError {
    let reason = match excluded {
        [] => "there are no images".into(),
        [one] => one.to_string(),
        [first, ..] => {
            let images = counted(excluded.len(), "image", "images");
            format!("all {images} are left out; the first one: {first}")
        }
    };
    DataError::NothingPrepared { path: folder.into(), reason }
}

/// `faces` with their splits.
fn with_splits(
    faces: Vec<(String, FaceLabel)>,
    fingerprints: &[Fingerprint],
    mut excluded: Vec<Excluded>,
    config: &PreparationConfig,
) -> Prepared {
    let held_out = HeldOut { valid: config.valid_fraction, test: config.test_fraction };
    let duplicates = match config.find_duplicates {
        true => duplicate_pairs(fingerprints),
        false => Vec::new(),
    };
    let splits = split_assignment::assign_splits(&faces, &duplicates, config.seed, held_out);
    let duplicates = duplicates.into_iter().map(|pair| pair.map(|index| faces[index].0.clone())).collect();
    let mut kept = Vec::new();
    for ((name, label), assigned) in faces.into_iter().zip(splits) {
        match assigned {
            Ok(split) => kept.push((file_name(&name), FaceLabel { split: Some(split), ..label })),
            Err(fault) => excluded.push(Excluded { path: name.into(), line: None, fault }),
        }
    }
    excluded.sort_by(|a, b| (&a.path, a.line).cmp(&(&b.path, b.line)));
    Prepared { faces: kept, excluded, duplicates }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::PathBuf;
    use std::sync::atomic::{AtomicBool, Ordering};

    use ipcgan_model::AgeGroups;

    use image::RgbImage;
    use walkdir::WalkDir;

    use super::*;
    use crate::excluded::Fault;
    use crate::{PreparedFolder, Split, SyntheticConfig, SyntheticFaces};

    /// Synthetic faces of two sets, some of which cannot be read: those before `boundary` of the first set, the others of
    /// the second.
    struct TestFaces {
        sets: [SyntheticFaces; 2],
        boundary: usize,
    }

    impl TestFaces {
        fn set_of(&self, index: usize) -> &SyntheticFaces {
            &self.sets[usize::from(index >= self.boundary)]
        }
    }

    impl FaceSet for TestFaces {
        fn len(&self) -> usize {
            self.sets[0].len()
        }
        fn label(&self, index: usize) -> &FaceLabel {
            self.sets[0].label(index)
        }
        fn name(&self, index: usize) -> String {
            self.sets[0].name(index)
        }
        fn image(&self, index: usize) -> Result<RgbImage, DataError> {
            match index {
                3 => Err(DataError::NoFaceFound { path: "3".into() }),
                7 => Err(DataError::EmptyFile { path: "7".into() }),
                _ => self.set_of(index).image(index),
            }
        }
        fn source_checksum(&self, index: usize) -> Option<u32> {
            self.set_of(index).source_checksum(index)
        }
    }

    fn faces() -> TestFaces {
        faces_of(1)
    }

    fn faces_of(seed: u64) -> TestFaces {
        mixed_faces([seed, seed], 0)
    }

    fn mixed_faces(seeds: [u64; 2], boundary: usize) -> TestFaces {
        let set = |seed| {
            let config = SyntheticConfig { identities: 20, faces_per_group: 1, size: 32, seed };
            SyntheticFaces::new(config, &AgeGroups::default())
        };
        TestFaces { sets: seeds.map(set), boundary }
    }

    fn config() -> PreparationConfig {
        PreparationConfig::new("synthetic".into())
            .with_size(32)
            .with_valid_fraction(0.3)
            .with_test_fraction(0.2)
            .with_find_duplicates(false)
    }

    fn excluded() -> Vec<Excluded> {
        vec![Excluded { path: "x, \"y\".jpg".into(), line: Some(4), fault: Fault::label("makes no sense") }]
    }

    fn prepared(folder: &Path, threads: usize) -> Prepared {
        let options = PrepareOptions { threads, ..PrepareOptions::default() };
        prepare(&faces(), excluded(), folder, &config(), &options).unwrap().unwrap()
    }

    /// Paths and contents of all files.
    fn contents(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
        let files = WalkDir::new(folder).into_iter().map(Result::unwrap).filter(|entry| entry.file_type().is_file());
        files
            .map(|entry| (entry.path().strip_prefix(folder).unwrap().into(), fs::read(entry.path()).unwrap()))
            .collect()
    }

    #[test]
    fn a_prepared_folder_can_be_opened_and_has_each_identity_in_one_split() {
        let folder = tempfile::tempdir().unwrap();

        let prepared = prepared(folder.path(), 3);

        let reasons: Vec<_> = prepared.excluded.iter().map(|excluded| excluded.fault.reason.as_str()).collect();
        assert_eq!(reasons, ["no face found", "7 is an empty file; copy or download it again", "makes no sense"]);
        let (opened, unusable) = PreparedFolder::open(folder.path(), &AgeGroups::default()).unwrap();
        assert!(unusable.is_empty());
        assert_eq!(opened.len(), 98);
        assert_eq!(opened.image(0).unwrap(), faces().image(0).unwrap());
        let mut splits = BTreeMap::new();
        for index in 0..opened.len() {
            let FaceLabel { identity, split, .. } = opened.label(index).clone();
            assert_eq!(*splits.entry(identity).or_insert(split), split);
        }
        assert!(Split::ALL.iter().all(|split| splits.values().any(|found| *found == Some(*split))));
        let report = fs::read_to_string(folder.path().join("report.html")).unwrap();
        assert!(report.contains("98 faces of 32 × 32") && report.contains("x, &quot;y&quot;.jpg: makes no sense"));
    }

    #[test]
    fn the_folder_does_not_depend_on_the_number_of_threads_or_interruptions() {
        let [whole, broken] = [(); 2].map(|()| tempfile::tempdir().unwrap());
        prepared(whole.path(), 1);

        let stop = AtomicBool::new(false);
        let options =
            PrepareOptions { progress: &|done, _| stop.store(done >= 40, Ordering::Relaxed), stop: &stop, threads: 4 };
        assert!(prepare(&faces(), excluded(), broken.path(), &config(), &options).unwrap().is_none());
        assert!(!broken.path().join("metadata.csv").exists());
        // The state after a kill: a partial file, a partial line, and an image that the journal does not list.
        fs::write(broken.path().join("images/.ipcgan-abcdef.part"), "half").unwrap();
        fs::write(broken.path().join(".ipcgan-abcdef.part"), "half").unwrap();
        let journal = broken.path().join("fingerprints.csv");
        let text = fs::read_to_string(&journal).unwrap();
        fs::write(&journal, &text[..text.len() - 30]).unwrap();
        prepared(broken.path(), 2);

        assert!(contents(whole.path()) == contents(broken.path()));
        prepared(broken.path(), 2);
        assert!(contents(whole.path()) == contents(broken.path()), "a third run changes something");
    }

    #[test]
    fn a_second_run_makes_only_the_missing_faces() {
        let folder = tempfile::tempdir().unwrap();
        prepared(folder.path(), 1);
        let image = folder.path().join("images/person-00001/group-0/0.png");
        fs::remove_file(&image).unwrap();
        let other = folder.path().join("images/person-00002/group-0/0.png");
        fs::write(&other, "kept as it is").unwrap();

        let options = PrepareOptions::default();
        let result = prepare(&faces(), excluded(), folder.path(), &config(), &options);

        assert!(image.exists());
        assert_eq!(fs::read(&other).unwrap(), b"kept as it is");
        // The contact sheet may read the damaged file.
        assert!(result.is_ok() || result.err().unwrap().to_string().contains("person-00002"));
    }

    #[test]
    fn a_folder_of_other_faces_or_age_groups_is_rejected() {
        let folder = tempfile::tempdir().unwrap();
        prepared(folder.path(), 2);

        let options = PrepareOptions::default();
        let larger = prepare(&faces(), Vec::new(), folder.path(), &config().with_size(64), &options).err().unwrap();
        assert!(larger.to_string().contains("size was 32 and is 64 now"), "{larger}");

        let halves = AgeGroups::new(vec![11, 41]).unwrap();
        let opened = PreparedFolder::open(folder.path(), &halves).err().unwrap();
        assert!(opened.to_string().contains("age_groups"), "{opened}");
    }

    /// Faces of which the preparation of the first `failing` panics.
    struct Failing {
        faces: TestFaces,
        failing: usize,
    }

    impl FaceSet for Failing {
        fn len(&self) -> usize {
            self.faces.len()
        }
        fn label(&self, index: usize) -> &FaceLabel {
            self.faces.label(index)
        }
        fn name(&self, index: usize) -> String {
            self.faces.name(index)
        }
        fn image(&self, index: usize) -> Result<RgbImage, DataError> {
            assert!(index >= self.failing, "a row is missing");
            self.faces.image(index)
        }
        fn source_checksum(&self, index: usize) -> Option<u32> {
            self.faces.source_checksum(index)
        }
    }

    #[test]
    fn an_image_on_which_the_preparation_fails_is_excluded_but_a_failure_on_most_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let prepare = |failing: usize| {
            let faces = Failing { faces: faces(), failing };
            let options = PrepareOptions { threads: 3, ..PrepareOptions::default() };
            prepare(&faces, Vec::new(), folder.path(), &config(), &options)
        };

        let error = prepare(51).err().unwrap().to_string();
        assert!(error.starts_with("the preparation failed on 51 of 100 images; the first one: "), "{error}");
        assert!(error.ends_with(": the preparation failed: a row is missing"), "{error}");
        assert!(!folder.path().join("metadata.csv").exists());

        let prepared = prepare(2).unwrap().unwrap();
        assert_eq!(prepared.faces.len(), 96);
        assert_eq!(prepared.excluded.iter().filter(|excluded| excluded.fault.cause == Cause::Failed).count(), 2);
    }

    /// Faces that all cannot be read.
    struct Unreadable(FaceLabel);

    impl FaceSet for Unreadable {
        fn len(&self) -> usize {
            1
        }
        fn label(&self, _: usize) -> &FaceLabel {
            &self.0
        }
        fn name(&self, _: usize) -> String {
            "a.jpg".into()
        }
        fn image(&self, _: usize) -> Result<RgbImage, DataError> {
            Err(DataError::NoFaceFound { path: "a.jpg".into() })
        }
    }

    #[test]
    fn a_preparation_without_faces_leaves_no_new_files() {
        let folder = tempfile::tempdir().unwrap();
        let [new, old] = ["new", "old"].map(|name| folder.path().join(name));
        fs::create_dir(&old).unwrap();

        for folder in [&new, &old] {
            let options = PrepareOptions::default();
            let none = Unreadable(FaceLabel::default());
            let error = prepare(&none, Vec::new(), folder, &config(), &options).err().unwrap();
            assert!(error.to_string().ends_with("a.jpg: no face found"), "{error}");
        }

        assert!(!new.exists());
        assert_eq!(fs::read_dir(&old).unwrap().count(), 0);

        // Files of an earlier preparation whose faces were deleted.
        config().write(&old).unwrap();
        let before = fs::read(old.join(config::NAME)).unwrap();
        let none = Unreadable(FaceLabel::default());
        assert!(prepare(&none, Vec::new(), &old, &config(), &PrepareOptions::default()).is_err());
        assert!(fs::read(old.join(config::NAME)).unwrap() == before);
    }

    #[test]
    fn settings_of_a_preparation_without_faces_can_change() {
        let folder = tempfile::tempdir().unwrap();
        config().with_size(64).write(folder.path()).unwrap();
        fs::write(folder.path().join(journal::NAME), "").unwrap();

        prepared(folder.path(), 2);
    }

    #[test]
    fn files_that_were_not_written_by_a_preparation_are_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("metadata.csv"), "mine").unwrap();

        let options = PrepareOptions::default();
        let error = prepare(&faces(), Vec::new(), folder.path(), &config(), &options).err().unwrap();

        assert!(error.to_string().contains("holds metadata.csv, which was not written by"), "{error}");
        assert_eq!(fs::read(folder.path().join("metadata.csv")).unwrap(), b"mine");
    }

    #[test]
    fn faces_of_another_data_set_are_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        prepared(folder.path(), 2);

        let options = PrepareOptions::default();
        let other = Unreadable(FaceLabel::default());
        let error = prepare(&other, Vec::new(), folder.path(), &config(), &options).err().unwrap();

        assert!(error.to_string().contains("holds 98 faces, of which this data set has 0"), "{error}");
        assert!(folder.path().join("images/person-00001/group-0/0.png").exists());
    }

    #[test]
    fn another_data_set_with_the_same_names_is_not_mixed_with_the_first_one() {
        let folder = tempfile::tempdir().unwrap();
        prepared(folder.path(), 2);
        let before = contents(folder.path());

        let options = PrepareOptions::default();
        let error = prepare(&faces_of(2), excluded(), folder.path(), &config(), &options).err().unwrap();

        assert!(error.to_string().contains("holds 98 faces, of which this data set has 0"), "{error}");
        assert!(contents(folder.path()) == before);
    }

    #[test]
    fn a_replaced_image_is_prepared_again() {
        let folder = tempfile::tempdir().unwrap();
        prepared(folder.path(), 2);
        let replaced = mixed_faces([1, 2], 90);

        prepare(&replaced, excluded(), folder.path(), &config(), &PrepareOptions::default()).unwrap();

        let whole = tempfile::tempdir().unwrap();
        prepare(&replaced, excluded(), whole.path(), &config(), &PrepareOptions::default()).unwrap();
        assert!(contents(folder.path()) == contents(whole.path()));
    }

    #[test]
    fn a_set_without_usable_faces_is_an_error_with_the_reason() {
        let folder = tempfile::tempdir().unwrap();
        let none = crate::face::PlainFaces(Vec::new());

        let options = PrepareOptions::default();
        let error = prepare(&none, excluded(), folder.path(), &config(), &options).err().unwrap();

        assert!(error.to_string().ends_with("line 4: x, \"y\".jpg: makes no sense"), "{error}");
    }
}
