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
    Activation, Arithmetic, Convolution, Epilogue, Instructions, Maps, Window, activation_gradient, channel_sums,
    weight_gradient,
};

use super::extension::KernelOperations;
use super::gpu;
use super::memory::{FeatureMaps, contiguous, feature_maps, sizes, tensor, values};
use super::precision::by_burn;
use super::{activated, products_for};

/// The window of the convolution whose adjoint doubles the sides: SAME pads an even number of pixels for a window of
/// three by one pixel, right and below.
pub(super) const UP_WINDOW: Window = Window { kernel: 3, stride: 2, before: 0, after: 1, groups: 1 };

/// `layer`, then an activation.
///
/// `[batch, inputs, height, width]` to `[batch, outputs, height / stride, width / stride]`, as the layer's padding says.
pub(crate) fn convolution(layer: &Conv2d, x: Tensor<4>, activation: Activation) -> Tensor<4> {
    let [_, _, height, width] = x.dims();
    let (Some(arithmetic), Some(window)) = (products_for(&x), window(layer, [height, width])) else {
        return activated(by_burn(layer, x, gpu::convolution), activation);
    };
    let form = Convolve { window, activation, arithmetic };
    let (x, weight) = (x.into_dispatch(), layer.weight.val().into_dispatch());
    Tensor::from_dispatch(match &layer.bias {
        None => <Dispatch as KernelOperations>::convolve(x, weight, form),
        Some(bias) => <Dispatch as KernelOperations>::convolve_biased(x, weight, bias.val().into_dispatch(), form),
    })
}

/// `layer`, the adjoint of a convolution of stride two with TensorFlow's SAME padding: `[batch, inputs, height, width]`
/// to `[batch, outputs, 2 height, 2 width]`.
pub(crate) fn transposed_convolution(layer: &ConvTranspose2d, x: Tensor<4>) -> Tensor<4> {
    let [_, _, height, width] = x.dims();
    let sides = [2 * height, 2 * width];
    match products_for(&x) {
        Some(arithmetic) => {
            let form = Transpose { window: UP_WINDOW, sides, arithmetic };
            Tensor::from_dispatch(<Dispatch as KernelOperations>::transpose(
                x.into_dispatch(),
                layer.weight.val().into_dispatch(),
                form,
            ))
        }
        // The adjoint of SAME padding, which pads right and below, loses the last row and column.
        None => by_burn(layer, x, gpu::transposed_convolution).narrow(2, 0, sides[0]).narrow(3, 0, sides[1]),
    }
}

/// The layer's window over maps of `[height, width]`, if the kernels know its like: square, the same along both axes.
pub(super) fn window(layer: &Conv2d, [height, width]: [usize; 2]) -> Option<Window> {
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
    let window = Window { kernel, stride, before: rows.0, after: rows.1, groups: layer.groups };
    (square && rows == columns).then_some(window)
}

/// How to convolve.
#[derive(Clone, Copy, Debug)]
pub(super) struct Convolve {
    window: Window,
    activation: Activation,
    arithmetic: Arithmetic,
}

/// How to convolve backwards.
#[derive(Clone, Copy, Debug)]
pub(super) struct Transpose {
    /// Of the convolution whose adjoint it is.
    window: Window,
    /// Height and width of the output.
    sides: [usize; 2],
    arithmetic: Arithmetic,
}

pub(super) fn convolve(x: FlexTensor, weight: FlexTensor, bias: Option<FlexTensor>, form: Convolve) -> FlexTensor {
    let Convolve { window, activation, arithmetic } = form;
    let (x, weight, bias) = (FeatureMaps::new(x), contiguous(weight), bias.map(contiguous));
    let [outputs, inputs, _, _] = sizes(&weight);
    let [height, width] = [x.maps.height, x.maps.width].map(|side| window.output_side(side));
    let maps = Maps { height, width, channels: outputs, ..x.maps };
    let (instructions, channels) = (Instructions::best(), [outputs, inputs]);
    let convolution = Convolution::new(instructions, arithmetic, values(&weight), channels, &window, Some(maps));
    let epilogue = Epilogue { bias: bias.as_ref().map(values), residual: None, activation };
    feature_maps(convolution.run(x.values(), x.maps, [height, width], &epilogue), maps)
}

