//! Overall verdict on a generator, in one sentence.

use std::ops::RangeInclusive;

use super::metrics::{Method, Quality, RealFaces, Realism, TwoSample, Verdict};
use super::statistics::Interval;

/// Maximum mean age error of good weights, in years.
const MAX_AGE_ERROR: f64 = 4.0;
/// Minimum value of good weights relative to that of real faces (accuracy in the target group, rise of the estimated
/// age).
const MIN_RATIO_TO_REAL: f64 = 0.8;
/// Minimum verification rate at a false accept rate of 1%; usable weights keep the identity at all.
const MIN_VERIFICATION_RATE: Limits<f64> = Limits { good: 0.9, usable: 0.5 };
/// Cosine distance of the recogniser's embeddings that 1% of 155,403 pairs of different identities of FairFace are
/// below; used if there are too few pairs to compute a threshold.
const MAX_SAME_PERSON_DISTANCE: f64 = 0.45;
/// Range of the Laplacian variance ratio.
const LAPLACIAN_VARIANCE_RATIO: Limits<RangeInclusive<f64>> = Limits { good: 0.5..=2.0, usable: 0.2..=5.0 };
/// Maximum kernel distance of good weights relative to that of the unchanged sources.
const MAX_RELATIVE_KERNEL_DISTANCE: f64 = 0.5;
/// Minimum rise, in years from the first to the last group, of the estimated age of real faces; below it the
/// estimator cannot judge ages.
const MIN_RISE_OF_REAL: f64 = 5.0;

/// Limits of a metric of good weights, and of weights that are usable at all.
struct Limits<T> {
    good: T,
    usable: T,
}

/// Ends of the phrase "the age", which say by which estimator it is.
const BY_FIRST: &str = " by the first estimator";
const BY_SECOND: &str = " by the second estimator";

/// Judgement by one metric.
struct Judgement {
    quality: Quality,
    reason: String,
}

/// A metric that is not defined, and why.
#[derive(Debug, thiserror::Error)]
enum NotDefined {
    #[error("the identity, without faces")]
    Identity,
    #[error("the Laplacian variance ratio, without faces")]
    LaplacianVarianceRatio,
    #[error("the classifier two-sample test, because the first and last group need ten faces each")]
    TwoSampleAccuracy,
    #[error(
        "the kernel distance to real faces, because that of the unchanged sources of the first and last group is not \
         above chance"
    )]
    KernelDistance,
    #[error("the mean age error, without real faces of a group")]
    AgeError,
    #[error("the rise of the estimated age, without faces")]
    Rise,
    #[error("the accuracy in the target group, without faces")]
    TargetGroup,
    #[error("the ages, because a group has no real faces to compare with")]
    Ages,
    #[error(
        "the ages{by_estimator}, because it puts real faces of the last group only {rise:.1} years above those of the \
         first"
    )]
    AgesBy { by_estimator: &'static str, rise: f64 },
}

/// Verdict on `method`, relative to the `unchanged` sources and to `real` faces.
pub(super) fn verdict(method: &Method, unchanged: &Method, real: &RealFaces) -> Verdict {
    let mut not_defined = Vec::new();
    let mut judgements = Vec::new();
    for judgement in [
        identity(method),
        laplacian_variance_ratio(method),
        two_sample_accuracy(method, unchanged),
        kernel_distance(method),
        age_error(method, real),
        rise(BY_FIRST, &method.years, &real.years),
        rise(BY_SECOND, &method.second_ages.years, &real.second_ages.years),
        target_group(method, real),
    ] {
        match judgement.map_err(|what| what.to_string()) {
            Ok(judgement) => judgements.push(judgement),
            Err(what) if not_defined.contains(&what) => (),
            Err(what) => not_defined.push(what),
        }
    }
    let has = |quality| judgements.iter().any(|judgement: &Judgement| judgement.quality == quality);
    let quality = match () {
        () if has(Quality::Unusable) => Quality::Unusable,
        () if has(Quality::Weak) => Quality::Weak,
        () if !not_defined.is_empty() => Quality::Undecided,
        () => Quality::Good,
    };
    // Only the metrics that decided the verdict; all metrics if every criterion is met.
    let shown = judgements
        .into_iter()
        .filter(|judgement| matches!(quality, Quality::Good | Quality::Undecided) || judgement.quality == quality);
    Verdict { quality, reasons: shown.map(|judgement| judgement.reason).collect(), not_defined }
}

