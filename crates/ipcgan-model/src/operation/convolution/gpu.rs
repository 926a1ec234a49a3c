//! Convolutions on GPUs: by kernels of our own in float32 and, on tensor cores, in reduced precision; otherwise by Burn, but
//! for the gradients of weights and bias.

use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::ops::{ConvOptions, ConvTransposeOptions, FloatTensorOps, ModuleOps};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Cube, Dispatch, TensorMetadata, backend_extension};
use burn::nn::conv::{Conv2d, ConvTranspose2d};
use burn::tensor::{DType, FloatDType, Slice, Tensor};
use burn_cubecl::CubeDevice;
use burn_cubecl::kernel::conv::{ConvStrategy, conv_data_backward, conv_forward};
use burn_cubecl::tensor::CubeTensor;
use ipcgan_kernels::{Activation, ConvParams};

use super::spec::UPSAMPLE_PARAMS;
use crate::operation::Precision;
use crate::operation::activation::activate;
use crate::operation::activation::gpu::{slope_of, sloped};
use crate::operation::gpu::implicit_gemm::{self, Channels, Direction, Epilogue, tensor_cores_compute};
use crate::operation::gpu::weight_gradient::{BiasGradient, ParameterGradients, parameter_gradients};
use crate::operation::gpu::{cube_device, dims};

/// Whether [`convolution`] takes float32 and computes the activation too, as the kernels of our own do.
pub(super) fn fuses(layer: &Conv2d, x: &Tensor<4>, precision: Precision) -> bool {
    let [outputs, inputs, ..] = layer.weight.dims();
    let channels = Channels { outputs: outputs / layer.groups, inputs };
    takes_float32(x, Direction::Forward, channels, layer.groups, precision)
}

/// Whether a kernel of our own computes the product of `x` in `precision`, without casting it first.
fn takes_float32(x: &Tensor<4>, direction: Direction, channels: Channels, groups: usize, precision: Precision) -> bool {
    let device = x.device();
    let products =
        cube_device(&device).map(|device| Products::of(x.dtype(), device, direction, channels, groups, precision));
    match products {
        Some(Products::TensorCores) => true,
        Some(Products::ImplicitGemm) => precision.reduced_dtype().is_none(),
        _ => false,
    }
}

/// As [`super::convolution`].
///
/// # Panics
/// If there is an activation, but it is not computed too ([`fuses`]).
pub(super) fn convolution(
    layer: &Conv2d,
    x: Tensor<4>,
    params: ConvParams,
    activation: Activation,
    precision: Precision,
) -> Tensor<4> {
    let slope = slope_of(activation);
    assert!(slope.is_none() || fuses(layer, &x, precision), "the activation is computed elsewhere");
    let fused = slope.is_some() || activation == Activation::None;
    let spec = ConvSpec { params, slope, precision };
    let (x, weight) = (x.into_dispatch(), layer.weight.val().into_dispatch());
    let y = Tensor::from_dispatch(match &layer.bias {
        None => <Dispatch as GpuConvOps>::convolve(x, weight, spec),
        Some(bias) => <Dispatch as GpuConvOps>::convolve_biased(x, weight, bias.val().into_dispatch(), spec),
    });
    if fused { y } else { activate(y, activation) }
}

/// `layer`, the adjoint of a convolution with [`UPSAMPLE_PARAMS`].
pub(super) fn transposed_convolution(layer: &ConvTranspose2d, x: Tensor<4>, precision: Precision) -> Tensor<4> {
    let transpose = |layer: &ConvTranspose2d, x: Tensor<4>| {
        let weight = layer.weight.val().into_dispatch();
        Tensor::<4>::from_dispatch(<Dispatch as GpuConvOps>::transpose(x.into_dispatch(), weight, precision))
    };
    let [inputs, outputs, ..] = layer.weight.dims();
    match takes_float32(&x, Direction::Adjoint, Channels { outputs, inputs }, 1, precision) {
        true => transpose(layer, x),
        false => precision.run(layer, x, transpose),
    }
}

/// Convolutions on GPUs.
#[backend_extension(Cube, Autodiff)]
trait GpuConvOps: Backend {
    /// Convolution of a square window with `[outputs, inputs of a group, kernel, kernel]`.
    fn convolve(x: FloatTensor<Self>, weight: FloatTensor<Self>, spec: ConvSpec) -> FloatTensor<Self>;

    /// The same, with a bias of each output.
    fn convolve_biased(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        spec: ConvSpec,
    ) -> FloatTensor<Self>;

