//! The sum of all squares of many tensors on GPUs: a launch a tensor, and one for all.

use burn::backend::Cube;
use burn::tensor::Tensor;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;
use cubecl::std::tensor::layout::linear::LinearView;

use super::kernel::{empty, sum_of_threads, summing_threads, vector_size};
use super::on_a_gpu;

/// Workgroups that sum up a tensor, at most.
const MAX_GROUPS: usize = 128;
/// Minimum number of values, or vectors of values, that a thread sums, if there are so many.
const MIN_TURNS: usize = 4;

/// Tensors whose squares are to be added up.
#[derive(Default)]
pub(in super::super) struct SquareTerms(Vec<CubeTensor>);

impl SquareTerms {
    /// Takes `tensor` if it is on a GPU; nothing is computed yet.
    pub(in super::super) fn take<const D: usize>(&mut self, tensor: &Tensor<D>) -> bool {
        let plain = on_a_gpu(tensor) && !tensor.device().is_autodiff();
        let tensor = plain.then(|| tensor.clone().try_into_primitive::<Cube>().ok()).flatten();
        let taken = tensor.filter(|tensor| self.0.first().is_none_or(|first| first.device == tensor.device));
        taken.map(|tensor| self.0.push(tensor)).is_some()
    }

    /// The sum of the squares of all that was taken, if anything was.
    pub(in super::super) fn sum(self) -> Option<Tensor<1>> {
        let first = self.0.first()?;
        let (client, device) = (first.client.clone(), first.device.clone());
        let threads = summing_threads(&client);
        let groups: Vec<_> = self.0.iter().map(|tensor| groups(tensor, threads)).collect();
        let count = groups.iter().sum();
        let partial = empty(&client, &device, &[count]);
        let mut offset = 0;
        for (tensor, groups) in self.0.into_iter().zip(groups) {
            let vector = vector_size(&[&tensor]);
            let iterations = (tensor.meta.num_elements() / vector).div_ceil(groups * threads);
            square_sum_kernel::launch(
                &client,
                CubeCount::new_1d(groups as u32),
                CubeDim::new_1d(threads as u32),
                tensor.required_address_type(),
                vector,
                tensor.into_linear_view(),
                partial.clone().into_buffer_arg(),
                offset,
                iterations,
                threads,
            );
            offset += groups;
        }
        let sum = empty(&client, &device, &[1]);
        let iterations = count.div_ceil(threads);
        sum_kernel::launch(
            &client,
            CubeCount::new_single(),
            CubeDim::new_1d(threads as u32),
            partial.into_buffer_arg(),
            sum.clone().into_buffer_arg(),
            iterations,
            threads,
        );
        Some(Tensor::from_primitive::<Cube>(sum))
    }
}

/// Workgroups that sum up `tensor`.
fn groups(tensor: &CubeTensor, threads: usize) -> usize {
    let units = tensor.meta.num_elements() / vector_size(&[tensor]);
    units.div_ceil(threads * MIN_TURNS).clamp(1, MAX_GROUPS)
}

/// The sum of squares of each workgroup, from `offset` on.
#[cube(launch, address_type = "dynamic")]
fn square_sum_kernel<N: Size>(
    values: LinearView<'_, Vector<f32, N>>,
    partial: &mut [f32],
    offset: usize,
    iterations: usize,
    #[comptime] threads: usize,
) {
    let step = CUBE_COUNT * threads;
    let mut sum = Vector::<f32, N>::new(0.0);
    for turn in 0..iterations {
        let place = turn * step + ABSOLUTE_POS;
        if values.is_in_bounds(place) {
            let value = values.read(place);
            sum += value * value;
        }
    }
    let mut shared = Shared::<[f32]>::new_slice(threads);
    shared[UNIT_POS as usize] = sum.vector_sum();
    sum_of_threads(&mut shared, threads);
    if UNIT_POS == 0 {
        partial[offset + CUBE_POS] = shared[0];
    }
}

/// The sum of all of `partial`, by one workgroup.
#[cube(launch)]
fn sum_kernel(partial: &[f32], total: &mut [f32], iterations: usize, #[comptime] threads: usize) {
    let mut sum = 0.0f32;
    for turn in 0..iterations {
        let place = turn * threads + UNIT_POS as usize;
        if place < partial.len() {
            sum += partial[place];
        }
    }
    let mut shared = Shared::<[f32]>::new_slice(threads);
    shared[UNIT_POS as usize] = sum;
    sum_of_threads(&mut shared, threads);
    if UNIT_POS == 0 {
        total[0] = shared[0];
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::test_gpu;
    use super::*;
    use crate::operation::KernelLaunches;
    use crate::random_tensors::RandomTensors;

    #[test]
    fn a_square_sum_takes_one_launch_per_tensor_and_one_more() {
        let Some(gpu) = test_gpu() else { return };
        let mut random_tensors = RandomTensors::new(0);
        let tensors = [[1, 1], [7, 33], [600, 1024], [1024, 600]].map(|shape| random_tensors.uniform(shape, -2.0..2.0));
        let expected: f64 =
            tensors.iter().flat_map(|x| x.to_data().iter::<f64>().collect::<Vec<_>>()).map(|x| x * x).sum();
        let on_gpu = tensors.map(|tensor| tensor.to_device(&gpu).swap_dims(0, 1));

        let mut found = None;
        let counted = KernelLaunches::of(|| {
            let mut terms = SquareTerms::default();
            assert!(on_gpu.iter().all(|tensor| terms.take(tensor)));
            found = terms.sum();
        });

        let found: f32 = found.unwrap().into_scalar();
        assert!((f64::from(found) / expected - 1.0).abs() < 1e-6, "{found} instead of {expected}");
        assert_eq!(counted.total(), 5, "{counted}");
    }
}
