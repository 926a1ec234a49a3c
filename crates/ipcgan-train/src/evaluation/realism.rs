//! Realism: how similar faces aged to a group are to real faces of that group.

use std::collections::{BTreeSet, HashSet};

use super::distribution::kernel_distance;
use super::judges::FaceEstimate;
use super::metrics::{Realism, TwoSample};
use super::subject::RealFace;
use super::two_sample::{Sample, two_sample_accuracy};

/// Identity and estimate of a compared face.
type Seen<'a> = (usize, &'a FaceEstimate);

/// Compares the faces of `aged` (one list of estimates per real face) that were aged to `target` from other groups with
/// the real faces of that group. Identities among the real faces are excluded from the aged ones; if that leaves fewer
/// aged than real faces, because identities have images in several groups, half of the identities are aged and the
/// other half are real. `None` with fewer than two faces of each.
pub(super) fn realism(real: &[RealFace], aged: &[Vec<FaceEstimate>], target: usize) -> Option<Realism> {
    let of_target = |keep: &dyn Fn(&RealFace) -> bool| -> Vec<Seen<'_>> {
        let faces = real.iter().filter(|face| face.group == target && keep(face));
        faces.map(|face| (face.identity, &face.estimate)).collect()
    };
    let of_others = |keep: &dyn Fn(&RealFace) -> bool| -> Vec<Seen<'_>> {
        let others = real.iter().zip(aged).filter(|(face, _)| face.group != target && keep(face));
        others.map(|(face, estimates)| (face.identity, &estimates[target])).collect()
    };
    let real_faces = of_target(&|_| true);
    let identities: HashSet<usize> = real_faces.iter().map(|(identity, _)| *identity).collect();
    let aged_faces = of_others(&|face| !identities.contains(&face.identity));
    match aged_faces.len() < real_faces.len() {
        true => compared(&of_others(&|face| face.is_of_half(0)), &of_target(&|face| face.is_of_half(1))),
        false => compared(&aged_faces, &real_faces),
    }
}

/// Compares one half of the real faces of `group` with the other half: the value of a perfect generator.
pub(super) fn realism_of_real(real: &[RealFace], group: usize) -> Option<Realism> {
    let identities: BTreeSet<usize> =
        real.iter().filter(|face| face.group == group).map(|face| face.identity).collect();
    let half = |wanted: usize| -> Vec<Seen<'_>> {
        let of_half =
            identities.iter().enumerate().filter(|(index, _)| index % 2 == wanted).map(|(_, identity)| *identity);
        let of_half: HashSet<usize> = of_half.collect();
        let faces = real.iter().filter(|face| face.group == group && of_half.contains(&face.identity));
        faces.map(|face| (face.identity, &face.estimate)).collect()
    };
    compared(&half(0), &half(1))
}

fn compared(aged: &[Seen<'_>], real: &[Seen<'_>]) -> Option<Realism> {
    let on = |features: fn(&FaceEstimate) -> &[f32]| {
        let vectors =
            |faces: &[Seen<'_>]| faces.iter().map(|(_, estimate)| features(estimate).to_vec()).collect::<Vec<_>>();
        let [of_aged, of_real] = [aged, real].map(|faces| samples(faces, features));
        Some(TwoSample {
            kernel_distance: kernel_distance(&vectors(aged), &vectors(real))?,
            relative_to_unchanged: None,
            two_sample_accuracy: two_sample_accuracy(&of_aged, &of_real),
        })
    };
    Some(Realism {
        aged: aged.len(),
        real: real.len(),
        recogniser: on(|estimate| &estimate.embedding)?,
        age_estimator: on(|estimate| &estimate.age_features)?,
    })
}

/// The `features` of the faces, with their identities.
fn samples<'a>(faces: &[Seen<'a>], features: fn(&FaceEstimate) -> &[f32]) -> Vec<Sample<'a>> {
    faces.iter().map(|(identity, estimate)| Sample { features: features(estimate), identity: *identity }).collect()
}

#[cfg(test)]
mod tests {
    use image::RgbImage;

    use super::*;

    fn estimate(value: f32) -> FaceEstimate {
        FaceEstimate { years: 30.0, second_years: 30.0, embedding: vec![value], age_features: vec![-value] }
    }

    fn real(identity: usize, group: usize, value: f32) -> RealFace {
        RealFace { image: RgbImage::new(2, 2), group, identity, gender: None, estimate: estimate(value) }
    }

    #[test]
    fn faces_of_the_group_and_of_its_identities_are_excluded_from_the_aged_ones() {
        // Identity 0 is in both groups; identities 3 and 4 are only in the first.
        let real = [real(0, 0, 1.0), real(3, 0, 2.0), real(4, 0, 3.0), real(0, 1, 4.0), real(1, 1, 5.0)];
        let aged: Vec<Vec<FaceEstimate>> = real.iter().map(|face| vec![face.estimate.clone(); 2]).collect();

        let found = realism(&real, &aged, 1).unwrap();

        assert_eq!((found.aged, found.real), (2, 2));
        assert_eq!(found.recogniser.two_sample_accuracy, None, "too few");
        // k(x, y) = (x y + 1)^3: 7^3 + 21^3 - (9^3 + 11^3 + 13^3 + 16^3) / 2.
        assert_eq!(found.recogniser.kernel_distance, 343.0 + 9261.0 - 2.0 * (729.0 + 1331.0 + 2197.0 + 4096.0) / 4.0);
        assert_eq!(realism(&real[..3], &aged[..3], 1), None, "no real faces");
    }

    #[test]
    fn where_all_identities_have_images_in_all_groups_half_of_them_are_aged() {
        let real: Vec<RealFace> = (0..12).map(|index| real(index / 2, index % 2, index as f32)).collect();
        let aged: Vec<Vec<FaceEstimate>> = real.iter().map(|face| vec![face.estimate.clone(); 2]).collect();

        let found = realism(&real, &aged, 1).unwrap();

        assert_eq!((found.aged, found.real), (3, 3));
    }

    #[test]
    fn halves_of_real_faces_share_no_identity() {
        let faces: Vec<RealFace> = (0..8).map(|index| real(index / 2, 0, index as f32)).collect();

        let found = realism_of_real(&faces, 0).unwrap();

        assert_eq!((found.aged, found.real), (4, 4));
    }
}
