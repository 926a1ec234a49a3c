//! Convolutions by the CPU kernels.

use burn::backend::autodiff::NodeId;
use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, Flex, backend_extension};
use burn::nn::conv::{Conv2d, ConvTranspose2d};
use burn::tensor::Tensor;
use burn_flex::FlexTensor;
use ipcgan_kernels::{
    Activation, ConvParams, Convolution, Epilogue, InstructionSet, Nhwc, activation_gradient, channel_sums,
    weight_gradient,
};

use super::spec::{CONV_ALGORITHM, UPSAMPLE_PARAMS};
use crate::operation::nhwc_tensor::{NhwcTensor, contiguous, nhwc_tensor, sizes, tensor, values};

/// [`super::convolution`] on the CPU.
pub(super) fn convolution(layer: &Conv2d, x: Tensor<4>, params: ConvParams, activation: Activation) -> Tensor<4> {
    let spec = ConvSpec { params, activation };
    let (x, weight) = (x.into_dispatch(), layer.weight.val().into_dispatch());
    Tensor::from_dispatch(match &layer.bias {
        None => <Dispatch as CpuConvOps>::convolve(x, weight, spec),
        Some(bias) => <Dispatch as CpuConvOps>::convolve_biased(x, weight, bias.val().into_dispatch(), spec),
    })
}

/// [`super::transposed_convolution`] on the CPU; `sides` are height and width of the output.
pub(super) fn transposed_convolution(layer: &ConvTranspose2d, x: Tensor<4>, sides: [usize; 2]) -> Tensor<4> {
    let spec = TransposeSpec { params: UPSAMPLE_PARAMS, sides };
    let (x, weight) = (x.into_dispatch(), layer.weight.val().into_dispatch());
    Tensor::from_dispatch(<Dispatch as CpuConvOps>::transpose(x, weight, spec))
}

/// Convolutions on the CPU, with bias and activation in the same pass over memory.
#[backend_extension(Flex, Autodiff)]
trait CpuConvOps: Backend {
    /// Convolution with `[outputs, inputs of a group, kernel, kernel]`, then an activation.
    fn convolve(x: FloatTensor<Self>, weight: FloatTensor<Self>, spec: ConvSpec) -> FloatTensor<Self>;

    /// Convolution with a bias before the activation.
    fn convolve_biased(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        spec: ConvSpec,
    ) -> FloatTensor<Self>;

    /// Transposed convolution with `[inputs, outputs, kernel, kernel]`.
    fn transpose(x: FloatTensor<Self>, weight: FloatTensor<Self>, spec: TransposeSpec) -> FloatTensor<Self>;
}

impl CpuConvOps for Flex {
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

impl<C: CheckpointStrategy> CpuConvOps for Autodiff<Flex, C> {
    fn convolve(x: FloatTensor<Self>, weight: FloatTensor<Self>, spec: ConvSpec) -> FloatTensor<Self> {
        let prepared = ConvolveBackward.prepare::<C>([x.node(), weight.node()]).compute_bound().stateful();
        let (x, weight) = (x.into_primitive(), weight.into_primitive());
        match prepared {
            OpsKind::Tracked(prepared) => {
                let (saved, output) = SavedForBackward::forward(x, weight, None, spec);
                prepared.finish(saved, output)
            }
            OpsKind::UnTracked(prepared) => prepared.finish(convolve(x, weight, None, spec)),
        }
    }

    fn convolve_biased(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        spec: ConvSpec,
    ) -> FloatTensor<Self> {
        let prepared = ConvolveBackward.prepare::<C>([x.node(), weight.node(), bias.node()]).compute_bound().stateful();
        let (x, weight, bias) = (x.into_primitive(), weight.into_primitive(), Some(bias.into_primitive()));
        match prepared {
            OpsKind::Tracked(prepared) => {
                let (saved, output) = SavedForBackward::forward(x, weight, bias, spec);
                prepared.finish(saved, output)
            }
            OpsKind::UnTracked(prepared) => prepared.finish(convolve(x, weight, bias, spec)),
        }
    }

    fn transpose(x: FloatTensor<Self>, weight: FloatTensor<Self>, spec: TransposeSpec) -> FloatTensor<Self> {
        match TransposeBackward.prepare::<C>([x.node(), weight.node()]).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => {
                let (x, weight) = (NhwcTensor::new(x.into_primitive()), contiguous(weight.into_primitive()));
                let output = adjoint(&x, &weight, &spec.params, spec.sides);
                prepared.finish((x, weight, spec), output)
            }
            OpsKind::UnTracked(prepared) => {
                prepared.finish(transpose(x.into_primitive(), weight.into_primitive(), spec))
            }
        }
    }
}

/// Parameters of a convolution.
#[derive(Clone, Copy, Debug)]
struct ConvSpec {
    params: ConvParams,
    activation: Activation,
}

