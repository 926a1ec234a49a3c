//! One step of an exponential moving average (EMA).

use burn::tensor::Tensor;

use super::gpu;

/// `average * decay + value * (1 - decay)`; both tensors must be without autodiff.
pub fn ema_tensor_update<const D: usize>(average: Tensor<D>, value: Tensor<D>, decay: f64) -> Tensor<D> {
    if gpu::updates(&average) && gpu::updates(&value) {
        gpu::ema_tensor_update(average, value, decay)
    } else {
        average * decay + value * (1.0 - decay)
    }
}
