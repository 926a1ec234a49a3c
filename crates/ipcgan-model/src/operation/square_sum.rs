//! Sum of the squares of all values of many tensors.

use burn::tensor::Tensor;

use super::gpu::SquareTerms;

/// Accumulates the sum of the squares of all values of some tensors, such as the gradients of a network (whose norm is
/// its root).
#[derive(Default)]
pub struct SquareSum {
    on_gpu: SquareTerms,
    elsewhere: Option<Tensor<1>>,
}

impl SquareSum {
    /// Adds the squares of `tensor`.
    pub fn add<const D: usize>(&mut self, tensor: &Tensor<D>) {
        if !self.on_gpu.take(tensor) {
            let squares = tensor.clone().square().sum();
            self.elsewhere = Some(match self.elsewhere.take() {
                Some(before) => before + squares,
                None => squares,
            });
        }
    }

    /// The sum, `[1]`; `None` if no tensor was added.
    pub fn sum(self) -> Option<Tensor<1>> {
        match (self.on_gpu.sum(), self.elsewhere) {
            (Some(sum), Some(other)) => Some(sum + other),
            (sum, other) => sum.or(other),
        }
    }
}
