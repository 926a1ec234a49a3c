//! Comparison of ageing methods with real faces.

use ipcgan_model::AgeGroups;

use super::distribution::distribution;
use super::method::{AgedFaces, method_metrics};
use super::metrics::{Comparison, FALSE_ACCEPT_RATES, Method, RealFaces, SecondAges, TwoSample};
use super::realism::realism_of_real;
use super::statistics::{Interval, cosine_distance, threshold};
use super::subject::{RealFace, age};
use super::verdict::verdict;

/// Positions of the generator and of the baseline of unchanged sources among the compared methods; other baselines follow.
pub(super) const GENERATOR: usize = 0;
pub(super) const UNCHANGED: usize = 1;

/// Metrics of `real` faces and of the `aged_faces` of each method, with its name: those at [`GENERATOR`], [`UNCHANGED`]
/// and after them.
pub(super) fn comparison(real: &[RealFace], aged_faces: &[(&str, AgedFaces)], groups: &AgeGroups) -> Comparison {
    let reference = reference(real, groups);
    let metrics = aged_faces.iter().map(|(name, aged)| method_metrics(name, real, aged, &reference, groups));
    let mut methods: Vec<_> = metrics.collect();
    relate_to_unchanged(&mut methods);
    let verdict = verdict(&methods[GENERATOR], &methods[UNCHANGED], &reference);
    Comparison { verdict, faces: real.len(), real: reference, methods }
}

/// Divides the kernel distances of `methods` by the kernel distance of the unchanged sources.
fn relate_to_unchanged(methods: &mut [Method]) {
    let unchanged = methods[UNCHANGED].realism.clone();
    let relate = |sample: &mut TwoSample, unchanged: TwoSample| {
        let distance = Some(unchanged.kernel_distance).filter(|distance| *distance > 0.0);
        sample.relative_to_unchanged = distance.map(|distance| sample.kernel_distance / distance);
    };
    for method in methods {
        for (found, unchanged) in method.realism.iter_mut().zip(&unchanged) {
            if let (Some(found), Some(unchanged)) = (found, unchanged) {
                relate(&mut found.recogniser, unchanged.recogniser);
                relate(&mut found.age_estimator, unchanged.age_estimator);
            }
        }
    }
}

/// Reference values of `real` faces.
fn reference(real: &[RealFace], groups: &AgeGroups) -> RealFaces {
    let of_group = |group| real.iter().filter(move |face| face.group == group);
    let counts: Vec<usize> = groups.indices().map(|group| of_group(group).count()).collect();
    let years = groups.indices().map(|group| {
        let years: Vec<f64> = of_group(group).map(|face| face.estimate.years).collect();
        Interval::of(&years)
    });
    let mut impostors: Vec<f64> = Vec::new();
    for (index, face) in real.iter().enumerate() {
        let others = real[..index].iter().filter(|other| other.identity != face.identity);
        impostors.extend(others.map(|other| cosine_distance(&face.estimate.embedding, &other.estimate.embedding)));
    }
    let [one, other] = [0, 1].map(|half| -> Vec<Vec<f32>> {
        real.iter().filter(|face| face.is_of_half(half)).map(|face| face.estimate.embedding.clone()).collect()
    });
    let second_years: Vec<Vec<f64>> =
        groups.indices().map(|group| of_group(group).map(|face| face.estimate.second_years).collect()).collect();
    RealFaces {
        years: years.collect(),
        second_ages: SecondAges::of(&second_years, groups),
        accuracy: Interval::of_fraction(
            real.iter().map(|face| groups.group_of(age(face.estimate.years)) == Some(face.group)),
        ),
        majority_class_rate: counts.iter().copied().max().unwrap_or(0) as f64 / real.len() as f64,
        counts,
        impostor_pairs: impostors.len(),
        thresholds: FALSE_ACCEPT_RATES.map(|rate| threshold(&mut impostors, rate)),
        distribution: distribution(&one, &other),
        realism: groups.indices().map(|group| realism_of_real(real, group)).collect(),
    }
}

#[cfg(test)]
mod tests {
    use image::RgbImage;

    use super::super::judges::FaceEstimate;
    use super::*;

    fn real(identity: usize, embedding: f32) -> RealFace {
        let estimate =
            FaceEstimate { years: 30.0, second_years: 30.0, embedding: vec![embedding], age_features: vec![embedding] };
        RealFace { image: RgbImage::new(2, 2), group: 1, identity, gender: None, estimate }
    }

    #[test]
    fn images_of_one_identity_are_no_impostor_pairs_and_stay_in_one_half() {
        let real = [real(0, 0.0), real(0, 0.1), real(1, 5.0), real(1, 5.1), real(2, 9.0)];

        let reference = reference(&real, &AgeGroups::default());

        assert_eq!(reference.impostor_pairs, 10 - 2);
        assert_eq!(reference.distribution.faces, 2); // of identity 1; three are of identities 0 and 2
    }
}
