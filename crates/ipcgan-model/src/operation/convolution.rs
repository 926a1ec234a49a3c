//! Convolutions.

use burn::backend::autodiff::NodeId;
use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Dispatch, Flex};
use burn::nn::PaddingConfig2d;
use burn::nn::conv::{Conv2d, ConvTranspose2d};
use burn::tensor::Tensor;
use burn_flex::FlexTensor;
use ipcgan_kernels::{
    Activation, ConvAlgorithm, ConvParams, Convolution, Epilogue, InstructionSet, Nhwc, activation_gradient,
    channel_sums, weight_gradient,
};

use super::extension::CpuOperations;
use super::gpu;
use super::nhwc_tensor::{NhwcTensor, contiguous, nhwc_tensor, sizes, tensor, values};
use super::precision::run_on_burn;
use super::{activate, float32_kernels_for};

/// The window of the convolution whose adjoint doubles the sides: SAME pads an even number of pixels for a window of
/// three by one pixel, right and below.
pub(super) const UPSAMPLE_PARAMS: ConvParams =
    ConvParams { kernel: 3, stride: 2, pad_before: 0, pad_after: 1, groups: 1 };

/// `layer`, then an activation.
///
/// `[batch, inputs, height, width]` to `[batch, outputs, height / stride, width / stride]`, as the layer's padding says.
pub(crate) fn convolution(layer: &Conv2d, x: Tensor<4>, activation: Activation) -> Tensor<4> {
    let [_, _, height, width] = x.dims();
    let (Some(algorithm), Some(params)) = (float32_kernels_for(&x), conv_params(layer, [height, width])) else {
        return activate(run_on_burn(layer, x, gpu::convolution), activation);
    };
    let spec = ConvSpec { params, activation, algorithm };
    let (x, weight) = (x.into_dispatch(), layer.weight.val().into_dispatch());
    Tensor::from_dispatch(match &layer.bias {
        None => <Dispatch as CpuOperations>::convolve(x, weight, spec),
        Some(bias) => <Dispatch as CpuOperations>::convolve_biased(x, weight, bias.val().into_dispatch(), spec),
    })
}

/// `layer`, the adjoint of a convolution of stride two with TensorFlow's SAME padding: `[batch, inputs, height, width]`
/// to `[batch, outputs, 2 height, 2 width]`.
pub(crate) fn transposed_convolution(layer: &ConvTranspose2d, x: Tensor<4>) -> Tensor<4> {
    let [_, _, height, width] = x.dims();
    let sides = [2 * height, 2 * width];
    match float32_kernels_for(&x) {
        Some(algorithm) => {
            let spec = TransposeSpec { params: UPSAMPLE_PARAMS, sides, algorithm };
            Tensor::from_dispatch(<Dispatch as CpuOperations>::transpose(
                x.into_dispatch(),
                layer.weight.val().into_dispatch(),
                spec,
            ))
        }
        // The adjoint of SAME padding, which pads right and below, loses the last row and column.
        None => run_on_burn(layer, x, gpu::transposed_convolution).narrow(2, 0, sides[0]).narrow(3, 0, sides[1]),
    }
}

/// The layer's window over maps of `[height, width]`, if the kernels know its like: square, the same along both axes.
pub(super) fn conv_params(layer: &Conv2d, [height, width]: [usize; 2]) -> Option<ConvParams> {
    let (kernel, stride) = (layer.kernel_size[0], layer.stride[0]);
    let same = |side: usize| {
        let total = ((side.div_ceil(stride) - 1) * stride + kernel).saturating_sub(side);
        (total / 2, total - total / 2)
    };
    let [rows, columns] = match layer.padding {
        PaddingConfig2d::Same => [same(height), same(width)],
        PaddingConfig2d::Valid => [(0, 0); 2],
        PaddingConfig2d::Explicit(top, left, bottom, right) => [(top, bottom), (left, right)],
    };
    let square = layer.kernel_size == [kernel; 2] && layer.stride == [stride; 2] && layer.dilation == [1; 2];
    let params = ConvParams { kernel, stride, pad_before: rows.0, pad_after: rows.1, groups: layer.groups };
    (square && rows == columns).then_some(params)
}

/// How to convolve.
#[derive(Clone, Copy, Debug)]
pub(super) struct ConvSpec {
    params: ConvParams,
    activation: Activation,
    algorithm: ConvAlgorithm,
}

/// How to convolve backwards.
#[derive(Clone, Copy, Debug)]
pub(super) struct TransposeSpec {
    /// Of the convolution whose adjoint it is.
    params: ConvParams,
    /// Height and width of the output.
    sides: [usize; 2],
    algorithm: ConvAlgorithm,
}

