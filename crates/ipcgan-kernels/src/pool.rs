//! Max pooling and local response norm, as AlexNet has them.

use pulp::{Simd, WithSimd};

use crate::lanes::{load, store};
use crate::output::in_chunks;
use crate::{Instructions, Maps};

/// Side and stride of the pooled squares.
const KERNEL: usize = 3;
const STRIDE: usize = 2;

/// Sizes after [`max_pool`].
///
/// # Panics
/// If the maps are smaller than three pixels.
pub fn pooled(maps: Maps) -> Maps {
    assert!(maps.height >= KERNEL && maps.width >= KERNEL, "maps of {} x {} pixels", maps.height, maps.width);
    let side = |side: usize| (side - KERNEL) / STRIDE + 1;
    Maps { height: side(maps.height), width: side(maps.width), ..maps }
}

/// The largest value of each channel in squares of three pixels, two pixels apart.
pub fn max_pool(instructions: Instructions, input: &[f32], maps: Maps) -> Vec<f32> {
    let output_maps = pooled(maps);
    in_chunks(output_maps.values(), output_maps.width * maps.channels, |line, output| {
        let (picture, y) = (line / output_maps.height, line % output_maps.height);
        let rows = &input[(picture * maps.height + y * STRIDE) * maps.width * maps.channels..];
        instructions.run(PoolRow { rows, maps, output });
    })
}

/// Gradient towards the input of [`max_pool`]: each output's goes to the first of its largest inputs.
pub fn max_pool_gradient(input: &[f32], maps: Maps, output: &[f32], gradient: &[f32]) -> Vec<f32> {
    let output_maps = pooled(maps);
    in_chunks(maps.values(), maps.picture(), |picture, result| {
        let input = &input[picture * maps.picture()..][..maps.picture()];
        let start = picture * output_maps.picture();
        for pixel in 0..output_maps.height * output_maps.width {
            let (y, x) = (pixel / output_maps.width * STRIDE, pixel % output_maps.width * STRIDE);
            let place = start + pixel * maps.channels;
            let (output, gradient) = (&output[place..][..maps.channels], &gradient[place..][..maps.channels]);
            let mut open = vec![1.0f32; maps.channels];
            for tap in 0..KERNEL * KERNEL {
                let place = ((y + tap / KERNEL) * maps.width + x + tap % KERNEL) * maps.channels;
                let (input, result) = (&input[place..][..maps.channels], &mut result[place..][..maps.channels]);
                for channel in 0..maps.channels {
                    let hit = if input[channel] == output[channel] { open[channel] } else { 0.0 };
                    result[channel] += hit * gradient[channel];
                    open[channel] -= hit;
                }
            }
        }
    })
}

struct PoolRow<'a> {
    /// From the first row that the output sees.
    rows: &'a [f32],
    maps: Maps,
    output: &'a mut [f32],
}

impl WithSimd for PoolRow<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Maps { width, channels, .. } = self.maps;
        for (x, output) in self.output.chunks_exact_mut(channels).enumerate() {
            for (index, output) in output.chunks_mut(S::F32_LANES).enumerate() {
                let mut largest = simd.splat_f32s(f32::NEG_INFINITY);
                for tap in 0..KERNEL * KERNEL {
                    let pixel = (tap / KERNEL) * width + x * STRIDE + tap % KERNEL;
                    let start = pixel * channels + index * S::F32_LANES;
                    largest = simd.max_f32s(load(simd, &self.rows[start..start + output.len()]), largest);
                }
                store(simd, output, largest);
            }
        }
    }
}

/// Channels that [`response_norm`] looks at on either side of one.
const REACH: usize = 2;

/// Pixels of a piece of work.
const PIECE_PIXELS: usize = 64;

/// Local response norm over five neighbouring channels: `x / (1 + share * sum of squares)^0.75`.
///
/// Source: Krizhevsky and others, *ImageNet Classification with Deep Convolutional Neural Networks*, 2012.
pub fn response_norm(input: &[f32], channels: usize, share: f32) -> Vec<f32> {
    in_chunks(input.len(), PIECE_PIXELS * channels, |piece, output| {
        let input = &input[piece * PIECE_PIXELS * channels..];
        let mut sums = vec![0.0; channels];
        for (output, input) in output.chunks_exact_mut(channels).zip(input.chunks_exact(channels)) {
            neighbour_sums(input, |value| value * value, &mut sums);
            for channel in 0..channels {
                output[channel] = input[channel] * power(1.0 + share * sums[channel]);
            }
        }
    })
}

/// Gradient towards the input of [`response_norm`].
pub fn response_norm_gradient(input: &[f32], gradient: &[f32], channels: usize, share: f32) -> Vec<f32> {
    in_chunks(input.len(), PIECE_PIXELS * channels, |piece, result| {
        let [input, gradient] = [input, gradient].map(|values| &values[piece * PIECE_PIXELS * channels..]);
        let mut sums = vec![0.0; channels];
        let (mut factors, mut products) = (vec![0.0; channels], vec![0.0; channels]);
        for (start, result) in result.chunks_exact_mut(channels).enumerate() {
            let input = &input[start * channels..][..channels];
            let gradient = &gradient[start * channels..][..channels];
            neighbour_sums(input, |value| value * value, &mut sums);
            for channel in 0..channels {
                let base = 1.0 + share * sums[channel];
                factors[channel] = power(base);
                products[channel] = gradient[channel] * input[channel] * factors[channel] / base;
            }
            neighbour_sums(&products, |value| value, &mut sums);
            for channel in 0..channels {
                let through_base = 1.5 * share * input[channel] * sums[channel];
                result[channel] = gradient[channel] * factors[channel] - through_base;
            }
        }
    })
}

/// `base^-0.75`.
fn power(base: f32) -> f32 {
    let root = base.sqrt();
    1.0 / (root * root.sqrt())
}

/// For each channel the sum of `term` over it and its neighbours.
fn neighbour_sums(values: &[f32], term: impl Fn(f32) -> f32, sums: &mut [f32]) {
    sums.fill(0.0);
    let count = values.len();
    for offset in 0..=2 * REACH {
        // Channel `c` takes the term of channel `c + offset - REACH`.
        let (first, skipped) = (REACH.saturating_sub(offset), offset.saturating_sub(REACH));
        if first + skipped >= count {
            continue;
        }
        for (sum, &value) in sums[first..count - skipped].iter_mut().zip(&values[skipped..count - first]) {
            *sum += term(value);
        }
    }
}
