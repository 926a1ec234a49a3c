//! The numbers of one way to age faces.

use image::RgbImage;
use ipcgan_model::AgeGroups;

use super::judges::Opinion;
use super::measures::{Interval, correlation_with_order, distance, kernel_distance, mean};
use super::metrics::{Method, RealFaces};
use super::pictures::{background_difference, detail, difference};
use super::{Real, age};

/// What became of the real faces.
pub(super) struct Aged {
    /// Each face at each age.
    pub(super) pictures: Vec<Vec<RgbImage>>,
    /// What the judges think of them.
    pub(super) opinions: Vec<Vec<Opinion>>,
    /// Each face aged and brought back, if that can be done.
    pub(super) back: Option<Vec<RgbImage>>,
}

pub(super) fn measured(name: &str, real: &[Real], aged: &Aged, reference: &RealFaces, groups: &AgeGroups) -> Method {
    let pairs = || real.iter().enumerate().flat_map(|(face, _)| groups.indices().map(move |target| (face, target)));
    let years = |source: Option<usize>, target: usize| -> Vec<f64> {
        let of = real.iter().zip(&aged.opinions).filter(|(face, _)| source.is_none_or(|source| face.group == source));
        of.map(|(_, opinions)| opinions[target].years).collect()
    };
    let moved =
        |(face, target): (usize, usize)| distance(&real[face].opinion.vector, &aged.opinions[face][target].vector);
    let by_target: Vec<_> = groups.indices().map(|target| Interval::of(&years(None, target))).collect();
    let off = by_target.iter().zip(&reference.years).filter_map(|(aged, real)| Some((aged.as_ref()?, real.as_ref()?)));
    let off: Vec<f64> = off.map(|(aged, real)| (aged.value - real.value).abs()).collect();
    // Ages of one face are no samples of their own, so each face counts by the mean over its ages.
    let over_faces = |of: &dyn Fn(usize, usize) -> f64| {
        let of_face = |face| mean(&groups.indices().map(|target| of(face, target)).collect::<Vec<_>>());
        Interval::of(&(0..real.len()).map(of_face).collect::<Vec<_>>())
    };
    let share =
        |case: &dyn Fn(usize, usize) -> bool| over_faces(&|face, target| f64::from(u8::from(case(face, target))));
    let change = |of: &dyn Fn(&RgbImage, &RgbImage) -> f64| {
        over_faces(&|face, target| of(&real[face].picture, &aged.pictures[face][target]))
    };
    let some_mean = |values: Vec<f64>| (!values.is_empty()).then(|| mean(&values));
    let real_vectors: Vec<&[f32]> = real.iter().map(|face| face.opinion.vector.as_slice()).collect();
    // One age a face, so that both sets have as many people: each face at the group after its own.
    let aged_vectors: Vec<&[f32]> = real
        .iter()
        .zip(&aged.opinions)
        .map(|(face, opinions)| opinions[(face.group + 1) % opinions.len()].vector.as_slice())
        .collect();
    Method {
        name: name.into(),
        years_by_pair: groups
            .indices()
            .map(|source| groups.indices().map(|target| some_mean(years(Some(source), target))).collect())
            .collect(),
        years: by_target,
        years_off: mean(&off),
        accuracy: share(&|face, target| groups.group_of(age(aged.opinions[face][target].years)) == Some(target)),
        smoothness: {
            let of = |opinions: &Vec<Opinion>| {
                correlation_with_order(&opinions.iter().map(|opinion| opinion.years).collect::<Vec<_>>())
            };
            Interval::of(&aged.opinions.iter().filter_map(of).collect::<Vec<_>>())
        },
        verified: reference
            .thresholds
            .map(|limit| limit.and_then(|limit| share(&|face, target| moved((face, target)) <= limit))),
        distance_by_gap: groups
            .indices()
            .map(|gap| {
                let of_gap = pairs().filter(|(face, target)| real[*face].group.abs_diff(*target) == gap);
                some_mean(of_gap.map(moved).collect())
            })
            .collect(),
        sharpness: change(&|source, aged| detail(aged) / detail(source).max(1e-9)),
        background: change(&background_difference),
        own_group: {
            let own = |(face, pictures): (&Real, &Vec<RgbImage>)| difference(&face.picture, &pictures[face.group]);
            Interval::of(&real.iter().zip(&aged.pictures).map(own).collect::<Vec<_>>())
        },
        kernel_distance: kernel_distance(&real_vectors, &aged_vectors),
        cycle: aged.back.as_ref().and_then(|back| {
            let left = |(face, back): (&Real, &RgbImage)| difference(&face.picture, back);
            Interval::of(&real.iter().zip(back).map(left).collect::<Vec<_>>())
        }),
    }
}