    /// The adjoint of the convolution with [`UPSAMPLE_PARAMS`], with `[inputs, outputs, kernel, kernel]`.
    fn transpose(x: FloatTensor<Self>, weight: FloatTensor<Self>, precision: Precision) -> FloatTensor<Self>;
}

/// How to convolve.
#[derive(Clone, Copy, Debug)]
struct ConvSpec {
    params: ConvParams,
    /// Slope of the activation below zero, if one follows.
    slope: Option<f32>,
    precision: Precision,
}

impl GpuConvOps for Cube {
    fn convolve(x: FloatTensor<Self>, weight: FloatTensor<Self>, spec: ConvSpec) -> FloatTensor<Self> {
        forward(x, weight, None, &spec)
    }

    fn convolve_biased(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        spec: ConvSpec,
    ) -> FloatTensor<Self> {
        forward(x, weight, Some(bias), &spec)
    }

    fn transpose(x: FloatTensor<Self>, weight: FloatTensor<Self>, precision: Precision) -> FloatTensor<Self> {
        transpose(x, weight, precision)
    }
}

impl<C: CheckpointStrategy> GpuConvOps for Autodiff<Cube, C> {
    fn convolve(x: FloatTensor<Self>, weight: FloatTensor<Self>, spec: ConvSpec) -> FloatTensor<Self> {
        let prepared = ConvolveBackward.prepare::<C>([x.node(), weight.node()]).compute_bound().stateful();
        let (x, weight) = (x.into_primitive(), weight.into_primitive());
        let output = forward(x.clone(), weight.clone(), None, &spec);
        match prepared {
            OpsKind::Tracked(prepared) => prepared.finish(SavedForBackward::new(x, weight, &output, spec), output),
            OpsKind::UnTracked(prepared) => prepared.finish(output),
        }
    }

    fn convolve_biased(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        spec: ConvSpec,
    ) -> FloatTensor<Self> {
        let prepared = ConvolveBackward.prepare::<C>([x.node(), weight.node(), bias.node()]).compute_bound().stateful();
        let (x, weight) = (x.into_primitive(), weight.into_primitive());
        let output = forward(x.clone(), weight.clone(), Some(bias.into_primitive()), &spec);
        match prepared {
            OpsKind::Tracked(prepared) => prepared.finish(SavedForBackward::new(x, weight, &output, spec), output),
            OpsKind::UnTracked(prepared) => prepared.finish(output),
        }
    }

    fn transpose(x: FloatTensor<Self>, weight: FloatTensor<Self>, precision: Precision) -> FloatTensor<Self> {
        let prepared = TransposeBackward.prepare::<C>([x.node(), weight.node()]).compute_bound().stateful();
        let (x, weight) = (x.into_primitive(), weight.into_primitive());
        let output = transpose(x.clone(), weight.clone(), precision);
        match prepared {
            OpsKind::Tracked(prepared) => prepared.finish((x, weight, precision), output),
            OpsKind::UnTracked(prepared) => prepared.finish(output),
        }
    }
}

/// The implementation of a product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Products {
    /// Ours, in float32.
    ImplicitGemm,
    /// Ours on tensor cores, with float32 tensors in reduced precision.
    TensorCores,
    /// Burn's on tensor cores, which rounds float32 to TF32.
    MatrixUnits,
    /// Burn's direct convolution, in any number format and for few outputs.
    Direct,
}

impl Products {
    /// For such channels of each of the groups.
    fn of(
        dtype: DType,
        device: &CubeDevice,
        direction: Direction,
        channels: Channels,
        groups: usize,
        precision: Precision,
    ) -> Self {
        let has_outputs = channels.outputs >= implicit_gemm::MIN_OUTPUTS;
        match precision {
            _ if dtype != DType::F32 => Self::Direct,
            Precision::Float32 if has_outputs => Self::ImplicitGemm,
            Precision::Float32 => Self::Direct,
            _ if tensor_cores_compute(device, precision, direction, channels) => Self::TensorCores,
            Precision::Tf32 if groups == 1 => Self::MatrixUnits,
            // Tensor cores compute the other direction of the layer only, so nothing has been cast.
            Precision::Float16 | Precision::Bfloat16 if has_outputs => Self::ImplicitGemm,
            _ => Self::Direct,
        }
    }
}

