//! Softmax cross entropy.

#[cfg(feature = "gpu")]
mod gpu;

#[cfg(feature = "gpu")]
use burn::tensor::DType;
use burn::tensor::activation::log_softmax;
use burn::tensor::{Int, Tensor};

use super::engine::{Engine, engine};

/// Softmax cross entropy, averaged over the batch: logits `[batch, classes]` and labels `[batch]` to `[1]`.
pub(crate) fn cross_entropy(logits: Tensor<2>, labels: Tensor<1, Int>) -> Tensor<1> {
    let [batch] = labels.dims();
    match engine(&logits) {
        #[cfg(feature = "gpu")]
        Engine::Gpu if logits.dtype() == DType::F32 => gpu::cross_entropy(logits, labels),
        Engine::Cpu(_) | Engine::Gpu | Engine::Burn => {
            -log_softmax(logits, 1).gather(1, labels.reshape([batch, 1])).mean()
        }
    }
}
