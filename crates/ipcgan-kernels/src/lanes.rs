//! Whole and partial vectors.

use pulp::Simd;

/// The first values of `values`, as many as a vector holds; zeros where there are too few.
#[inline(always)]
pub(crate) fn load<S: Simd>(simd: S, values: &[f32]) -> S::f32s {
    match S::as_simd_f32s(values).0.first() {
        Some(&whole) => whole,
        None => simd.partial_load_f32s(values),
    }
}

/// Writes the lanes of `vector` to the first values of `values`, as many as there are in both.
#[inline(always)]
pub(crate) fn store<S: Simd>(simd: S, values: &mut [f32], vector: S::f32s) {
    if values.len() >= S::F32_LANES {
        S::as_mut_simd_f32s(&mut values[..S::F32_LANES]).0[0] = vector;
    } else {
        simd.partial_store_f32s(values, vector);
    }
}
