//! Relative errors of tensors in tests.

use burn::tensor::Tensor;

/// Largest difference of `found`, on any device, from `expected`, relative to the largest value (normwise).
pub(crate) fn normwise_error<const D: usize>(found: Tensor<D>, expected: Tensor<D>) -> f32 {
    let found = found.to_device(&expected.device());
    let largest = expected.clone().abs().max().into_scalar::<f32>();
    (found - expected).abs().max().into_scalar::<f32>() / largest
}

/// Largest difference of `found`, on any device, from `expected`, relative to each value (componentwise), or to one if it is
/// smaller.
#[cfg(feature = "gpu")]
pub(crate) fn componentwise_error<const D: usize>(found: Tensor<D>, expected: Tensor<D>) -> f32 {
    let found = found.to_device(&expected.device());
    let difference = (found - expected.clone()).abs() / expected.abs().clamp_min(1.0);
    difference.max().into_scalar()
}