pub(super) fn convolve(x: FlexTensor, weight: FlexTensor, bias: Option<FlexTensor>, spec: ConvSpec) -> FlexTensor {
    let ConvSpec { params, activation, algorithm } = spec;
    let (x, weight, bias) = (NhwcTensor::new(x), contiguous(weight), bias.map(contiguous));
    let [outputs, inputs, _, _] = sizes(&weight);
    let [height, width] = [x.shape.height, x.shape.width].map(|side| params.output_side(side));
    let shape = Nhwc { height, width, channels: outputs, ..x.shape };
    let (instructions, channels) = (InstructionSet::best(), [outputs, inputs]);
    let convolution = Convolution::new(instructions, algorithm, values(&weight), channels, &params, Some(shape));
    let epilogue = Epilogue { bias: bias.as_ref().map(values), residual: None, activation };
    nhwc_tensor(convolution.run(x.values(), x.shape, [height, width], &epilogue), shape)
}

pub(super) fn transpose(x: FlexTensor, weight: FlexTensor, spec: TransposeSpec) -> FlexTensor {
    let x = NhwcTensor::new(x);
    let weight = contiguous(weight);
    adjoint(&x, &weight, &spec.params, spec.sides, spec.algorithm)
}

/// From maps of a convolution's output to maps of its input, which have `sides`.
fn adjoint(
    x: &NhwcTensor,
    weight: &FlexTensor,
    params: &ConvParams,
    sides: [usize; 2],
    algorithm: ConvAlgorithm,
) -> FlexTensor {
    let [outputs, inputs, _, _] = sizes(weight);
    let shape = Nhwc { height: sides[0], width: sides[1], channels: inputs * params.groups, ..x.shape };
    let (instructions, channels) = (InstructionSet::best(), [outputs, inputs]);
    let convolution = Convolution::adjoint(instructions, algorithm, values(weight), channels, params, Some(shape));
    nhwc_tensor(convolution.run(x.values(), x.shape, sides, &Epilogue::default()), shape)
}

pub(super) fn convolve_autodiff<C: CheckpointStrategy>(
    x: FloatTensor<Autodiff<Flex, C>>,
    weight: FloatTensor<Autodiff<Flex, C>>,
    spec: ConvSpec,
) -> FloatTensor<Autodiff<Flex, C>> {
    let prepared = ConvolveBackward.prepare::<C>([x.node(), weight.node()]).compute_bound().stateful();
    let (x, weight) = (x.into_primitive(), weight.into_primitive());
    match prepared {
        OpsKind::Tracked(prepared) => {
            let (saved, output) = SavedForBackward::new(x, weight, None, spec);
            prepared.finish(saved, output)
        }
        OpsKind::UnTracked(prepared) => prepared.finish(convolve(x, weight, None, spec)),
    }
}

pub(super) fn convolve_biased_autodiff<C: CheckpointStrategy>(
    x: FloatTensor<Autodiff<Flex, C>>,
    weight: FloatTensor<Autodiff<Flex, C>>,
    bias: FloatTensor<Autodiff<Flex, C>>,
    spec: ConvSpec,
) -> FloatTensor<Autodiff<Flex, C>> {
    let prepared = ConvolveBackward.prepare::<C>([x.node(), weight.node(), bias.node()]).compute_bound().stateful();
    let (x, weight, bias) = (x.into_primitive(), weight.into_primitive(), Some(bias.into_primitive()));
    match prepared {
        OpsKind::Tracked(prepared) => {
            let (saved, output) = SavedForBackward::new(x, weight, bias, spec);
            prepared.finish(saved, output)
        }
        OpsKind::UnTracked(prepared) => prepared.finish(convolve(x, weight, bias, spec)),
    }
}

/// What the backward pass of a convolution needs.
#[derive(Clone, Debug)]
struct SavedForBackward {
    x: NhwcTensor,
    weight: FlexTensor,
    /// If there is an activation: its output tells where it was not the identity.
    output: Option<NhwcTensor>,
    spec: ConvSpec,
}

impl SavedForBackward {
    /// With the output.
    fn new(x: FlexTensor, weight: FlexTensor, bias: Option<FlexTensor>, spec: ConvSpec) -> (Self, FlexTensor) {
        let (x, weight) = (NhwcTensor::new(x), contiguous(weight));
        let output = convolve(x.clone().into_tensor(), weight.clone(), bias, spec);
        let kept = (spec.activation != Activation::None).then(|| NhwcTensor::new(output.clone()));
        (Self { x, weight, output: kept, spec }, output)
    }

