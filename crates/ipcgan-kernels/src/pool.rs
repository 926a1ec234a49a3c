//! Max pooling, and the local response norm of AlexNet.

use pulp::{Simd, WithSimd};

use crate::lanes::{load, store};
use crate::output::in_chunks;
use crate::{InstructionSet, Nhwc};

/// Stride of the pooling windows, in pixels.
const STRIDE: usize = 2;

/// Max pooling with stride 2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MaxPoolParams {
    /// Kernel size in pixels.
    pub kernel: usize,
    /// Whether output sizes round up, so that the last window may extend beyond the border.
    pub ceil_mode: bool,
}

impl MaxPoolParams {
    /// Shape of the output of [`max_pool`].
    ///
    /// # Panics
    /// If the maps are smaller than a pooling window.
    pub fn output_shape(&self, shape: Nhwc) -> Nhwc {
        let smallest = shape.height.min(shape.width);
        assert!(smallest >= self.kernel, "maps of {} x {} pixels", shape.height, shape.width);
        let side = |side: usize| match self.ceil_mode {
            true => (side - self.kernel).div_ceil(STRIDE) + 1,
            false => (side - self.kernel) / STRIDE + 1,
        };
        Nhwc { height: side(shape.height), width: side(shape.width), ..shape }
    }
}

/// The largest value of each channel in each window of `pooling`, in the shape of [`MaxPoolParams::output_shape`].
///
/// # Panics
/// If `input` does not hold the values of `shape`, or the maps are smaller than a pooling window.
pub fn max_pool(instructions: InstructionSet, pooling: MaxPoolParams, input: &[f32], shape: Nhwc) -> Vec<f32> {
    assert_eq!(input.len(), shape.num_elements(), "values of the input");
    let output_shape = pooling.output_shape(shape);
    in_chunks(output_shape.num_elements(), output_shape.width * shape.channels, |line, output| {
        let (image, y) = (line / output_shape.height, line % output_shape.height);
        let (first, end) = (y * STRIDE, (y * STRIDE + pooling.kernel).min(shape.height));
        let row = shape.width * shape.channels;
        let rows = &input[image * shape.image_elements()..][first * row..end * row];
        instructions.run(PoolRow { pooling, rows, shape, output });
    })
}

/// Gradient with respect to the input of [`max_pool`]; ties go to the first maximum.
///
/// # Shapes
/// - `input`: the values of `shape`
/// - `output`, `gradient`: the output of [`max_pool`], and its gradient
/// - returns: the values of `shape`
///
/// # Panics
/// If the lengths do not match the shapes.
pub fn max_pool_gradient(
    instructions: InstructionSet,
    pooling: MaxPoolParams,
    input: &[f32],
    shape: Nhwc,
    output: &[f32],
    gradient: &[f32],
) -> Vec<f32> {
    let pooled = pooling.output_shape(shape);
    assert_eq!(input.len(), shape.num_elements(), "values of the input");
    assert_eq!([output.len(), gradient.len()], [pooled.num_elements(); 2], "values of the output and of its gradient");
    let size = pooled.image_elements();
    in_chunks(shape.num_elements(), shape.image_elements(), |image, result| {
        let input = &input[image * shape.image_elements()..][..shape.image_elements()];
        let [output, gradient] = [output, gradient].map(|values| &values[image * size..][..size]);
        instructions.run(PoolGradient { pooling, input, shape, output, gradient, result });
    })
}

/// The gradient of one image.
struct PoolGradient<'a> {
    pooling: MaxPoolParams,
    input: &'a [f32],
    shape: Nhwc,
    output: &'a [f32],
    gradient: &'a [f32],
    result: &'a mut [f32],
}

impl WithSimd for PoolGradient<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { pooling, input, shape, output, gradient, result } = self;
        let output_shape = pooling.output_shape(shape);
        let channels = shape.channels;
        for pixel in 0..output_shape.height * output_shape.width {
            let (y, x) = (pixel / output_shape.width * STRIDE, pixel % output_shape.width * STRIDE);
            for first in (0..channels).step_by(S::F32_LANES) {
                let count = S::F32_LANES.min(channels - first);
                let offset = pixel * channels + first;
                let (output, gradient) = (&output[offset..offset + count], &gradient[offset..offset + count]);
                // The first of several equal maxima takes the gradient, which is zero for the others.
                let (output, mut gradient) = (load(simd, output), load(simd, gradient));
                for y in y..(y + pooling.kernel).min(shape.height) {
                    for x in x..(x + pooling.kernel).min(shape.width) {
                        let offset = (y * shape.width + x) * channels + first;
                        let hit = simd.equal_f32s(load(simd, &input[offset..offset + count]), output);
                        let result = &mut result[offset..offset + count];
                        let taken = simd.select_f32s(hit, gradient, simd.splat_f32s(0.0));
                        store(simd, result, simd.add_f32s(load(simd, result), taken));
                        gradient = simd.select_f32s(hit, simd.splat_f32s(0.0), gradient);
                    }
                }
            }
        }
    }
}

/// A row of the output.
struct PoolRow<'a> {
    pooling: MaxPoolParams,
    /// The input rows of its windows.
    rows: &'a [f32],
    shape: Nhwc,
    output: &'a mut [f32],
}