/// With the activation only if the product is ours ([`fuses`]).
fn forward(x: CubeTensor, weight: CubeTensor, bias: Option<CubeTensor>, spec: &ConvSpec) -> CubeTensor {
    let ConvSpec { params, slope, precision } = spec;
    let channels = Channels::forward(&weight, params.groups);
    let epilogue = |bias| Epilogue { bias, slope: *slope };
    match Products::of(x.dtype(), &x.device, Direction::Forward, channels, params.groups, *precision) {
        Products::ImplicitGemm => {
            return implicit_gemm::convolve(&x, &weight, params, epilogue(bias), Precision::Float32);
        }
        Products::TensorCores => return implicit_gemm::convolve(&x, &weight, params, epilogue(bias), *precision),
        Products::MatrixUnits => {
            let strategy = ConvStrategy::ImplicitGemm;
            let found = conv_forward::<2>(x.clone(), weight.clone(), bias.clone(), options(params), strategy);
            // Sizes for which there are no tiles go the other way.
            if let Ok(y) = found {
                return y;
            }
        }
        Products::Direct => {}
    }
    Cube::conv2d(x, weight, bias, options(params))
}

/// The gradient with respect to `x` of [`forward`], without its activation.
fn grad_input(x: CubeTensor, weight: CubeTensor, gradient: CubeTensor, spec: &ConvSpec) -> CubeTensor {
    let ConvSpec { params, precision, .. } = spec;
    let options = options(params);
    let channels = Channels::adjoint(&weight, params.groups);
    let [_, _, height, width] = dims::<Cube, 4>(&x);
    let sides = [height, width];
    match Products::of(gradient.dtype(), &gradient.device, Direction::Adjoint, channels, params.groups, *precision) {
        Products::ImplicitGemm => {
            return implicit_gemm::convolve_adjoint(&gradient, &weight, params, sides, Precision::Float32);
        }
        Products::TensorCores => {
            return implicit_gemm::convolve_adjoint(&gradient, &weight, params, sides, *precision);
        }
        Products::MatrixUnits if options.stride == [1; 2] && !options.is_asymmetric() => {
            let (gradient, weight, shape) = (gradient.clone(), weight.clone(), x.shape());
            let found = conv_data_backward::<2>(gradient, weight, shape, options.clone(), ConvStrategy::ImplicitGemm);
            if let Ok(found) = found {
                return found;
            }
        }
        Products::MatrixUnits | Products::Direct => {}
    }
    Cube::conv2d_x_backward(x, weight, gradient, options)
}

fn transpose(x: CubeTensor, weight: CubeTensor, precision: Precision) -> CubeTensor {
    let [batch, _, height, width] = dims::<Cube, 4>(&x);
    let sides = [2 * height, 2 * width];
    let channels = Channels::adjoint(&weight, 1);
    let adjoint = |precision| implicit_gemm::convolve_adjoint(&x, &weight, &UPSAMPLE_PARAMS, sides, precision);
    match Products::of(x.dtype(), &x.device, Direction::Adjoint, channels, 1, precision) {
        Products::ImplicitGemm => return adjoint(Precision::Float32),
        Products::TensorCores => return adjoint(precision),
        Products::MatrixUnits | Products::Direct => {}
    }
    let y = Cube::conv_transpose2d(x, weight, None, up_options());
    let [_, channels, ..] = dims::<Cube, 4>(&y);
    // The adjoint has a row and a column too many, because SAME pads right and below only.
    let first = |length: usize| Slice::new(0, Some(length as isize), 1);
    Cube::float_slice(y, &[batch, channels, sides[0], sides[1]].map(first))
}

fn options(params: &ConvParams) -> ConvOptions<2> {
    let padding = [(params.pad_before, params.pad_after); 2];
    ConvOptions { padding, ..ConvOptions::new([params.stride; 2], [0; 2], [1; 2], params.groups) }
}

fn up_options() -> ConvTransposeOptions<2> {
    ConvTransposeOptions::new([UPSAMPLE_PARAMS.stride; 2], [UPSAMPLE_PARAMS.pad_before; 2], [0; 2], [1; 2], 1)
}

/// Tensors saved for the backward pass of a convolution, and how it was computed.
#[derive(Clone, Debug)]
struct SavedForBackward {
    x: CubeTensor,
    weight: CubeTensor,
    /// Tells where the activation was not the identity, if there was one.
    output: Option<CubeTensor>,
    spec: ConvSpec,
}

impl SavedForBackward {
    fn new(x: CubeTensor, weight: CubeTensor, output: &CubeTensor, spec: ConvSpec) -> Self {
        Self { x, weight, output: spec.slope.map(|_| output.clone()), spec }
    }

    /// The gradient before the activation.
    fn before_activation(&self, gradient: CubeTensor) -> CubeTensor {
        match (&self.output, self.spec.slope) {
            (Some(output), Some(slope)) => sloped(output.clone(), gradient, slope),
            _ => gradient,
        }
    }

