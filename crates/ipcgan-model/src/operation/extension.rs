//! The kernels as operations of Burn's CPU backend, with and without gradients.

use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::{Autodiff, Backend, Flex, backend_extension, tensor::FloatTensor};
use ipcgan_kernels::{Activation, Pooling};

use super::bounded::{bound, recorded_bounded, recorded_changed};
use super::convolution::{
    Convolve, Transpose, convolve, recorded_convolve, recorded_convolve_biased, recorded_transpose, transpose,
};
use super::frozen::{Frozen, frozen, recorded_frozen};
use super::join::{Order, join, recorded_join};
use super::linear::{connect, recorded_connect};
use super::norm::{NormForm, normed, recorded_normed};
use super::pool::{pooled, recorded_pooled, recorded_response, response};
use super::resize::{Resized, recorded_resize, resize};
use super::squares::{Target, recorded_squares, squares};

/// What the CPU backend can do beyond Burn's own operations; shapes are `[batch, channels, height, width]`.
#[backend_extension(Flex, Autodiff)]
pub(super) trait KernelOperations: Backend {
    /// Convolution with `[outputs, inputs of a group, kernel, kernel]`, then an activation.
    fn convolve(x: FloatTensor<Self>, weight: FloatTensor<Self>, form: Convolve) -> FloatTensor<Self>;

    /// The same with a bias before the activation.
    fn convolve_biased(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        form: Convolve,
    ) -> FloatTensor<Self>;

    /// Convolution with weights that do not change.
    fn frozen(x: FloatTensor<Self>, layer: Frozen) -> FloatTensor<Self>;

    /// Transposed convolution with `[inputs, outputs, kernel, kernel]`.
    fn transpose(x: FloatTensor<Self>, weight: FloatTensor<Self>, form: Transpose) -> FloatTensor<Self>;

    /// Batch norm of each part of the batch, then an activation; and the means and variances, `[parts * channels]`.
    fn normed(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        form: NormForm,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>);

    /// Fully connected layer with `[inputs, outputs]`, a bias, then an activation.
    fn connect(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        activation: Activation,
    ) -> FloatTensor<Self>;

    /// For equal parts of the batch, the sum of weighted mean squared differences from targets, `[1]`.
    fn squares(x: FloatTensor<Self>, parts: Vec<Target>) -> FloatTensor<Self>;

    /// Max pooling.
    fn pooled(x: FloatTensor<Self>, pooling: Pooling) -> FloatTensor<Self>;

    /// Local response norm over five channels.
    fn response(x: FloatTensor<Self>, share: f32) -> FloatTensor<Self>;

    /// Parts in a new order with conditions, `[outputs, conditions]`, as further channels.
    fn conditioned(features: FloatTensor<Self>, conditions: FloatTensor<Self>, order: Order) -> FloatTensor<Self>;

    /// Hyperbolic tangent.
    fn bounded(head: FloatTensor<Self>) -> FloatTensor<Self>;

    /// `tanh(head + atanh(source))`.
    fn changed(head: FloatTensor<Self>, source: FloatTensor<Self>) -> FloatTensor<Self>;

    /// Bilinear resizing to squares.
    fn resized(faces: FloatTensor<Self>, form: Resized) -> FloatTensor<Self>;
}

impl KernelOperations for Flex {
    fn convolve(x: FloatTensor<Self>, weight: FloatTensor<Self>, form: Convolve) -> FloatTensor<Self> {
        convolve(x, weight, None, form)
    }

    fn convolve_biased(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        form: Convolve,
    ) -> FloatTensor<Self> {
        convolve(x, weight, Some(bias), form)
    }

    fn frozen(x: FloatTensor<Self>, layer: Frozen) -> FloatTensor<Self> {
        frozen(x, &layer)
    }

    fn transpose(x: FloatTensor<Self>, weight: FloatTensor<Self>, form: Transpose) -> FloatTensor<Self> {
        transpose(x, weight, form)
    }

    fn normed(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        form: NormForm,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        normed(x, gamma, beta, form)
    }

    fn connect(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        activation: Activation,
    ) -> FloatTensor<Self> {
        connect(x, weight, bias, activation)
    }

    fn squares(x: FloatTensor<Self>, parts: Vec<Target>) -> FloatTensor<Self> {
        squares(x, &parts)
    }

    fn pooled(x: FloatTensor<Self>, pooling: Pooling) -> FloatTensor<Self> {
        pooled(x, pooling)
    }

    fn response(x: FloatTensor<Self>, share: f32) -> FloatTensor<Self> {
        response(x, share)
    }

    fn conditioned(features: FloatTensor<Self>, conditions: FloatTensor<Self>, order: Order) -> FloatTensor<Self> {
        join(features, conditions, &order)
    }

    fn bounded(head: FloatTensor<Self>) -> FloatTensor<Self> {
        bound(head, None)
    }

    fn changed(head: FloatTensor<Self>, source: FloatTensor<Self>) -> FloatTensor<Self> {
        bound(head, Some(source))
    }

    fn resized(faces: FloatTensor<Self>, form: Resized) -> FloatTensor<Self> {
        resize(faces, form)
    }
}

impl<C: CheckpointStrategy> KernelOperations for Autodiff<Flex, C> {
    fn convolve(x: FloatTensor<Self>, weight: FloatTensor<Self>, form: Convolve) -> FloatTensor<Self> {
        recorded_convolve::<C>(x, weight, form)
    }

    fn convolve_biased(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        form: Convolve,
    ) -> FloatTensor<Self> {
        recorded_convolve_biased::<C>(x, weight, bias, form)
    }

    fn frozen(x: FloatTensor<Self>, layer: Frozen) -> FloatTensor<Self> {
        recorded_frozen::<C>(x, layer)
    }

    fn transpose(x: FloatTensor<Self>, weight: FloatTensor<Self>, form: Transpose) -> FloatTensor<Self> {
        recorded_transpose::<C>(x, weight, form)
    }

    fn normed(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        form: NormForm,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        recorded_normed::<C>(x, gamma, beta, form)
    }

    fn connect(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        activation: Activation,
    ) -> FloatTensor<Self> {
        recorded_connect::<C>(x, weight, bias, activation)
    }

    fn squares(x: FloatTensor<Self>, parts: Vec<Target>) -> FloatTensor<Self> {
        recorded_squares::<C>(x, parts)
    }

    fn pooled(x: FloatTensor<Self>, pooling: Pooling) -> FloatTensor<Self> {
        recorded_pooled::<C>(x, pooling)
    }

    fn response(x: FloatTensor<Self>, share: f32) -> FloatTensor<Self> {
        recorded_response::<C>(x, share)
    }

    fn conditioned(features: FloatTensor<Self>, conditions: FloatTensor<Self>, order: Order) -> FloatTensor<Self> {
        recorded_join::<C>(features, conditions, order)
    }

    fn bounded(head: FloatTensor<Self>) -> FloatTensor<Self> {
        recorded_bounded::<C>(head)
    }

    fn changed(head: FloatTensor<Self>, source: FloatTensor<Self>) -> FloatTensor<Self> {
        recorded_changed::<C>(head, source)
    }

    fn resized(faces: FloatTensor<Self>, form: Resized) -> FloatTensor<Self> {
        recorded_resize::<C>(faces, form)
    }
}