fn identity(method: &Method) -> Result<Judgement, NotDefined> {
    if let Some(rate) = &method.verification_rate[0] {
        let quality = match rate.value {
            rate if rate < MIN_VERIFICATION_RATE.usable => Quality::Unusable,
            rate if rate < MIN_VERIFICATION_RATE.good => Quality::Weak,
            _ => Quality::Good,
        };
        let reason = format!(
            "verification rate {:.2} (same person, at a false accept rate of 1%; good is at least {})",
            rate.value, MIN_VERIFICATION_RATE.good
        );
        return Ok(Judgement { quality, reason });
    }
    let distances: Vec<f64> = method.distance_by_gap.iter().flatten().copied().collect();
    let farthest =
        distances.into_iter().fold(None, |max: Option<f64>, distance| Some(max.unwrap_or(0.0).max(distance)));
    let farthest = farthest.ok_or(NotDefined::Identity)?;
    let quality = if farthest > MAX_SAME_PERSON_DISTANCE { Quality::Unusable } else { Quality::Good };
    let reason =
        format!("mean cosine distance to the source {farthest:.2} (same person is at most {MAX_SAME_PERSON_DISTANCE})");
    Ok(Judgement { quality, reason })
}

fn laplacian_variance_ratio(method: &Method) -> Result<Judgement, NotDefined> {
    let ratio = value(method.laplacian_variance_ratio.as_ref()).ok_or(NotDefined::LaplacianVarianceRatio)?;
    let Limits { good, usable } = LAPLACIAN_VARIANCE_RATIO;
    let quality = match () {
        () if good.contains(&ratio) => Quality::Good,
        () if usable.contains(&ratio) => Quality::Weak,
        () => Quality::Unusable,
    };
    let reason = format!(
        "Laplacian variance ratio {ratio:.2} (below 1: blurred, above 1: patterns; good is {} to {})",
        good.start(),
        good.end()
    );
    Ok(Judgement { quality, reason })
}

/// The values of the first and the last group, for a metric on the recogniser's embeddings.
fn of_first_and_last_group(method: &Method, number: fn(&TwoSample) -> Option<f64>) -> Option<[f64; 2]> {
    let of = |realism: Option<&Option<Realism>>| number(&realism?.as_ref()?.recogniser);
    Some([of(method.realism.first())?, of(method.realism.last())?])
}

/// Relative to the unchanged sources, because the features are many: a classifier separates any two sets of faces that
/// differ in their ages, and how well depends on the number of faces.
fn two_sample_accuracy(method: &Method, unchanged: &Method) -> Result<Judgement, NotDefined> {
    let accuracies = |method: &Method| {
        of_first_and_last_group(method, |sample| sample.two_sample_accuracy).ok_or(NotDefined::TwoSampleAccuracy)
    };
    let ([first, last], [first_unchanged, last_unchanged]) = (accuracies(method)?, accuracies(unchanged)?);
    let quality = if first <= first_unchanged && last <= last_unchanged { Quality::Good } else { Quality::Weak };
    let reason = format!(
        "classifier two-sample test: accuracy {first:.2} and {last:.2} on aged and real faces of the first and last group (chance 0.5; good is at most that of the unchanged sources, {first_unchanged:.2} and {last_unchanged:.2})"
    );
    Ok(Judgement { quality, reason })
}

fn kernel_distance(method: &Method) -> Result<Judgement, NotDefined> {
    let ratios = of_first_and_last_group(method, |sample| sample.relative_to_unchanged);
    let [first, last] = ratios.ok_or(NotDefined::KernelDistance)?;
    // The worse one.
    let ratio = first.max(last);
    let quality = if ratio <= MAX_RELATIVE_KERNEL_DISTANCE { Quality::Good } else { Quality::Weak };
    let reason = format!(
        "kernel distance to real faces of the first and last group {ratio:.2} relative to the unchanged sources (good is at most {MAX_RELATIVE_KERNEL_DISTANCE})"
    );
    Ok(Judgement { quality, reason })
}

