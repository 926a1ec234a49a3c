//! Whitening filters as initial weights of a first convolution.

use burn::module::Param;
use burn::tensor::{Tensor, TensorData};
use rand::SeedableRng;
use rand_distr::{Distribution, StandardNormal};
use rand_pcg::Pcg64Mcg;

/// Modelled variance of a pixel value in [-1, 1].
const VARIANCE: f64 = 0.25;
/// Correlation of two neighbouring pixels; it falls exponentially with their distance.
const NEIGHBOURS: f64 = 0.98;
/// Correlation of two colour channels of a pixel.
const COLOURS: f64 = 0.95;
/// Variance of the noise, which is not correlated between pixels.
const NOISE: f64 = 1e-4;

/// The weights of a first convolution, replaced by [`whitening_filters`].
pub(crate) fn with_whitening_filters(weight: Param<Tensor<4>>, seed: u64) -> Param<Tensor<4>> {
    weight.map(|weight| {
        let shape = weight.dims();
        let filters = TensorData::new(whitening_filters(shape, seed), shape);
        Tensor::from_data(filters, &weight.device()).set_require_grad(weight.is_require_grad())
    })
}

/// Weights of a first convolution, `[outputs, channels, height, width]`: whitening filters, whose outputs on
/// photographs in [-1, 1] have a variance of about one, with equal contributions of all frequencies and colours.
///
/// In photographs, low frequencies are a thousand times as strong as high ones. A network with isotropic initial filters
/// responds to low frequencies only, and learns high ones last. These filters are random directions in the space in
/// which patches of photographs are white, obtained from the Cholesky factor of the covariance of a patch. The
/// covariance is modelled, with a correlation that falls exponentially with distance, so no data are needed.
fn whitening_filters([outputs, channels, height, width]: [usize; 4], seed: u64) -> Vec<f32> {
    let coordinates: Vec<_> = (0..channels)
        .flat_map(|channel| (0..height).flat_map(move |row| (0..width).map(move |column| (channel, row, column))))
        .collect();
    let factor = cholesky(coordinates.len(), |a, b| covariance(coordinates[a], coordinates[b]));
    let mut random = Pcg64Mcg::seed_from_u64(seed);
    (0..outputs)
        .flat_map(|_| {
            let mut direction: Vec<f64> = coordinates.iter().map(|_| StandardNormal.sample(&mut random)).collect();
            let length = direction.iter().map(|value| value * value).sum::<f64>().sqrt();
            direction.iter_mut().for_each(|value| *value /= length);
            solve_transposed(&factor, direction)
        })
        .map(|value| value as f32)
        .collect()
}

/// Covariance of two values of a patch, each at a channel, a row and a column.
fn covariance(a: (usize, usize, usize), b: (usize, usize, usize)) -> f64 {
    let distance = (a.1.abs_diff(b.1) as f64).hypot(a.2.abs_diff(b.2) as f64);
    let colours = if a.0 == b.0 { 1.0 } else { COLOURS };
    let noise = if a == b { NOISE } else { 0.0 };
    VARIANCE * colours * NEIGHBOURS.powf(distance) + noise
}

/// Cholesky factor: the rows of the lower triangular matrix `L` for which `L L^T` is the positive definite `matrix`.
fn cholesky(size: usize, matrix: impl Fn(usize, usize) -> f64) -> Vec<Vec<f64>> {
    let mut rows: Vec<Vec<f64>> = Vec::with_capacity(size);
    let product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    for row in 0..size {
        let mut values = Vec::with_capacity(row + 1);
        for (column, other) in rows.iter().enumerate() {
            values.push((matrix(row, column) - product(&values, other)) / other[column]);
        }
        values.push((matrix(row, row) - product(&values, &values)).sqrt());
        rows.push(values);
    }
    rows
}

/// Solves `L^T x = right` for `x` (back substitution); `factor` holds the rows of `L`.
fn solve_transposed(factor: &[Vec<f64>], mut right: Vec<f64>) -> Vec<f64> {
    for row in (0..factor.len()).rev() {
        right[row] /= factor[row][row];
        let value = right[row];
        for (below, weight) in right.iter_mut().zip(&factor[row][..row]) {
            *below -= weight * value;
        }
    }
    right
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whitened_patches_have_unit_variance() {
        let filters = whitening_filters([6, 3, 4, 4], 1);

        let coordinates = |index: usize| (index / 16, index / 4 % 4, index % 4);
        for filter in filters.chunks_exact(48) {
            let mut variance = 0.0;
            for (a, first) in filter.iter().enumerate() {
                for (b, second) in filter.iter().enumerate() {
                    variance += f64::from(first * second) * covariance(coordinates(a), coordinates(b));
                }
            }
            assert!((variance - 1.0).abs() < 1e-3, "{variance}");
        }
        assert_ne!(filters, whitening_filters([6, 3, 4, 4], 2));
    }
}
