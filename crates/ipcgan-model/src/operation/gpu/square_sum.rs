//! The sum of all squares of many tensors on GPUs: several tensors in one launch, and a launch for the total.

use burn::backend::Cube;
use burn::tensor::Tensor;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

use super::kernel::{contiguous, empty, total, workgroup_sum};
use super::tensor_list::{Grid, Values, tensors_per_launch, thread_stride, values};
use super::updates;

/// Tensors whose squares are to be added up.
#[derive(Default)]
pub(in super::super) struct SquareTerms(Vec<CubeTensor>);

impl SquareTerms {
    /// Takes `tensor` if it is on a GPU; nothing is computed yet.
    pub(in super::super) fn take<const D: usize>(&mut self, tensor: &Tensor<D>) -> bool {
        let tensor = updates(tensor).then(|| tensor.clone().try_into_primitive::<Cube>().ok()).flatten();
        let taken = tensor.filter(|tensor| self.0.first().is_none_or(|first| first.device == tensor.device));
        taken.map(|tensor| self.0.push(contiguous(tensor))).is_some()
    }

    /// The sum of the squares of all that was taken, if anything was.
    pub(in super::super) fn sum(self) -> Option<Tensor<1>> {
        let first = self.0.first()?;
        let (client, device) = (first.client.clone(), first.device.clone());
        let grid = Grid::over(&client, self.0.iter().map(|tensor| tensor.meta.num_elements()));
        let count = self.0.len() * grid.groups;
        let partial = empty(&client, &device, &[count]);
        let at_once = tensors_per_launch(&client, 1);
        for (index, tensors) in self.0.chunks(at_once).enumerate() {
            square_sum_kernel::launch(
                &client,
                CubeCount::new_2d(grid.groups as u32, tensors.len() as u32),
                grid.dim(),
                tensors.iter().map(values).collect(),
                partial.clone().into_buffer_arg(),
                index * at_once * grid.groups,
                grid.threads,
            );
        }
        Some(Tensor::from_primitive::<Cube>(total(partial)))
    }
}

/// The sum of squares of each workgroup, from `offset` on.
#[cube(launch)]
fn square_sum_kernel(tensors: &Sequence<Values>, partial: &mut [f32], offset: usize, #[comptime] threads: usize) {
    let count = comptime![tensors.len()];
    let mut sum = 0.0f32;
    #[unroll]
    for index in 0..count {
        if CUBE_POS_Y as usize == index {
            let tensor = tensors.index(index);
            sum = square_sum(tensor, threads);
        }
    }
    let sum = workgroup_sum(sum, threads);
    if UNIT_POS == 0 {
        partial[offset + CUBE_POS_Y as usize * CUBE_COUNT_X as usize + CUBE_POS_X as usize] = sum;
    }
}

/// Of the places of the calling thread.
#[cube]
fn square_sum(tensor: &Values, #[comptime] threads: usize) -> f32 {
    let stride = thread_stride(tensor.length, threads);
    let mut sum = 0.0f32;
    for iteration in 0..stride.iterations {
        let place = stride.first + iteration * stride.step;
        if place < tensor.length {
            let value = tensor.values[place];
            sum += value * value;
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::super::tests::test_gpu;
    use super::*;
    use crate::operation::KernelLaunches;
    use crate::random_tensors::RandomTensors;

    #[test]
    fn square_sums_of_many_tensors_share_launches() {
        let Some(gpu) = test_gpu() else { return };
        let mut random_tensors = RandomTensors::new(0);
        let tensors = [[1, 1], [7, 33], [600, 1024], [1024, 600]].map(|shape| random_tensors.uniform(shape, -2.0..2.0));
        let expected: f64 =
            tensors.iter().flat_map(|x| x.to_data().iter::<f64>().collect::<Vec<_>>()).map(|x| x * x).sum();
        let on_gpu = tensors.map(|tensor| tensor.to_device(&gpu));

        let mut found = None;
        let launches = KernelLaunches::of(|| {
            let mut terms = SquareTerms::default();
            assert!(on_gpu.iter().all(|tensor| terms.take(tensor)));
            found = terms.sum();
        });

        let found: f32 = found.unwrap().into_scalar();
        assert!((f64::from(found) / expected - 1.0).abs() < 1e-6, "{found} instead of {expected}");
        assert_eq!(launches.total(), 2, "{launches}");
    }
}
