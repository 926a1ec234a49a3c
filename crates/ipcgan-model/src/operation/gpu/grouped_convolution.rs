//! Weight gradient of a convolution, as a grouped convolution.
//!
//! The batch, and where that is not enough its maps, are split into parts. Each is a group of one convolution, with its own
//! threads.

use burn::backend::Backend;
use burn::backend::ops::ConvOptions;
use burn::backend::tensor::FloatTensor;
use burn::tensor::Slice;
use ipcgan_kernels::ConvParams;

use super::sums::sums;
use super::{dims, reshaped, whole};

/// The gradient `[outputs, inputs of a group, kernel, kernel]`, of padded `x` `[batch, inputs, ...]` and the gradient `y` of
/// the outputs `[batch, outputs, height, width]`.
///
/// A thread's loop has `max_iterations` turns at most, if one row of one map does not have more.
pub(super) fn by_grouped_convolution<B: Backend>(
    x: FloatTensor<B>,
    y: FloatTensor<B>,
    params: &ConvParams,
    max_iterations: usize,
) -> FloatTensor<B> {
    let [_, _, height, width] = dims::<B, 4>(&y);
    let rows = rows_of_a_band(height, width, max_iterations);
    let (x, y) = (bands::<B>(x, [rows * params.stride, input_rows(rows, params)]), bands::<B>(y, [rows; 2]));
    let ([batch, inputs, x_height, x_width], [_, outputs, ..]) = (dims::<B, 4>(&x), dims::<B, 4>(&y));
    let (groups, kernel, maps) = (params.groups, params.kernel, maps_of_a_part(batch, rows * width, max_iterations));
    let parts = batch / maps;

    // Both are channels last in memory, as the kernel reads them.
    let x = reshaped::<B, 5>(x, [batch, groups, inputs / groups, x_height, x_width]);
    let x = B::float_permute(x, &[2, 3, 4, 1, 0]);
    let x = reshaped::<B, 4>(x, [inputs / groups, x_height, x_width, groups * batch]);
    let y = reshaped::<B, 6>(y, [parts, maps, groups, outputs / groups, rows, width]);
    let y = B::float_permute(y, &[2, 0, 3, 4, 5, 1]);
    let y = reshaped::<B, 4>(y, [parts * outputs, rows, width, maps]);
    let [x, y] = [x, y].map(|maps| B::float_permute(maps, &[0, 3, 1, 2]));

    // The gradient of the outputs is used as the kernel; its pixels are a stride apart.
    let of_parts = B::conv2d(x, y, None, ConvOptions::new([1; 2], [0; 2], [params.stride; 2], groups * parts));
    // Input pixels that the stride skips at the right and at the bottom belong to no weight.
    let of_parts = B::float_slice(of_parts, &[inputs / groups, parts * outputs, kernel, kernel].map(whole));
    let of_all = sums::<B>(reshaped::<B, 3>(of_parts, [inputs, parts, outputs / groups * kernel * kernel]));
    let of_all = reshaped::<B, 5>(of_all, [inputs / groups, groups, outputs / groups, kernel, kernel]);
    reshaped::<B, 4>(B::float_permute(of_all, &[1, 2, 0, 3, 4]), [outputs, inputs / groups, kernel, kernel])
}

/// Iterations of the kernel's loop over `maps` maps of `places` pixels: one for each pixel, and one for each pixel of
/// each vector of maps.
fn iterations(maps: usize, places: usize) -> usize {
    let vector = [4, 2, 1].into_iter().find(|vector| maps.is_multiple_of(*vector)).unwrap_or(1);
    places * (1 + maps / vector)
}

/// Number of maps (1 to `batch`) that one sum may cover within the iteration limit.
fn maps_of_a_part(batch: usize, places: usize, max_iterations: usize) -> usize {
    let mut divisors = (1..=batch).rev().filter(|maps| batch.is_multiple_of(*maps));
    divisors.find(|maps| iterations(*maps, places) <= max_iterations).unwrap_or(1)
}

/// Number of rows of a map of `height` and `width` that one sum may cover within the iteration limit.
fn rows_of_a_band(height: usize, width: usize, max_iterations: usize) -> usize {
    let mut divisors = (1..=height).rev().filter(|rows| height.is_multiple_of(*rows));
    divisors.find(|rows| iterations(1, rows * width) <= max_iterations).unwrap_or(1)
}

/// Number of input rows that a convolution with `params` needs for `rows` output rows.
fn input_rows(rows: usize, params: &ConvParams) -> usize {
    (rows - 1) * params.stride + params.kernel
}

/// Bands of `[first row of the next, rows]` as maps of their own, `[batch * bands, channels, rows, width]`.
fn bands<B: Backend>(x: FloatTensor<B>, [step, rows]: [usize; 2]) -> FloatTensor<B> {
    let [batch, channels, height, width] = dims::<B, 4>(&x);
    if height < rows + step {
        return x;
    }
    let cut = (0..=height - rows).step_by(step).map(|first| {
        let band = Slice::new(first as isize, Some((first + rows) as isize), 1);
        B::float_slice(x.clone(), &[whole(batch), whole(channels), band, whole(width)])
    });
    B::float_cat(cut.collect(), 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_as_large_as_the_loop_limit_allows() {
        assert_eq!(maps_of_a_part(8, 128 * 128, 40_000), 4);
        assert_eq!(maps_of_a_part(7, 128 * 128, 40_000), 1);
        assert_eq!(maps_of_a_part(32, 16 * 16, 40_000), 32);
        assert_eq!(rows_of_a_band(128, 128, 40_000), 128);
        assert_eq!(rows_of_a_band(256, 256, 40_000), 64);
    }
}
