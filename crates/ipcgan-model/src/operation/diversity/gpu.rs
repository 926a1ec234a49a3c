//! Diversity of a batch on GPUs, in two launches.

use burn::backend::Cube;
use burn::tensor::Tensor;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

use super::EPSILON;
use crate::operation::gpu::kernel::{contiguous, empty, thread_sum, workgroup_sum};
use crate::operation::gpu::tensor_list::{Grid, thread_stride};

/// As [`super::diversity`], in float32, without autodiff.
pub(super) fn diversity(generated: Tensor<4>, source: Tensor<4>) -> Tensor<1> {
    let [batch, channels, height, width] = generated.dims();
    let length = channels * height * width;
    let faces = [generated, source]
        .map(|faces| contiguous(faces.try_into_primitive::<Cube>().expect("it is on a GPU, without gradients")));
    Tensor::from_primitive::<Cube>(ratio(faces, batch, length))
}

/// Of batches of `batch` faces of `length` values.
fn ratio([generated, source]: [CubeTensor; 2], batch: usize, length: usize) -> CubeTensor {
    let client = generated.client.clone();
    let grid = Grid::over(&client, [length; 2].into_iter());
    let (partial, output) =
        (empty(&client, &generated.device, &[2 * grid.groups]), empty(&client, &generated.device, &[1]));
    deviation_kernel::launch(
        &client,
        grid.count(),
        grid.dim(),
        generated.into_buffer_arg(),
        source.into_buffer_arg(),
        partial.clone().into_buffer_arg(),
        length,
        batch,
        grid.threads,
    );
    ratio_kernel::launch(
        &client,
        CubeCount::new_single(),
        grid.dim(),
        partial.into_buffer_arg(),
        output.clone().into_buffer_arg(),
        grid.groups,
        EPSILON * (batch * length) as f32,
        grid.threads,
    );
    output
}

/// Sums of the absolute deviations of values from their batch mean: a row of workgroups for each batch.
#[cube(launch)]
fn deviation_kernel(
    generated: &[f32],
    source: &[f32],
    partial: &mut [f32],
    length: usize,
    batch: usize,
    #[comptime] threads: usize,
) {
    let mut sum = 0.0f32;
    if CUBE_POS_Y == 0 {
        sum += deviation(generated, length, batch, threads);
    } else {
        sum += deviation(source, length, batch, threads);
    }
    let sum = workgroup_sum(sum, threads);
    if UNIT_POS == 0 {
        partial[CUBE_POS_Y as usize * CUBE_COUNT_X as usize + CUBE_POS_X as usize] = sum;
    }
}

/// Of the places of the calling thread.
#[cube]
fn deviation(faces: &[f32], length: usize, batch: usize, #[comptime] threads: usize) -> f32 {
    let stride = thread_stride(length, threads);
    let mut sum = 0.0f32;
    for iteration in 0..stride.iterations {
        let place = stride.first + iteration * stride.step;
        if place < length {
            let mut total = 0.0f32;
            for face in 0..batch {
                total += faces[face * length + place];
            }
            let mean = total / batch as f32;
            for face in 0..batch {
                sum += f32::abs(faces[face * length + place] - mean);
            }
        }
    }
    sum
}

/// The ratio of the sums of the two rows, each plus `epsilon`.
#[cube(launch)]
fn ratio_kernel(partial: &[f32], output: &mut [f32], groups: usize, epsilon: f32, #[comptime] threads: usize) {
    let above = workgroup_sum(thread_sum(partial, 0, 1, groups, threads), threads);
    let below = workgroup_sum(thread_sum(partial, groups, 1, groups, threads), threads);
    if UNIT_POS == 0 {
        output[0] = (above + epsilon) / (below + epsilon);
    }
}

#[cfg(test)]
mod tests {
    use super::super::diversity;
    use crate::operation::KernelLaunches;
    use crate::operation::gpu::tests::test_gpu;
    use crate::random_tensors::RandomTensors;
    use crate::relative_error::componentwise_error;

    #[test]
    fn the_ratio_equals_that_of_the_cpu_and_is_two_launches() {
        let Some(gpu) = test_gpu() else { return };
        for side in [3, 150] {
            let mut random = RandomTensors::new(0);
            let [generated, source] = [0.3, 1.0].map(|range| random.uniform([3, 3, side, side], -range..range));
            let expected = diversity(generated.clone(), source.clone());
            let [generated, source] = [generated, source].map(|faces| faces.to_device(&gpu));

            let mut found = None;
            let launches = KernelLaunches::of(|| found = Some(diversity(generated, source)));

            assert!(componentwise_error(found.unwrap(), expected) < 1e-5);
            assert_eq!(launches.total(), 2, "{launches}");
        }
    }
}
