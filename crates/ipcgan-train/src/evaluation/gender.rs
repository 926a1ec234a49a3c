//! Ages by gender.

use ipcgan_data::Gender;
use ipcgan_model::AgeGroups;

use super::age_regression::AgeRegression;
use super::judges::FaceEstimate;
use super::metrics::{AgesOfGender, GenderMetrics};
use super::statistics::Interval;
use super::subject::{RealFace, age};

/// Ages of women and of men: of `real` faces by their group, and of their `aged` versions by target group. Empty unless
/// there are faces of both genders.
pub(super) fn by_gender(
    real: &[RealFace],
    aged: &[Vec<FaceEstimate>],
    groups: &AgeGroups,
    regression: Option<&AgeRegression>,
) -> Vec<GenderMetrics> {
    let metrics = |gender: Gender| {
        let faces: Vec<_> = real.iter().zip(aged).filter(|(face, _)| face.gender == Some(gender)).collect();
        let of_group = |group: usize| {
            let faces = faces.iter().filter(move |(face, _)| face.group == group);
            faces.map(|(face, _)| &face.estimate).collect::<Vec<_>>()
        };
        let of_target = |target: usize| faces.iter().map(|(_, aged)| &aged[target]).collect::<Vec<_>>();
        (!faces.is_empty()).then(|| GenderMetrics {
            gender: gender.to_string(),
            faces: faces.len(),
            real: ages(groups.indices().map(of_group).collect(), groups, regression),
            generator: ages(groups.indices().map(of_target).collect(), groups, regression),
        })
    };
    let both: Option<Vec<_>> = [Gender::Female, Gender::Male].into_iter().map(metrics).collect();
    both.unwrap_or_default()
}

/// Ages of faces that should be of each group: `estimates` holds those of each.
fn ages(estimates: Vec<Vec<&FaceEstimate>>, groups: &AgeGroups, regression: Option<&AgeRegression>) -> AgesOfGender {
    let years: Vec<Vec<f64>> =
        estimates.iter().map(|faces| faces.iter().map(|estimate| estimate.years).collect()).collect();
    let hits = years.iter().enumerate();
    let hits =
        hits.flat_map(|(group, years)| years.iter().map(move |years| groups.group_of(age(*years)) == Some(group)));
    let embeddings: Vec<Vec<&[f32]>> =
        estimates.iter().map(|faces| faces.iter().map(|estimate| &estimate.embedding[..]).collect()).collect();
    AgesOfGender {
        accuracy: Interval::of_fraction(hits),
        years: years.iter().map(|years| Interval::of(years)).collect(),
        regressed_ages: regression.map(|regression| regression.ages(&embeddings, groups)),
    }
}

#[cfg(test)]
mod tests {
    use image::RgbImage;

    use super::*;

    fn estimate(years: f64) -> FaceEstimate {
        FaceEstimate { years, embedding: vec![0.0], age_features: vec![0.0] }
    }

    fn real(gender: Gender, group: usize, years: f64) -> RealFace {
        let estimate = estimate(years);
        RealFace { image: RgbImage::new(2, 2), group, person: 0, gender: Some(gender), estimate }
    }

    #[test]
    fn ages_of_women_and_men_are_means_over_their_own_faces() {
        let groups = AgeGroups::new(vec![11, 41]).unwrap();
        let faces = [real(Gender::Female, 0, 20.0), real(Gender::Female, 1, 60.0), real(Gender::Male, 0, 30.0)];
        let aged = [[18.0, 50.0], [22.0, 70.0], [30.0, 32.0]].map(|years| years.map(estimate).to_vec());

        let metrics = by_gender(&faces, &aged, &groups, None);

        let years = |ages: &AgesOfGender| -> Vec<Option<f64>> {
            ages.years.iter().map(|years| years.as_ref().map(|years| years.value)).collect()
        };
        assert_eq!(metrics.iter().map(|metrics| metrics.faces).collect::<Vec<_>>(), [2, 1]);
        assert_eq!(years(&metrics[0].real), [Some(20.0), Some(60.0)]);
        assert_eq!(years(&metrics[0].generator), [Some(20.0), Some(60.0)]);
        assert_eq!(years(&metrics[1].real), [Some(30.0), None]);
        assert_eq!(metrics[1].generator.accuracy.as_ref().unwrap().value, 0.5);
        assert!(by_gender(&faces[..2], &aged[..2], &groups, None).is_empty(), "there are no men");
    }
}
