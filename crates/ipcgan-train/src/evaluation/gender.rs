//! Metrics by gender.

use ipcgan_data::Gender;
use ipcgan_model::AgeGroups;

use super::comparison::comparison;
use super::method::AgedFaces;
use super::metrics::GenderMetrics;
use super::subject::RealFace;

/// Metrics of women and of men: of `real` faces, and of the `aged_faces` of each method. Empty unless there are faces of
/// both genders.
pub(super) fn by_gender(real: &[RealFace], aged_faces: &[(&str, AgedFaces)], groups: &AgeGroups) -> Vec<GenderMetrics> {
    let metrics = |gender: Gender| {
        let of_gender = |index: &usize| real[*index].gender == Some(gender);
        let indices: Vec<usize> = (0..real.len()).filter(of_gender).collect();
        let faces: Vec<RealFace> = indices.iter().map(|index| real[*index].clone()).collect();
        let aged: Vec<_> = aged_faces.iter().map(|(name, aged)| (*name, aged.subset(&indices))).collect();
        (!faces.is_empty())
            .then(|| GenderMetrics { gender: gender.to_string(), comparison: comparison(&faces, &aged, groups) })
    };
    let both: Option<Vec<_>> = [Gender::Female, Gender::Male].into_iter().map(metrics).collect();
    both.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use image::RgbImage;

    use super::super::comparison::{GENERATOR, UNCHANGED};
    use super::super::judges::FaceEstimate;
    use super::super::statistics::Interval;
    use super::*;

    fn estimate(years: f64) -> FaceEstimate {
        FaceEstimate { years, second_years: years, embedding: vec![years as f32], age_features: vec![0.0] }
    }

    fn real(gender: Gender, group: usize, years: f64) -> RealFace {
        let estimate = estimate(years);
        RealFace { image: RgbImage::new(2, 2), group, identity: 0, gender: Some(gender), estimate }
    }

    fn aged(years: &[[f64; 2]]) -> AgedFaces {
        AgedFaces {
            images: vec![vec![RgbImage::new(2, 2); 2].into(); years.len()],
            estimates: years.iter().map(|years| years.map(estimate).to_vec()).collect(),
            back: None,
            perceptual: vec![0.0; years.len()],
        }
    }

    #[test]
    fn metrics_of_women_and_men_are_those_of_their_own_faces() {
        let groups = AgeGroups::new(vec![11, 41]).unwrap();
        let faces = [real(Gender::Female, 0, 20.0), real(Gender::Male, 0, 30.0), real(Gender::Female, 1, 60.0)];
        let aged_faces = [
            ("generator", aged(&[[18.0, 50.0], [30.0, 32.0], [22.0, 70.0]])),
            ("unchanged source", aged(&[[20.0, 20.0], [30.0, 30.0], [60.0, 60.0]])),
        ];

        let metrics = by_gender(&faces, &aged_faces, &groups);

        let years = |years: &[Option<Interval>]| -> Vec<Option<f64>> {
            years.iter().map(|years| years.as_ref().map(|years| years.value)).collect()
        };
        let [women, men] = [&metrics[0], &metrics[1]].map(|metrics| &metrics.comparison);
        assert_eq!([women.faces, men.faces], [2, 1]);
        assert_eq!(years(&women.real.years), [Some(20.0), Some(60.0)]);
        assert_eq!(years(&women.methods[GENERATOR].years), [Some(20.0), Some(60.0)]);
        assert_eq!(years(&men.real.years), [Some(30.0), None]);
        assert_eq!(years(&men.methods[UNCHANGED].years), [Some(30.0), Some(30.0)]);
        assert_eq!(men.methods[GENERATOR].accuracy.as_ref().unwrap().value, 0.5);
        let women = [faces[0].clone(), faces[2].clone()];
        assert!(by_gender(&women, &aged_faces, &groups).is_empty(), "there are no men");
    }
}