/// Parameters of a transposed convolution.
#[derive(Clone, Copy, Debug)]
struct TransposeSpec {
    /// Parameters of the convolution whose adjoint it is.
    params: ConvParams,
    /// Height and width of the output.
    sides: [usize; 2],
}

fn convolve(x: FlexTensor, weight: FlexTensor, bias: Option<FlexTensor>, spec: ConvSpec) -> FlexTensor {
    let ConvSpec { params, activation } = spec;
    let (x, weight, bias) = (NhwcTensor::new(x), contiguous(weight), bias.map(contiguous));
    let [outputs, inputs, _, _] = sizes(&weight);
    let [height, width] = [x.shape.height, x.shape.width].map(|side| params.output_side(side));
    let shape = Nhwc { height, width, channels: outputs, ..x.shape };
    let (instructions, channels) = (InstructionSet::best(), [outputs, inputs]);
    let convolution = Convolution::new(instructions, CONV_ALGORITHM, values(&weight), channels, &params, Some(shape));
    let epilogue = Epilogue { bias: bias.as_ref().map(values), residual: None, activation };
    nhwc_tensor(convolution.run(x.values(), x.shape, [height, width], &epilogue), shape)
}

fn transpose(x: FlexTensor, weight: FlexTensor, spec: TransposeSpec) -> FlexTensor {
    let x = NhwcTensor::new(x);
    let weight = contiguous(weight);
    adjoint(&x, &weight, &spec.params, spec.sides)
}

/// Adjoint of a convolution: from feature maps of its output to feature maps of its input, of height and width `sides`.
fn adjoint(x: &NhwcTensor, weight: &FlexTensor, params: &ConvParams, sides: [usize; 2]) -> FlexTensor {
    let [outputs, inputs, _, _] = sizes(weight);
    let shape = Nhwc { height: sides[0], width: sides[1], channels: inputs * params.groups, ..x.shape };
    let (instructions, channels) = (InstructionSet::best(), [outputs, inputs]);
    let convolution = Convolution::adjoint(instructions, CONV_ALGORITHM, values(weight), channels, params, Some(shape));
    nhwc_tensor(convolution.run(x.values(), x.shape, sides, &Epilogue::default()), shape)
}

/// Tensors saved for the backward pass of a convolution.
#[derive(Clone, Debug)]
struct SavedForBackward {
    x: NhwcTensor,
    weight: FlexTensor,
    /// Output of the activation, if there is one: its sign gives the derivative of the activation.
    output: Option<NhwcTensor>,
    spec: ConvSpec,
}

impl SavedForBackward {
    /// Runs the convolution; returns the saved tensors and the output.
    fn forward(x: FlexTensor, weight: FlexTensor, bias: Option<FlexTensor>, spec: ConvSpec) -> (Self, FlexTensor) {
        let (x, weight) = (NhwcTensor::new(x), contiguous(weight));
        let output = convolve(x.clone().into_tensor(), weight.clone(), bias, spec);
        let kept = (spec.activation != Activation::None).then(|| NhwcTensor::new(output.clone()));
        (Self { x, weight, output: kept, spec }, output)
    }

    /// Gradient with respect to the input of the activation.
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
        adjoint(gradient, &self.weight, &self.spec.params, [self.x.shape.height, self.x.shape.width])
    }

    fn grad_weight(&self, gradient: &NhwcTensor) -> FlexTensor {
        let (x, gradient) = ((self.x.values(), self.x.shape), (gradient.values(), gradient.shape));
        let weights = weight_gradient(InstructionSet::best(), CONV_ALGORITHM, x, gradient, &self.spec.params);
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

#[derive(Debug)]
struct TransposeBackward;

impl Backward<Flex, 2> for TransposeBackward {
    type State = (NhwcTensor, FlexTensor, TransposeSpec);

    fn backward(self, ops: Ops<Self::State, 2>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let [x_node, weight_node] = ops.parents;
        let (x, weight, TransposeSpec { params, .. }) = ops.state;
        // The adjoint's output is the convolution's input, and the other way round.
        let gradient = gradients.consume::<Flex>(&ops.node);
        if let Some(node) = x_node {
            let spec = ConvSpec { params, activation: Activation::None };
            gradients.register::<Flex>(node.id, convolve(gradient.clone(), weight.clone(), None, spec));
        }
        if let Some(node) = weight_node {
            let gradient = NhwcTensor::new(gradient);
            let (input, output) = ((gradient.values(), gradient.shape), (x.values(), x.shape));
            let weights = weight_gradient(InstructionSet::best(), CONV_ALGORITHM, input, output, &params);
            gradients.register::<Flex>(node.id, tensor(weights, &sizes::<4>(&weight)));
        }
    }
}
