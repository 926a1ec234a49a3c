//! Diversity of a batch of faces.

#[cfg(feature = "gpu")]
mod gpu;

use burn::tensor::Tensor;

#[cfg(feature = "gpu")]
use super::engine::{Engine, f32_engine};

/// Keeps the ratio finite for batches of equal faces.
const EPSILON: f32 = 1e-6;

/// Diversity of the `generated` faces relative to their sources: ratio of the mean absolute deviations of pixels from
/// their batch mean. 1 for a batch of one face. Falls with mode collapse. Not recorded for gradients.
///
/// # Shapes
/// - both: `[batch, channels, height, width]`
/// - returns: `[1]`
pub fn diversity(generated: Tensor<4>, source: Tensor<4>) -> Tensor<1> {
    let [generated, source] = [generated, source].map(Tensor::without_autodiff);
    #[cfg(feature = "gpu")]
    if matches!(f32_engine([&generated, &source]), Engine::Gpu) {
        return gpu::diversity(generated, source);
    }
    let deviation = |faces: Tensor<4>| (faces.clone() - faces.mean_dim(0)).abs().mean();
    (deviation(generated) + EPSILON) / (deviation(source) + EPSILON)
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;

    #[test]
    fn diversity_is_the_ratio_of_the_deviations_from_the_mean_face() {
        let faces = |values: [f32; 2]| Tensor::<1>::from_data(values, &Device::flex()).reshape([2, 1, 1, 1]);
        let of = |generated, source| diversity(faces(generated), faces(source)).into_scalar::<f32>();

        assert!((of([0.5, 0.7], [0.0, 0.4]) - 0.5).abs() < 1e-4);
        assert!((of([0.5, 0.5], [0.3, 0.3]) - 1.0).abs() < 1e-4, "of equal faces");
    }
}
