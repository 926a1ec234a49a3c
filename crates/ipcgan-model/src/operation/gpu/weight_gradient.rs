//! Gradients of a convolution with respect to its weights and bias: an implicit GEMM with split-K, in two launches.
//!
//! The product of the gradient of the outputs, `[outputs, positions]`, and the input pixels in the window of each position,
//! `[positions, taps * inputs]`, which are read where they are instead of being copied into a matrix (im2col). Positions are
//! many and weights few, so parts of the positions (K) have workgroups of their own, whose products are then added up.
//!
//! A workgroup computes a tile of weights: it loads a few positions of both factors into shared memory at a time, and each
//! thread adds their products to a few weights in registers.

#![expect(clippy::manual_div_ceil, reason = "CubeCL translates the operators of a kernel")]

use burn::backend::Cube;
use burn::backend::ops::FloatTensorOps;
use burn::backend::tensor::FloatTensor;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;
use ipcgan_kernels::ConvParams;

use super::kernel::{contiguous, elementwise, empty};
use super::tile::{MapDivisors, THREADS, Tile, accumulate, coordinates_of, first_column, first_row, map_divisors};
use super::{dims, in_float32};

/// Workgroups in all, approximately.
const WORKGROUPS: usize = 512;
/// Minimum number of positions of a part, if there are so many.
const MIN_POSITIONS: usize = 256;
/// Maximum number of positions of a part: Mesa's software drivers end loops after 65,535 iterations.
const MAX_POSITIONS: usize = 262_144;

/// Gradients of a convolution's parameters.
pub(in crate::operation) struct ParameterGradients {
    /// `[outputs, inputs of a group, kernel, kernel]`, contiguous.
    pub(in crate::operation) weight: CubeTensor,
    /// `[outputs]`, if it is computed.
    pub(in crate::operation) bias: Option<CubeTensor>,
}

/// Whether the gradient of the bias is computed too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::operation) enum BiasGradient {
    Computed,
    None,
}

/// Of `x` `[batch, inputs, ..]`, without padding, and the gradient `y` of the outputs `[batch, outputs, height, width]`; in
/// float32, because the sums are long.
pub(in crate::operation) fn parameter_gradients(
    x: FloatTensor<Cube>,
    y: FloatTensor<Cube>,
    params: &ConvParams,
    bias: BiasGradient,
) -> ParameterGradients {
    let (x, y) = (in_float32::<Cube>(x), in_float32::<Cube>(y));
    let ([_, inputs, height, width], [batch, outputs, rows, columns]) = (dims::<Cube, 4>(&x), dims::<Cube, 4>(&y));
    let nhwc = |maps: CubeTensor| contiguous(Cube::float_permute(maps, &[0, 2, 3, 1]));
    let (x, y) = (nhwc(x), nhwc(y));
    let ConvParams { kernel, stride, pad_before, groups, .. } = *params;
    let [inputs, group_outputs] = [inputs, outputs].map(|channels| channels / groups);
    let weights = kernel * kernel * inputs;
    // A bias is the weight of an input that is one everywhere.
    let terms = weights + usize::from(bias == BiasGradient::Computed);
    let tile = tile_of(group_outputs);
    let positions = batch * rows * columns;
    let tiles = terms.div_ceil(tile.columns()) * group_outputs.div_ceil(tile.rows());
    let part = part_of(positions, tiles * groups);
    let parts = positions.div_ceil(part);
    let (client, device) = (x.client.clone(), x.device.clone());

    let partial = empty(&client, &device, &[parts, outputs, terms]);
    products_kernel::launch(
        &client,
        CubeCount::new_3d(tiles as u32, groups as u32, parts as u32),
        CubeDim::new_1d(THREADS as u32),
        x.into_buffer_arg(),
        y.into_buffer_arg(),
        partial.clone().into_buffer_arg(),
        WindowLaunch::new(
            positions,
            part,
            group_outputs,
            inputs,
            groups,
            kernel,
            stride,
            pad_before,
            height,
            width,
            terms,
            map_divisors(rows, columns),
        ),
        tile,
    );
    let weight = empty(&client, &device, &[outputs, inputs, kernel, kernel]);
    let grad_bias = empty(&client, &device, &[outputs]);
    let (count, dim) = elementwise(&client, outputs * terms);
    sums_kernel::launch(
        &client,
        count,
        dim,
        partial.into_buffer_arg(),
        weight.clone().into_buffer_arg(),
        grad_bias.clone().into_buffer_arg(),
        outputs,
        inputs,
        kernel * kernel,
        terms,
        parts,
    );
    ParameterGradients { weight, bias: (bias == BiasGradient::Computed).then_some(grad_bias) }
}

