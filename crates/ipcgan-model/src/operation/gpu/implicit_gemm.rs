//! Convolutions and their adjoints as implicit GEMM, one launch each.
//!
//! A convolution is the product of the input pixels in the window of each position, `[positions, taps * inputs]`, which are
//! read where they are instead of being copied into a matrix (im2col), and the weights, `[taps * inputs, outputs]`. A
//! workgroup computes a tile of positions and outputs: it loads a few terms of both factors into shared memory at a time,
//! and each thread adds their products to a few outputs in registers. The epilogue adds the bias and applies the activation.
//!
//! In the adjoint (the gradient by the input, or a transposed convolution), the pixels of a phase, whose row and column have
//! the same remainders by the stride, share the taps that reach them; each phase has workgroups of its own.
//!
//! Maps and weights are read in any memory layout; outputs are channels last. All of them are float32 in memory: in reduced
//! precision the factors are rounded when they are loaded, tensor cores multiply them, and the sums are float32.

mod kernel;
mod tensor_core_kernel;
mod tensor_cores;
mod terms;

use burn::backend::Cube;
use burn::backend::ops::FloatTensorOps;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;
use ipcgan_kernels::ConvParams;

use self::kernel::implicit_gemm_kernel;
use self::tensor_core_kernel::WarpTile;
pub(in crate::operation) use self::tensor_cores::computes as tensor_cores_compute;
use self::terms::{KernelKind, MapsLaunch, WeightsLaunch, WindowLaunch};
use super::dims;
use super::kernel::{contiguous, empty};
use super::tile::{THREADS, Tile, map_divisors};
use crate::operation::Precision;

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

/// The convolution of `x` `[batch, inputs, height, width]` with `weight` `[outputs, inputs of a group, kernel, kernel]`, in
/// float32 or in a `precision` in which [`tensor_cores_compute`] it.
pub(in crate::operation) fn convolve(
    x: &CubeTensor,
    weight: &CubeTensor,
    params: &ConvParams,
    epilogue: Epilogue,
    precision: Precision,
) -> CubeTensor {
    let [_, _, height, width] = dims::<Cube, 4>(x);
    let sides = [height, width].map(|side| params.output_side(side));
    let channels = Channels::forward(weight, params.groups);
    let product = Product { direction: Direction::Forward, channels, sides, precision };
    launch(x, weight, params, &product, epilogue, product.tile(x, params))
}

/// The adjoint of the convolution with `weight`: of `y` `[batch, outputs, ..]`, to `[batch, inputs, height, width]`; in a
/// precision as [`convolve`].
pub(in crate::operation) fn convolve_adjoint(
    y: &CubeTensor,
    weight: &CubeTensor,
    params: &ConvParams,
    sides: [usize; 2],
    precision: Precision,
) -> CubeTensor {
    let channels = Channels::adjoint(weight, params.groups);
    let product = Product { direction: Direction::Adjoint, channels, sides, precision };
    launch(y, weight, params, &product, Epilogue::default(), product.tile(y, params))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::operation) enum Direction {
    Forward,
    Adjoint,
}

/// Channels of a group that a product writes and reads.
#[derive(Clone, Copy, Debug)]
pub(in crate::operation) struct Channels {
    pub(in crate::operation) outputs: usize,
    pub(in crate::operation) inputs: usize,
}

impl Channels {
    /// Of the convolution with `weight`.
    pub(in crate::operation) fn forward(weight: &CubeTensor, groups: usize) -> Self {
        let [outputs, inputs, ..] = dims::<Cube, 4>(weight);
        Self { outputs: outputs / groups, inputs }
    }

    /// Of its adjoint.
    pub(in crate::operation) fn adjoint(weight: &CubeTensor, groups: usize) -> Self {
        let Self { outputs, inputs } = Self::forward(weight, groups);
        Self { outputs: inputs, inputs: outputs }
    }
}

/// What is computed.
#[derive(Clone, Copy, Debug)]
struct Product {
    direction: Direction,
    channels: Channels,
    /// Height and width of the maps that are written.
    sides: [usize; 2],
    precision: Precision,
}

impl Product {
    /// Number of phases along a side.
    fn phases(&self, params: &ConvParams) -> usize {
        if self.direction == Direction::Adjoint { params.stride } else { 1 }
    }

    /// Rows and columns of the positions of a phase.
    fn phase_sides(&self, params: &ConvParams) -> [usize; 2] {
        self.sides.map(|side| side.div_ceil(self.phases(params)))
    }