fn age_error(method: &Method, real: &RealFaces) -> Result<Judgement, NotDefined> {
    rise_of(BY_FIRST, &real.years)?;
    let error = method.mean_age_error.ok_or(NotDefined::AgeError)?;
    let quality = if error <= MAX_AGE_ERROR { Quality::Good } else { Quality::Weak };
    Ok(Judgement { quality, reason: format!("mean age error {error:.1} years (good is at most {MAX_AGE_ERROR})") })
}

/// Rise of the age `by_estimator` of `aged` faces, relative to that of `real` ones.
fn rise(
    by_estimator: &'static str,
    aged: &[Option<Interval>],
    real: &[Option<Interval>],
) -> Result<Judgement, NotDefined> {
    let of_real = rise_of(by_estimator, real)?;
    let years = |group: Option<&Option<Interval>>| value(group?.as_ref());
    let rise = years(aged.last()).zip(years(aged.first())).map(|(last, first)| last - first);
    let rise = rise.ok_or(NotDefined::Rise)?;
    let quality = if rise >= MIN_RATIO_TO_REAL * of_real { Quality::Good } else { Quality::Weak };
    let reason = format!(
        "estimated age{by_estimator} rises by {rise:.1} years from the first to the last group (real faces: {of_real:.1}; good is at least {:.1})",
        MIN_RATIO_TO_REAL * of_real
    );
    Ok(Judgement { quality, reason })
}

fn target_group(method: &Method, real: &RealFaces) -> Result<Judgement, NotDefined> {
    rise_of(BY_FIRST, &real.years)?;
    let accuracies = value(method.accuracy.as_ref()).zip(value(real.accuracy.as_ref()));
    let (accuracy, of_real) = accuracies.ok_or(NotDefined::TargetGroup)?;
    let quality = if accuracy >= MIN_RATIO_TO_REAL * of_real { Quality::Good } else { Quality::Weak };
    let reason = format!(
        "{accuracy:.2} of the faces are in the target group by estimated age (real faces: {of_real:.2}; good is at least {:.2})",
        MIN_RATIO_TO_REAL * of_real
    );
    Ok(Judgement { quality, reason })
}

/// Rise of the estimated age of real faces from the first to the last group.
fn rise_of(by_estimator: &'static str, years: &[Option<Interval>]) -> Result<f64, NotDefined> {
    let years: Option<Vec<f64>> = years.iter().map(|years| value(years.as_ref())).collect();
    let years = years.ok_or(NotDefined::Ages)?;
    let rise = years[years.len() - 1] - years[0];
    match rise >= MIN_RISE_OF_REAL {
        true => Ok(rise),
        false => Err(NotDefined::AgesBy { by_estimator, rise }),
    }
}

fn value(interval: Option<&Interval>) -> Option<f64> {
    interval.map(|interval| interval.value)
}

#[cfg(test)]
mod tests {
    use super::super::metrics::{Distribution, Realism, SecondAges, TwoSample};
    use super::*;

    fn interval(value: f64) -> Option<Interval> {
        Some(Interval { value, low: value, high: value })
    }

    fn real() -> RealFaces {
        RealFaces {
            counts: vec![10; 3],
            years: [20.0, 35.0, 50.0].map(interval).to_vec(),
            accuracy: interval(0.5),
            majority_class_rate: 0.3,
            impostor_pairs: 400,
            thresholds: [Some(0.6), None],
            second_ages: second_ages([25.0, 32.0, 40.0]),
            distribution: nothing(),
            realism: vec![None; 3],
        }
    }

    fn second_ages(years: [f64; 3]) -> SecondAges {
        SecondAges { years: years.map(interval).to_vec(), accuracy: interval(0.4) }
    }

    fn nothing() -> Distribution {
        Distribution { faces: 15, frechet_distance: None, kernel_distance: None }
    }

