//! The forward kernels of batch norm.
//!
//! Means and squared differences are joined by Chan's formula, because differences of large sums would lose them.
//!
//! Source: Chan, Golub and LeVeque, *Algorithms for Computing the Sample Variance*, 1983.

#![expect(clippy::manual_div_ceil, reason = "CubeCL translates the operators of a kernel")]

use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;
use cubecl::std::tensor::layout::linear::{LinearView, LinearViewMut};

use super::blocks::{BlockShape, Blocks, min_of, thread_walk};
use crate::operation::gpu::kernel::{elementwise, empty};

/// What values are normalized by.
#[derive(Clone, Debug)]
pub(super) struct Parameters {
    /// `[mean, 1 / sqrt(variance + epsilon), gamma / sqrt(variance + epsilon)]`, each of `[parts, channels]`.
    pub(super) statistics: CubeTensor,
    /// `[channels]`.
    pub(super) beta: CubeTensor,
    /// Of the activation below zero.
    pub(super) slope: f32,
}

/// [`Parameters::statistics`], and the running mean and variance updated with them.
pub(super) fn statistics(
    x: &CubeTensor,
    gamma: CubeTensor,
    [mean, variance]: [CubeTensor; 2],
    blocks: &Blocks,
    [epsilon, momentum]: [f32; 2],
) -> (CubeTensor, [CubeTensor; 2]) {
    let (client, device, threads) = (&x.client, &x.device, blocks.threads);
    let partial = empty(client, device, &[2, blocks.parts, blocks.blocks, blocks.channels]);
    moments_kernel::launch(
        client,
        blocks.count(),
        CubeDim::new_1d(threads as u32),
        x.clone().into_buffer_arg(),
        partial.clone().into_buffer_arg(),
        blocks.shape(),
        threads,
    );
    let statistics = empty(client, device, &[3, blocks.parts, blocks.channels]);
    let new = [empty(client, device, &[blocks.channels]), empty(client, device, &[blocks.channels])];
    let (count, joining) = blocks.joining();
    statistics_kernel::launch(
        client,
        count,
        CubeDim::new_1d(joining as u32),
        partial.into_buffer_arg(),
        gamma.into_buffer_arg(),
        mean.into_buffer_arg(),
        variance.into_buffer_arg(),
        statistics.clone().into_buffer_arg(),
        new[0].clone().into_buffer_arg(),
        new[1].clone().into_buffer_arg(),
        blocks.shape(),
        epsilon,
        momentum,
        joining,
    );
    (statistics, new)
}

/// `x`, normalized and with its activation.
pub(super) fn apply(x: &CubeTensor, parameters: &Parameters, blocks: &Blocks) -> CubeTensor {
    let client = &x.client;
    let output = empty(client, &x.device, &[blocks.parts * blocks.pixels, blocks.channels]);
    let vector = blocks.vector_size(client);
    let (count, dim) = elementwise(client, blocks.values() / vector);
    apply_kernel::launch(
        client,
        count,
        dim,
        vector,
        x.clone().into_linear_view(),
        parameters.statistics.clone().into_linear_view(),
        parameters.beta.clone().into_linear_view(),
        output.clone().into_linear_view(),
        blocks.parts,
        blocks.channels / vector,
        parameters.slope,
    );
    output
}

/// Mean, sum of squared differences from it, and number of some values.
#[derive(CubeType, Clone, Copy)]
struct Moments {
    mean: f32,
    squares: f32,
    count: f32,
}

/// The moments of both groups of values together, of which one is not empty.
#[cube]
fn joined(one: Moments, other: Moments) -> Moments {
    let count = one.count + other.count;
    let difference = other.mean - one.mean;
    Moments {
        mean: one.mean + difference * other.count / count,
        squares: one.squares + (other.squares + difference * difference * one.count * other.count / count),
        count,
    }
}

/// Means and sums of squared differences of each block, `[2, parts, blocks, channels]`.
#[cube(launch)]
fn moments_kernel(x: &[f32], partial: &mut [f32], shape: &BlockShape, #[comptime] threads: usize) {
    let walk = thread_walk(shape, threads);
    let unit = UNIT_POS as usize;

    let mut mean = 0.0f32;
    let mut squares = 0.0f32;
    let mut count = 0.0f32;
    if walk.count > 0 {
        // Sums of differences from a value of the block, so that nothing is lost where the mean is far from zero.
        let shift = x[walk.first];
        let mut sum = 0.0f32;
        for index in 0..walk.count {
            let difference = x[walk.first + index * walk.step] - shift;
            sum += difference;
            squares += difference * difference;
        }
        count = f32::cast_from(walk.count);
        mean = shift + sum / count;
        squares = max(squares - sum * sum / count, 0.0f32);
    }
    let mut means = Shared::<[f32]>::new_slice(threads);
    let mut differences = Shared::<[f32]>::new_slice(threads);
    let mut counts = Shared::<[f32]>::new_slice(threads);
    means[unit] = mean;
    differences[unit] = squares;
    counts[unit] = count;
    sync_cube();
    if walk.row == 0 && walk.channel < shape.channels {
        for other in 1..walk.rows {
            let place = other * walk.width + walk.column;
            if counts[place] > 0.0f32 {
                let other = Moments { mean: means[place], squares: differences[place], count: counts[place] };
                let both = joined(Moments { mean, squares, count }, other);
                mean = both.mean;
                squares = both.squares;
                count = both.count;
            }
        }
        partial[walk.block] = mean;
        partial[shape.parts * shape.blocks * shape.channels + walk.block] = squares;
    }
}