pub(super) fn transpose(x: FlexTensor, weight: FlexTensor, form: Transpose) -> FlexTensor {
    let x = FeatureMaps::new(x);
    let weight = contiguous(weight);
    adjoint(&x, &weight, &form.window, form.sides, form.arithmetic)
}

/// From maps of a convolution's output to maps of its input, which have `sides`.
fn adjoint(
    x: &FeatureMaps,
    weight: &FlexTensor,
    window: &Window,
    sides: [usize; 2],
    arithmetic: Arithmetic,
) -> FlexTensor {
    let [outputs, inputs, _, _] = sizes(weight);
    let maps = Maps { height: sides[0], width: sides[1], channels: inputs * window.groups, ..x.maps };
    let (instructions, channels) = (Instructions::best(), [outputs, inputs]);
    let convolution = Convolution::adjoint(instructions, arithmetic, values(weight), channels, window, Some(maps));
    feature_maps(convolution.run(x.values(), x.maps, sides, &Epilogue::default()), maps)
}

pub(super) fn recorded_convolve<C: CheckpointStrategy>(
    x: FloatTensor<Autodiff<Flex, C>>,
    weight: FloatTensor<Autodiff<Flex, C>>,
    form: Convolve,
) -> FloatTensor<Autodiff<Flex, C>> {
    let prepared = ConvolveBack.prepare::<C>([x.node(), weight.node()]).compute_bound().stateful();
    let (x, weight) = (x.into_primitive(), weight.into_primitive());
    match prepared {
        OpsKind::Tracked(prepared) => {
            let (recorded, output) = Recorded::new(x, weight, None, form);
            prepared.finish(recorded, output)
        }
        OpsKind::UnTracked(prepared) => prepared.finish(convolve(x, weight, None, form)),
    }
}

pub(super) fn recorded_convolve_biased<C: CheckpointStrategy>(
    x: FloatTensor<Autodiff<Flex, C>>,
    weight: FloatTensor<Autodiff<Flex, C>>,
    bias: FloatTensor<Autodiff<Flex, C>>,
    form: Convolve,
) -> FloatTensor<Autodiff<Flex, C>> {
    let prepared = ConvolveBack.prepare::<C>([x.node(), weight.node(), bias.node()]).compute_bound().stateful();
    let (x, weight, bias) = (x.into_primitive(), weight.into_primitive(), Some(bias.into_primitive()));
    match prepared {
        OpsKind::Tracked(prepared) => {
            let (recorded, output) = Recorded::new(x, weight, bias, form);
            prepared.finish(recorded, output)
        }
        OpsKind::UnTracked(prepared) => prepared.finish(convolve(x, weight, bias, form)),
    }
}

/// What the gradient of a convolution needs.
#[derive(Clone, Debug)]
struct Recorded {
    x: FeatureMaps,
    weight: FlexTensor,
    /// If there is an activation: its output tells where it was not the identity.
    output: Option<FeatureMaps>,
    form: Convolve,
}

impl Recorded {
    /// With the output.
    fn new(x: FlexTensor, weight: FlexTensor, bias: Option<FlexTensor>, form: Convolve) -> (Self, FlexTensor) {
        let (x, weight) = (FeatureMaps::new(x), contiguous(weight));
        let output = convolve(x.clone().into_tensor(), weight.clone(), bias, form);
        let kept = (form.activation != Activation::None).then(|| FeatureMaps::new(output.clone()));
        (Self { x, weight, output: kept, form }, output)
    }

    /// The gradient of the sums, before the activation.
    fn gradient_of_sums(&self, gradient: FlexTensor) -> FeatureMaps {
        let gradient = FeatureMaps::new(gradient);
        match &self.output {
            None => gradient,
            Some(output) => {
                let before =
                    activation_gradient(Instructions::best(), self.form.activation, output.values(), gradient.values());
                FeatureMaps::new(feature_maps(before, gradient.maps))
            }
        }
    }

