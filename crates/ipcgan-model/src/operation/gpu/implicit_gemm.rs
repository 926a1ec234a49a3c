//! Convolutions and their adjoints in float32 as implicit GEMM, one launch each.
//!
//! A convolution is the product of the input pixels in the window of each position, `[positions, taps * inputs]`, which are
//! read where they are instead of being copied into a matrix (im2col), and the weights, `[taps * inputs, outputs]`. A
//! workgroup computes a tile of positions and outputs: it loads a few terms of both factors into shared memory at a time,
//! and each thread adds their products to a few outputs in registers. The epilogue adds the bias and applies the activation.
//!
//! In the adjoint (the gradient by the input, or a transposed convolution), the pixels of a phase, whose row and column have
//! the same remainders by the stride, share the taps that reach them; each phase has workgroups of its own.
//!
//! Maps and weights are read in any memory layout; outputs are channels last.

mod kernel;

use burn::backend::Cube;
use burn::backend::ops::FloatTensorOps;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;
use ipcgan_kernels::ConvParams;

use self::kernel::{KernelKind, MapsLaunch, WeightsLaunch, WindowLaunch, implicit_gemm_kernel};
use super::dims;
use super::kernel::{contiguous, empty};
use super::tile::{THREADS, Tile, map_divisors};

/// Fewest outputs for which the tiles are not mostly empty.
pub(in crate::operation) const MIN_OUTPUTS: usize = 5;
/// Maximum number of workgroups along a side of the grid, which every GPU permits. Further tiles are in further rows.
const MAX_GRID_SIDE: usize = 65_535;
/// Multiprocessors of a GPU that does not tell.
const MULTIPROCESSORS: u32 = 16;

/// What follows the product.
#[derive(Clone, Debug, Default)]
pub(in crate::operation) struct Epilogue {
    /// `[outputs]`.
    pub(in crate::operation) bias: Option<CubeTensor>,
    /// Slope of the activation below zero.
    pub(in crate::operation) slope: Option<f32>,
}

/// The convolution of `x` `[batch, inputs, height, width]` with `weight` `[outputs, inputs of a group, kernel, kernel]`.
pub(in crate::operation) fn convolve(
    x: &CubeTensor,
    weight: &CubeTensor,
    params: &ConvParams,
    epilogue: Epilogue,
) -> CubeTensor {
    let [_, _, height, width] = dims::<Cube, 4>(x);
    let [outputs, inputs, ..] = dims::<Cube, 4>(weight);
    let sides = [height, width].map(|side| params.output_side(side));
    let channels = Channels { outputs: outputs / params.groups, inputs };
    launch(x, weight, params, Direction::Forward, channels, sides, epilogue)
}

