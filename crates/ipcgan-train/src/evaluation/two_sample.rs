//! Classifier two-sample test (Lopez-Paz and Oquab, 2017): can a classifier separate aged from real faces?

use std::collections::HashMap;

use rayon::prelude::*;

/// Folds of the cross-validation.
const FOLDS: usize = 5;
/// Minimum number of faces of each kind.
const MIN_FACES: usize = 10;
/// L2 regularization of the classifier, relative to the sum of the losses.
const PENALTY: f64 = 1.0;
/// Optimization steps of the classifier.
const STEPS: usize = 200;

/// Features of a face, and its identity: all faces of an identity are in one fold.
#[derive(Clone, Debug)]
pub(super) struct Sample<'a> {
    pub(super) features: &'a [f32],
    pub(super) identity: usize,
}

/// Cross-validated accuracy of a logistic regression on equal numbers of `aged` and `real` faces, with five folds by
/// identity; chance is 0.5. If there are more of one kind, the mean over disjoint subsets of it. `None` with too few
/// faces.
pub(super) fn two_sample_accuracy(aged: &[Sample<'_>], real: &[Sample<'_>]) -> Option<f64> {
    let count = aged.len().min(real.len());
    if count < MIN_FACES {
        return None;
    }
    let pairs: Vec<_> =
        subsets(aged, count).flat_map(|aged| subsets(real, count).map(move |real| (aged.clone(), real))).collect();
    let accuracies: Option<Vec<f64>> =
        pairs.into_par_iter().map(|(aged, real)| cross_validated_accuracy(&aged, &real)).collect();
    accuracies.map(|accuracies| accuracies.iter().sum::<f64>() / accuracies.len() as f64)
}

/// Disjoint subsets of `count` samples, each spread over all of `samples`.
fn subsets<'a, 's>(samples: &'a [Sample<'s>], count: usize) -> impl Iterator<Item = Vec<&'a Sample<'s>>> {
    let subsets = samples.len() / count;
    (0..subsets).map(move |first| samples[first..].iter().step_by(subsets).take(count).collect())
}

/// Accuracy on the held-out faces of all folds; `None` if all faces are of one identity.
fn cross_validated_accuracy(aged: &[&Sample<'_>], real: &[&Sample<'_>]) -> Option<f64> {
    let mut folds = HashMap::new();
    let mut all = Vec::new();
    for (sample, label) in aged.iter().map(|sample| (sample, 1.0)).chain(real.iter().map(|sample| (sample, 0.0))) {
        // In the order in which identities occur, because their numbers may share a factor with the number of folds.
        let next = folds.len() % FOLDS;
        let fold = *folds.entry(sample.identity).or_insert(next);
        all.push(Labelled { features: sample.features, label, fold });
    }
    let correct: Vec<(usize, usize)> = (0..FOLDS).map(|fold| correct_in_fold(fold, &all)).collect();
    let [correct, total] = correct.iter().fold([0, 0], |[correct, total], fold| [correct + fold.0, total + fold.1]);
    (total > 0).then(|| correct as f64 / total as f64)
}

/// Features of a face, one if it is aged or zero if it is real, and its fold.
struct Labelled<'a> {
    features: &'a [f32],
    label: f64,
    fold: usize,
}