    fn good() -> Method {
        Method {
            name: "generator".into(),
            years: [22.0, 34.0, 48.0].map(interval).to_vec(),
            pairs: Vec::new(),
            confusion: Vec::new(),
            mean_age_error: Some(1.7),
            accuracy: interval(0.45),
            second_ages: second_ages([26.0, 32.0, 39.0]),
            age_correlation: interval(0.9),
            verification_rate: [interval(0.97), None],
            distance_by_gap: vec![Some(0.2), Some(0.4)],
            laplacian_variance_ratio: interval(1.1),
            background_change: None,
            own_group_change: None,
            own_group_perceptual_distance: None,
            distribution: nothing(),
            realism: vec![realism(0.7, 0.4), None, realism(0.84, 0.5)],
            cycle: None,
        }
    }

    fn unchanged() -> Method {
        Method { realism: vec![realism(0.8, 1.0), None, realism(0.85, 1.0)], ..good() }
    }

    fn realism(two_sample_accuracy: f64, relative_to_unchanged: f64) -> Option<Realism> {
        let sample = TwoSample {
            kernel_distance: 0.1,
            relative_to_unchanged: Some(relative_to_unchanged),
            two_sample_accuracy: Some(two_sample_accuracy),
        };
        Some(Realism { aged: 40, real: 10, recogniser: sample, age_estimator: sample })
    }

    #[test]
    fn weights_whose_faces_are_separable_from_real_ones_are_weak() {
        let method = Method { realism: vec![realism(0.7, 0.4), None, realism(0.86, 1.4)], ..good() };

        let verdict = verdict(&method, &unchanged(), &real());

        assert_eq!(verdict.quality, Quality::Weak);
        let text = verdict.to_string();
        assert!(text.contains("classifier two-sample test: accuracy 0.70 and 0.86"), "{text}");
        assert!(text.contains("at most that of the unchanged sources, 0.80 and 0.85"), "{text}");
        assert!(text.contains("1.40 relative to the unchanged sources"), "{text}");
    }

    #[test]
    fn weights_that_meet_all_criteria_are_good_with_the_metrics() {
        let verdict = verdict(&good(), &unchanged(), &real());

        assert_eq!(verdict.quality, Quality::Good);
        let text = verdict.to_string();
        assert!(text.starts_with("These weights are good: verification rate 0.97"), "{text}");
        assert!(text.contains("mean age error 1.7 years (good is at most 4)"), "{text}");
    }

    #[test]
    fn weights_that_hardly_age_are_weak_for_that_reason_alone() {
        let years = [30.0, 31.0, 33.0].map(interval).to_vec();
        let method = Method { years, mean_age_error: Some(10.0), ..good() };

        let verdict = verdict(&method, &unchanged(), &real());

        assert_eq!((verdict.quality, verdict.reasons.len()), (Quality::Weak, 2));
        let text = verdict.to_string();
        assert!(text.contains("mean age error 10.0") && text.contains("rises by 3.0 years"), "{text}");
        assert!(!text.contains("verification"), "{text}");
    }

    #[test]
    fn ages_must_rise_by_the_second_estimator_too() {
        let method = Method { second_ages: second_ages([29.0, 32.0, 35.0]), ..good() };

        let verdict = verdict(&method, &unchanged(), &real());

        assert_eq!((verdict.quality, verdict.reasons.len()), (Quality::Weak, 1));
        assert!(verdict.to_string().contains("by the second estimator rises by 6.0 years"), "{verdict}");
    }

    #[test]
    fn weights_that_lose_the_identity_or_the_face_are_unusable() {
        let lost = Method { verification_rate: [interval(0.1), None], ..good() };
        let noise = Method { laplacian_variance_ratio: interval(40.0), ..good() };
        let without_threshold =
            Method { verification_rate: [None, None], distance_by_gap: vec![Some(0.5), Some(0.8)], ..good() };

        for method in [lost, noise, without_threshold] {
            let verdict = verdict(&method, &unchanged(), &real());

            assert_eq!((verdict.quality, verdict.reasons.len()), (Quality::Unusable, 1), "{verdict}");
        }
    }

    #[test]
    fn where_the_estimator_cannot_order_real_faces_ages_are_not_defined() {
        let real = RealFaces { years: [30.0, 31.0, 32.0].map(interval).to_vec(), ..real() };

        let verdict = verdict(&good(), &unchanged(), &real);

        assert_eq!((verdict.quality, verdict.not_defined.len()), (Quality::Undecided, 1));
        assert!(verdict.to_string().contains("not defined: the ages"), "{verdict}");
    }
}
