//! The kernels of batch norm on GPUs.
//!
//! Maps are `[parts, places, channels]`; a workgroup's threads lie along channels and, where there are few of those, along
//! places too. Means and squared differences are joined by Chan's formula, because differences of large sums would lose them.
//!
//! Source: Chan, Golub and LeVeque, *Algorithms for Computing the Sample Variance*, 1983.

#![expect(clippy::manual_div_ceil, reason = "CubeCL translates the operators of a kernel")]

use burn_cubecl::tensor::CubeTensor;
use cubecl::client::Client;
use cubecl::prelude::*;
use cubecl::std::tensor::layout::linear::{LinearView, LinearViewMut};

use crate::operation::gpu::kernel::{elementwise, empty, sum_of_threads, summing_threads};

/// Blocks of a part, at most, where loops stay short.
const MAX_BLOCKS: usize = 256;
/// Places that a thread sums up, at least, where there are so many.
const MIN_TURNS: usize = 8;
/// Places that a thread sums up, at most: Mesa's software drivers end loops after 65,535 turns.
const MAX_TURNS: usize = 4096;
/// Threads that join the blocks of a channel, at most.
const MAX_JOINING: usize = 64;

/// How places and channels are spread over workgroups.
#[derive(Clone, Copy, Debug)]
pub(super) struct Blocks {
    parts: usize,
    /// Of a part.
    places: usize,
    channels: usize,
    /// Places of a block.
    chunk: usize,
    /// Of a part.
    blocks: usize,
    threads: usize,
}

impl Blocks {
    pub(super) fn new(client: &Client, parts: usize, places: usize, channels: usize) -> Self {
        let threads = summing_threads(client);
        let rows = (threads / channels).max(1);
        let wanted = places.div_ceil(rows * MIN_TURNS).clamp(1, MAX_BLOCKS);
        let blocks = wanted.max(places.div_ceil(rows * MAX_TURNS));
        let chunk = places.div_ceil(blocks);
        Self { parts, places, channels, chunk, blocks: places.div_ceil(chunk), threads }
    }

    fn count(&self) -> CubeCount {
        let tiles = self.channels.div_ceil(self.threads);
        CubeCount::new_3d(self.blocks as u32, self.parts as u32, tiles as u32)
    }

    fn shape(&self) -> BlockShapeLaunch {
        BlockShapeLaunch::new(self.parts, self.places, self.channels, self.chunk, self.blocks)
    }

    /// A workgroup for each channel, which joins its blocks.
    fn joining(&self) -> (CubeCount, usize) {
        (CubeCount::new_1d(self.channels as u32), self.threads.min(MAX_JOINING))
    }

    /// How many channels a thread computes at once.
    fn vector_size(&self, client: &Client) -> usize {
        let offered = client.io_optimized_vector_sizes(size_of::<f32>());
        offered.filter(|size| self.channels.is_multiple_of(*size)).max().unwrap_or(1)
    }

    fn values(&self) -> usize {
        self.parts * self.places * self.channels
    }
}

/// What values are normed by.
#[derive(Clone, Debug)]
pub(super) struct Parameters {
    /// `[mean, 1 / sqrt(variance + epsilon), gamma / sqrt(variance + epsilon)]`, each of `[parts, channels]`.
    pub(super) statistics: CubeTensor,
    /// `[channels]`.
    pub(super) beta: CubeTensor,
    /// Of the activation below zero.
    pub(super) slope: f32,
}

/// [`Parameters::statistics`], and the running mean and variance moved by them.
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

