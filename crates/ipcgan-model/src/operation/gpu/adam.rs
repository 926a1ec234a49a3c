//! Adam's updates on GPUs, of several parameters in one launch.
//!
//! The learning rate and the bias corrections are in a tensor of the device, so that launches of different steps have the
//! same arguments. Parameters are written to new memory, because Burn's learner keeps the previous ones until all are
//! updated; in a captured step they are updated in place.

use burn::backend::Cube;
use burn::tensor::Tensor;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;
use ipcgan_kernels::Adam;

use super::capture::{Phase, Purpose, phase};
use super::kernel::{contiguous, empty_like, fixed, uploaded};
use super::tensor_list::{for_each_launch, owned_buffer, thread_stride};

/// Buffers of a parameter: itself before and after, its gradient and both moments.
const BUFFERS: usize = 5;

/// An update of one parameter; all tensors are contiguous.
pub(super) struct AdamUpdate {
    adam: Adam,
    parameter: CubeTensor,
    updated: CubeTensor,
    gradient: CubeTensor,
    /// Updated in place.
    moments: [CubeTensor; 2],
}

impl AdamUpdate {
    /// The update, the updated parameter and both moments; the tensors are computed by [`AdamUpdate::launch`].
    ///
    /// # Panics
    /// If one of them is not on a GPU, without gradients.
    pub(super) fn of<const D: usize>(
        adam: Adam,
        parameter: Tensor<D>,
        gradient: Tensor<D>,
        moments: [Tensor<D>; 2],
    ) -> (Self, Tensor<D>, [Tensor<D>; 2]) {
        let primitive =
            |tensor: Tensor<D>| tensor.try_into_primitive::<Cube>().expect("it is on a GPU, without gradients");
        let (parameter, gradient, moments) = (primitive(parameter), primitive(gradient), moments.map(primitive));
        let (parameter, gradient, updated, moments) = match phase() {
            Phase::Eager => {
                let parameter = contiguous(parameter);
                let updated = empty_like(&parameter);
                (parameter, contiguous(gradient), updated, moments.map(owned_buffer))
            }
            Phase::WarmUp | Phase::Record => {
                let parameter = fixed(parameter);
                (parameter.clone(), contiguous(gradient), parameter, moments.map(fixed))
            }
            Phase::Replay => (parameter.clone(), gradient, parameter, moments),
        };
        let update = Self { adam, parameter, updated: updated.clone(), gradient, moments: moments.clone() };
        (update, Tensor::from_primitive::<Cube>(updated), moments.map(Tensor::from_primitive::<Cube>))
    }

