//! Convolutions for inference on the CPU: batch norm folded in, weights packed once.

use burn::backend::Flex;
use burn::nn::BatchNorm;
use burn::nn::conv::{Conv2d, ConvTranspose2d};
use burn::tensor::Tensor;
use ipcgan_kernels::{Activation, Arithmetic, Convolution, Epilogue, Instructions, Maps, Window};

use super::convolution::{UP_WINDOW, window};
use super::memory::{FeatureMaps, feature_maps};
use super::products_for;

/// How to compute on the CPU, if the weights of `layer` are there and kernels may be used.
pub(crate) fn arithmetic_for(layer: &Conv2d) -> Option<Arithmetic> {
    let weight = layer.weight.val();
    if weight.device().is_autodiff() { None } else { products_for(&weight) }
}

/// A layer of a network that does not learn.
#[derive(Debug)]
pub(crate) struct Prepared {
    convolution: Convolution,
    bias: Vec<f32>,
    pub(super) window: Window,
    direction: Direction,
    pub(super) activation: Activation,
}

#[derive(Clone, Copy, Debug)]
enum Direction {
    Forward,
    /// The adjoint of the convolution, which doubles the sides.
    Up,
}

impl Prepared {
    /// `layer`, then `norm` by its running statistics, then an activation; for maps whose sides the stride divides.
    pub(crate) fn new(
        layer: &Conv2d,
        norm: Option<&BatchNorm>,
        activation: Activation,
        arithmetic: Arithmetic,
    ) -> Self {
        let [outputs, inputs, kernel, _] = layer.weight.dims();
        let side = kernel * layer.stride[0];
        let window = window(layer, [side, side]).expect("the networks have square windows only");
        let bias = layer.bias.as_ref().map_or(vec![0.0; outputs], |bias| numbers(bias.val()));
        let weights = numbers(layer.weight.val());
        let Folded { weights, bias } = Folded::new(weights, bias, norm, |index| index / (inputs * kernel * kernel));
        let instructions = Instructions::best();
        let convolution = Convolution::new(instructions, arithmetic, &weights, [outputs, inputs], &window, None);
        Self { convolution, bias, window, direction: Direction::Forward, activation }
    }

    /// The transposed convolution `layer`, then `norm` by its running statistics, then an activation.
    pub(crate) fn up(
        layer: &ConvTranspose2d,
        norm: &BatchNorm,
        activation: Activation,
        arithmetic: Arithmetic,
    ) -> Self {
        let [inputs, outputs, kernel, _] = layer.weight.dims();
        let weights = numbers(layer.weight.val());
        let Folded { weights, bias } =
            Folded::new(weights, vec![0.0; outputs], Some(norm), |index| index / (kernel * kernel) % outputs);
        let instructions = Instructions::best();
        // To the convolution whose adjoint this is, its inputs are outputs.
        let convolution = Convolution::adjoint(instructions, arithmetic, &weights, [inputs, outputs], &UP_WINDOW, None);
        Self { convolution, bias, window: UP_WINDOW, direction: Direction::Up, activation }
    }

    /// The output, in the memory that `output` has, and its sizes; `residual` is added before the activation.
    pub(crate) fn run(&self, input: &[f32], maps: Maps, residual: Option<&[f32]>, output: &mut Vec<f32>) -> Maps {
        let side = |side: usize| match self.direction {
            Direction::Forward => self.window.output_side(side),
            Direction::Up => 2 * side,
        };
        let sides = [side(maps.height), side(maps.width)];
        let epilogue = Epilogue { bias: Some(&self.bias), residual, activation: self.activation };
        self.convolution.run_into(input, maps, sides, &epilogue, output);
        Maps { height: sides[0], width: sides[1], channels: self.bias.len(), ..maps }
    }
}

/// Weights and bias with the norm that follows them.
struct Folded {
    weights: Vec<f32>,
    bias: Vec<f32>,
}

impl Folded {
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

/// The values of a tensor in the CPU's memory.
fn numbers<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.try_into_vec_as::<f32>().expect("the CPU's memory can be read")
}

/// The values of `x` on the CPU, channels last, and their sizes.
pub(crate) fn with_values<T>(x: Tensor<4>, action: impl FnOnce(&[f32], Maps) -> T) -> T {
    let x = FeatureMaps::new(x.try_into_primitive::<Flex>().expect("it is on the CPU, without gradients"));
    action(x.values(), x.maps)
}

/// A tensor of `values` that lie channels last.
pub(crate) fn tensor_of(values: Vec<f32>, maps: Maps) -> Tensor<4> {
    Tensor::from_primitive::<Flex>(feature_maps(values, maps))
}