/// The normed and activate `x`.
pub(super) fn apply(x: &CubeTensor, parameters: &Parameters, blocks: &Blocks) -> CubeTensor {
    let client = &x.client;
    let output = empty(client, &x.device, &[blocks.parts * blocks.places, blocks.channels]);
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

/// The sums over a part of the gradient, before the activation, and of it times the normed values, `[2, parts, channels]`; and
/// the gradients towards `gamma` and `beta`.
pub(super) fn gradient_sums(
    x: &CubeTensor,
    gradient: &CubeTensor,
    parameters: &Parameters,
    blocks: &Blocks,
) -> (CubeTensor, CubeTensor, CubeTensor) {
    let (client, device, threads) = (&x.client, &x.device, blocks.threads);
    let partial = empty(client, device, &[2, blocks.parts, blocks.blocks, blocks.channels]);
    gradient_sums_kernel::launch(
        client,
        blocks.count(),
        CubeDim::new_1d(threads as u32),
        x.clone().into_buffer_arg(),
        gradient.clone().into_buffer_arg(),
        parameters.statistics.clone().into_buffer_arg(),
        parameters.beta.clone().into_buffer_arg(),
        partial.clone().into_buffer_arg(),
        blocks.shape(),
        parameters.slope,
        threads,
    );
    let sums = empty(client, device, &[2, blocks.parts, blocks.channels]);
    let [gamma, beta] = [(); 2].map(|()| empty(client, device, &[blocks.channels]));
    let (count, joining) = blocks.joining();
    joined_sums_kernel::launch(
        client,
        count,
        CubeDim::new_1d(joining as u32),
        partial.into_buffer_arg(),
        sums.clone().into_buffer_arg(),
        gamma.clone().into_buffer_arg(),
        beta.clone().into_buffer_arg(),
        blocks.shape(),
        joining,
    );
    (sums, gamma, beta)
}

/// The gradient towards `x`, from that of the output and its [`gradient_sums`].
pub(super) fn gradient_of_input(
    x: &CubeTensor,
    gradient: &CubeTensor,
    parameters: &Parameters,
    sums: CubeTensor,
    blocks: &Blocks,
) -> CubeTensor {
    let client = &x.client;
    let output = empty(client, &x.device, &[blocks.parts * blocks.places, blocks.channels]);
    let vector = blocks.vector_size(client);
    let (count, dim) = elementwise(client, blocks.values() / vector);
    gradient_kernel::launch(
        client,
        count,
        dim,
        vector,
        x.clone().into_linear_view(),
        gradient.clone().into_linear_view(),
        parameters.statistics.clone().into_linear_view(),
        parameters.beta.clone().into_linear_view(),
        sums.into_linear_view(),
        output.clone().into_linear_view(),
        blocks.parts,
        blocks.channels / vector,
        parameters.slope,
        1.0 / blocks.places as f32,
    );
    output
}

#[derive(CubeLaunch, CubeType)]
struct BlockShape {
    parts: usize,
    places: usize,
    channels: usize,
    chunk: usize,
    blocks: usize,
}

/// Means and sums of squared differences of each block, `[2, parts, blocks, channels]`.
#[cube(launch)]
fn moments_kernel(x: &[f32], partial: &mut [f32], shape: &BlockShape, #[comptime] threads: usize) {
    let channels = shape.channels;
    let width = min_of(channels, threads.runtime());
    let rows = threads / width;
    let unit = UNIT_POS as usize;
    let column = unit % width;
    let row = unit / width;
    let channel = CUBE_POS_Z as usize * threads + column;
    let part = CUBE_POS_Y as usize;
    let block = CUBE_POS_X as usize;
    let start = block * shape.chunk + row;
    let end = min_of((block + 1) * shape.chunk, shape.places);

    let mut mean = 0.0f32;
    let mut squares = 0.0f32;
    let mut count = 0.0f32;
    if row < rows && channel < channels && start < end {
        let iterations = (end - start + rows - 1) / rows;
        let first = (part * shape.places + start) * channels + channel;
        // Sums of differences from a value of the block, so that nothing is lost where the mean is far from zero.
        let shift = x[first];
        let mut sum = 0.0f32;
        for turn in 0..iterations {
            let difference = x[first + turn * rows * channels] - shift;
            sum += difference;
            squares += difference * difference;
        }
        count = f32::cast_from(iterations);
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
    if row == 0 && channel < channels {
        for other in 1..rows {
            let place = other * width + column;
            let others = counts[place];
            if others > 0.0f32 {
                let together = count + others;
                let apart = means[place] - mean;
                mean += apart * others / together;
                squares += differences[place] + apart * apart * count * others / together;
                count = together;
            }
        }
        let place = (part * shape.blocks + block) * channels + channel;
        partial[place] = mean;
        partial[shape.parts * shape.blocks * channels + place] = squares;
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
    let mut kept_mean = running_mean[channel];
    let mut kept_variance = running_variance[channel];
    let all = shape.parts * shape.blocks * channels;
    let iterations = (shape.blocks + threads - 1) / threads;
    for part in 0..shape.parts {
        let mut mean = 0.0f32;
        let mut squares = 0.0f32;
        let mut count = 0.0f32;
        for turn in 0..iterations {
            let block = turn * threads + unit;
            if block < shape.blocks {
                let place = (part * shape.blocks + block) * channels + channel;
                let others = f32::cast_from(min_of(shape.chunk, shape.places - block * shape.chunk));
                let together = count + others;
                let apart = partial[place] - mean;
                mean += apart * others / together;
                squares += partial[all + place] + apart * apart * count * others / together;
                count = together;
            }
        }
        means[unit] = mean;
        differences[unit] = squares;
        counts[unit] = count;
        sync_cube();
        let mut active = threads.runtime();
        while active > 1 {
            active /= 2;
            if unit < active {
                let other = unit + active;
                let others = counts[other];
                if others > 0.0f32 {
                    let together = count + others;
                    let apart = means[other] - mean;
                    mean += apart * others / together;
                    squares += differences[other] + apart * apart * count * others / together;
                    count = together;
                    means[unit] = mean;
                    differences[unit] = squares;
                    counts[unit] = count;
                }
            }
            sync_cube();
        }
        if UNIT_POS == 0 {
            let variance = squares / f32::cast_from(shape.places);
            let scale = 1.0f32 / (variance + epsilon).sqrt();
            let rows = shape.parts * channels;
            let place = part * channels + channel;
            statistics[place] = mean;
            statistics[rows + place] = scale;
            statistics[2 * rows + place] = scale * gamma[channel];
            kept_mean = kept_mean * (1.0f32 - momentum) + mean * momentum;
            kept_variance = kept_variance * (1.0f32 - momentum) + variance * momentum;
        }
        // The next part's values take the place of these.
        sync_cube();
    }
    if UNIT_POS == 0 {
        new_mean[channel] = kept_mean;
        new_variance[channel] = kept_variance;
    }
}

/// `(x - mean) * gamma / sqrt(variance + epsilon) + beta`, activate.
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

/// Sums of the gradient, before the activation, and of it times the normed values, of each block.
#[allow(clippy::too_many_arguments, reason = "a kernel takes each buffer by itself")]
#[cube(launch)]
fn gradient_sums_kernel(
    x: &[f32],
    gradient: &[f32],
    statistics: &[f32],
    beta: &[f32],
    partial: &mut [f32],
    shape: &BlockShape,
    slope: f32,
    #[comptime] threads: usize,
) {
    let channels = shape.channels;
    let width = min_of(channels, threads.runtime());
    let rows = threads / width;
    let unit = UNIT_POS as usize;
    let column = unit % width;
    let row = unit / width;
    let channel = CUBE_POS_Z as usize * threads + column;
    let part = CUBE_POS_Y as usize;
    let block = CUBE_POS_X as usize;
    let start = block * shape.chunk + row;
    let end = min_of((block + 1) * shape.chunk, shape.places);

    let mut sum = 0.0f32;
    let mut product = 0.0f32;
    if row < rows && channel < channels && start < end {
        let iterations = (end - start + rows - 1) / rows;
        let first = (part * shape.places + start) * channels + channel;
        let of_part = part * channels + channel;
        let step = shape.parts * channels;
        let mean = statistics[of_part];
        let scale = statistics[step + of_part];
        let factor = statistics[2 * step + of_part];
        let shift = beta[channel];
        for turn in 0..iterations {
            let place = first + turn * rows * channels;
            let centred = x[place] - mean;
            let mut arrived = gradient[place];
            if centred * factor + shift <= 0.0f32 {
                arrived *= slope;
            }
            sum += arrived;
            product += arrived * centred * scale;
        }
    }
    let mut sums = Shared::<[f32]>::new_slice(threads);
    let mut products = Shared::<[f32]>::new_slice(threads);
    sums[unit] = sum;
    products[unit] = product;
    sync_cube();
    if row == 0 && channel < channels {
        for other in 1..rows {
            sum += sums[other * width + column];
            product += products[other * width + column];
        }
        let place = (part * shape.blocks + block) * channels + channel;
        partial[place] = sum;
        partial[shape.parts * shape.blocks * channels + place] = product;
    }
}

/// Joins the sums of the blocks of a channel.
#[cube(launch)]
fn joined_sums_kernel(
    partial: &[f32],
    sums: &mut [f32],
    grad_gamma: &mut [f32],
    grad_beta: &mut [f32],
    shape: &BlockShape,
    #[comptime] threads: usize,
) {
    let channel = CUBE_POS_X as usize;
    let unit = UNIT_POS as usize;
    let channels = shape.channels;
    let mut gradients = Shared::<[f32]>::new_slice(threads);
    let mut products = Shared::<[f32]>::new_slice(threads);
    let mut gamma = 0.0f32;
    let mut beta = 0.0f32;
    let all = shape.parts * shape.blocks * channels;
    let iterations = (shape.blocks + threads - 1) / threads;
    for part in 0..shape.parts {
        let mut sum = 0.0f32;
        let mut product = 0.0f32;
        for turn in 0..iterations {
            let block = turn * threads + unit;
            if block < shape.blocks {
                let place = (part * shape.blocks + block) * channels + channel;
                sum += partial[place];
                product += partial[all + place];
            }
        }
        gradients[unit] = sum;
        products[unit] = product;
        sum_of_threads(&mut gradients, threads);
        sum_of_threads(&mut products, threads);
        if UNIT_POS == 0 {
            let place = part * channels + channel;
            sums[place] = gradients[0];
            sums[shape.parts * channels + place] = products[0];
            beta += gradients[0];
            gamma += products[0];
        }
        // The next part's values take the place of these.
        sync_cube();
    }
    if UNIT_POS == 0 {
        grad_gamma[channel] = gamma;
        grad_beta[channel] = beta;
    }
}

/// `gamma / sqrt(variance + epsilon) * (g - mean(g) - normed * mean(g normed))`, where `g` is the gradient before the activation.
#[allow(clippy::too_many_arguments, reason = "a kernel takes each buffer by itself")]
#[cube(launch)]
fn gradient_kernel<N: Size>(
    x: LinearView<'_, Vector<f32, N>>,
    gradient: LinearView<'_, Vector<f32, N>>,
    statistics: LinearView<'_, Vector<f32, N>>,
    beta: LinearView<'_, Vector<f32, N>>,
    sums: LinearView<'_, Vector<f32, N>>,
    mut output: LinearViewMut<'_, Vector<f32, N>>,
    parts: usize,
    channels: usize,
    slope: f32,
    share: f32,
) {
    if !output.is_in_bounds(ABSOLUTE_POS) {
        terminate!();
    }
    let channel = ABSOLUTE_POS % channels;
    let part = ABSOLUTE_POS / (output.shape() / parts);
    let place = part * channels + channel;
    let step = parts * channels;
    let centred = x.read(ABSOLUTE_POS) - statistics.read(place);
    let scale = statistics.read(step + place);
    let factor = statistics.read(2 * step + place);
    let value = centred * factor + beta.read(channel);
    let arrived = gradient.read(ABSOLUTE_POS);
    let below = arrived * Vector::new(slope);
    let arrived = select_many(value.greater_than(&Vector::new(0.0f32)), arrived, below);
    let share = Vector::new(share);
    let around = arrived - sums.read(place) * share - centred * scale * sums.read(step + place) * share;
    output.write(ABSOLUTE_POS, around * factor);
}

#[cube]
fn min_of(a: usize, b: usize) -> usize {
    let mut smaller = a;
    if b < a {
        smaller = b;
    }
    smaller
}