    /// Launches `updates`; neighbours with equal hyperparameters on one device share launches.
    pub(super) fn launch(updates: Vec<Self>) {
        let alike = |a: &Self, b: &Self| a.adam == b.adam && a.gradient.device == b.gradient.device;
        for updates in updates.chunk_by(alike) {
            let client = &updates[0].gradient.client;
            let factors = uploaded(client, &updates[0].gradient.device, &factors(&updates[0].adam), Purpose::Adam);
            if phase() == Phase::Replay {
                continue;
            }
            let length = |update: &Self| update.gradient.meta.num_elements();
            for_each_launch(client, updates, BUFFERS, length, |grid, updates| {
                adam_kernel::launch(
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

    fn argument(&self) -> AdamTensorsLaunch {
        let Self { parameter, updated, gradient, moments: [first, second], .. } = self;
        let [parameter, updated, gradient, first, second] =
            [parameter, updated, gradient, first, second].map(|tensor| tensor.clone().into_buffer_arg());
        AdamTensorsLaunch::new(parameter, updated, gradient, first, second, self.gradient.meta.num_elements())
    }
}

/// What [`adam_kernel`] reads, in this order.
fn factors(adam: &Adam) -> [f32; 7] {
    let Adam { learning_rate, beta_1, beta_2, epsilon, step } = *adam;
    // Both moments begin at zero, which the last two make up for.
    let rate = learning_rate / (1.0 - beta_1.powi(step));
    let correction = (1.0 - beta_2.powi(step)).sqrt().recip();
    [beta_1, 1.0 - beta_1, beta_2, 1.0 - beta_2, epsilon, rate, correction]
}

#[derive(CubeLaunch, CubeType)]
struct AdamTensors {
    parameter: Box<[f32]>,
    updated: Box<[f32]>,
    gradient: Box<[f32]>,
    first: Box<[f32]>,
    second: Box<[f32]>,
    length: usize,
}

#[cube(launch)]
fn adam_kernel(tensors: &mut Sequence<AdamTensors>, factors: &[f32], #[comptime] threads: usize) {
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
fn update(tensors: &mut AdamTensors, factors: &[f32], #[comptime] threads: usize) {
    let stride = thread_stride(tensors.length, threads);
    for iteration in 0..stride.iterations {
        let place = stride.first + iteration * stride.step;
        if place < tensors.length {
            let gradient = tensors.gradient[place];
            let mean = factors[0] * tensors.first[place] + factors[1] * gradient;
            let square = factors[2] * tensors.second[place] + factors[3] * (gradient * gradient);
            let scale = square.sqrt() * factors[6] + factors[4];
            let change = factors[5] * mean / scale;
            tensors.first[place] = mean;
            tensors.second[place] = square;
            let updated = tensors.parameter[place] - change;
            tensors.updated[place] = updated;
        }
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::super::multi_tensor::{adam_update, update_together};
    use super::super::tensor_list::tensors_per_launch;
    use super::super::tests::test_gpu;
    use super::*;
    use crate::operation::KernelLaunches;
    use crate::random_tensors::RandomTensors;
    use crate::relative_error::componentwise_error;

    const ADAM: Adam = Adam { learning_rate: 1e-3, beta_1: 0.5, beta_2: 0.999, epsilon: 1e-8, step: 0 };

    #[test]
    fn updates_equal_those_of_the_cpu_for_any_memory_layout() {
        let Some(gpu) = test_gpu() else { return };
        for shape in [[16, 8, 3, 3], [5, 1, 1, 7], [8, 4, 16, 32]] {
            let mut random_tensors = RandomTensors::new(0);
            let mut random = || random_tensors.uniform(shape, -2.0..2.0);
            let mut cpu = [random(), Tensor::zeros(shape, &Device::flex()), Tensor::zeros(shape, &Device::flex())];
            let mut found = cpu.clone().map(|tensor| tensor.to_device(&gpu));
            for step in 1..4 {
                let gradient = random();
                // The gradient of a convolution's weights has another memory layout than the weights.
                let permuted = gradient.clone().permute([0, 2, 3, 1]).to_device(&gpu).permute([0, 3, 1, 2]);
                let adam = Adam { step, ..ADAM };

                let [parameter, first, second] = found;
                let (parameter, [first, second]) = adam_update(adam, parameter, permuted, [first, second]);
                found = [parameter, first, second];

                let plain = |tensor: &Tensor<4>| tensor.to_data().iter::<f32>().collect::<Vec<_>>();
                let mut values = [plain(&cpu[0]), plain(&cpu[1]), plain(&cpu[2])];
                let [parameter, first, second] = &mut values;
                adam.update(ipcgan_kernels::InstructionSet::best(), parameter, &plain(&gradient), [first, second]);
                cpu = values.map(|values| {
                    let data = burn::tensor::TensorData::new(values, shape);
                    Tensor::from_data(data, &Device::flex())
                });
            }
            for (found, expected) in found.into_iter().zip(cpu) {
                assert!(componentwise_error(found, expected) < 1e-6);
            }
        }
    }

    /// Parameters of `lengths` with a gradient and moments of ones.
    fn parameters(lengths: &[usize], gpu: &Device) -> Vec<[Tensor<1>; 4]> {
        let tensor = |length: usize| Tensor::<1>::ones([length], gpu) * 1.0;
        lengths.iter().map(|&length| [(); 4].map(|()| tensor(length))).collect()
    }

    #[test]
    fn updates_together_equal_single_ones_in_a_fraction_of_the_launches() {
        let Some(gpu) = test_gpu() else { return };
        let lengths: Vec<usize> = (1..=40).map(|index| index * index).chain([300_000]).collect();
        let step = |index: usize, [parameter, gradient, first, second]: [Tensor<1>; 4]| {
            // Two networks with rates of their own.
            let adam = Adam { step: 1, learning_rate: if index < 20 { 1e-3 } else { 1e-2 }, ..ADAM };
            adam_update(adam, parameter, gradient, [first, second]).0
        };
        let run = |parameters: Vec<[Tensor<1>; 4]>| -> Vec<_> {
            parameters.into_iter().enumerate().map(|(index, parameter)| step(index, parameter)).collect()
        };
        let (alone, grouped) = (parameters(&lengths, &gpu), parameters(&lengths, &gpu));

        let (mut expected, mut found) = (Vec::new(), Vec::new());
        let launches_alone = KernelLaunches::of(|| expected = run(alone)).total();
        let launches = KernelLaunches::of(|| found = update_together(|| run(grouped)));

        for (found, expected) in found.into_iter().zip(expected) {
            assert_eq!(found.into_data(), expected.into_data());
        }
        assert_eq!(launches_alone, lengths.len());
        let at_once = gpu_tensors_per_launch(&gpu);
        assert_eq!(launches.total(), 20usize.div_ceil(at_once) + 21usize.div_ceil(at_once), "{launches}");
    }

    fn gpu_tensors_per_launch(gpu: &Device) -> usize {
        let tensor = Tensor::<1>::ones([1], gpu).try_into_primitive::<Cube>().unwrap();
        tensors_per_launch(&tensor.client, BUFFERS)
    }
}