    /// Gradients of weight and bias from that of the output.
    fn parameter_gradients(&self, gradient: CubeTensor, bias: BiasGradient) -> ParameterGradients {
        let params = &self.spec.params;
        let ParameterGradients { weight, bias } = parameter_gradients(self.x.clone(), gradient, params, bias);
        let cast = |gradient| Cube::float_cast(gradient, float(self.weight.dtype()));
        ParameterGradients { weight: cast(weight), bias: bias.map(cast) }
    }

    fn grad_input(self, gradient: CubeTensor) -> CubeTensor {
        grad_input(self.x, self.weight, gradient, &self.spec)
    }
}

#[derive(Debug)]
struct ConvolveBackward;

impl Backward<Cube, 2> for ConvolveBackward {
    type State = SavedForBackward;

    fn backward(self, ops: Ops<Self::State, 2>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let [grad_x, grad_weight] = ops.parents;
        let gradient = ops.state.before_activation(gradients.consume::<Cube>(&ops.node));
        if let Some(node) = grad_weight {
            let of_parameters = ops.state.parameter_gradients(gradient.clone(), BiasGradient::None);
            gradients.register::<Cube>(node.id, of_parameters.weight);
        }
        if let Some(node) = grad_x {
            gradients.register::<Cube>(node.id, ops.state.grad_input(gradient));
        }
    }
}

/// With a bias.
impl Backward<Cube, 3> for ConvolveBackward {
    type State = SavedForBackward;

    fn backward(self, ops: Ops<Self::State, 3>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let [grad_x, grad_weight, grad_bias] = ops.parents;
        let gradient = ops.state.before_activation(gradients.consume::<Cube>(&ops.node));
        if grad_weight.is_some() || grad_bias.is_some() {
            let of_parameters = ops.state.parameter_gradients(gradient.clone(), BiasGradient::Computed);
            if let Some(node) = grad_weight {
                gradients.register::<Cube>(node.id, of_parameters.weight);
            }
            if let (Some(node), Some(bias)) = (grad_bias, of_parameters.bias) {
                gradients.register::<Cube>(node.id, bias);
            }
        }
        if let Some(node) = grad_x {
            gradients.register::<Cube>(node.id, ops.state.grad_input(gradient));
        }
    }
}

#[derive(Debug)]
struct TransposeBackward;

impl Backward<Cube, 2> for TransposeBackward {
    type State = (CubeTensor, CubeTensor, Precision);

    fn backward(self, ops: Ops<Self::State, 2>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let [grad_x, grad_weight] = ops.parents;
        let (x, weight, precision) = ops.state;
        // The adjoint's output is the convolution's input, and the other way round.
        let gradient = gradients.consume::<Cube>(&ops.node);
        if let Some(node) = grad_weight {
            let of_parameters = parameter_gradients(gradient.clone(), x, &UPSAMPLE_PARAMS, BiasGradient::None);
            gradients.register::<Cube>(node.id, Cube::float_cast(of_parameters.weight, float(weight.dtype())));
        }
        if let Some(node) = grad_x {
            let spec = ConvSpec { params: UPSAMPLE_PARAMS, slope: None, precision };
            gradients.register::<Cube>(node.id, forward(gradient, weight, None, &spec));
        }
    }
}

fn float(dtype: DType) -> FloatDType {
    dtype.into()
}

#[cfg(test)]
mod tests {
    use burn::module::Param;
    use burn::nn::PaddingConfig2d;
    use burn::nn::conv::{Conv2dConfig, ConvTranspose2dConfig};
    use burn::tensor::Device;

    use super::super::{convolution, transposed_convolution};
    use super::*;
    use crate::operation::gpu::multiplies_in_tf32;
    use crate::operation::gpu::tests::test_gpu;
    use crate::random_tensors::RandomTensors;
    use crate::relative_error::normwise_error;

    fn maps(seed: u64, shape: [usize; 4]) -> Tensor<4> {
        RandomTensors::new(seed).uniform(shape, -1.0..1.0)
    }

    /// The gradients by `x` and `weight` of the output of `run`, weighted by `y`.
    fn gradients(
        [x, weight, y]: [&Tensor<4>; 3],
        run: impl Fn(Tensor<4>, Tensor<4>) -> Tensor<4>,
        device: &Device,
    ) -> [Tensor<4>; 2] {
        let [x, weight, y] = [x, weight, y].map(|maps| maps.clone().to_device(device).autodiff().require_grad());
        let gradients = (run(x.clone(), weight.clone()) * y).sum().backward();
        [x, weight].map(|of| of.grad(&gradients).unwrap().to_device(&Device::flex()))
    }

