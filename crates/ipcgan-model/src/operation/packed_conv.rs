//! Convolutions for inference on the CPU: batch norm folded in, weights packed once.

use burn::backend::Flex;
use burn::nn::BatchNorm;
use burn::nn::conv::{Conv2d, ConvTranspose2d};
use burn::tensor::Tensor;
use ipcgan_kernels::{Activation, ConvParams, Convolution, Epilogue, InstructionSet, Nhwc};

use super::convolution::{CONV_ALGORITHM, UPSAMPLE_PARAMS, conv_params};
use super::folded_conv::Folded;
use super::nhwc_tensor::{NhwcTensor, nhwc_tensor};

/// A convolution with packed weights, for inference.
#[derive(Debug)]
pub(crate) struct PackedConv {
    convolution: Convolution,
    bias: Vec<f32>,
    pub(super) params: ConvParams,
    direction: Direction,
    pub(super) activation: Activation,
}

#[derive(Clone, Copy, Debug)]
enum Direction {
    Forward,
    /// The adjoint of the convolution, which doubles the sides.
    Up,
}

impl PackedConv {
    /// `layer`, then `norm` by its running statistics, then an activation; for maps whose sides the stride divides.
    pub(crate) fn new(layer: &Conv2d, norm: Option<&BatchNorm>, activation: Activation) -> Self {
        let [outputs, inputs, kernel, _] = layer.weight.dims();
        let side = kernel * layer.stride[0];
        let params = conv_params(layer, [side, side]).expect("the networks have square windows only");
        let Folded { weights, bias } = Folded::conv(layer, norm);
        let instructions = InstructionSet::best();
        let convolution = Convolution::new(instructions, CONV_ALGORITHM, &weights, [outputs, inputs], &params, None);
        Self { convolution, bias, params, direction: Direction::Forward, activation }
    }

    /// The transposed convolution `layer`, then `norm` by its running statistics, then an activation.
    pub(crate) fn up(layer: &ConvTranspose2d, norm: &BatchNorm, activation: Activation) -> Self {
        let [inputs, outputs, ..] = layer.weight.dims();
        let Folded { weights, bias } = Folded::up(layer, norm);
        let instructions = InstructionSet::best();
        // To the convolution whose adjoint this is, its inputs are outputs.
        let convolution =
            Convolution::adjoint(instructions, CONV_ALGORITHM, &weights, [inputs, outputs], &UPSAMPLE_PARAMS, None);
        Self { convolution, bias, params: UPSAMPLE_PARAMS, direction: Direction::Up, activation }
    }

    /// The output, in the memory that `output` has, and its sizes; `residual` is added before the activation.
    pub(crate) fn run(&self, input: &[f32], shape: Nhwc, residual: Option<&[f32]>, output: &mut Vec<f32>) -> Nhwc {
        let side = |side: usize| match self.direction {
            Direction::Forward => self.params.output_side(side),
            Direction::Up => 2 * side,
        };
        let sides = [side(shape.height), side(shape.width)];
        let epilogue = Epilogue { bias: Some(&self.bias), residual, activation: self.activation };
        self.convolution.run_into(input, shape, sides, &epilogue, output);
        Nhwc { height: sides[0], width: sides[1], channels: self.bias.len(), ..shape }
    }
}

/// The values of `x` on the CPU, channels last, and their sizes.
pub(crate) fn with_nhwc_values<T>(x: Tensor<4>, action: impl FnOnce(&[f32], Nhwc) -> T) -> T {
    let x = NhwcTensor::new(x.try_into_primitive::<Flex>().expect("it is on the CPU, without gradients"));
    action(x.values(), x.shape)
}

/// A tensor of `values` in channels-last order.
pub(crate) fn tensor_from_nhwc(values: Vec<f32>, shape: Nhwc) -> Tensor<4> {
    Tensor::from_primitive::<Flex>(nhwc_tensor(values, shape))
}
