//! Softmax cross entropy.

#[cfg(feature = "gpu")]
mod gpu;

use burn::tensor::activation::log_softmax;
use burn::tensor::{Int, Tensor};

#[cfg(feature = "gpu")]
use super::engine::{Engine, f32_engine};

/// Softmax cross entropy, averaged over the batch: logits `[batch, classes]` and labels `[batch]` to `[1]`.
pub(crate) fn cross_entropy(logits: Tensor<2>, labels: Tensor<1, Int>) -> Tensor<1> {
    #[cfg(feature = "gpu")]
    if matches!(f32_engine([&logits]), Engine::Gpu) {
        return gpu::cross_entropy(logits, labels);
    }
    let [batch] = labels.dims();
    -log_softmax(logits, 1).gather(1, labels.reshape([batch, 1])).mean()
}