/// The adjoint of the convolution with `weight`: of `y` `[batch, outputs, ..]`, to `[batch, inputs, height, width]`.
pub(in crate::operation) fn convolve_adjoint(
    y: &CubeTensor,
    weight: &CubeTensor,
    params: &ConvParams,
    sides: [usize; 2],
) -> CubeTensor {
    let [outputs, inputs, ..] = dims::<Cube, 4>(weight);
    let channels = Channels { outputs: inputs, inputs: outputs / params.groups };
    launch(y, weight, params, Direction::Adjoint, channels, sides, Epilogue::default())
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Direction {
    Forward,
    Adjoint,
}

/// Channels of a group that a product writes and reads.
#[derive(Clone, Copy, Debug)]
struct Channels {
    outputs: usize,
    inputs: usize,
}

/// From `x` to maps of `sides`.
fn launch(
    x: &CubeTensor,
    weight: &CubeTensor,
    params: &ConvParams,
    direction: Direction,
    Channels { outputs, inputs }: Channels,
    sides: [usize; 2],
    epilogue: Epilogue,
) -> CubeTensor {
    let ConvParams { kernel, stride, pad_before, groups, .. } = *params;
    let [batch, _, height, width] = dims::<Cube, 4>(x);
    let is_adjoint = direction == Direction::Adjoint;
    let phases = if is_adjoint { stride } else { 1 };
    let [rows, columns] = sides.map(|side| side.div_ceil(phases));
    let positions = batch * rows * columns;
    let (client, device) = (x.client.clone(), x.device.clone());
    let multiprocessors = client.properties().hardware.num_streaming_multiprocessors.unwrap_or(MULTIPROCESSORS);
    let tile = tile_of(outputs, positions * groups * phases * phases, multiprocessors as usize);
    let tiles = positions.div_ceil(tile.rows()) * outputs.div_ceil(tile.columns());
    let output = empty(&client, &device, &[batch, sides[0], sides[1], groups * outputs]);
    let [of_output, of_input, of_tap_row, of_tap_column] = strides(weight);
    let (group_stride, output_stride, input_stride) = match direction {
        Direction::Forward => (outputs * of_output, of_output, of_input),
        Direction::Adjoint => (inputs * of_output, of_input, of_output),
    };
    let [image_stride, channel_stride, row_stride, column_stride] = strides(x);
    let Epilogue { bias, slope } = epilogue;
    let has_bias = bias.is_some();
    // Without a bias the kernel does not read it.
    let bias = bias.map_or_else(|| empty(&client, &device, &[1]), contiguous);
    implicit_gemm_kernel::launch(
        &client,
        CubeCount::new_3d(
            tiles.min(MAX_GRID_SIDE) as u32,
            (tiles.div_ceil(MAX_GRID_SIDE) * groups) as u32,
            (phases * phases) as u32,
        ),
        CubeDim::new_1d(THREADS as u32),
        x.clone().into_buffer_arg(),
        weight.clone().into_buffer_arg(),
        bias.into_buffer_arg(),
        output.clone().into_buffer_arg(),
        WeightsLaunch::new(group_stride, output_stride, input_stride, of_tap_row, of_tap_column),
        WindowLaunch::new(
            positions,
            outputs,
            inputs,
            groups,
            kernel,
            stride,
            pad_before,
            sides[0],
            sides[1],
            MapsLaunch::new(height, width, image_stride, channel_stride, row_stride, column_stride),
            map_divisors(rows, columns),
            inputs as u32,
        ),
        slope.unwrap_or(1.0),
        KernelKind { is_adjoint, has_bias, tile },
    );
    Cube::float_permute(output, &[0, 3, 1, 2])
}

fn strides(tensor: &CubeTensor) -> [usize; 4] {
    let strides = tensor.meta.strides();
    std::array::from_fn(|axis| strides[axis])
}

/// The tile of positions (rows) and outputs (columns) for `outputs` outputs of each of `positions`: the largest that leaves
/// a workgroup for each multiprocessor. Both factors together take less than 16 KiB, which every GPU has.
fn tile_of(outputs: usize, positions: usize, multiprocessors: usize) -> Tile {
    let large = match outputs {
        0..=16 => Tile { row_threads: 128, thread_rows: 4, thread_columns: 8, depth: 4 },
        17..=32 => Tile { row_threads: 64, thread_rows: 8, thread_columns: 8, depth: 4 },
        _ => Tile { row_threads: 32, thread_rows: 8, thread_columns: 8, depth: 8 },
    };
    let workgroups = positions.div_ceil(large.rows()) * outputs.div_ceil(large.columns());
    match (workgroups < multiprocessors, outputs) {
        (true, 0..=16) => Tile { row_threads: 64, thread_rows: 4, thread_columns: 4, depth: 8 },
        (true, _) => Tile { row_threads: 32, thread_rows: 4, thread_columns: 4, depth: 8 },
        (false, _) => large,
    }
}

#[cfg(test)]
mod tests {
    use burn::backend::Flex;
    use burn::backend::ops::{ConvOptions, ModuleOps};
    use burn::tensor::activation::leaky_relu;
    use burn::tensor::{Device, Tensor};

    use super::super::tests::test_gpu;
    use super::*;
    use crate::operation::KernelLaunches;
    use crate::operation::convolution::UPSAMPLE_PARAMS;
    use crate::random_tensors::RandomTensors;
    use crate::relative_error::normwise_error;

    /// Sums in another order.
    const TOLERANCE: f32 = 1e-5;

    const STEM: ConvParams = ConvParams { kernel: 7, stride: 1, pad_before: 3, pad_after: 3, groups: 1 };
    const DOWN: ConvParams = ConvParams { kernel: 4, stride: 2, pad_before: 1, pad_after: 1, groups: 1 };
    const GROUPED: ConvParams = ConvParams { kernel: 5, stride: 1, pad_before: 2, pad_after: 2, groups: 2 };
    const FIRST: ConvParams = ConvParams { kernel: 11, stride: 4, pad_before: 0, pad_after: 0, groups: 1 };
    const SPARSE: ConvParams = ConvParams { kernel: 1, stride: 3, pad_before: 0, pad_after: 0, groups: 1 };
    /// Few, some and many outputs and positions, each with sizes that do not fill a tile.
    const CASES: [(ConvParams, [usize; 4]); 7] = [
        (STEM, [2, 8, 16, 64]),
        (STEM, [1, 5, 3, 16]),
        (DOWN, [3, 29, 140, 64]),
        (UPSAMPLE_PARAMS, [2, 6, 12, 18]),
        (GROUPED, [2, 12, 40, 13]),
        (FIRST, [2, 3, 48, 67]),
        (SPARSE, [2, 7, 5, 11]),
    ];

    fn options(params: &ConvParams) -> ConvOptions<2> {
        let padding = [(params.pad_before, params.pad_after); 2];
        ConvOptions { padding, ..ConvOptions::new([params.stride; 2], [0; 2], [1; 2], params.groups) }
    }

    fn on_cpu(x: &Tensor<4>) -> burn::backend::tensor::FloatTensor<Flex> {
        x.clone().try_into_primitive::<Flex>().unwrap()
    }

    fn on_gpu<const D: usize>(x: &Tensor<D>, gpu: &Device) -> CubeTensor {
        x.clone().to_device(gpu).try_into_primitive::<Cube>().unwrap()
    }

    fn error(found: CubeTensor, expected: Tensor<4>) -> f32 {
        normwise_error(Tensor::from_primitive::<Cube>(found), expected)
    }

    /// Random `x`, weights and gradient of the output.
    fn random(params: &ConvParams, [batch, inputs, outputs, side]: [usize; 4]) -> [Tensor<4>; 3] {
        let (mut random, output_side) = (RandomTensors::new(0), params.output_side(side));
        let weights = [outputs, inputs / params.groups, params.kernel, params.kernel];
        [[batch, inputs, side, side], weights, [batch, outputs, output_side, output_side]]
            .map(|shape| random.uniform(shape, -1.0..1.0))
    }

    #[test]
    fn outputs_equal_those_of_burns_cpu_kernels_for_all_windows_and_tiles() {
        let Some(gpu) = test_gpu() else { return };
        for (params, sizes) in CASES {
            let [x, weight, _] = random(&params, sizes);
            let bias: Tensor<1> = RandomTensors::new(1).uniform([sizes[2]], -1.0..1.0);
            let of_flex = bias.clone().try_into_primitive::<Flex>().unwrap();
            let expected = Flex::conv2d(on_cpu(&x), on_cpu(&weight), Some(of_flex), options(&params));
            let expected = leaky_relu(Tensor::<4>::from_primitive::<Flex>(expected), 0.2);
            let epilogue = Epilogue { bias: Some(on_gpu(&bias, &gpu)), slope: Some(0.2) };

            let mut found = None;
            let (x, weight) = (on_gpu(&x, &gpu), on_gpu(&weight, &gpu));
            let launches = KernelLaunches::of(|| found = Some(convolve(&x, &weight, &params, epilogue)));

            let error = error(found.unwrap(), expected);
            assert!(error < TOLERANCE, "{params:?}, {sizes:?}: {error}");
            assert_eq!(launches.total(), 1, "{launches}");
        }
    }

    #[test]
    fn adjoints_equal_the_input_gradients_of_burns_cpu_kernels_for_any_memory_layout() {
        let Some(gpu) = test_gpu() else { return };
        for (params, sizes) in CASES {
            let [x, weight, y] = random(&params, sizes);
            let expected = Flex::conv2d_x_backward(on_cpu(&x), on_cpu(&weight), on_cpu(&y), options(&params));
            let expected = Tensor::<4>::from_primitive::<Flex>(expected);
            let channels_last = |maps: &Tensor<4>| {
                let maps = maps.clone().permute([0, 2, 3, 1]).to_device(&gpu).permute([0, 3, 1, 2]);
                maps.try_into_primitive::<Cube>().unwrap()
            };

            for (y, weight) in [(on_gpu(&y, &gpu), on_gpu(&weight, &gpu)), (channels_last(&y), channels_last(&weight))]
            {
                let found = convolve_adjoint(&y, &weight, &params, [sizes[3]; 2]);

                let error = error(found, expected.clone());
                assert!(error < TOLERANCE, "{params:?}, {sizes:?}: {error}");
            }
        }
    }
}
