//! Perceptual hashes of faces, which detect near-duplicates even if they are re-encoded or resized.

use std::fmt;
use std::ops::Range;

use image::RgbImage;
use image_hasher::{HashAlg, HasherConfig};
use rayon::prelude::*;

use super::union_find::UnionFind;

/// Perceptual hash (pHash) of a face: signs of its 16 x 16 lowest frequencies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fingerprint([u64; 4]);

/// Maximum Hamming distance of two images of the same photo.
///
/// Chosen on real faces, detected and aligned: of 195 million pairs of FairFace and UTKFace, 115 are within it, and all
/// that were inspected (those of 24 bits and more) show the same photo. Of 2,970 faces that were saved again as JPEG of
/// quality 50, 97% stay within it, and 93% of those that were also resized to three quarters; in the others the
/// landmarks moved too far.
const MAX_HAMMING_DISTANCE: u32 = 44;

impl Fingerprint {
    pub(super) fn of(face: &RgbImage) -> Self {
        let hasher =
            HasherConfig::with_bytes_type::<[u8; 32]>().hash_size(16, 16).hash_alg(HashAlg::Median).preproc_dct();
        let bytes = hasher.to_hasher().hash_image(face).into_inner();
        let words = bytes.as_chunks().0;
        Self(std::array::from_fn(|index| u64::from_be_bytes(words[index])))
    }

    /// Parses a hash written as `text`.
    pub(super) fn read(text: &str) -> Option<Self> {
        let digits = text.as_bytes().as_chunks::<16>().0;
        let words: Vec<u64> = digits
            .iter()
            .map(|digits| std::str::from_utf8(digits).ok().and_then(|word| u64::from_str_radix(word, 16).ok()))
            .collect::<Option<_>>()?;
        (text.len() == 64).then(|| words.try_into().ok()).flatten().map(Self)
    }

    fn hamming_distance(&self, other: &Self) -> u32 {
        self.0.iter().zip(other.0).map(|(one, other)| (one ^ other).count_ones()).sum()
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|word| write!(f, "{word:016x}"))
    }
}

/// Number of faces whose comparisons with all later faces are in memory at a time.
const ROWS: usize = 64;

/// Pairs of near-duplicates as indices, the first below the second. Only enough pairs to connect each set (one fewer
/// than its size): the number of all pairs would grow quadratically with the size of a set.
pub(super) fn duplicate_pairs(fingerprints: &[Fingerprint]) -> Vec<[usize; 2]> {
    let mut sets = UnionFind::new(fingerprints.len());
    let mut joining = Vec::new();
    for first in (0..fingerprints.len()).step_by(ROWS) {
        let pairs = pairs(fingerprints, first..fingerprints.len().min(first + ROWS));
        joining.extend(pairs.into_iter().filter(|[first, second]| sets.union(*first, *second)));
    }
    joining
}

/// All near-duplicate pairs whose first face is in `firsts`, in order.
fn pairs(fingerprints: &[Fingerprint], firsts: Range<usize>) -> Vec<[usize; 2]> {
    let later = |first: usize| {
        let same =
            move |second: &usize| fingerprints[first].hamming_distance(&fingerprints[*second]) <= MAX_HAMMING_DISTANCE;
        (first + 1..fingerprints.len()).filter(same).map(move |second| [first, second])
    };
    firsts.into_par_iter().flat_map_iter(later).collect()
}

#[cfg(test)]
mod tests {
    use image::codecs::jpeg::JpegEncoder;
    use ipcgan_model::AgeGroups;

    use super::*;
    use crate::{FaceSet, SyntheticConfig, SyntheticFaces, photo};

    fn faces(people: usize) -> Vec<RgbImage> {
        let config = SyntheticConfig { identities: people, faces_per_group: 1, size: 128, seed: 1 };
        let faces = SyntheticFaces::new(config, &AgeGroups::default());
        (0..faces.len()).map(|index| faces.image(index).unwrap()).collect()
    }

    fn encoded_again(face: &RgbImage) -> RgbImage {
        let mut bytes = Vec::new();
        face.write_with_encoder(JpegEncoder::new_with_quality(&mut bytes, 50)).unwrap();
        image::load_from_memory(&bytes).unwrap().into_rgb8()
    }

    #[test]
    fn an_image_is_recognised_after_encoding_and_resizing() {
        let mut images = Vec::new();
        for face in faces(2) {
            images.extend([encoded_again(&face), photo::resized(&face, 96), face]);
        }
        let fingerprints: Vec<_> = images.iter().map(Fingerprint::of).collect();

        let pairs = duplicate_pairs(&fingerprints);

        let expected: Vec<_> =
            (0..10).flat_map(|face| [[0, 1], [0, 2]].map(|pair| pair.map(|i| 3 * face + i))).collect();
        assert_eq!(pairs, expected);
    }

    #[test]
    fn a_fingerprint_is_read_as_it_is_written() {
        let fingerprint = Fingerprint::of(&faces(1)[0]);

        assert_eq!(Fingerprint::read(&fingerprint.to_string()), Some(fingerprint));
        for text in ["", "12", &"g".repeat(64), &"é".repeat(32)] {
            assert_eq!(Fingerprint::read(text), None, "{text}");
        }
    }
}
