//! Whether a set of faces can teach what a stage of training needs.

use std::collections::HashSet;

use ipcgan_model::AgeGroups;

use crate::{DataError, FaceSet};

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

/// Checks that at least two people are named; `what` names the faces, such as `the training set`.
///
/// # Errors
/// [`DataError::TooFewIdentities`] if not.
pub fn check_identities(faces: &dyn FaceSet, what: &str) -> Result<(), DataError> {
    let people: HashSet<_> = (0..faces.len()).filter_map(|index| faces.label(index).identity.as_deref()).collect();
    if people.len() < 2 {
        return Err(DataError::TooFewIdentities { what: what.into(), count: people.len() });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::face::PlainFaces;

    #[test]
    fn an_age_group_without_a_face_is_refused_by_name() {
        let groups = AgeGroups::default();

        let error = check_groups(&PlainFaces::of_groups(&[0, 1, 2, 4]), &groups, "the training set").unwrap_err();

        assert!(error.to_string().starts_with("the training set has no face of age group 41-50;"));
        assert!(check_groups(&PlainFaces::of_groups(&[4, 3, 2, 1, 0]), &groups, "the training set").is_ok());
    }

    #[test]
    fn fewer_than_two_people_are_refused() {
        let one = PlainFaces::of_people(&["ann", "ann", ""]);

        let error = check_identities(&one, "the training set").unwrap_err();

        assert!(error.to_string().starts_with("the training set names 1 people"));
        assert!(check_identities(&PlainFaces::of_people(&["ann", "bob"]), "the training set").is_ok());
    }
}
