//! Weight gradient of a convolution.
//!
//! Mostly by matrix products (im2col): the gradient of the output times the input pixels in the window. On an H200 this is
//! two to eight times as fast as the grouped convolution, which remains for groups and for outputs that are too few to fill
//! the tiles of a product.

use burn::backend::Backend;
use burn::backend::tensor::FloatTensor;
use burn::tensor::Slice;
use ipcgan_kernels::ConvParams;

use super::grouped_convolution::by_grouped_convolution;
use super::sums::sums;
use super::{dims, in_float32, reshaped, whole};

/// Maximum iterations of a thread's loop in a grouped convolution.
const MAX_ITERATIONS: usize = 2048;
/// Minimum outputs for matrix products.
const MIN_OUTPUTS: usize = 8;
/// Maximum positions that one product sums.
const MAX_POSITIONS: usize = 1024;
/// Maximum values of an im2col matrix: 128 MiB, the smallest buffer limit of the drivers.
const MAX_VALUES: usize = 1 << 25;

/// `[outputs, inputs of a group, kernel, kernel]`, of padded `x` `[batch, inputs, ...]` and the gradient `y` of the outputs
/// `[batch, outputs, height, width]`; in float32, because the sums are long.
pub(in crate::operation) fn weight_gradient<B: Backend>(
    x: FloatTensor<B>,
    y: FloatTensor<B>,
    params: &ConvParams,
) -> FloatTensor<B> {
    let (x, y) = (in_float32::<B>(x), in_float32::<B>(y));
    let [_, outputs, ..] = dims::<B, 4>(&y);
    if params.groups == 1 && outputs >= MIN_OUTPUTS {
        by_matmul::<B>(x, y, params, [MAX_POSITIONS, MAX_VALUES])
    } else {
        by_grouped_convolution::<B>(x, y, params, MAX_ITERATIONS)
    }
}

/// By matrix products over `max_positions`, with at most `max_values` in an im2col matrix.
fn by_matmul<B: Backend>(
    x: FloatTensor<B>,
    y: FloatTensor<B>,
    params: &ConvParams,
    [max_positions, max_values]: [usize; 2],
) -> FloatTensor<B> {
    let ([batch, inputs, ..], [_, outputs, height, width]) = (dims::<B, 4>(&x), dims::<B, 4>(&y));
    let ConvParams { kernel, stride, .. } = *params;
    let values_per_tap = height * width * inputs;
    let maps = divisor(batch, max_values / values_per_tap);
    let taps = (max_values / (maps * values_per_tap)).clamp(1, kernel * kernel);
    let places = divisor(height * width, max_positions);
    let parts = maps * height * width / places;

    let (x, y) = (B::float_permute(x, &[0, 2, 3, 1]), B::float_permute(y, &[0, 2, 3, 1]));
    let along = |first: usize, length: usize| {
        Slice::new(first as isize, Some((first + (length - 1) * stride + 1) as isize), stride as isize)
    };
    let of_maps = |first: usize| {
        let maps = Slice::new(first as isize, Some((first + maps) as isize), 1);
        let y = B::float_slice(y.clone(), &[maps, whole(height), whole(width), whole(outputs)]);
        let y = B::float_swap_dims(reshaped::<B, 3>(y, [parts, places, outputs]), 1, 2);
        // The input pixels at position `tap` of the window, for all outputs.
        let pixels = |tap: usize| {
            let [row, column] = [tap / kernel, tap % kernel];
            B::float_slice(x.clone(), &[maps, along(row, height), along(column, width), whole(inputs)])
        };
        let of_taps = (0..kernel * kernel).step_by(taps).map(|first| {
            let together = taps.min(kernel * kernel - first);
            let columns = B::float_cat((first..first + together).map(pixels).collect(), 3);
            let products = B::float_matmul(y.clone(), reshaped::<B, 3>(columns, [parts, places, together * inputs]));
            let sums = sums::<B>(reshaped::<B, 3>(products, [1, parts, outputs * together * inputs]));
            reshaped::<B, 3>(sums, [outputs, together, inputs])
        });
        B::float_cat(of_taps.collect(), 1)
    };
    let of_all = (0..batch).step_by(maps).map(of_maps).reduce(B::float_add).expect("a batch has a map");
    B::float_permute(reshaped::<B, 4>(of_all, [outputs, kernel, kernel, inputs]), &[0, 3, 1, 2])
}

/// The largest divisor of `count` that is at most `max`; one at least.
fn divisor(count: usize, max: usize) -> usize {
    (1..=max.clamp(1, count)).rev().find(|divisor| count.is_multiple_of(*divisor)).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use burn::backend::Flex;
    use burn::backend::ops::{ConvOptions, FloatTensorOps, ModuleOps};
    use burn::tensor::{FloatDType, Shape, Tensor};
    use burn_flex::FlexTensor;

    use super::*;
    use crate::operation::convolution::UPSAMPLE_PARAMS;
    use crate::random_tensors::RandomTensors;

    const WINDOWS: [ConvParams; 4] = [
        ConvParams { kernel: 7, stride: 1, pad_before: 3, pad_after: 3, groups: 1 },
        ConvParams { kernel: 4, stride: 2, pad_before: 1, pad_after: 1, groups: 1 },
        ConvParams { kernel: 3, stride: 2, pad_before: 0, pad_after: 0, groups: 2 },
        UPSAMPLE_PARAMS,
    ];

    fn primitive(x: &Tensor<4>) -> FlexTensor {
        x.clone().try_into_primitive::<Flex>().unwrap()
    }

    #[test]
    fn weight_gradients_in_parts_equal_those_of_one_sum() {
        for params in WINDOWS {
            let side = params.output_side(16);
            let mut random = RandomTensors::new(0);
            let [x, y] = [[6, 4, 16, 16], [6, 8, side, side]].map(|shape| random.uniform(shape, -1.0..1.0));
            let kernel = params.kernel;
            let weight = Flex::float_empty(
                Shape::new([8, 4 / params.groups, kernel, kernel]),
                &Default::default(),
                FloatDType::F32,
            );
            let padding = [(params.pad_before, params.pad_after); 2];
            let options =
                ConvOptions { padding, ..ConvOptions::new([params.stride; 2], [0; 2], [1; 2], params.groups) };
            let whole = Flex::conv2d_weight_backward(primitive(&x), weight, primitive(&y), options);
            let whole = Tensor::<4>::from_primitive::<Flex>(whole);
            let padded = x.pad([(params.pad_before, params.pad_after); 2], 0.0);
            let check = |found: FlexTensor, way: &str| {
                let found = Tensor::<4>::from_primitive::<Flex>(found);
                let difference = (found - whole.clone()).abs().max().into_scalar::<f32>();
                assert!(difference < 1e-4, "{params:?}, {way}: {difference}");
            };
            for max_iterations in [usize::MAX, 500, 100, 20] {
                let found = by_grouped_convolution::<Flex>(primitive(&padded), primitive(&y), &params, max_iterations);
                check(found, &format!("loops of {max_iterations}"));
            }
            // All taps at once, some, one, one of some maps, and one of one.
            for max in [usize::MAX, 20_000, 7000, 3000, 1000].map(|values| [64, values]) {
                if params.groups == 1 {
                    let found = by_matmul::<Flex>(primitive(&padded), primitive(&y), &params, max);
                    check(found, &format!("products of {max:?}"));
                }
            }
        }
    }
}
