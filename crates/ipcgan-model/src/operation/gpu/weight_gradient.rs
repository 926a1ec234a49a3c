//! Convolutions on GPUs, with the long sums of their weights' gradients cut into parts.
//!
//! Burn (0.22.1, without autotune) has one thread sum up all places of all maps for one weight. That leaves most of a GPU
//! without work, and is wrong where a driver ends loops early: Mesa's software drivers do after 65,535 turns. Here the
//! batch, and where that is not enough its maps, are cut into parts; each part is a group of one convolution, and so has
//! threads of its own.

use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::ops::{ConvOptions, ConvTransposeOptions, FloatTensorOps, ModuleOps};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Cube, Dispatch, DispatchDevice, TensorMetadata, backend_extension};
use burn::nn::conv::{Conv2d, ConvTranspose2d};
use burn::tensor::ops::PadMode;
use burn::tensor::{DType, FloatDType, Shape, Slice, Tensor};
use ipcgan_kernels::Window;

use super::convolution::{UP_WINDOW, window};

/// Turns of a thread's loop, at most.
const LONGEST: usize = 40_000;

/// `layer` on whichever device Burn runs, `[batch, inputs, height, width]` to `[batch, outputs, ...]`.
pub(super) fn convolution(layer: &Conv2d, x: Tensor<4>) -> Tensor<4> {
    let [_, _, height, width] = x.dims();
    let Some(window) = window(layer, [height, width]).filter(|_| on_a_gpu(&x)) else {
        return layer.forward(x);
    };
    let weight = layer.weight.val().into_dispatch();
    let y = Tensor::<4>::from_dispatch(<Dispatch as LongSums>::convolve(x.into_dispatch(), weight, window));
    match &layer.bias {
        Some(bias) => y + bias.val().reshape([1, -1, 1, 1]),
        None => y,
    }
}

/// `layer`, the adjoint of a convolution with [`UP_WINDOW`], with the row and column that Burn gives too many.
pub(super) fn transposed_convolution(layer: &ConvTranspose2d, x: Tensor<4>) -> Tensor<4> {
    if !on_a_gpu(&x) || layer.bias.is_some() {
        return layer.forward(x);
    }
    let weight = layer.weight.val().into_dispatch();
    Tensor::from_dispatch(<Dispatch as LongSums>::transpose(x.into_dispatch(), weight))
}

fn on_a_gpu(x: &Tensor<4>) -> bool {
    let device = x.device();
    let device = match device.as_dispatch() {
        DispatchDevice::Autodiff(device) => device,
        device => device,
    };
    matches!(device, DispatchDevice::Cube(_))
}

/// Convolutions of square windows.
#[backend_extension(Cube, Autodiff)]
trait LongSums: Backend {
    /// With `[outputs, inputs of a group, kernel, kernel]`.
    fn convolve(x: FloatTensor<Self>, weight: FloatTensor<Self>, window: Window) -> FloatTensor<Self>;

    /// The adjoint of the convolution with [`UP_WINDOW`], with `[inputs, outputs, kernel, kernel]`.
    fn transpose(x: FloatTensor<Self>, weight: FloatTensor<Self>) -> FloatTensor<Self>;
}

impl LongSums for Cube {
    fn convolve(x: FloatTensor<Self>, weight: FloatTensor<Self>, window: Window) -> FloatTensor<Self> {
        Self::conv2d(x, weight, None, options(&window))
    }

    fn transpose(x: FloatTensor<Self>, weight: FloatTensor<Self>) -> FloatTensor<Self> {
        Self::conv_transpose2d(x, weight, None, up_options())
    }
}

impl<C: CheckpointStrategy> LongSums for Autodiff<Cube, C> {
    fn convolve(x: FloatTensor<Self>, weight: FloatTensor<Self>, window: Window) -> FloatTensor<Self> {
        let prepared = ConvolveBack.prepare::<C>([x.node(), weight.node()]).compute_bound().stateful();
        let (x, weight) = (x.into_primitive(), weight.into_primitive());
        match prepared {
            OpsKind::Tracked(prepared) => {
                prepared.finish((x.clone(), weight.clone(), window), Cube::convolve(x, weight, window))
            }
            OpsKind::UnTracked(prepared) => prepared.finish(Cube::convolve(x, weight, window)),
        }
    }

