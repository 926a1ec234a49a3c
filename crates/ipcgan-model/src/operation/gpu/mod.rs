//! GPU operations where Burn's own leave most of the GPU idle.
//!
//! Burn (0.22.1, without autotune) has one thread sum up all places of all maps for one number: a weight's gradient, a
//! mean of a batch norm, a bias' gradient. That leaves most of a GPU without work, and is wrong where a driver ends loops
//! early: Mesa's software drivers do after 65,535 turns. Here such sums are cut into parts with threads of their own.

mod batch_norm;
mod convolution;
mod grouped_convolution;
mod sums;
mod weight_gradient;

pub(super) use batch_norm::batch_norm;
pub(super) use convolution::{convolution, transposed_convolution};

use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Cube, DispatchDevice, TensorMetadata, backend_extension};
use burn::tensor::{DType, FloatDType, Shape, Slice, Tensor};
use ipcgan_kernels::ConvParams;

use super::batch_norm::{BatchNormOutput, BatchNormSpec};

/// Whether `x` is on a GPU of Burn's runtime.
fn on_a_gpu<const D: usize>(x: &Tensor<D>) -> bool {
    let device = x.device();
    let device = match device.as_dispatch() {
        DispatchDevice::Autodiff(device) => device,
        device => device,
    };
    matches!(device, DispatchDevice::Cube(_))
}

/// What GPUs can do beyond Burn's own operations; shapes are `[batch, channels, height, width]`.
#[backend_extension(Cube, Autodiff)]
pub(super) trait GpuOperations: Backend {
    /// Convolution of a square window with `[outputs, inputs of a group, kernel, kernel]`.
    fn convolve(x: FloatTensor<Self>, weight: FloatTensor<Self>, params: ConvParams) -> FloatTensor<Self>;

    /// The adjoint of the convolution with [`UPSAMPLE_PARAMS`](super::convolution::UPSAMPLE_PARAMS), with
    /// `[inputs, outputs, kernel, kernel]`.
    fn transpose(x: FloatTensor<Self>, weight: FloatTensor<Self>) -> FloatTensor<Self>;

    /// `x` with a bias of each channel.
    fn biased(x: FloatTensor<Self>, bias: FloatTensor<Self>) -> FloatTensor<Self>;

    /// Batch norm by the statistics of the batch; with them, `[parts * channels]` each.
    fn batch_norm(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        spec: BatchNormSpec,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>);
}

impl GpuOperations for Cube {
    fn convolve(x: FloatTensor<Self>, weight: FloatTensor<Self>, params: ConvParams) -> FloatTensor<Self> {
        convolution::convolve(x, weight, &params)
    }

    fn transpose(x: FloatTensor<Self>, weight: FloatTensor<Self>) -> FloatTensor<Self> {
        convolution::transpose(x, weight)
    }

    fn biased(x: FloatTensor<Self>, bias: FloatTensor<Self>) -> FloatTensor<Self> {
        convolution::biased(x, bias)
    }

    fn batch_norm(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        spec: BatchNormSpec,
    ) -> BatchNormOutput<Self> {
        batch_norm::batch_norm_kernel(x, gamma, beta, spec)
    }
}

impl<C: CheckpointStrategy> GpuOperations for Autodiff<Cube, C> {
    fn convolve(x: FloatTensor<Self>, weight: FloatTensor<Self>, params: ConvParams) -> FloatTensor<Self> {
        convolution::convolve_autodiff::<C>(x, weight, params)
    }

    fn transpose(x: FloatTensor<Self>, weight: FloatTensor<Self>) -> FloatTensor<Self> {
        convolution::transpose_autodiff::<C>(x, weight)
    }

    fn biased(x: FloatTensor<Self>, bias: FloatTensor<Self>) -> FloatTensor<Self> {
        convolution::biased_autodiff::<C>(x, bias)
    }

    fn batch_norm(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        spec: BatchNormSpec,
    ) -> BatchNormOutput<Self> {
        batch_norm::batch_norm_autodiff::<C>(x, gamma, beta, spec)
    }
}

fn dims<B: Backend, const D: usize>(x: &FloatTensor<B>) -> [usize; D] {
    x.shape().dims()
}

fn reshaped<B: Backend, const D: usize>(x: FloatTensor<B>, shape: [usize; D]) -> FloatTensor<B> {
    B::float_reshape(x, Shape::new(shape))
}

/// All `length` of an axis.
fn whole(length: usize) -> Slice {
    Slice::new(0, Some(length as isize), 1)
}

/// `[batch, channels, height, width]` as `[batch * height * width, channels]`, as convolutions leave it in memory.
fn channels_last<B: Backend>(x: FloatTensor<B>) -> FloatTensor<B> {
    let [batch, channels, height, width] = dims::<B, 4>(&x);
    reshaped::<B, 2>(B::float_permute(x, &[0, 2, 3, 1]), [batch * height * width, channels])
}

/// For long sums.
fn in_float32<B: Backend>(x: FloatTensor<B>) -> FloatTensor<B> {
    match x.dtype() {
        DType::F32 => x,
        _ => B::float_cast(x, FloatDType::F32),
    }
}
