//! Multi-tensor scaling: multiplication of many tensors by one factor.

use burn::tensor::Tensor;

use super::gpu::ScaleTerms;

/// Multiplies tensors, such as the gradients of a network, by a factor that is known on the device only. On GPUs many
/// tensors share a launch.
pub struct MultiTensorScale {
    /// `[1]`.
    factor: Tensor<1>,
    on_gpu: ScaleTerms,
}

impl MultiTensorScale {
    /// Multiplication by `factor`.
    pub fn by(factor: Tensor<1>) -> Self {
        Self { factor, on_gpu: ScaleTerms::default() }
    }

    /// `tensor` times the factor; not to be read before [`MultiTensorScale::finish`].
    pub fn scaled<const D: usize>(&mut self, tensor: Tensor<D>) -> Tensor<D> {
        match ScaleTerms::takes(&tensor, &self.factor) {
            true => self.on_gpu.scaled(tensor),
            false => tensor * self.factor.clone().reshape([1; D]),
        }
    }

    /// Completes all products.
    pub fn finish(self) {
        self.on_gpu.launch(self.factor);
    }
}