    /// The tile for maps `x`.
    fn tile(&self, x: &CubeTensor, params: &ConvParams) -> ProductTile {
        let [batch, ..] = dims::<Cube, 4>(x);
        let [rows, columns] = self.phase_sides(params);
        let positions = batch * rows * columns * params.groups * self.phases(params).pow(2);
        let multiprocessors = x.client.properties().hardware.num_streaming_multiprocessors.unwrap_or(MULTIPROCESSORS);
        let multiprocessors = multiprocessors as usize;
        match self.precision {
            Precision::Float32 => ProductTile::Registers(tile_of(self.channels.outputs, positions, multiprocessors)),
            _ => ProductTile::Warps(tensor_cores::tile_of(self.channels.outputs, positions, multiprocessors)),
        }
    }
}

/// The tile of a workgroup, in registers of its threads or in fragments of its warps.
#[derive(Clone, Copy, Debug)]
enum ProductTile {
    Registers(Tile),
    Warps(WarpTile),
}

impl ProductTile {
    /// Rows (positions) and columns (outputs).
    fn sides(&self) -> [usize; 2] {
        match self {
            Self::Registers(tile) => [tile.rows(), tile.columns()],
            Self::Warps(tile) => [tile.rows(), tile.columns()],
        }
    }
}

/// Arguments of a launch.
struct Arguments {
    buffers: [BufferArg; 4],
    weights: WeightsLaunch,
    window: WindowLaunch,
    slope: f32,
}

/// From `x`, in tiles of `tile`.
fn launch(
    x: &CubeTensor,
    weight: &CubeTensor,
    params: &ConvParams,
    product: &Product,
    epilogue: Epilogue,
    tile: ProductTile,
) -> CubeTensor {
    let ConvParams { kernel, stride, pad_before, groups, .. } = *params;
    let Product { direction, channels: Channels { outputs, inputs }, sides, precision } = *product;
    let [batch, _, height, width] = dims::<Cube, 4>(x);
    let [rows, columns] = product.phase_sides(params);
    let positions = batch * rows * columns;
    let [tile_rows, tile_columns] = tile.sides();
    let tiles = positions.div_ceil(tile_rows) * outputs.div_ceil(tile_columns);
    let count = workgroups(tiles, groups, product.phases(params));
    let (client, device) = (x.client.clone(), x.device.clone());
    let output = empty(&client, &device, &[batch, sides[0], sides[1], groups * outputs]);
    let [of_output, of_input, of_tap_row, of_tap_column] = strides(weight);
    let (group_stride, output_stride, input_stride) = match direction {
        Direction::Forward => (outputs * of_output, of_output, of_input),
        Direction::Adjoint => (inputs * of_output, of_input, of_output),
    };
    let [image_stride, channel_stride, row_stride, column_stride] = strides(x);
    let Epilogue { bias, slope } = epilogue;
    let kind = KernelKind { is_adjoint: direction == Direction::Adjoint, has_bias: bias.is_some() };
    // Without a bias the kernel does not read it.
    let bias = bias.map_or_else(|| empty(&client, &device, &[1]), contiguous);
    let arguments = Arguments {
        buffers: [x.clone(), weight.clone(), bias, output.clone()].map(CubeTensor::into_buffer_arg),
        weights: WeightsLaunch::new(group_stride, output_stride, input_stride, of_tap_row, of_tap_column),
        window: WindowLaunch::new(
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
        slope: slope.unwrap_or(1.0),
    };
    match tile {
        ProductTile::Registers(tile) => {
            let Arguments { buffers: [x, weight, bias, output], weights, window, slope } = arguments;
            let dim = CubeDim::new_1d(THREADS as u32);
            implicit_gemm_kernel::launch(
                &client, count, dim, x, weight, bias, output, weights, window, slope, kind, tile,
            );
        }
        ProductTile::Warps(tile) => tensor_cores::launch(&client, count, arguments, precision, kind, tile),
    }
    Cube::float_permute(output, &[0, 3, 1, 2])
}

/// For so many tiles of each group and phase.
fn workgroups(tiles: usize, groups: usize, phases: usize) -> CubeCount {
    let grid_rows = tiles.div_ceil(MAX_GRID_SIDE);
    CubeCount::new_3d(tiles.min(MAX_GRID_SIDE) as u32, (grid_rows * groups) as u32, phases.pow(2) as u32)
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
            let launches = KernelLaunches::of(|| {
                found = Some(convolve(&x, &weight, &params, epilogue, Precision::Float32));
            });

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
                let found = convolve_adjoint(&y, &weight, &params, [sizes[3]; 2], Precision::Float32);

                let error = error(found, expected.clone());
                assert!(error < TOLERANCE, "{params:?}, {sizes:?}: {error}");
            }
        }
    }
}
