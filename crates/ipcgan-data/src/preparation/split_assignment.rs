//! Assignment of faces to splits, so that no identity and no near-duplicate is in two splits.

use std::collections::HashMap;

use super::union_find::UnionFind;
use crate::excluded::{Cause, Fault};
use crate::split::{HeldOut, split_of};
use crate::{FaceLabel, Split};

/// The split of each face, or the reason for its exclusion; `duplicates` are pairs of near-duplicate faces.
///
/// Faces of one identity, and near-duplicates, form a set. If a label in a set names a split, the whole set is in it;
/// if labels name several splits, the most strictly held-out one wins and faces labelled with another are excluded.
/// Other sets are assigned by a hash of the seed and the identity, or of the image's name if it has no identity.
pub(super) fn assign_splits(
    faces: &[(String, FaceLabel)],
    duplicates: &[[usize; 2]],
    seed: u64,
    held_out: HeldOut,
) -> Vec<Result<Split, Fault>> {
    let mut sets = UnionFind::new(faces.len());
    let mut first_of_person = HashMap::new();
    for (index, (_, label)) in faces.iter().enumerate() {
        if let Some(identity) = &label.identity {
            sets.union(*first_of_person.entry(identity).or_insert(index), index);
        }
    }
    for [first, second] in duplicates {
        sets.union(*first, *second);
    }
    let leaders: Vec<usize> = (0..faces.len()).map(|index| sets.find(index)).collect();

    let mut given: HashMap<usize, (Split, usize)> = HashMap::new();
    let mut named: HashMap<usize, &str> = HashMap::new();
    for (index, (name, label)) in faces.iter().enumerate() {
        if let Some(split) = label.split {
            let strictest = given.entry(leaders[index]).or_insert((split, index));
            if split > strictest.0 {
                *strictest = (split, index);
            }
        }
        // The alphabetically first name, so that the split does not depend on the order of files.
        let key = label.identity.as_deref().unwrap_or(name);
        named.entry(leaders[index]).and_modify(|first| *first = (*first).min(key)).or_insert(key);
    }
    let split = |(index, (_, label)): (usize, &(String, FaceLabel))| {
        let leader = leaders[index];
        match (given.get(&leader), label.split) {
            (None, _) => Ok(split_of(named[&leader], seed, held_out)),
            (Some((split, _)), own) if own.is_none_or(|own| own == *split) => Ok(*split),
            (Some((split, other)), _) => Err(Fault {
                cause: Cause::OtherSplit,
                reason: format!("the same identity or image is in {split} as {}", faces[*other].0),
            }),
        }
    };
    faces.iter().enumerate().map(split).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HALVES: HeldOut = HeldOut { valid: 0.5, test: 0.0 };

    fn face(name: &str, identity: &str, split: Option<Split>) -> (String, FaceLabel) {
        let identity = (!identity.is_empty()).then(|| identity.to_string());
        (name.into(), FaceLabel { identity, split, ..FaceLabel::default() })
    }

    #[test]
    fn one_identity_and_one_image_are_in_one_split() {
        let faces: Vec<_> =
            (0..60).map(|index| face(&format!("{index}.jpg"), &format!("p{}", index / 3), None)).collect();
        // The last image of every other identity duplicates the first of the next.
        let same: Vec<_> = (0..10).map(|pair| [6 * pair + 2, 6 * pair + 3]).collect();

        let splits = assign_splits(&faces, &same, 1, HALVES);

        let split = |index: usize| splits[index].as_ref().unwrap();
        assert!((0..10).all(|pair| (0..6).all(|index| split(6 * pair) == split(6 * pair + index))));
        assert!((0..60).any(|index| split(index) != split(0)));
    }

    #[test]
    fn a_labelled_split_applies_to_the_whole_set_and_the_strictest_wins() {
        let faces = [
            face("a1", "ann", Some(Split::Train)),
            face("a2", "ann", Some(Split::Test)),
            face("a3", "ann", None),
            face("b1", "", Some(Split::Valid)),
        ];

        let splits = assign_splits(&faces, &[], 1, HALVES);

        let fault = splits[0].as_ref().unwrap_err();
        assert_eq!(fault.reason, "the same identity or image is in test as a2");
        assert_eq!(fault.cause, Cause::OtherSplit);
        assert_eq!(splits[1..], [Ok(Split::Test), Ok(Split::Test), Ok(Split::Valid)]);
    }

    #[test]
    fn the_split_does_not_depend_on_the_order_or_on_other_faces() {
        let mut faces: Vec<_> = (0..20).map(|index| face(&format!("{index}.jpg"), "", None)).collect();
        let forwards = assign_splits(&faces, &[[3, 4]], 1, HALVES);

        faces.reverse();
        // In reverse order, without the first five of the twenty faces.
        let mut backwards = assign_splits(&faces[5..], &[[10, 11]], 1, HALVES);

        backwards.reverse();
        assert_eq!(backwards, forwards[..15]);
    }
}