    fn transpose(x: FloatTensor<Self>, weight: FloatTensor<Self>) -> FloatTensor<Self> {
        let prepared = TransposeBack.prepare::<C>([x.node(), weight.node()]).compute_bound().stateful();
        let (x, weight) = (x.into_primitive(), weight.into_primitive());
        match prepared {
            OpsKind::Tracked(prepared) => prepared.finish((x.clone(), weight.clone()), Cube::transpose(x, weight)),
            OpsKind::UnTracked(prepared) => prepared.finish(Cube::transpose(x, weight)),
        }
    }
}

fn options(window: &Window) -> ConvOptions<2> {
    let padding = [(window.before, window.after); 2];
    ConvOptions { padding, ..ConvOptions::new([window.stride; 2], [0; 2], [1; 2], window.groups) }
}

fn up_options() -> ConvTransposeOptions<2> {
    ConvTransposeOptions::new([UP_WINDOW.stride; 2], [UP_WINDOW.before; 2], [0; 2], [1; 2], 1)
}

#[derive(Debug)]
struct ConvolveBack;

impl Backward<Cube, 2> for ConvolveBack {
    type State = (FloatTensor<Cube>, FloatTensor<Cube>, Window);

    fn backward(self, ops: Ops<Self::State, 2>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let [towards_x, towards_weight] = ops.parents;
        let (x, weight, window) = ops.state;
        let gradient = gradients.consume::<Cube>(&ops.node);
        if let Some(node) = towards_weight {
            let weights = weight_gradient::<Cube>(padded(x.clone(), &window), gradient.clone(), &window, LONGEST);
            gradients.register::<Cube>(node.id, Cube::float_cast(weights, float(weight.dtype())));
        }
        if let Some(node) = towards_x {
            let towards_x = Cube::conv2d_x_backward(x, weight, gradient, options(&window));
            gradients.register::<Cube>(node.id, towards_x);
        }
    }
}

#[derive(Debug)]
struct TransposeBack;

impl Backward<Cube, 2> for TransposeBack {
    type State = (FloatTensor<Cube>, FloatTensor<Cube>);

    fn backward(self, ops: Ops<Self::State, 2>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let [towards_x, towards_weight] = ops.parents;
        let (x, weight) = ops.state;
        let gradient = gradients.consume::<Cube>(&ops.node);
        if let Some(node) = towards_weight {
            // What was the adjoint's output is the convolution's input, and the other way round. It has the row and the
            // column that SAME padding adds already.
            let weights = weight_gradient::<Cube>(gradient.clone(), x, &UP_WINDOW, LONGEST);
            gradients.register::<Cube>(node.id, Cube::float_cast(weights, float(weight.dtype())));
        }
        if let Some(node) = towards_x {
            let towards_x = Cube::conv_transpose2d_x_backward(weight, gradient, up_options());
            gradients.register::<Cube>(node.id, towards_x);
        }
    }
}

fn float(dtype: DType) -> FloatDType {
    dtype.into()
}

fn padded(x: FloatTensor<Cube>, window: &Window) -> FloatTensor<Cube> {
    match (window.before, window.after) {
        (0, 0) => x,
        sides => Cube::float_pad(x, &[(0, 0), (0, 0), sides, sides], PadMode::Constant(0.0)),
    }
}

