//! The exponential moving average (EMA) of weights on GPUs, of several tensors in one launch.

use burn::backend::Cube;
use burn::tensor::Tensor;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

use super::capture::{Phase, Purpose, phase};
use super::kernel::{contiguous, empty_like, fixed, uploaded};
use super::tensor_list::{for_each_launch, thread_stride};

/// Buffers of an update: the average before and after, and the value.
const BUFFERS: usize = 3;

/// An update of one average; all tensors are contiguous.
pub(super) struct EmaUpdate {
    average: CubeTensor,
    updated: CubeTensor,
    value: CubeTensor,
    decay: f64,
}

impl EmaUpdate {
    /// The update, and the updated average, which is computed by [`EmaUpdate::launch`].
    ///
    /// In new memory, because Burn's learner keeps the previous average until all are updated; in place in a captured step.
    ///
    /// # Panics
    /// If one of them is not on a GPU, without gradients.
    pub(super) fn of<const D: usize>(average: Tensor<D>, value: Tensor<D>, decay: f64) -> (Self, Tensor<D>) {
        let primitive =
            |tensor: Tensor<D>| tensor.try_into_primitive::<Cube>().expect("it is on a GPU, without gradients");
        let [average, value] = [average, value].map(primitive);
        let (average, updated, value) = match phase() {
            Phase::Eager => {
                let average = contiguous(average);
                (average.clone(), empty_like(&average), contiguous(value))
            }
            Phase::WarmUp | Phase::Record => {
                let average = fixed(average);
                (average.clone(), average, contiguous(value))
            }
            Phase::Replay => (average.clone(), average, value),
        };
        let update = Self { average, updated: updated.clone(), value, decay };
        (update, Tensor::from_primitive::<Cube>(updated))
    }

    /// Launches `updates`; neighbours with equal decay on one device share launches.
    pub(super) fn launch(updates: Vec<Self>) {
        let alike = |a: &Self, b: &Self| a.decay == b.decay && a.average.device == b.average.device;
        for updates in updates.chunk_by(alike) {
            let EmaUpdate { average, decay, .. } = &updates[0];
            let client = &average.client;
            let factors = uploaded(client, &average.device, &[*decay as f32, (1.0 - decay) as f32], Purpose::Ema);
            if phase() == Phase::Replay {
                continue;
            }
            let length = |update: &Self| update.average.meta.num_elements();
            for_each_launch(client, updates, BUFFERS, length, |grid, updates| {
                ema_kernel::launch(
                    client,
                    grid.count(),
                    grid.dim(),
                    updates.iter().map(Self::argument).collect(),
                    factors.clone().into_buffer_arg(),
                    grid.threads,
                );
            });
        }
    }

    fn argument(&self) -> EmaTensorsLaunch {
        let [average, updated, value] =
            [&self.average, &self.updated, &self.value].map(|tensor| tensor.clone().into_buffer_arg());
        EmaTensorsLaunch::new(average, updated, value, self.average.meta.num_elements())
    }
}

#[derive(CubeLaunch, CubeType)]
struct EmaTensors {
    average: Box<[f32]>,
    updated: Box<[f32]>,
    value: Box<[f32]>,
    length: usize,
}

#[cube(launch)]
fn ema_kernel(tensors: &mut Sequence<EmaTensors>, factors: &[f32], #[comptime] threads: usize) {
    let count = comptime![tensors.len()];
    #[unroll]
    for index in 0..count {
        if CUBE_POS_Y as usize == index {
            let tensor = tensors.index_mut(index);
            update(tensor, factors, threads);
        }
    }
}

#[cube]
fn update(tensors: &mut EmaTensors, factors: &[f32], #[comptime] threads: usize) {
    let stride = thread_stride(tensors.length, threads);
    for iteration in 0..stride.iterations {
        let place = stride.first + iteration * stride.step;
        if place < tensors.length {
            let updated = tensors.average[place] * factors[0] + tensors.value[place] * factors[1];
            tensors.updated[place] = updated;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::multi_tensor::{ema_tensor_update, update_together};
    use super::super::tests::test_gpu;
    use super::*;
    use crate::operation::KernelLaunches;
    use crate::random_tensors::RandomTensors;
    use crate::relative_error::componentwise_error;

    #[test]
    fn an_ema_update_equals_that_of_the_cpu_for_any_memory_layout() {
        let Some(gpu) = test_gpu() else { return };
        let mut random_tensors = RandomTensors::new(0);
        let [average, value] = [(); 2].map(|()| random_tensors.uniform([4, 5, 12], -2.0..2.0));
        let permuted = value.clone().permute([0, 2, 1]).to_device(&gpu).permute([0, 2, 1]);
        let on_gpu = average.clone().to_device(&gpu);

        let found = ema_tensor_update(on_gpu, permuted, 0.9);

        assert!(componentwise_error(found, average * 0.9 + value * 0.1) < 1e-6);
    }

    #[test]
    fn ema_updates_together_share_launches() {
        let Some(gpu) = test_gpu() else { return };
        let pairs: Vec<_> = (1..=7).map(|length| [(); 2].map(|()| Tensor::<1>::ones([length], &gpu) * 3.0)).collect();

        let mut found = Vec::new();
        let launches = KernelLaunches::of(|| {
            let update = |[average, value]: [Tensor<1>; 2]| ema_tensor_update(average, value, 0.25);
            found = update_together(|| pairs.into_iter().map(update).collect());
        });

        assert!(found.into_iter().all(|average| average.into_data().iter::<f32>().all(|value| value == 3.0)));
        assert!(launches.total() <= 4, "{launches}");
    }

    #[test]
    fn an_ema_update_does_not_overwrite_a_shared_tensor() {
        let Some(gpu) = test_gpu() else { return };
        let average = Tensor::<1>::from_data([1.0, 2.0], &gpu);

        let moved = ema_tensor_update(average.clone(), Tensor::from_data([3.0, 3.0], &gpu), 0.5);

        assert_eq!(moved.into_data().iter::<f32>().collect::<Vec<_>>(), [2.0, 2.5]);
        assert_eq!(average.into_data().iter::<f32>().collect::<Vec<_>>(), [1.0, 2.0]);
    }
}