/// Joins the moments of the `threads` threads of a workgroup, a power of two; the result is that of the first thread.
#[cube]
fn join_threads(
    means: &mut Shared<[f32]>,
    differences: &mut Shared<[f32]>,
    counts: &mut Shared<[f32]>,
    #[comptime] threads: usize,
) {
    let unit = UNIT_POS as usize;
    sync_cube();
    let mut active = threads.runtime();
    while active > 1 {
        active /= 2;
        if unit < active {
            let place = unit + active;
            if counts[place] > 0.0f32 {
                let one = Moments { mean: means[unit], squares: differences[unit], count: counts[unit] };
                let other = Moments { mean: means[place], squares: differences[place], count: counts[place] };
                let both = joined(one, other);
                means[unit] = both.mean;
                differences[unit] = both.squares;
                counts[unit] = both.count;
            }
        }
        sync_cube();
    }
}

/// Joins the blocks of a channel.
#[allow(clippy::too_many_arguments, reason = "a kernel takes each buffer by itself")]
#[cube(launch)]
fn statistics_kernel(
    partial: &[f32],
    gamma: &[f32],
    running_mean: &[f32],
    running_variance: &[f32],
    statistics: &mut [f32],
    new_mean: &mut [f32],
    new_variance: &mut [f32],
    shape: &BlockShape,
    epsilon: f32,
    momentum: f32,
    #[comptime] threads: usize,
) {
    let channel = CUBE_POS_X as usize;
    let unit = UNIT_POS as usize;
    let channels = shape.channels;
    let mut means = Shared::<[f32]>::new_slice(threads);
    let mut differences = Shared::<[f32]>::new_slice(threads);
    let mut counts = Shared::<[f32]>::new_slice(threads);
    let mut new_running_mean = running_mean[channel];
    let mut new_running_variance = running_variance[channel];
    let all = shape.parts * shape.blocks * channels;
    let iterations = (shape.blocks + threads - 1) / threads;
    for part in 0..shape.parts {
        let mut mean = 0.0f32;
        let mut squares = 0.0f32;
        let mut count = 0.0f32;
        for iteration in 0..iterations {
            let block = iteration * threads + unit;
            if block < shape.blocks {
                let place = (part * shape.blocks + block) * channels + channel;
                let pixels = f32::cast_from(min_of(shape.block_pixels, shape.pixels - block * shape.block_pixels));
                let other = Moments { mean: partial[place], squares: partial[all + place], count: pixels };
                let both = joined(Moments { mean, squares, count }, other);
                mean = both.mean;
                squares = both.squares;
                count = both.count;
            }
        }
        means[unit] = mean;
        differences[unit] = squares;
        counts[unit] = count;
        join_threads(&mut means, &mut differences, &mut counts, threads);
        if UNIT_POS == 0 {
            let mean = means[0];
            let variance = differences[0] / f32::cast_from(shape.pixels);
            let scale = 1.0f32 / (variance + epsilon).sqrt();
            let rows = shape.parts * channels;
            let place = part * channels + channel;
            statistics[place] = mean;
            statistics[rows + place] = scale;
            statistics[2 * rows + place] = scale * gamma[channel];
            new_running_mean = new_running_mean * (1.0f32 - momentum) + mean * momentum;
            new_running_variance = new_running_variance * (1.0f32 - momentum) + variance * momentum;
        }
        // The next part's values take the place of these.
        sync_cube();
    }
    if UNIT_POS == 0 {
        new_mean[channel] = new_running_mean;
        new_variance[channel] = new_running_variance;
    }
}

/// `(x - mean) * gamma / sqrt(variance + epsilon) + beta`, then the activation.
#[cube(launch)]
fn apply_kernel<N: Size>(
    x: LinearView<'_, Vector<f32, N>>,
    statistics: LinearView<'_, Vector<f32, N>>,
    beta: LinearView<'_, Vector<f32, N>>,
    mut output: LinearViewMut<'_, Vector<f32, N>>,
    parts: usize,
    channels: usize,
    slope: f32,
) {
    if !output.is_in_bounds(ABSOLUTE_POS) {
        terminate!();
    }
    let channel = ABSOLUTE_POS % channels;
    let part = ABSOLUTE_POS / (output.shape() / parts);
    let place = part * channels + channel;
    let centred = x.read(ABSOLUTE_POS) - statistics.read(place);
    let value = centred * statistics.read(2 * parts * channels + place) + beta.read(channel);
    let below = value * Vector::new(slope);
    output.write(ABSOLUTE_POS, select_many(value.greater_than(&Vector::new(0.0f32)), value, below));
}