/// `[outputs, inputs of a group, kernel, kernel]`, of padded `x` `[batch, inputs, ...]` and the gradient `y` of the outputs
/// `[batch, outputs, height, width]`; in float32, because the sums are long.
///
/// A thread's loop has `longest` turns at most, if one row of one map does not have more.
fn weight_gradient<B: Backend>(
    x: FloatTensor<B>,
    y: FloatTensor<B>,
    window: &Window,
    longest: usize,
) -> FloatTensor<B> {
    let [_, _, height, width] = dims::<B>(&y);
    let rows = rows_of_a_band(height, width, longest);
    let (x, y) = (
        bands::<B>(in_float32::<B>(x), [rows * window.stride, rows_seen(rows, window)]),
        bands::<B>(in_float32::<B>(y), [rows; 2]),
    );
    let ([batch, inputs, x_height, x_width], [_, outputs, ..]) = (dims::<B>(&x), dims::<B>(&y));
    let (groups, kernel, maps) = (window.groups, window.kernel, maps_of_a_part(batch, rows * width, longest));
    let parts = batch / maps;

    // Both lie channels last in memory, as the kernel reads them.
    let x = B::float_reshape(x, Shape::new([batch, groups, inputs / groups, x_height, x_width]));
    let x = B::float_permute(x, &[2, 3, 4, 1, 0]);
    let x = B::float_reshape(x, Shape::new([inputs / groups, x_height, x_width, groups * batch]));
    let y = B::float_reshape(y, Shape::new([parts, maps, groups, outputs / groups, rows, width]));
    let y = B::float_permute(y, &[2, 0, 3, 4, 5, 1]);
    let y = B::float_reshape(y, Shape::new([parts * outputs, rows, width, maps]));
    let [x, y] = [x, y].map(|maps| B::float_permute(maps, &[0, 3, 1, 2]));

    // Where the outputs' gradient is the kernel, its pixels lie a stride apart.
    let sums = B::conv2d(x, y, None, ConvOptions::new([1; 2], [0; 2], [window.stride; 2], groups * parts));
    // What a stride leaves over at the right and below belongs to no weight.
    let whole = |length: usize| Slice::new(0, Some(length as isize), 1);
    let sums = B::float_slice(sums, &[inputs / groups, parts * outputs, kernel, kernel].map(whole));
    let sums = B::float_reshape(sums, Shape::new([inputs / groups, groups, parts, outputs / groups, kernel, kernel]));
    // Burn (0.22.1) sums an axis of one pixel wrongly where channels lie last in memory.
    let sums = if parts == 1 { sums } else { B::float_sum_dim(sums, 2) };
    let sums = B::float_permute(sums, &[1, 3, 0, 2, 4, 5]);
    B::float_reshape(sums, Shape::new([outputs, inputs / groups, kernel, kernel]))
}

/// Turns of a loop over maps of `places` pixels, `maps` of them: one a place, and one a place for each vector of maps.
fn turns(maps: usize, places: usize) -> usize {
    let vector = [4, 2, 1].into_iter().find(|vector| maps.is_multiple_of(*vector)).unwrap_or(1);
    places * (1 + maps / vector)
}

/// How many of `batch` maps one sum may see, all at most and one at least.
fn maps_of_a_part(batch: usize, places: usize, longest: usize) -> usize {
    let mut divisors = (1..=batch).rev().filter(|maps| batch.is_multiple_of(*maps));
    divisors.find(|maps| turns(*maps, places) <= longest).unwrap_or(1)
}

/// How many rows of a map of `height` and `width` one sum may see.
fn rows_of_a_band(height: usize, width: usize, longest: usize) -> usize {
    let mut divisors = (1..=height).rev().filter(|rows| height.is_multiple_of(*rows));
    divisors.find(|rows| turns(1, rows * width) <= longest).unwrap_or(1)
}

/// How many rows of its input a convolution with `window` sees for `rows` of its output.
fn rows_seen(rows: usize, window: &Window) -> usize {
    (rows - 1) * window.stride + window.kernel
}

/// Bands of `[first row of the next, rows]` as maps of their own, `[batch * bands, channels, rows, width]`.
fn bands<B: Backend>(x: FloatTensor<B>, [step, rows]: [usize; 2]) -> FloatTensor<B> {
    let [batch, channels, height, width] = dims::<B>(&x);
    if height < rows + step {
        return x;
    }
    let cut = (0..=height - rows).step_by(step).map(|first| {
        let whole = |length: usize| Slice::new(0, Some(length as isize), 1);
        let band = Slice::new(first as isize, Some((first + rows) as isize), 1);
        B::float_slice(x.clone(), &[whole(batch), whole(channels), band, whole(width)])
    });
    B::float_cat(cut.collect(), 0)
}

fn in_float32<B: Backend>(x: FloatTensor<B>) -> FloatTensor<B> {
    match x.dtype() {
        DType::F32 => x,
        _ => B::float_cast(x, FloatDType::F32),
    }
}

fn dims<B: Backend>(x: &FloatTensor<B>) -> [usize; 4] {
    x.shape().dims()
}

#[cfg(test)]
mod tests {
    use burn::backend::Flex;
    use burn::module::Param;
    use burn::nn::PaddingConfig2d;
    use burn::nn::conv::{Conv2dConfig, ConvTranspose2dConfig};
    use burn::tensor::{Device, Distribution};
    use burn_flex::FlexTensor;

    use super::*;