/// Number of correct predictions in a fold, and its size.
fn correct_in_fold(fold: usize, all: &[Labelled<'_>]) -> (usize, usize) {
    let (held_out, others): (Vec<_>, Vec<_>) = all.iter().partition(|sample| sample.fold == fold);
    if held_out.is_empty() || others.is_empty() {
        return (0, 0);
    }
    let scale = Scale::of(&others);
    let rows: Vec<Vec<f64>> = others.iter().map(|sample| scale.row(sample.features)).collect();
    let labels: Vec<f64> = others.iter().map(|sample| sample.label).collect();
    let weights = logistic_regression(&rows, &labels);
    let is_correct =
        |sample: &&&Labelled<'_>| (dot(&weights, &scale.row(sample.features)) > 0.0) == (sample.label > 0.5);
    (held_out.iter().filter(is_correct).count(), held_out.len())
}

/// Mean and standard deviation of each feature.
struct Scale(Vec<[f64; 2]>);

impl Scale {
    fn of(samples: &[&Labelled<'_>]) -> Self {
        let count = samples.len() as f64;
        let of_feature = |index: usize| {
            let values = || samples.iter().map(|sample| f64::from(sample.features[index]));
            let mean = values().sum::<f64>() / count;
            let variance = values().map(|value| (value - mean).powi(2)).sum::<f64>() / count;
            [mean, variance.sqrt().max(1e-9)]
        };
        Self((0..samples[0].features.len()).map(of_feature).collect())
    }

    /// Standardized features, followed by a one for the bias.
    fn row(&self, features: &[f32]) -> Vec<f64> {
        let scaled =
            features.iter().zip(&self.0).map(|(value, [mean, deviation])| (f64::from(*value) - mean) / deviation);
        scaled.chain([1.0]).collect()
    }
}

/// Weights of a logistic regression, which minimize `sum of log losses + PENALTY / 2 |w|^2`, by Nesterov's accelerated
/// gradient descent.
fn logistic_regression(rows: &[Vec<f64>], labels: &[f64]) -> Vec<f64> {
    let length = rows[0].len();
    let rate = 1.0 / (0.25 * largest_eigenvalue(rows) + PENALTY);
    let mut weights = vec![0.0; length];
    let mut lookahead = weights.clone();
    for step in 0..STEPS {
        let mut gradient: Vec<f64> = lookahead.iter().map(|weight| PENALTY * weight).collect();
        for (row, label) in rows.iter().zip(labels) {
            let error = 1.0 / (1.0 + (-dot(&lookahead, row)).exp()) - label;
            gradient.iter_mut().zip(row).for_each(|(sum, value)| *sum += error * value);
        }
        let next: Vec<f64> = lookahead.iter().zip(&gradient).map(|(weight, slope)| weight - rate * slope).collect();
        let momentum = step as f64 / (step + 3) as f64;
        lookahead = next.iter().zip(&weights).map(|(next, last)| next + momentum * (next - last)).collect();
        weights = next;
    }
    weights
}

/// Upper estimate of the largest eigenvalue of `X^T X`, by power iteration.
fn largest_eigenvalue(rows: &[Vec<f64>]) -> f64 {
    const ITERATIONS: usize = 20;
    const MARGIN: f64 = 1.1;
    let mut vector = vec![1.0; rows[0].len()];
    let mut value = 0.0;
    for _ in 0..ITERATIONS {
        let mut next = vec![0.0; vector.len()];
        for row in rows {
            let coefficient = dot(row, &vector);
            next.iter_mut().zip(row).for_each(|(sum, value)| *sum += coefficient * value);
        }
        value = dot(&next, &next).sqrt();
        if value == 0.0 {
            return 0.0;
        }
        vector = next.into_iter().map(|entry| entry / value).collect();
    }
    MARGIN * value
}

/// Scalar product. In lanes, which a processor adds at once: there are 1,025 features, and hundreds of classifiers.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    const LANES: usize = 8;
    let (chunks_a, chunks_b) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let rest: f64 = chunks_a.remainder().iter().zip(chunks_b.remainder()).map(|(a, b)| a * b).sum();
    let mut sums = [0.0; LANES];
    for (a, b) in chunks_a.zip(chunks_b) {
        for (sum, (a, b)) in sums.iter_mut().zip(a.iter().zip(b)) {
            *sum += a * b;
        }
    }
    sums.iter().sum::<f64>() + rest
}

#[cfg(test)]
mod tests {
    use rand::RngExt;

    use super::*;

    /// Pseudo-random features, shifted by `shift`.
    fn faces(shift: f32, count: usize) -> Vec<Vec<f32>> {
        let mut random = ipcgan_data::random::random(7, 0, 0);
        (0..count).map(|_| (0..4).map(|_| random.random::<f32>() + shift).collect()).collect()
    }

    fn accuracy(aged: &[Vec<f32>], real: &[Vec<f32>]) -> Option<f64> {
        let all = aged.iter().chain(real).enumerate();
        let all: Vec<Sample<'_>> = all.map(|(identity, features)| Sample { features, identity }).collect();
        two_sample_accuracy(&all[..aged.len()], &all[aged.len()..])
    }

    #[test]
    fn equal_distributions_are_not_separable_and_shifted_ones_are() {
        let all = faces(0.0, 200);
        let (one, other) = all.split_at(100);

        let same = accuracy(one, other).unwrap();
        let shifted = accuracy(one, &faces(2.0, 100)).unwrap();

        assert!((0.3..0.65).contains(&same), "{same}");
        assert!(shifted > 0.99, "{shifted}");
        assert_eq!(accuracy(&one[..5], other), None, "too few");
    }

    #[test]
    fn any_ratio_of_aged_to_real_faces_fills_all_folds() {
        for ratio in 1..=10 {
            let found = accuracy(&faces(2.0, 50 * ratio), &faces(0.0, 50)).unwrap();

            assert!(found > 0.98, "{ratio} times as many aged as real faces: {found}");
        }
    }
}