/// Number of positions of a part, if there are `tiles` tiles of each.
fn part_of(positions: usize, tiles: usize) -> usize {
    let parts = (WORKGROUPS / tiles).clamp(1, positions.div_ceil(MIN_POSITIONS).max(1));
    positions.div_ceil(parts).clamp(1, MAX_POSITIONS)
}

/// The tile of weights for `outputs` outputs (rows). Both factors together take less than 16 KiB, which every GPU has.
fn tile_of(outputs: usize) -> Tile {
    match outputs {
        0..=4 => Tile { row_threads: 1, thread_rows: 4, thread_columns: 1, depth: 8 },
        5..=32 => Tile { row_threads: 4, thread_rows: 8, thread_columns: 8, depth: 4 },
        _ => Tile { row_threads: 8, thread_rows: 8, thread_columns: 8, depth: 8 },
    }
}

/// Sizes of the convolution: of a group where groups differ in them.
#[derive(CubeLaunch, CubeType)]
struct Window {
    positions: usize,
    part: usize,
    outputs: usize,
    inputs: usize,
    groups: usize,
    kernel: usize,
    stride: usize,
    pad: usize,
    height: usize,
    width: usize,
    terms: usize,
    divisors: MapDivisors,
}

/// The weights and positions of a workgroup.
#[derive(CubeType)]
struct Block {
    group: usize,
    part: usize,
    first_output: usize,
    first_term: usize,
    first_position: usize,
    end_position: usize,
}

#[cube]
fn block_of_workgroup(window: &Window, #[comptime] tile: Tile) -> Block {
    let rows = comptime![tile.rows()];
    let columns = comptime![tile.columns()];
    let part = CUBE_POS_Z as usize;
    let column_tiles = (window.terms + columns - 1) / columns;
    let first_position = part * window.part;
    let mut end_position = first_position + window.part;
    if end_position > window.positions {
        end_position = window.positions;
    }
    Block {
        group: CUBE_POS_Y as usize,
        part,
        first_output: CUBE_POS_X as usize / column_tiles * rows,
        first_term: CUBE_POS_X as usize % column_tiles * columns,
        first_position,
        end_position,
    }
}

/// The terms of the right factor that a thread loads.
#[derive(CubeType)]
struct Terms {
    channels: Array<usize>,
    tap_rows: Array<usize>,
    tap_columns: Array<usize>,
}

#[cube]
fn terms_of_thread(window: &Window, block: &Block, #[comptime] tile: Tile) -> Terms {
    let threads = comptime![THREADS];
    let columns = comptime![tile.columns()];
    let count = comptime![tile.columns().div_ceil(THREADS)];
    let column = UNIT_POS as usize % columns;
    let mut channels = Array::<usize>::new(count);
    let mut tap_rows = Array::<usize>::new(count);
    let mut tap_columns = Array::<usize>::new(count);
    #[unroll]
    for index in 0..count {
        let term = block.first_term + column + index * threads;
        let tap = term / window.inputs;
        channels[index] = block.group * window.inputs + term % window.inputs;
        tap_rows[index] = tap / window.kernel;
        tap_columns[index] = tap % window.kernel;
    }
    Terms { channels, tap_rows, tap_columns }
}

/// The products over the positions of each part, `[parts, groups * outputs, terms]`.
#[cube(launch)]
fn products_kernel(x: &[f32], y: &[f32], partial: &mut [f32], window: &Window, #[comptime] tile: Tile) {
    let depth = comptime![tile.depth];
    let block = block_of_workgroup(window, tile);
    let terms = terms_of_thread(window, &block, tile);
    let mut left = Shared::<[f32]>::new_slice(comptime![tile.rows() * tile.depth]);
    let mut right = Shared::<[f32]>::new_slice(comptime![tile.columns() * tile.depth]);
    let mut sums = Array::<f32>::new(comptime![tile.thread_rows * tile.thread_columns]);
    #[unroll]
    for index in 0..comptime![tile.thread_rows * tile.thread_columns] {
        sums[index] = 0.0f32;
    }
    let iterations = (block.end_position - block.first_position + depth - 1) / depth;
    for iteration in 0..iterations {
        let start = block.first_position + iteration * depth;
        load_gradients(y, &mut left, window, &block, start, tile);
        load_pixels(x, &mut right, window, &block, &terms, start, tile);
        sync_cube();
        accumulate(&left, &right, &mut sums, tile);
        // The next positions take the place of these.
        sync_cube();
    }
    write_products(&sums, partial, window, &block, tile);
}

