//! The numbers of one way to age faces.

use image::RgbImage;
use ipcgan_model::AgeGroups;

use super::distribution::distribution;
use super::judges::Opinion;
use super::measures::{Interval, correlation_with_order, distance, mean};
use super::metrics::{Cycle, Method, Pair, RealFaces};
use super::pictures::{background_difference, detail, difference};
use super::{Real, age};

/// What became of the real faces.
pub(super) struct Aged {
    /// Each face at each age.
    pub(super) pictures: Vec<Vec<RgbImage>>,
    /// What the judges think of them.
    pub(super) opinions: Vec<Vec<Opinion>>,
    /// Each face aged and brought back, and what the judges think of it, if that can be done.
    pub(super) back: Option<Vec<(RgbImage, Opinion)>>,
    /// Perceptual distance of each face at its own age from its source.
    pub(super) perceptual: Vec<f64>,
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
    // The halves of the reference row, one of them aged: as many faces, and no person on both sides.
    let distribution = {
        let half = |half| real.iter().zip(&aged.opinions).filter(move |(face, _)| face.is_of_half(half));
        let next =
            |(face, opinions): (&Real, &Vec<Opinion>)| opinions[(face.group + 1) % opinions.len()].vector.clone();
        let aged: Vec<_> = half(0).map(next).collect();
        let left: Vec<_> = half(1).map(|(face, _)| face.opinion.vector.clone()).collect();
        distribution(&aged, &left)
    };
    Method {
        name: name.into(),
        pairs: pairs_of_groups(real, aged, reference, groups),
        confusion: confusion(aged, groups),
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
        own_group_perceptual: Interval::of(&aged.perceptual),
        distribution,
        cycle: aged.back.as_ref().and_then(|back| cycle(real, back)),
    }
}

fn pairs_of_groups(real: &[Real], aged: &Aged, reference: &RealFaces, groups: &AgeGroups) -> Vec<Vec<Option<Pair>>> {
    let pair = |source: usize, target: usize| {
        let of = real.iter().zip(&aged.opinions).filter(|(face, _)| face.group == source);
        let years: Vec<f64> = of.map(|(_, opinions)| opinions[target].years).collect();
        let expected = reference.years[target].as_ref();
        let hit = |years: &f64| f64::from(u8::from(groups.group_of(age(*years)) == Some(target)));
        (!years.is_empty()).then(|| Pair {
            faces: years.len(),
            years: mean(&years),
            error: expected.map(|real| mean(&years.iter().map(|years| (years - real.value).abs()).collect::<Vec<_>>())),
            accuracy: mean(&years.iter().map(hit).collect::<Vec<_>>()),
        })
    };
    groups.indices().map(|source| groups.indices().map(|target| pair(source, target)).collect()).collect()
}

fn confusion(aged: &Aged, groups: &AgeGroups) -> Vec<Vec<f64>> {
    let share = |target: usize, group: usize| {
        let found = |opinions: &&Vec<Opinion>| groups.group_of(age(opinions[target].years)) == Some(group);
        aged.opinions.iter().filter(found).count() as f64 / aged.opinions.len() as f64
    };
    groups.indices().map(|target| groups.indices().map(|group| share(target, group)).collect()).collect()
}

fn cycle(real: &[Real], back: &[(RgbImage, Opinion)]) -> Option<Cycle> {
    let over_faces = |of: &dyn Fn(&Real, &(RgbImage, Opinion)) -> f64| {
        Interval::of(&real.iter().zip(back).map(|(face, back)| of(face, back)).collect::<Vec<_>>())
    };
    Some(Cycle {
        change: over_faces(&|face, (picture, _)| difference(&face.picture, picture))?,
        distance: over_faces(&|face, (_, opinion)| distance(&face.opinion.vector, &opinion.vector))?,
        years: over_faces(&|face, (_, opinion)| (face.opinion.years - opinion.years).abs())?,
    })
}
