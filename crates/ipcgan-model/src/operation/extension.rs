//! The CPU kernels as a backend extension of Burn, with and without autodiff.

use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::{Autodiff, Backend, Flex, backend_extension, tensor::FloatTensor};

use super::convolution::{
    ConvSpec, TransposeSpec, convolve, convolve_autodiff, convolve_biased_autodiff, transpose, transpose_autodiff,
};

/// Operations of the CPU backend beyond Burn's own; shapes are `[batch, channels, height, width]`.
#[backend_extension(Flex, Autodiff)]
pub(super) trait CpuOperations: Backend {
    /// Convolution with `[outputs, inputs of a group, kernel, kernel]`, then an activation.
    fn convolve(x: FloatTensor<Self>, weight: FloatTensor<Self>, spec: ConvSpec) -> FloatTensor<Self>;

    /// The same with a bias before the activation.
    fn convolve_biased(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        spec: ConvSpec,
    ) -> FloatTensor<Self>;

    /// Transposed convolution with `[inputs, outputs, kernel, kernel]`.
    fn transpose(x: FloatTensor<Self>, weight: FloatTensor<Self>, spec: TransposeSpec) -> FloatTensor<Self>;
}

impl CpuOperations for Flex {
    fn convolve(x: FloatTensor<Self>, weight: FloatTensor<Self>, spec: ConvSpec) -> FloatTensor<Self> {
        convolve(x, weight, None, spec)
    }

    fn convolve_biased(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        spec: ConvSpec,
    ) -> FloatTensor<Self> {
        convolve(x, weight, Some(bias), spec)
    }

    fn transpose(x: FloatTensor<Self>, weight: FloatTensor<Self>, spec: TransposeSpec) -> FloatTensor<Self> {
        transpose(x, weight, spec)
    }
}

impl<C: CheckpointStrategy> CpuOperations for Autodiff<Flex, C> {
    fn convolve(x: FloatTensor<Self>, weight: FloatTensor<Self>, spec: ConvSpec) -> FloatTensor<Self> {
        convolve_autodiff::<C>(x, weight, spec)
    }

    fn convolve_biased(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        spec: ConvSpec,
    ) -> FloatTensor<Self> {
        convolve_biased_autodiff::<C>(x, weight, bias, spec)
    }

    fn transpose(x: FloatTensor<Self>, weight: FloatTensor<Self>, spec: TransposeSpec) -> FloatTensor<Self> {
        transpose_autodiff::<C>(x, weight, spec)
    }
}