    /// Gradient before the activation.
    fn gradient_of_sums(&self, gradient: FlexTensor) -> NhwcTensor {
        let gradient = NhwcTensor::new(gradient);
        match &self.output {
            None => gradient,
            Some(output) => {
                let grad_sums = activation_gradient(
                    InstructionSet::best(),
                    self.spec.activation,
                    output.values(),
                    gradient.values(),
                );
                NhwcTensor::new(nhwc_tensor(grad_sums, gradient.shape))
            }
        }
    }

    /// Registers the gradients of input, weight and bias for those nodes that require them.
    fn register(&self, [x, weight, bias]: [Option<NodeId>; 3], gradient: FlexTensor, gradients: &mut Gradients) {
        let gradient = self.gradient_of_sums(gradient);
        if let Some(node) = x {
            gradients.register::<Flex>(node, self.grad_input(&gradient));
        }
        if let Some(node) = weight {
            gradients.register::<Flex>(node, self.grad_weight(&gradient));
        }
        if let Some(node) = bias {
            let channels = gradient.shape.channels;
            let sums = channel_sums(InstructionSet::best(), gradient.values(), channels);
            gradients.register::<Flex>(node, tensor(sums, &[channels]));
        }
    }

    fn grad_input(&self, gradient: &NhwcTensor) -> FlexTensor {
        let ConvSpec { params, algorithm, .. } = self.spec;
        adjoint(gradient, &self.weight, &params, [self.x.shape.height, self.x.shape.width], algorithm)
    }

    fn grad_weight(&self, gradient: &NhwcTensor) -> FlexTensor {
        let ConvSpec { params, algorithm, .. } = self.spec;
        let (x, gradient) = ((self.x.values(), self.x.shape), (gradient.values(), gradient.shape));
        let weights = weight_gradient(InstructionSet::best(), algorithm, x, gradient, &params);
        tensor(weights, &sizes::<4>(&self.weight))
    }
}

#[derive(Debug)]
struct ConvolveBackward;

impl Backward<Flex, 2> for ConvolveBackward {
    type State = SavedForBackward;

    fn backward(self, ops: Ops<SavedForBackward, 2>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let [x, weight] = ops.parents;
        let gradient = gradients.consume::<Flex>(&ops.node);
        ops.state.register([x.map(|node| node.id), weight.map(|node| node.id), None], gradient, gradients);
    }
}

impl Backward<Flex, 3> for ConvolveBackward {
    type State = SavedForBackward;

    fn backward(self, ops: Ops<SavedForBackward, 3>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let gradient = gradients.consume::<Flex>(&ops.node);
        ops.state.register(ops.parents.map(|node| node.map(|node| node.id)), gradient, gradients);
    }
}

pub(super) fn transpose_autodiff<C: CheckpointStrategy>(
    x: FloatTensor<Autodiff<Flex, C>>,
    weight: FloatTensor<Autodiff<Flex, C>>,
    spec: TransposeSpec,
) -> FloatTensor<Autodiff<Flex, C>> {
    match TransposeBackward.prepare::<C>([x.node(), weight.node()]).compute_bound().stateful() {
        OpsKind::Tracked(prepared) => {
            let (x, weight) = (NhwcTensor::new(x.into_primitive()), contiguous(weight.into_primitive()));
            let output = adjoint(&x, &weight, &spec.params, spec.sides, spec.algorithm);
            prepared.finish((x, weight, spec), output)
        }
        OpsKind::UnTracked(prepared) => prepared.finish(transpose(x.into_primitive(), weight.into_primitive(), spec)),
    }
}

#[derive(Debug)]
struct TransposeBackward;

impl Backward<Flex, 2> for TransposeBackward {
    type State = (NhwcTensor, FlexTensor, TransposeSpec);

    fn backward(self, ops: Ops<Self::State, 2>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let [grad_x, grad_weight] = ops.parents;
        let (x, weight, TransposeSpec { params, algorithm, .. }) = ops.state;
        // What was the adjoint's output is the convolution's input, and the other way round.
        let gradient = gradients.consume::<Flex>(&ops.node);
        if let Some(node) = grad_x {
            let spec = ConvSpec { params, activation: Activation::None, algorithm };
            gradients.register::<Flex>(node.id, convolve(gradient.clone(), weight.clone(), None, spec));
        }
        if let Some(node) = grad_weight {
            let gradient = NhwcTensor::new(gradient);
            let (input, output) = ((gradient.values(), gradient.shape), (x.values(), x.shape));
            let weights = weight_gradient(InstructionSet::best(), algorithm, input, output, &params);
            gradients.register::<Flex>(node.id, tensor(weights, &sizes::<4>(&weight)));
        }
    }
}