/// Loads the gradients of the outputs at the positions from `start`, `[depth, rows]`.
#[cube]
fn load_gradients(
    y: &[f32],
    left: &mut Shared<[f32]>,
    window: &Window,
    block: &Block,
    start: usize,
    #[comptime] tile: Tile,
) {
    let threads = comptime![THREADS];
    let rows = comptime![tile.rows()];
    let depth = comptime![tile.depth];
    let loads = comptime![(tile.rows() * tile.depth).div_ceil(THREADS)];
    let unit = UNIT_POS as usize;
    #[unroll]
    for load in 0..loads {
        let tile_index = load * threads + unit;
        if tile_index < rows * depth {
            let output = block.first_output + tile_index % rows;
            let position = start + tile_index / rows;
            let mut value = 0.0f32;
            if output < window.outputs && position < block.end_position {
                value = y[(position * window.groups + block.group) * window.outputs + output];
            }
            left[tile_index] = value;
        }
    }
}

/// Loads the input pixels in the windows of the positions from `start`, `[depth, columns]`.
#[cube]
fn load_pixels(
    x: &[f32],
    right: &mut Shared<[f32]>,
    window: &Window,
    block: &Block,
    terms: &Terms,
    start: usize,
    #[comptime] tile: Tile,
) {
    let threads = comptime![THREADS];
    let columns = comptime![tile.columns()];
    let count = comptime![tile.columns().div_ceil(THREADS)];
    let step = comptime![(THREADS / tile.columns()).max(1)];
    let unit = UNIT_POS as usize;
    #[unroll]
    for load in 0..comptime![tile.depth / step] {
        let offset = unit / columns + load * step;
        let position = start + offset;
        let coordinates = coordinates_of(position, &window.divisors);
        #[unroll]
        for index in 0..count {
            let column = unit % columns + index * threads;
            let mut value = 0.0f32;
            if block.first_term + column < window.terms && position < block.end_position {
                // The bias is the term after the last tap.
                if terms.tap_rows[index] >= window.kernel {
                    value = 1.0f32;
                } else {
                    let pixel_y = coordinates.row * window.stride + terms.tap_rows[index];
                    let pixel_x = coordinates.column * window.stride + terms.tap_columns[index];
                    let inside_y = pixel_y >= window.pad && pixel_y < window.height + window.pad;
                    let inside_x = pixel_x >= window.pad && pixel_x < window.width + window.pad;
                    if inside_y && inside_x {
                        let line = coordinates.image * window.height + pixel_y - window.pad;
                        let pixel = line * window.width + pixel_x - window.pad;
                        value = x[pixel * window.groups * window.inputs + terms.channels[index]];
                    }
                }
            }
            right[offset * columns + column] = value;
        }
    }
}

#[cube]
fn write_products(sums: &Array<f32>, partial: &mut [f32], window: &Window, block: &Block, #[comptime] tile: Tile) {
    let thread_rows = comptime![tile.thread_rows];
    let thread_columns = comptime![tile.thread_columns];
    let column_threads = comptime![tile.column_threads()];
    let first_output = block.first_output + first_row(tile);
    let first_term = block.first_term + first_column(tile);
    #[unroll]
    for index in 0..thread_columns {
        let term = first_term + index * column_threads;
        #[unroll]
        for thread_row in 0..thread_rows {
            let output = first_output + thread_row;
            if output < window.outputs && term < window.terms {
                let line = (block.part * window.groups + block.group) * window.outputs + output;
                partial[line * window.terms + term] = sums[thread_row * thread_columns + index];
            }
        }
    }
}

/// The sums of the parts, as the convolution has its parameters.
#[allow(clippy::too_many_arguments, reason = "a kernel takes each buffer by itself")]
#[cube(launch)]
fn sums_kernel(
    partial: &[f32],
    weight: &mut [f32],
    bias: &mut [f32],
    outputs: usize,
    inputs: usize,
    taps: usize,
    terms: usize,
    parts: usize,
) {
    if ABSOLUTE_POS >= outputs * terms {
        terminate!();
    }
    let mut sum = 0.0f32;
    for part in 0..parts {
        sum += partial[part * outputs * terms + ABSOLUTE_POS];
    }
    let output = ABSOLUTE_POS / terms;
    let term = ABSOLUTE_POS % terms;
    let tap = term / inputs;
    let input = term % inputs;
    if tap < taps {
        weight[(output * inputs + input) * taps + tap] = sum;
    } else {
        bias[output] = sum;
    }
}