    /// Registers the gradients towards input, weight and bias for those nodes that want them.
    fn register(&self, [x, weight, bias]: [Option<NodeId>; 3], gradient: FlexTensor, gradients: &mut Gradients) {
        let gradient = self.gradient_of_sums(gradient);
        if let Some(node) = x {
            gradients.register::<Flex>(node, self.towards_input(&gradient));
        }
        if let Some(node) = weight {
            gradients.register::<Flex>(node, self.towards_weight(&gradient));
        }
        if let Some(node) = bias {
            let channels = gradient.maps.channels;
            let sums = channel_sums(Instructions::best(), gradient.values(), channels);
            gradients.register::<Flex>(node, tensor(sums, &[channels]));
        }
    }

    fn towards_input(&self, gradient: &FeatureMaps) -> FlexTensor {
        let Convolve { window, arithmetic, .. } = self.form;
        adjoint(gradient, &self.weight, &window, [self.x.maps.height, self.x.maps.width], arithmetic)
    }

    fn towards_weight(&self, gradient: &FeatureMaps) -> FlexTensor {
        let Convolve { window, arithmetic, .. } = self.form;
        let (x, gradient) = ((self.x.values(), self.x.maps), (gradient.values(), gradient.maps));
        let weights = weight_gradient(Instructions::best(), arithmetic, x, gradient, &window);
        tensor(weights, &sizes::<4>(&self.weight))
    }
}

#[derive(Debug)]
struct ConvolveBack;

impl Backward<Flex, 2> for ConvolveBack {
    type State = Recorded;

    fn backward(self, ops: Ops<Recorded, 2>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let [x, weight] = ops.parents;
        let gradient = gradients.consume::<Flex>(&ops.node);
        ops.state.register([x.map(|node| node.id), weight.map(|node| node.id), None], gradient, gradients);
    }
}

impl Backward<Flex, 3> for ConvolveBack {
    type State = Recorded;

    fn backward(self, ops: Ops<Recorded, 3>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let gradient = gradients.consume::<Flex>(&ops.node);
        ops.state.register(ops.parents.map(|node| node.map(|node| node.id)), gradient, gradients);
    }
}

pub(super) fn recorded_transpose<C: CheckpointStrategy>(
    x: FloatTensor<Autodiff<Flex, C>>,
    weight: FloatTensor<Autodiff<Flex, C>>,
    form: Transpose,
) -> FloatTensor<Autodiff<Flex, C>> {
    match TransposeBack.prepare::<C>([x.node(), weight.node()]).compute_bound().stateful() {
        OpsKind::Tracked(prepared) => {
            let (x, weight) = (FeatureMaps::new(x.into_primitive()), contiguous(weight.into_primitive()));
            let output = adjoint(&x, &weight, &form.window, form.sides, form.arithmetic);
            prepared.finish((x, weight, form), output)
        }
        OpsKind::UnTracked(prepared) => prepared.finish(transpose(x.into_primitive(), weight.into_primitive(), form)),
    }
}

#[derive(Debug)]
struct TransposeBack;

impl Backward<Flex, 2> for TransposeBack {
    type State = (FeatureMaps, FlexTensor, Transpose);

    fn backward(self, ops: Ops<Self::State, 2>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let [towards_x, towards_weight] = ops.parents;
        let (x, weight, Transpose { window, arithmetic, .. }) = ops.state;
        // What was the adjoint's output is the convolution's input, and the other way round.
        let gradient = gradients.consume::<Flex>(&ops.node);
        if let Some(node) = towards_x {
            let form = Convolve { window, activation: Activation::None, arithmetic };
            gradients.register::<Flex>(node.id, convolve(gradient.clone(), weight.clone(), None, form));
        }
        if let Some(node) = towards_weight {
            let gradient = FeatureMaps::new(gradient);
            let (input, output) = ((gradient.values(), gradient.maps), (x.values(), x.maps));
            let weights = weight_gradient(Instructions::best(), arithmetic, input, output, &window);
            gradients.register::<Flex>(node.id, tensor(weights, &sizes::<4>(&weight)));
        }
    }
}
