//! Distances of two distributions of faces.

use nalgebra::{DMatrix, RowDVector, SymmetricEigen};

use super::metrics::Distribution;

/// Distances between two sets of vectors of one length.
pub(super) fn distribution(a: &[Vec<f32>], b: &[Vec<f32>]) -> Distribution {
    Distribution {
        faces: a.len().min(b.len()),
        frechet_distance: frechet_distance(a, b),
        kernel_distance: kernel_distance(a, b),
    }
}

/// Fréchet distance (the estimator of FID; Heusel et al., 2017): `|m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2))`. None
/// with too few vectors.
fn frechet_distance(a: &[Vec<f32>], b: &[Vec<f32>]) -> Option<f64> {
    let length = a.first()?.len();
    if a.len().min(b.len()) <= length {
        return None;
    }
    let (mean_a, covariance_a) = moments(a, length);
    let (mean_b, covariance_b) = moments(b, length);
    // The eigenvalues of C1 C2 are those of the symmetric C1^(1/2) C2 C1^(1/2).
    let root = {
        let SymmetricEigen { eigenvectors, eigenvalues } = SymmetricEigen::new(covariance_a.clone());
        let roots = eigenvalues.map(|value| value.max(0.0).sqrt());
        &eigenvectors * DMatrix::from_diagonal(&roots) * eigenvectors.transpose()
    };
    let product = &root * &covariance_b * &root;
    let trace: f64 = product.symmetric_eigenvalues().iter().map(|value| value.max(0.0).sqrt()).sum();
    Some((mean_a - mean_b).norm_squared() + covariance_a.trace() + covariance_b.trace() - 2.0 * trace)
}

fn moments(vectors: &[Vec<f32>], length: usize) -> (RowDVector<f64>, DMatrix<f64>) {
    let values = vectors.iter().flatten().map(|value| f64::from(*value));
    let mut rows = DMatrix::from_row_iterator(vectors.len(), length, values);
    let mean = rows.row_mean();
    rows.row_iter_mut().for_each(|mut row| row -= &mean);
    let covariance = rows.transpose() * &rows / (vectors.len() - 1) as f64;
    (mean, covariance)
}

/// Kernel distance (the estimator of KID; Bińkowski et al., 2018): unbiased squared maximum mean discrepancy (MMD)
/// with the kernel `(x y / d + 1)^3`. Zero for the same distribution, slightly below by chance.
pub(super) fn kernel_distance(a: &[Vec<f32>], b: &[Vec<f32>]) -> Option<f64> {
    if a.len() < 2 || b.len() < 2 {
        return None;
    }
    let kernel = |x: &[f32], y: &[f32]| {
        let product: f64 = x.iter().zip(y).map(|(x, y)| f64::from(x * y)).sum();
        (product / x.len() as f64 + 1.0).powi(3)
    };
    let within = |set: &[Vec<f32>]| {
        let count = set.len() as f64;
        let pairs = (0..set.len()).flat_map(|i| (0..set.len()).filter(move |j| *j != i).map(move |j| (i, j)));
        pairs.map(|(i, j)| kernel(&set[i], &set[j])).sum::<f64>() / (count * (count - 1.0))
    };
    let between: f64 = a.iter().flat_map(|x| b.iter().map(|y| kernel(x, y))).sum();
    Some(within(a) + within(b) - 2.0 * between / (a.len() * b.len()) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_of_one_distribution_are_near_and_others_far() {
        let vectors = |shift: f32| -> Vec<Vec<f32>> {
            (0..40).map(|i| vec![shift + (i % 7) as f32 * 0.1, shift - (i % 5) as f32 * 0.1]).collect()
        };

        let [same, other] = [0.0, 2.0].map(|shift| distribution(&vectors(0.0), &vectors(shift)));

        assert!(same.kernel_distance.unwrap().abs() < 0.05 && same.frechet_distance.unwrap().abs() < 1e-6);
        assert!(other.kernel_distance.unwrap() > 1.0);
        // Two numbers moved by 2 each, with the same covariance.
        assert!((other.frechet_distance.unwrap() - 8.0).abs() < 1e-4, "{other:?}");
    }

    #[test]
    fn the_distance_of_normal_distributions_is_that_of_their_deviations() {
        // The axes are independent: standard deviations of 1 and 3, and of 2 and 5.
        let vectors = |deviations: [f32; 2]| -> Vec<Vec<f32>> {
            [[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]]
                .map(|signs: [f32; 2]| {
                    signs.iter().zip(deviations).map(|(sign, by)| sign * by * 1.5f32.sqrt()).collect()
                })
                .to_vec()
        };

        let found = distribution(&vectors([1.0, 2.0]), &vectors([3.0, 5.0])).frechet_distance.unwrap();

        assert!((found - (4.0 + 9.0)).abs() < 1e-5, "{found}");
    }

    #[test]
    fn too_few_faces_have_no_covariance() {
        let few = vec![vec![0.0, 1.0]; 2];

        assert_eq!(distribution(&few, &few).frechet_distance, None);
    }
}
