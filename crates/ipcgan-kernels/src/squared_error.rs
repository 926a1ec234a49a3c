//! Mean squared error against a constant.

use rayon::prelude::*;

use crate::output::TASK_VALUES;

/// Mean squared error of `values` against `target`; not a number (NaN) without values.
pub fn mean_squared_error(values: &[f32], target: f32) -> f64 {
    let sums_of_tasks: Vec<f64> = values
        .par_chunks(TASK_VALUES)
        .map(|values| {
            // Sixteen sums side by side, for the compiler to keep in vectors.
            let mut sums = [0.0f32; 16];
            for values in values.chunks(16) {
                for (sum, value) in sums.iter_mut().zip(values) {
                    *sum += (value - target) * (value - target);
                }
            }
            sums.iter().copied().map(f64::from).sum()
        })
        .collect();
    sums_of_tasks.iter().sum::<f64>() / values.len() as f64
}

/// Writes `factor` times the gradient of [`mean_squared_error`] with respect to `values` to `gradient`.
///
/// # Panics
/// If they are not of one length.
pub fn mean_squared_error_gradient(values: &[f32], target: f32, factor: f32, gradient: &mut [f32]) {
    assert_eq!(gradient.len(), values.len(), "values of the gradient");
    let slope = 2.0 * factor / values.len() as f32;
    let tasks = values.par_chunks(TASK_VALUES);
    gradient.par_chunks_mut(TASK_VALUES).zip(tasks).for_each(|(gradient, values)| {
        for (gradient, value) in gradient.iter_mut().zip(values) {
            *gradient = slope * (value - target);
        }
    });
}