    const WINDOWS: [Window; 4] = [
        Window { kernel: 7, stride: 1, before: 3, after: 3, groups: 1 },
        Window { kernel: 4, stride: 2, before: 1, after: 1, groups: 1 },
        Window { kernel: 3, stride: 2, before: 0, after: 0, groups: 2 },
        UP_WINDOW,
    ];

    fn maps(shape: [usize; 4]) -> Tensor<4> {
        Tensor::random(shape, Distribution::Uniform(-1.0, 1.0), &Device::flex())
    }

    fn primitive(x: &Tensor<4>) -> FlexTensor {
        x.clone().try_into_primitive::<Flex>().unwrap()
    }

    #[test]
    fn sums_in_parts_are_whole_sums() {
        for window in WINDOWS {
            let side = window.output_side(16);
            let (x, y) = (maps([6, 4, 16, 16]), maps([6, 8, side, side]));
            let kernel = window.kernel;
            let weight = Flex::float_empty(
                Shape::new([8, 4 / window.groups, kernel, kernel]),
                &Default::default(),
                FloatDType::F32,
            );
            let whole = Flex::conv2d_weight_backward(primitive(&x), weight, primitive(&y), options(&window));
            let whole = Tensor::<4>::from_primitive::<Flex>(whole);
            let padded = x.pad([(window.before, window.after); 2], 0.0);
            for longest in [usize::MAX, 500, 100, 20] {
                let found = weight_gradient::<Flex>(primitive(&padded), primitive(&y), &window, longest);
                let found = Tensor::<4>::from_primitive::<Flex>(found);
                let difference = (found - whole.clone()).abs().max().into_scalar::<f32>();
                assert!(difference < 1e-4, "{window:?}, loops of {longest}: {difference}");
            }
        }
    }

    /// The GPU that `IPCGAN_TEST_DEVICE` names, or the CPU.
    fn device() -> Device {
        match std::env::var("IPCGAN_TEST_DEVICE").as_deref() {
            Err(_) => Device::flex(),
            #[cfg(feature = "wgpu")]
            Ok("wgpu:software") => Device::wgpu(burn::tensor::DeviceKind::Cpu),
            Ok(_) => Device::default(),
        }
    }

    /// The gradients towards `x` and `weight` of what `run` makes of them, when it counts as `y` says.
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
            let largest = expected.clone().abs().max().into_scalar::<f32>();
            let share = (found - expected).abs().max().into_scalar::<f32>() / largest;
            assert!(share < 1e-4, "off by {share} of the largest value");
        }
    }

    /// The generator's first layer, and its last that enlarges maps: a weight sums up 131,072 and 32,768 places.
    #[test]
    fn gradients_of_large_maps_are_those_of_burns_kernels_on_the_cpu() {
        let stem = Conv2dConfig::new([8, 16], [7, 7]).with_padding(PaddingConfig2d::Same).with_bias(false);
        let up = ConvTranspose2dConfig::new([16, 8], [3, 3]).with_stride([2, 2]).with_bias(false);
        let (stem, up) = (stem.init(&Device::flex()), up.init(&Device::flex()));
        let with = |weight: Tensor<4>| Conv2d { weight: Param::from_tensor(weight), ..stem.clone() };
        let up_with = |weight: Tensor<4>| ConvTranspose2d { weight: Param::from_tensor(weight), ..up.clone() };
        let large = [&maps([8, 8, 128, 128]), &stem.weight.val(), &maps([8, 16, 128, 128])];
        let enlarged = [&maps([8, 16, 64, 64]), &up.weight.val(), &maps([8, 8, 129, 129])];

        let found = gradients(large, |x, weight| convolution(&with(weight), x), &device());
        let found_up = gradients(enlarged, |x, weight| transposed_convolution(&up_with(weight), x), &device());

        check(found, gradients(large, |x, weight| with(weight).forward(x), &Device::flex()));
        check(found_up, gradients(enlarged, |x, weight| up_with(weight).forward(x), &Device::flex()));
    }

    #[test]
    fn parts_are_as_large_as_a_loop_may_be() {
        assert_eq!(maps_of_a_part(8, 128 * 128, LONGEST), 4);
        assert_eq!(maps_of_a_part(7, 128 * 128, LONGEST), 1);
        assert_eq!(maps_of_a_part(32, 16 * 16, LONGEST), 32);
        assert_eq!(rows_of_a_band(128, 128, LONGEST), 128);
        assert_eq!(rows_of_a_band(256, 256, LONGEST), 64);
    }
}
