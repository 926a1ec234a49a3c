//! Checks that a set of faces suffices for a training stage.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ipcgan_model::AgeGroups;
use rayon::prelude::*;

use crate::excluded::{Excluded, Fault};
use crate::{DataError, FaceSet, Subset};

/// Checks that every age group has a face; `what` names the faces, such as `the training set`.
///
/// # Errors
/// [`DataError::EmptyGroup`] with the first group that has none.
pub fn check_groups(faces: &dyn FaceSet, groups: &AgeGroups, what: &str) -> Result<(), DataError> {
    let filled: HashSet<_> = (0..faces.len()).filter_map(|index| faces.label(index).group).collect();
    match groups.indices().find(|group| !filled.contains(group)) {
        Some(group) => Err(DataError::EmptyGroup { what: what.into(), group: groups.name(group) }),
        None => Ok(()),
    }
}

/// Checks that there are at least two identities; `what` names the faces, such as `the training set`.
///
/// # Errors
/// [`DataError::TooFewIdentities`] if not.
pub fn check_identities(faces: &dyn FaceSet, what: &str) -> Result<(), DataError> {
    let identities: HashSet<_> = (0..faces.len()).filter_map(|index| faces.label(index).identity.as_deref()).collect();
    if identities.len() < 2 {
        return Err(DataError::TooFewIdentities { what: what.into(), count: identities.len() });
    }
    Ok(())
}

/// Decodes every image in parallel; returns the faces with a readable image, and the others.
///
/// `progress` receives the number of images done and the total, in no particular order.
pub fn check_images(faces: Arc<dyn FaceSet>, progress: &(dyn Fn(usize, usize) + Sync)) -> (Subset, Vec<Excluded>) {
    let done = AtomicUsize::new(0);
    let faults: Vec<Option<Fault>> = (0..faces.len())
        .into_par_iter()
        .map(|index| {
            let fault = faces.image(index).err().map(|error| Fault::of(&error));
            progress(done.fetch_add(1, Ordering::Relaxed) + 1, faces.len());
            fault
        })
        .collect();
    let mut whole = Vec::new();
    let mut excluded = Vec::new();
    for (index, fault) in faults.into_iter().enumerate() {
        match fault {
            None => whole.push(index),
            Some(fault) => excluded.push(Excluded { path: faces.name(index).into(), line: None, fault }),
        }
    }
    (Subset::new(faces, whole), excluded)
}

#[cfg(test)]
mod tests {
    use image::RgbImage;

    use super::*;
    use crate::face::PlainFaces;
    use crate::{PreparedFolder, photo};

    #[test]
    fn an_age_group_without_a_face_is_rejected_by_name() {
        let groups = AgeGroups::default();

        let error = check_groups(&PlainFaces::of_groups(&[0, 1, 2, 4]), &groups, "the training set").unwrap_err();

        assert!(error.to_string().starts_with("the training set has no face of age group 41-50;"));
        assert!(check_groups(&PlainFaces::of_groups(&[4, 3, 2, 1, 0]), &groups, "the training set").is_ok());
    }

    #[test]
    fn fewer_than_two_identities_are_rejected() {
        let one = PlainFaces::of_people(&["ann", "ann", ""]);

        let error = check_identities(&one, "the training set").unwrap_err();

        assert!(error.to_string().starts_with("the training set has 1 identities"));
        assert!(check_identities(&PlainFaces::of_people(&["ann", "bob"]), "the training set").is_ok());
    }

    #[test]
    fn unreadable_images_are_found_before_training() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        std::fs::write(path("metadata.csv"), "file_name\na.png\nb.png\nc.png\n").unwrap();
        for name in ["a.png", "b.png", "c.png"] {
            photo::write_png(&path(name), &RgbImage::new(8, 8)).unwrap();
        }
        let cut = std::fs::read(path("b.png")).unwrap();
        std::fs::write(path("b.png"), &cut[..cut.len() / 2]).unwrap();
        let reported = AtomicUsize::new(0);

        let faces = Arc::new(PreparedFolder::open(folder.path(), &AgeGroups::default()).unwrap().0);
        let (faces, excluded) = check_images(faces, &|done, total| {
            assert!(done <= total);
            reported.fetch_add(1, Ordering::Relaxed);
        });

        let names: Vec<_> = (0..faces.len()).map(|index| faces.name(index)).collect();
        assert_eq!(names, ["a.png", "c.png"]);
        assert_eq!((excluded.len(), excluded[0].path.to_str()), (1, Some("b.png")));
        assert_eq!(reported.into_inner(), 3);
    }
}
