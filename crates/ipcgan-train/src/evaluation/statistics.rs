//! Statistics: bootstrap intervals, thresholds, correlation.

use rand::RngExt;
use serde::{Deserialize, Serialize};

/// Bootstrap resamples.
const RESAMPLES: usize = 1000;

/// A mean with its 95% confidence interval (percentile bootstrap).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// The mean.
    pub value: f64,
    /// 2.5th percentile of the resampled means.
    pub low: f64,
    /// 97.5th percentile of the resampled means.
    pub high: f64,
}

impl Interval {
    /// Confidence interval of the mean of `values`; `None` if `values` is empty.
    pub(super) fn of(values: &[f64]) -> Option<Self> {
        if values.is_empty() {
            return None;
        }
        let mut random = ipcgan_data::random::random(0, 0, values.len() as u64);
        let mut means: Vec<f64> = (0..RESAMPLES)
            .map(|_| {
                let draws = (0..values.len()).map(|_| values[random.random_range(0..values.len())]);
                draws.sum::<f64>() / values.len() as f64
            })
            .collect();
        means.sort_by(f64::total_cmp);
        let at = |fraction: f64| means[(fraction * (RESAMPLES - 1) as f64).round() as usize];
        Some(Self { value: mean(values), low: at(0.025), high: at(0.975) })
    }

    /// Interval of the fraction of `cases` that are true.
    pub(super) fn of_fraction(cases: impl Iterator<Item = bool>) -> Option<Self> {
        Self::of(&cases.map(|case| f64::from(u8::from(case))).collect::<Vec<_>>())
    }
}

pub(super) fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

/// Cosine distance: one minus the cosine of the angle between two vectors, from 0 to 2.
pub(super) fn cosine_distance(a: &[f32], b: &[f32]) -> f64 {
    let dot = |a: &[f32], b: &[f32]| -> f64 { a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum() };
    1.0 - dot(a, b) / (dot(a, a) * dot(b, b)).sqrt().max(1e-12)
}

/// Verification threshold: largest distance at which at most the fraction `fraction` of `impostors`, distances of
/// different identities, is accepted; none with too few impostors.
pub(super) fn threshold(impostors: &mut [f64], fraction: f64) -> Option<f64> {
    impostors.sort_by(f64::total_cmp);
    let accepted = (fraction * impostors.len() as f64).floor() as usize;
    accepted.checked_sub(1).map(|last| impostors[last])
}

/// Pearson correlation of `values` with their indices; `None` if they are constant.
pub(super) fn correlation_with_order(values: &[f64]) -> Option<f64> {
    let places: Vec<f64> = (0..values.len()).map(|place| place as f64).collect();
    let [mean_place, mean_value] = [mean(&places), mean(values)];
    let sum = |of: &dyn Fn(f64, f64) -> f64| -> f64 {
        places.iter().zip(values).map(|(place, value)| of(place - mean_place, value - mean_value)).sum()
    };
    let spread = (sum(&|place, _| place * place) * sum(&|_, value| value * value)).sqrt();
    (spread > 0.0).then(|| sum(&|place, value| place * value) / spread)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_contains_the_mean_and_narrows_with_more_values() {
        let few = Interval::of(&[0.0, 1.0, 0.0, 1.0]).unwrap();
        let many = Interval::of(&[0.0, 1.0].repeat(200)).unwrap();

        assert_eq!((few.value, many.value), (0.5, 0.5));
        assert!(many.low < 0.5 && many.high > 0.5 && many.high - many.low < (few.high - few.low) / 3.0);
        assert_eq!(Interval::of(&[]), None);
    }

    #[test]
    fn a_threshold_accepts_the_given_fraction_of_impostors() {
        let mut impostors: Vec<f64> = (1..=100).rev().map(f64::from).collect();

        let limit = threshold(&mut impostors, 0.05).unwrap();

        assert_eq!(impostors.iter().filter(|distance| **distance <= limit).count(), 5);
        assert_eq!(threshold(&mut impostors, 0.001), None, "of a hundred none can be a thousandth");
    }

    #[test]
    fn the_cosine_distance_is_that_of_directions() {
        let [same, orthogonal, opposite] =
            [[6.0, 8.0], [-4.0, 3.0], [-3.0, -4.0]].map(|other: [f32; 2]| cosine_distance(&[3.0, 4.0], &other));

        assert_eq!([same, orthogonal, opposite], [0.0, 1.0, 2.0]);
    }

    #[test]
    fn a_linear_sequence_correlates_with_its_order() {
        assert_eq!(correlation_with_order(&[1.0, 2.0, 3.0]), Some(1.0));
        assert_eq!(correlation_with_order(&[3.0, 2.0, 1.0]), Some(-1.0));
        assert_eq!(correlation_with_order(&[2.0, 2.0]), None);
    }
}
