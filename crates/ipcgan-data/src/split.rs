//! Splits by identity, and subsets.

use std::collections::HashMap;
use std::sync::Arc;

use image::RgbImage;

use crate::random::mixed;
use crate::{DataError, FaceLabel, FaceSet, Split};

/// Fractions of the identities that are held out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct HeldOut {
    /// Fraction for validation.
    pub(crate) valid: f64,
    /// Fraction for the test.
    pub(crate) test: f64,
}

/// The split of an identity: fractions are held out, the others are in [`Split::Train`].
///
/// It depends only on the name and the seed, so an identity is in the same split whatever other identities exist.
pub(crate) fn split_of(identity: &str, seed: u64, held_out: HeldOut) -> Split {
    // FNV-1a, which is the same on every machine and in every version of Rust, then mixed to even out its high bits.
    let hash = identity.bytes().fold(0xcbf2_9ce4_8422_2325 ^ mixed(seed), |hash: u64, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let position = mixed(hash) as f64 / 2f64.powi(64);
    match position {
        position if position < held_out.valid => Split::Valid,
        position if position < held_out.valid + held_out.test => Split::Test,
        _ => Split::Train,
    }
}

/// Some faces of a set, in an order of their own.
#[derive(Clone)]
pub struct Subset {
    faces: Arc<dyn FaceSet>,
    indices: Vec<usize>,
}

impl Subset {
    /// The faces of `faces` at `indices`, in that order.
    ///
    /// # Panics
    /// If there is no face at an index.
    pub fn new(faces: Arc<dyn FaceSet>, indices: Vec<usize>) -> Self {
        assert!(indices.iter().all(|&index| index < faces.len()), "an index is outside of the {} faces", faces.len());
        Self { faces, indices }
    }

    /// The faces of `faces` whose label is `wanted`.
    pub fn filter(faces: Arc<dyn FaceSet>, wanted: impl Fn(&FaceLabel) -> bool) -> Self {
        let indices = (0..faces.len()).filter(|&index| wanted(faces.label(index))).collect();
        Self { faces, indices }
    }
}

impl FaceSet for Subset {
    fn len(&self) -> usize {
        self.indices.len()
    }

    fn label(&self, index: usize) -> &FaceLabel {
        self.faces.label(self.indices[index])
    }

    fn name(&self, index: usize) -> String {
        self.faces.name(self.indices[index])
    }

    fn image(&self, index: usize) -> Result<RgbImage, DataError> {
        self.faces.image(self.indices[index])
    }

    fn source_checksum(&self, index: usize) -> Option<u32> {
        self.faces.source_checksum(self.indices[index])
    }
}

/// Splits `faces` into training and validation sets that share no identity.
///
/// An identity with a published `split` is in that split with all its images, and in neither set if it is
/// [`Split::Test`]. The others are split by a hash of `seed` and the identity, about `valid_fraction` (0 to 1) of them
/// for validation; a face without identity counts as an identity of its own.
///
/// # Errors
/// [`DataError::IdentityInTwoSplits`] if the images of one identity have several splits.
pub fn by_identity(faces: Arc<dyn FaceSet>, seed: u64, valid_fraction: f64) -> Result<(Subset, Subset), DataError> {
    let given = given_splits(&*faces)?;
    let held_out = HeldOut { valid: valid_fraction, test: 0.0 };
    let [mut train, mut valid] = [Vec::new(), Vec::new()];
    for index in 0..faces.len() {
        let label = faces.label(index);
        let split = match &label.identity {
            Some(identity) => *given.get(identity.as_str()).unwrap_or(&split_of(identity, seed, held_out)),
            None => label.split.unwrap_or_else(|| split_of(&faces.name(index), seed, held_out)),
        };
        match split {
            Split::Train => train.push(index),
            Split::Valid => valid.push(index),
            Split::Test => (),
        }
    }
    drop(given);
    Ok((Subset { faces: faces.clone(), indices: train }, Subset { faces, indices: valid }))
}

fn given_splits(faces: &dyn FaceSet) -> Result<HashMap<&str, Split>, DataError> {
    let mut given = HashMap::new();
    for index in 0..faces.len() {
        let FaceLabel { identity: Some(identity), split: Some(split), .. } = faces.label(index) else {
            continue;
        };
        let first = *given.entry(identity.as_str()).or_insert(*split);
        if first != *split {
            return Err(DataError::IdentityInTwoSplits { identity: identity.clone(), first, second: *split });
        }
    }
    Ok(given)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::face::PlainFaces;

    fn people(faces: &Subset) -> Vec<String> {
        (0..faces.len()).filter_map(|index| faces.label(index).identity.clone()).collect()
    }

    #[test]
    fn fractions_of_the_identities_are_held_out() {
        let held_out = HeldOut { valid: 0.2, test: 0.2 };
        let count = |split, seed| {
            (0..1000).filter(|person| split_of(&format!("person {person}"), seed, held_out) == split).count()
        };

        // Five standard deviations of a binomial count of 1000 at 0.2.
        for seed in [1, 2] {
            assert!(count(Split::Valid, seed).abs_diff(200) < 64, "{}", count(Split::Valid, seed));
            assert!(count(Split::Test, seed).abs_diff(200) < 64, "{}", count(Split::Test, seed));
        }
        assert_eq!(split_of("ann", 1, HeldOut { valid: 0.0, test: 0.0 }), Split::Train);
        assert_eq!(split_of("ann", 1, HeldOut { valid: 1.0, test: 0.0 }), Split::Valid);
    }

    #[test]
    fn splits_differ_by_seed() {
        let held_out = HeldOut { valid: 0.5, test: 0.0 };
        let splits = |seed| (0..64).map(|identity| split_of(&identity.to_string(), seed, held_out)).collect::<Vec<_>>();

        assert_eq!(splits(1), splits(1));
        assert_ne!(splits(1), splits(2));
    }

    #[test]
    fn no_identity_is_in_two_splits() {
        let names: Vec<_> = (0..100).map(|face| format!("person {}", face % 20)).collect();
        let faces = PlainFaces::of_people(&names.iter().map(String::as_str).collect::<Vec<_>>());

        let (train, valid) = by_identity(Arc::new(faces), 1, 0.5).unwrap();

        assert_eq!(train.len() + valid.len(), 100);
        assert!(!train.is_empty() && !valid.is_empty());
        assert!(people(&train).iter().all(|person| !people(&valid).contains(person)));
    }

    #[test]
    fn faces_without_identity_are_split_one_by_one() {
        let faces = PlainFaces::of_people(&[""; 100]);

        let (train, valid) = by_identity(Arc::new(faces), 1, 0.5).unwrap();

        assert!(train.len() > 20 && valid.len() > 20);
    }

    #[test]
    fn a_given_split_applies_to_all_images_of_an_identity() {
        let mut faces = PlainFaces::of_people(&["ann", "ann", "bob", "", "eve"]);
        faces.0[1].split = Some(Split::Valid);
        faces.0[2].split = Some(Split::Train);
        faces.0[3].split = Some(Split::Valid);
        faces.0[4].split = Some(Split::Test);

        let (train, valid) = by_identity(Arc::new(faces), 1, 0.0).unwrap();

        assert_eq!(people(&train), ["bob"]);
        assert_eq!(people(&valid), ["ann", "ann"]);
        assert_eq!(valid.len(), 3);
    }

    #[test]
    fn an_identity_in_two_splits_is_rejected_by_name() {
        let mut faces = PlainFaces::of_people(&["ann", "ann"]);
        faces.0[0].split = Some(Split::Train);
        faces.0[1].split = Some(Split::Valid);

        let error = by_identity(Arc::new(faces), 1, 0.5).err().unwrap();

        assert!(error.to_string().starts_with("identity `ann` has images in train and in valid"));
    }

    #[test]
    fn a_filter_keeps_only_matching_faces() {
        let faces = Arc::new(PlainFaces::of_groups(&[0, 1, 0]));

        let young = Subset::filter(faces, |label| label.group == Some(0));

        assert_eq!((young.len(), young.name(1)), (2, "face 2".to_string()));
    }
}
