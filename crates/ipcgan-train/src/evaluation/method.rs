//! The numbers of one way to age faces.

use image::RgbImage;
use ipcgan_model::AgeGroups;

use super::distribution::distribution;
use super::judges::Opinion;
use super::measures::{Interval, correlation_with_order, distance, mean};
use super::metrics::{Cycle, Distribution, Method, Pair, RealFaces};
use super::pictures::{background_difference, difference, laplacian_variance};
use super::realism::realism;
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
    let way = Way { real, aged, groups };
    let years: Vec<_> = groups.indices().map(|target| Interval::of(&way.years(target))).collect();
    let off = years.iter().zip(&reference.years).filter_map(|(aged, real)| Some((aged.as_ref()?, real.as_ref()?)));
    let off: Vec<f64> = off.map(|(aged, real)| (aged.value - real.value).abs()).collect();
    let is_of_target =
        |face: usize, target: usize| groups.group_of(age(way.opinion(face, target).years)) == Some(target);
    let is_verified = |limit: f64| way.share(&|face, target| way.moved(face, target) <= limit);
    Method {
        name: name.into(),
        pairs: pairs_of_groups(real, aged, reference, groups),
        confusion: confusion(aged, groups),
        years,
        mean_age_error: (!off.is_empty()).then(|| mean(&off)),
        accuracy: way.share(&is_of_target),
        age_correlation: way.age_correlation(),
        verification_rate: reference.thresholds.map(|limit| limit.and_then(is_verified)),
        distance_by_gap: groups.indices().map(|gap| way.distance_of_gap(gap)).collect(),
        laplacian_variance_ratio: way.laplacian_variance_ratio(),
        background_change: way.change(&background_difference),
        own_group_change: way.own_group_change(),
        own_group_perceptual: Interval::of(&aged.perceptual),
        distribution: way.distribution(),
        realism: groups.indices().map(|target| realism(real, &aged.opinions, target)).collect(),
        cycle: aged.back.as_ref().and_then(|back| cycle(real, back)),
    }
}

/// Real faces and what became of them.
struct Way<'a> {
    real: &'a [Real],
    aged: &'a Aged,
    groups: &'a AgeGroups,
}

impl Way<'_> {
    fn opinion(&self, face: usize, target: usize) -> &Opinion {
        &self.aged.opinions[face][target]
    }

    /// Estimated ages of the faces aged to `target`.
    fn years(&self, target: usize) -> Vec<f64> {
        self.aged.opinions.iter().map(|opinions| opinions[target].years).collect()
    }

    /// How far a face aged to `target` is from its source.
    fn moved(&self, face: usize, target: usize) -> f64 {
        distance(&self.real[face].opinion.vector, &self.opinion(face, target).vector)
    }

    /// Of a number of each face at each age. Ages of one face are no samples of their own, so each face counts by the mean
    /// over its ages.
    fn over_faces(&self, of: &dyn Fn(usize, usize) -> f64) -> Option<Interval> {
        let of_face = |face| mean(&self.groups.indices().map(|target| of(face, target)).collect::<Vec<_>>());
        Interval::of(&(0..self.real.len()).map(of_face).collect::<Vec<_>>())
    }

    fn share(&self, case: &dyn Fn(usize, usize) -> bool) -> Option<Interval> {
        self.over_faces(&|face, target| f64::from(u8::from(case(face, target))))
    }

    /// Of a number of each source and what became of it.
    fn change(&self, of: &dyn Fn(&RgbImage, &RgbImage) -> f64) -> Option<Interval> {
        self.over_faces(&|face, target| of(&self.real[face].picture, &self.aged.pictures[face][target]))
    }

    fn laplacian_variance_ratio(&self) -> Option<Interval> {
        self.change(&|source, aged| laplacian_variance(aged) / laplacian_variance(source).max(1e-9))
    }

    fn age_correlation(&self) -> Option<Interval> {
        let of = |opinions: &Vec<Opinion>| {
            correlation_with_order(&opinions.iter().map(|opinion| opinion.years).collect::<Vec<_>>())
        };
        Interval::of(&self.aged.opinions.iter().filter_map(of).collect::<Vec<_>>())
    }

    /// Mean distance of faces aged by `gap` groups, up or down, from their sources.
    fn distance_of_gap(&self, gap: usize) -> Option<f64> {
        let of_face = |face: usize| {
            let targets = self.groups.indices().filter(move |target| self.real[face].group.abs_diff(*target) == gap);
            targets.map(move |target| self.moved(face, target))
        };
        let distances: Vec<f64> = (0..self.real.len()).flat_map(of_face).collect();
        (!distances.is_empty()).then(|| mean(&distances))
    }

    fn own_group_change(&self) -> Option<Interval> {
        let own = |(face, pictures): (&Real, &Vec<RgbImage>)| difference(&face.picture, &pictures[face.group]);
        Interval::of(&self.real.iter().zip(&self.aged.pictures).map(own).collect::<Vec<_>>())
    }

    /// The halves of the reference row, one of them aged: as many faces, and no person on both sides.
    fn distribution(&self) -> Distribution {
        let half = |half| self.real.iter().zip(&self.aged.opinions).filter(move |(face, _)| face.is_of_half(half));
        let next =
            |(face, opinions): (&Real, &Vec<Opinion>)| opinions[(face.group + 1) % opinions.len()].vector.clone();
        let aged: Vec<_> = half(0).map(next).collect();
        let left: Vec<_> = half(1).map(|(face, _)| face.opinion.vector.clone()).collect();
        distribution(&aged, &left)
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
