//! The backward kernels of batch norm.

use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;
use cubecl::std::tensor::layout::linear::{LinearView, LinearViewMut};

use super::blocks::{BlockShape, Blocks, thread_walk};
use super::forward::Parameters;
use crate::operation::gpu::kernel::{elementwise, empty, sum_of_threads, thread_sum};

/// The sums over each part of the gradient before the activation, and of its product with the normalized values,
/// `[2, parts, channels]`; and the gradients with respect to `gamma` and `beta`.
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

/// The gradient with respect to `x`, from the gradient with respect to the output and its [`gradient_sums`].
pub(super) fn gradient_of_input(
    x: &CubeTensor,
    gradient: &CubeTensor,
    parameters: &Parameters,
    sums: CubeTensor,
    blocks: &Blocks,
) -> CubeTensor {
    let client = &x.client;
    let output = empty(client, &x.device, &[blocks.parts * blocks.pixels, blocks.channels]);
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
        1.0 / blocks.pixels as f32,
    );
    output
}

/// Sums over each block of the gradient before the activation, and of its product with the normalized values.
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
    let walk = thread_walk(shape, threads);
    let unit = UNIT_POS as usize;

    let mut sum = 0.0f32;
    let mut product = 0.0f32;
    if walk.count > 0 {
        let rows = shape.parts * shape.channels;
        let statistic = walk.part * shape.channels + walk.channel;
        let mean = statistics[statistic];
        let scale = statistics[rows + statistic];
        let factor = statistics[2 * rows + statistic];
        let shift = beta[walk.channel];
        for index in 0..walk.count {
            let offset = walk.first + index * walk.step;
            let centred = x[offset] - mean;
            let mut value = gradient[offset];
            if centred * factor + shift <= 0.0f32 {
                value *= slope;
            }
            sum += value;
            product += value * centred * scale;
        }
    }
    let mut sums = Shared::<[f32]>::new_slice(threads);
    let mut products = Shared::<[f32]>::new_slice(threads);
    sums[unit] = sum;
    products[unit] = product;
    sync_cube();
    if walk.row == 0 && walk.channel < shape.channels {
        for other in 1..walk.rows {
            sum += sums[other * walk.width + walk.column];
            product += products[other * walk.width + walk.column];
        }
        partial[walk.block] = sum;
        partial[shape.parts * shape.blocks * shape.channels + walk.block] = product;
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
    for part in 0..shape.parts {
        let first = part * shape.blocks * channels + channel;
        gradients[unit] = thread_sum(partial, first, channels, shape.blocks, threads);
        products[unit] = thread_sum(partial, all + first, channels, shape.blocks, threads);
        sum_of_threads(&mut gradients, threads);
        sum_of_threads(&mut products, threads);
        if UNIT_POS == 0 {
            let offset = part * channels + channel;
            sums[offset] = gradients[0];
            sums[shape.parts * channels + offset] = products[0];
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

/// `gamma / sqrt(variance + epsilon) * (g - mean(g) - n * mean(g n))`, where `n` are the normalized values and `g` is
/// the gradient before the activation.
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
    let offset = part * channels + channel;
    let step = parts * channels;
    let centred = x.read(ABSOLUTE_POS) - statistics.read(offset);
    let scale = statistics.read(step + offset);
    let factor = statistics.read(2 * step + offset);
    let value = centred * factor + beta.read(channel);
    let gradient = gradient.read(ABSOLUTE_POS);
    let below = gradient * Vector::new(slope);
    let gradient = select_many(value.greater_than(&Vector::new(0.0f32)), gradient, below);
    let share = Vector::new(share);
    let around = gradient - sums.read(offset) * share - centred * scale * sums.read(step + offset) * share;
    output.write(ABSOLUTE_POS, around * factor);
}