    fn check(found: [Tensor<4>; 2], expected: [Tensor<4>; 2]) {
        for (found, expected) in found.into_iter().zip(expected) {
            let error = normwise_error(found, expected);
            assert!(error < 1e-4, "off by {error} of the largest value");
        }
    }

    /// On CUDA tensor cores compute them, in TF32; elsewhere there are none, and nothing changes.
    #[test]
    fn tf32_gradients_equal_those_of_float32_to_ten_bits() {
        let Some(gpu) = test_gpu() else { return };
        let layer = Conv2dConfig::new([8, 16], [3, 3]).with_padding(PaddingConfig2d::Same).with_bias(false);
        let layer = layer.init(&Device::flex());
        let with = |weight: Tensor<4>| Conv2d { weight: Param::from_tensor(weight), ..layer.clone() };
        let given = [&maps(0, [2, 8, 16, 16]), &layer.weight.val(), &maps(1, [2, 16, 16, 16])];

        let tf32 = |x, weight| convolution(&with(weight), x, Activation::None, Precision::Tf32);
        let found = gradients(given, tf32, &gpu);

        let expected = gradients(given, |x, weight| with(weight).forward(x), &Device::flex());
        let tolerance = if multiplies_in_tf32(&gpu) { 5e-3 } else { 1e-4 };
        for (found, expected) in found.into_iter().zip(expected) {
            assert!(normwise_error(found, expected) < tolerance);
        }
    }

    #[test]
    fn products_in_reduced_precision_are_burns_where_tensor_cores_do_not_compute_them() {
        let Some(gpu) = test_gpu() else { return };
        let device = cube_device(&gpu).unwrap();
        let many = Channels { outputs: 16, inputs: 16 };
        for direction in [Direction::Forward, Direction::Adjoint] {
            let products = |dtype, channels, precision| Products::of(dtype, device, direction, channels, 1, precision);
            let in_tf32 = match tensor_cores_compute(device, Precision::Tf32, direction, many) {
                true => Products::TensorCores,
                false => Products::MatrixUnits,
            };

            assert_eq!(products(DType::F32, many, Precision::Float32), Products::ImplicitGemm);
            assert_eq!(products(DType::F32, many, Precision::Tf32), in_tf32);
            let few = Channels { inputs: 3, ..many };
            assert_eq!(products(DType::F32, few, Precision::Tf32), Products::MatrixUnits);
            assert_eq!(products(DType::F16, many, Precision::Float16), Products::Direct);
        }
        let layer = Conv2dConfig::new([16, 16], [3, 3]).init(&gpu);
        let takes_float32 = fuses(&layer, &Tensor::zeros([1, 16, 8, 8], &gpu), Precision::Float16);
        assert_eq!(takes_float32, tensor_cores_compute(device, Precision::Float16, Direction::Forward, many));
    }

    /// The generator's first layer, and its last that enlarges maps: a weight sums up 131,072 and 32,768 positions.
    #[test]
    fn gradients_of_large_maps_equal_those_of_burns_cpu_kernels() {
        let stem = Conv2dConfig::new([8, 16], [7, 7]).with_padding(PaddingConfig2d::Same).with_bias(false);
        let up = ConvTranspose2dConfig::new([16, 8], [3, 3]).with_stride([2, 2]).with_bias(false);
        let (stem, up) = (stem.init(&Device::flex()), up.init(&Device::flex()));
        let with = |weight: Tensor<4>| Conv2d { weight: Param::from_tensor(weight), ..stem.clone() };
        let up_with = |weight: Tensor<4>| ConvTranspose2d { weight: Param::from_tensor(weight), ..up.clone() };
        let large = [&maps(2, [8, 8, 128, 128]), &stem.weight.val(), &maps(3, [8, 16, 128, 128])];
        let enlarged = [&maps(4, [8, 16, 64, 64]), &up.weight.val(), &maps(5, [8, 8, 128, 128])];

        let device = test_gpu().unwrap_or_else(Device::flex);
        let convolved = |x, weight| convolution(&with(weight), x, Activation::None, Precision::Float32);
        let found = gradients(large, convolved, &device);
        let found_up =
            gradients(enlarged, |x, weight| transposed_convolution(&up_with(weight), x, Precision::Float32), &device);

        check(found, gradients(large, |x, weight| with(weight).forward(x), &Device::flex()));
        let cropped = |y: Tensor<4>| y.narrow(2, 0, 128).narrow(3, 0, 128);
        check(found_up, gradients(enlarged, |x, weight| cropped(up_with(weight).forward(x)), &Device::flex()));
    }
}
