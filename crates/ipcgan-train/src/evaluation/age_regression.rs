//! A second age estimator, of another architecture and trained on other labels than the first: ridge regression on the
//! recogniser's embeddings.

use ipcgan_data::FaceSet;
use ipcgan_model::AgeGroups;
use nalgebra::{DMatrix, DVector, RowDVector};

use super::judges::Judges;
use super::metrics::RegressedAges;
use super::statistics::Interval;
use super::subject::{EvaluatedGenerator, age};
use crate::TrainingError;

/// Maximum number of faces of each group that it is fitted to.
const FACES: usize = 200;
/// L2 regularization, relative to the number of faces; features have unit variance.
const PENALTY: f64 = 0.1;

/// Age as a linear function of an embedding.
pub(super) struct AgeRegression {
    mean: RowDVector<f64>,
    deviation: RowDVector<f64>,
    weights: DVector<f64>,
    mean_age: f64,
}

impl AgeRegression {
    /// Fitted to `faces`, evenly spread over each group; none if they have fewer than two faces of known group.
    ///
    /// # Errors
    /// An image cannot be read.
    pub(super) fn of(
        faces: &dyn FaceSet,
        subject: &EvaluatedGenerator<'_>,
        judges: &Judges,
    ) -> Result<Option<Self>, TrainingError> {
        let mut chosen = Vec::new();
        for group in subject.groups.indices() {
            let all: Vec<usize> = (0..faces.len()).filter(|index| faces.label(*index).group == Some(group)).collect();
            let count = all.len().min(FACES);
            chosen.extend((0..count).map(|place| all[place * all.len() / count]));
        }
        let images = subject.images(faces, &chosen)?;
        let embeddings: Vec<Vec<f32>> =
            judges.estimates(&images).into_iter().map(|estimate| estimate.embedding).collect();
        // Ages of many data sets are ranges.
        let years = |index: &usize| {
            let label = faces.label(*index);
            label.age.map(f64::from).or_else(|| label.group.map(|group| f64::from(subject.groups.middle(group))))
        };
        let years: Vec<f64> = chosen.iter().filter_map(years).collect();
        Ok(Self::fit(&embeddings, &years))
    }

    /// Fitted to `embeddings` of faces of `years`.
    fn fit(embeddings: &[Vec<f32>], years: &[f64]) -> Option<Self> {
        let (count, length) = (embeddings.len(), embeddings.first()?.len());
        if count < 2 {
            return None;
        }
        let values = embeddings.iter().flatten().map(|value| f64::from(*value));
        let mut rows = DMatrix::from_row_iterator(count, length, values);
        let mean = rows.row_mean();
        let deviation = rows.row_variance().map(|variance| variance.sqrt().max(1e-9));
        for mut row in rows.row_iter_mut() {
            row -= &mean;
            row.component_div_assign(&deviation);
        }
        let years = DVector::from_column_slice(years);
        let mean_age = years.mean();
        let penalty = DMatrix::identity(length, length) * (PENALTY * count as f64);
        let weights =
            (rows.transpose() * &rows + penalty).cholesky()?.solve(&(rows.transpose() * years.add_scalar(-mean_age)));
        Some(Self { mean, deviation, weights, mean_age })
    }

    /// The age that belongs to `embedding`, in years.
    pub(super) fn years(&self, embedding: &[f32]) -> f64 {
        let row = RowDVector::from_iterator(embedding.len(), embedding.iter().map(|value| f64::from(*value)));
        ((row - &self.mean).component_div(&self.deviation) * &self.weights).x + self.mean_age
    }

    /// Ages of faces that should be of each group, from `embeddings`, a list of faces for each group.
    pub(super) fn ages(&self, embeddings: &[Vec<&[f32]>], groups: &AgeGroups) -> RegressedAges {
        let years: Vec<Vec<f64>> =
            embeddings.iter().map(|faces| faces.iter().map(|embedding| self.years(embedding)).collect()).collect();
        let hits = years
            .iter()
            .enumerate()
            .flat_map(|(group, years)| years.iter().map(move |years| groups.group_of(age(*years)) == Some(group)));
        RegressedAges {
            accuracy: Interval::of_fraction(hits),
            years: years.iter().map(|years| Interval::of(years)).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_regression_finds_the_feature_that_determines_the_age() {
        let embedding = |index: usize| vec![(index % 7) as f32, index as f32, ((index * 31) % 11) as f32];
        let embeddings: Vec<Vec<f32>> = (0..60).map(embedding).collect();
        let years: Vec<f64> = (0..60).map(|index| 10.0 + index as f64).collect();

        let regression = AgeRegression::fit(&embeddings, &years).unwrap();

        // The penalty moves ages towards their mean, by a tenth of the distance.
        assert!((regression.years(&embedding(30)) - 40.0).abs() < 1.0);
        assert!((regression.years(&embedding(0)) - 12.7).abs() < 1.0, "{}", regression.years(&embedding(0)));
        assert!(AgeRegression::fit(&embeddings[..1], &years[..1]).is_none(), "too few");
    }

    #[test]
    fn accuracy_and_mean_age_are_those_of_the_group_that_faces_should_be_in() {
        let embeddings = [[0.0f32], [60.0]].map(|embedding| embedding.to_vec());
        let regression = AgeRegression {
            mean: RowDVector::zeros(1),
            deviation: RowDVector::repeat(1, 1.0),
            weights: DVector::repeat(1, 1.0),
            mean_age: 12.0,
        };
        let [young, old] = [&embeddings[0][..], &embeddings[1][..]];

        let ages = regression.ages(&[vec![young, old], vec![], vec![], vec![], vec![old]], &AgeGroups::default());

        assert_eq!(ages.accuracy.unwrap().value, 2.0 / 3.0);
        assert_eq!(ages.years[0].unwrap().value, (12.0 + 72.0) / 2.0);
        assert_eq!(ages.years[1], None);
    }
}
