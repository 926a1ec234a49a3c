//! Convolutions for inference, with the batch norm that follows folded in, on any device.

use burn::module::Param;
use burn::nn::BatchNorm;
use burn::nn::conv::{Conv2d, ConvTranspose2d};
use burn::tensor::Tensor;
use ipcgan_kernels::Activation;

use super::Precision;
use super::activation::activate;
use super::convolution::{convolution, transposed_convolution};

/// A convolution for inference, then an activation.
#[derive(Debug)]
pub(crate) enum FoldedConv {
    Conv(Box<Conv2d>, Activation),
    /// A transposed convolution and the bias of its outputs, `[1, outputs, 1, 1]`.
    Up(Box<(ConvTranspose2d, Tensor<4>)>, Activation),
}

impl FoldedConv {
    /// `layer`, then `norm` by its running statistics, then an activation.
    pub(crate) fn new(layer: &Conv2d, norm: Option<&BatchNorm>, activation: Activation) -> Self {
        let weight = layer.weight.val();
        let Folded { weights, bias } = Folded::conv(layer, norm);
        let bias = Param::from_tensor(Tensor::from_data(bias.as_slice(), &weight.device()));
        let layer = Conv2d { weight: weights_like(&weight, &weights), bias: Some(bias), ..layer.clone() };
        Self::Conv(Box::new(layer), activation)
    }

    /// The transposed convolution `layer`, then `norm` by its running statistics, then an activation.
    pub(crate) fn up(layer: &ConvTranspose2d, norm: &BatchNorm, activation: Activation) -> Self {
        let weight = layer.weight.val();
        let Folded { weights, bias } = Folded::up(layer, norm);
        let outputs = bias.len();
        let bias = Tensor::<1>::from_data(bias.as_slice(), &weight.device()).reshape([1, outputs, 1, 1]);
        let layer = ConvTranspose2d { weight: weights_like(&weight, &weights), bias: None, ..layer.clone() };
        Self::Up(Box::new((layer, bias)), activation)
    }

    /// `[batch, inputs, height, width]` to `[batch, outputs, ..]`, as the layer.
    pub(crate) fn forward(&self, x: Tensor<4>, precision: Precision) -> Tensor<4> {
        match self {
            Self::Conv(layer, activation) => convolution(layer, x, *activation, precision),
            Self::Up(up, activation) => {
                let (layer, bias) = &**up;
                activate(transposed_convolution(layer, x, precision) + bias.clone(), *activation)
            }
        }
    }
}

/// `values` in the shape and on the device of `weight`.
fn weights_like(weight: &Tensor<4>, values: &[f32]) -> Param<Tensor<4>> {
    Param::from_tensor(Tensor::<1>::from_data(values, &weight.device()).reshape(weight.dims()))
}

/// Weights and bias of a convolution with the norm that follows it, in the host's memory.
pub(super) struct Folded {
    /// In the order of the layer's weights.
    pub(super) weights: Vec<f32>,
    pub(super) bias: Vec<f32>,
}

impl Folded {
    pub(super) fn conv(layer: &Conv2d, norm: Option<&BatchNorm>) -> Self {
        let [outputs, inputs, kernel, _] = layer.weight.dims();
        let bias = layer.bias.as_ref().map_or(vec![0.0; outputs], |bias| numbers(bias.val()));
        Self::new(numbers(layer.weight.val()), bias, norm, |index| index / (inputs * kernel * kernel))
    }

    pub(super) fn up(layer: &ConvTranspose2d, norm: &BatchNorm) -> Self {
        let [_, outputs, kernel, _] = layer.weight.dims();
        let weights = numbers(layer.weight.val());
        Self::new(weights, vec![0.0; outputs], Some(norm), |index| index / (kernel * kernel) % outputs)
    }

    /// `output(index)` is the output of a weight.
    fn new(
        mut weights: Vec<f32>,
        mut bias: Vec<f32>,
        norm: Option<&BatchNorm>,
        output: impl Fn(usize) -> usize,
    ) -> Self {
        let Some(norm) = norm else { return Self { weights, bias } };
        let (gamma, beta) = (numbers(norm.gamma.val()), numbers(norm.beta.val()));
        let (mean, variance) = (numbers(norm.running_mean.value()), numbers(norm.running_var.value()));
        let scale: Vec<f32> = gamma
            .iter()
            .zip(&variance)
            .map(|(gamma, variance)| gamma / (variance + norm.epsilon as f32).sqrt())
            .collect();
        for (index, bias) in bias.iter_mut().enumerate() {
            *bias = (*bias - mean[index]) * scale[index] + beta[index];
        }
        for (index, weight) in weights.iter_mut().enumerate() {
            *weight *= scale[output(index)];
        }
        Self { weights, bias }
    }
}

/// # Panics
/// If the device fails.
fn numbers<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.try_into_vec_as::<f32>().expect("the values can be read")
}