impl WithSimd for PoolRow<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { pooling, rows, shape: Nhwc { width, channels, .. }, output } = self;
        for (x, output) in output.chunks_exact_mut(channels).enumerate() {
            let columns = x * STRIDE..(x * STRIDE + pooling.kernel).min(width);
            for (index, output) in output.chunks_mut(S::F32_LANES).enumerate() {
                let mut largest = simd.splat_f32s(f32::NEG_INFINITY);
                for row in rows.chunks_exact(width * channels) {
                    for column in columns.clone() {
                        let start = column * channels + index * S::F32_LANES;
                        largest = simd.max_f32s(load(simd, &row[start..start + output.len()]), largest);
                    }
                }
                store(simd, output, largest);
            }
        }
    }
}

/// Number of neighbouring channels on either side that [`local_response_norm`] includes.
const RADIUS: usize = 2;

/// Number of pixels of a task.
const TASK_PIXELS: usize = 64;

/// Local response norm over five neighbouring channels: `x / (1 + alpha * sum of squares)^0.75`, with `alpha` of at
/// least 0; the channels of each pixel of `input` are side by side.
///
/// Source: Krizhevsky et al., *ImageNet Classification with Deep Convolutional Neural Networks*, 2012.
///
/// # Panics
/// If `input` does not consist of whole pixels.
pub fn local_response_norm(instructions: InstructionSet, input: &[f32], channels: usize, alpha: f32) -> Vec<f32> {
    assert!(input.len().is_multiple_of(channels), "{} values of {channels} channels", input.len());
    in_chunks(input.len(), TASK_PIXELS * channels, |task, output| {
        let input = &input[task * TASK_PIXELS * channels..];
        instructions.run(LocalResponseNorm { input, channels, alpha, output });
    })
}

/// Gradient with respect to the input of [`local_response_norm`], from that input and the gradient of the output, which
/// are of one shape.
///
/// # Panics
/// If `input` does not consist of whole pixels, or there are not as many gradients.
pub fn local_response_norm_gradient(
    instructions: InstructionSet,
    input: &[f32],
    gradient: &[f32],
    channels: usize,
    alpha: f32,
) -> Vec<f32> {
    assert!(input.len().is_multiple_of(channels), "{} values of {channels} channels", input.len());
    assert_eq!(gradient.len(), input.len(), "values of the gradient");
    in_chunks(input.len(), TASK_PIXELS * channels, |task, result| {
        let [input, gradient] = [input, gradient].map(|values| &values[task * TASK_PIXELS * channels..]);
        instructions.run(LocalResponseNormGradient { input, gradient, channels, alpha, result });
    })
}

/// The outputs of some pixels.
struct LocalResponseNorm<'a> {
    input: &'a [f32],
    channels: usize,
    alpha: f32,
    output: &'a mut [f32],
}

impl WithSimd for LocalResponseNorm<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self { input, channels, alpha, output } = self;
        let (mut squares, mut sums) = (vec![0.0; channels], vec![0.0; channels]);
        for (output, input) in output.chunks_exact_mut(channels).zip(input.chunks_exact(channels)) {
            squares.iter_mut().zip(input).for_each(|(square, value)| *square = value * value);
            neighbour_sums(&squares, &mut sums);
            for channel in 0..channels {
                output[channel] = input[channel] * power(1.0 + alpha * sums[channel]);
            }
        }
    }
}

/// The gradient of some pixels.
struct LocalResponseNormGradient<'a> {
    input: &'a [f32],
    gradient: &'a [f32],
    channels: usize,
    alpha: f32,
    result: &'a mut [f32],
}

impl WithSimd for LocalResponseNormGradient<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self { input, gradient, channels, alpha, result } = self;
        let (mut terms, mut sums) = (vec![0.0; channels], vec![0.0; channels]);
        let mut factors = vec![0.0; channels];
        let pixels = input.chunks_exact(channels).zip(gradient.chunks_exact(channels));
        for (result, (input, gradient)) in result.chunks_exact_mut(channels).zip(pixels) {
            terms.iter_mut().zip(input).for_each(|(square, value)| *square = value * value);
            neighbour_sums(&terms, &mut sums);
            for channel in 0..channels {
                let base = 1.0 + alpha * sums[channel];
                factors[channel] = power(base);
                terms[channel] = gradient[channel] * input[channel] * factors[channel] / base;
            }
            neighbour_sums(&terms, &mut sums);
            for channel in 0..channels {
                let through_base = 1.5 * alpha * input[channel] * sums[channel];
                result[channel] = gradient[channel] * factors[channel] - through_base;
            }
        }
    }
}

/// `base^-0.75`.
#[inline(always)]
fn power(base: f32) -> f32 {
    let root = base.sqrt();
    1.0 / (root * root.sqrt())
}

/// For each channel, the sum of its term and those of its neighbours.
#[inline(always)]
fn neighbour_sums(terms: &[f32], sums: &mut [f32]) {
    sums.fill(0.0);
    let count = terms.len();
    for offset in 0..=2 * RADIUS {
        // Channel `c` takes the term of channel `c + offset - RADIUS`.
        let (first, skipped) = (RADIUS.saturating_sub(offset), offset.saturating_sub(RADIUS));
        if first + skipped >= count {
            continue;
        }
        for (sum, &term) in sums[first..count - skipped].iter_mut().zip(&terms[skipped..count - first]) {
            *sum += term;
        }
    }
}