#[cfg(test)]
mod tests {
    use burn::backend::Flex;
    use burn::backend::ops::{ConvOptions, ModuleOps};
    use burn::tensor::{Device, FloatDType, Shape, Tensor};

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
    const GROUPED: ConvParams = ConvParams { kernel: 3, stride: 2, pad_before: 0, pad_after: 0, groups: 2 };
    const POINTWISE: ConvParams = ConvParams { kernel: 1, stride: 1, pad_before: 0, pad_after: 0, groups: 1 };

    /// Weight gradient by Burn on the CPU, and bias gradient.
    fn expected(x: &Tensor<4>, y: &Tensor<4>, params: &ConvParams) -> (Tensor<4>, Tensor<1>) {
        let primitive = |x: &Tensor<4>| x.clone().try_into_primitive::<Flex>().unwrap();
        let ([_, inputs, ..], [_, outputs, ..]) = (x.dims(), y.dims());
        let shape = Shape::new([outputs, inputs / params.groups, params.kernel, params.kernel]);
        let weight = Flex::float_empty(shape, &Default::default(), FloatDType::F32);
        let padding = [(params.pad_before, params.pad_after); 2];
        let options = ConvOptions { padding, ..ConvOptions::new([params.stride; 2], [0; 2], [1; 2], params.groups) };
        let weight = Flex::conv2d_weight_backward(primitive(x), weight, primitive(y), options);
        (Tensor::from_primitive::<Flex>(weight), y.clone().sum_dims(&[0, 2, 3]).reshape([outputs]))
    }

    fn found(x: &Tensor<4>, y: &Tensor<4>, params: &ConvParams, gpu: &Device) -> (Tensor<4>, Tensor<1>) {
        let primitive = |x: &Tensor<4>| x.clone().to_device(gpu).try_into_primitive::<Cube>().unwrap();
        let gradients = parameter_gradients(primitive(x), primitive(y), params, BiasGradient::Computed);
        (Tensor::from_primitive::<Cube>(gradients.weight), Tensor::from_primitive::<Cube>(gradients.bias.unwrap()))
    }

    #[test]
    fn gradients_equal_those_of_burns_cpu_kernels_for_all_windows_and_tiles() {
        let Some(gpu) = test_gpu() else { return };
        // Few, some and many outputs, each with sizes that do not fill a tile; parts that end within a map.
        for (params, [batch, inputs, outputs, side]) in [
            (STEM, [2, 8, 16, 32]),
            (STEM, [1, 5, 3, 16]),
            (DOWN, [3, 29, 40, 16]),
            (UPSAMPLE_PARAMS, [2, 6, 12, 18]),
            (GROUPED, [2, 12, 140, 17]),
            (POINTWISE, [5, 70, 1, 4]),
        ] {
            let output_side = params.output_side(side);
            let mut random = RandomTensors::new(0);
            let x = random.uniform([batch, inputs, side, side], -1.0..1.0);
            let y = random.uniform([batch, outputs, output_side, output_side], -1.0..1.0);

            let (weight, bias) = found(&x, &y, &params, &gpu);

            let (expected_weight, expected_bias) = expected(&x, &y, &params);
            let errors = [normwise_error(weight, expected_weight), normwise_error(bias, expected_bias)];
            assert!(errors.into_iter().all(|error| error < TOLERANCE), "{params:?}, {outputs} outputs: {errors:?}");
        }
    }

    #[test]
    fn gradients_of_channels_last_maps_take_two_launches() {
        let Some(gpu) = test_gpu() else { return };
        let maps = |channels: usize| {
            let maps = Tensor::<4>::ones([2, 8, 8, channels], &gpu).permute([0, 3, 1, 2]);
            maps.try_into_primitive::<Cube>().unwrap()
        };
        let (x, y) = (maps(4), maps(16));

        let launches = KernelLaunches::of(|| drop(parameter_gradients(x, y, &STEM, BiasGradient::Computed)));

        assert_eq!(launches.total(), 2, "{launches}");
    }

    #[test]
    fn parts_are_as_many_as_fill_a_gpu_and_their_loops_end() {
        assert_eq!(part_of(524_288, 2), 2048);
        assert_eq!(part_of(1000, 10_000), 1000);
        assert_eq!(part_of(100, 1), 100);
        assert_eq!(part_of(10_000_000, 10_000), MAX_POSITIONS);
    }
}
