//! Adam's update on GPUs, in one launch a parameter.

use burn::backend::Cube;
use burn::tensor::Tensor;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;
use cubecl::std::tensor::layout::linear::{LinearView, LinearViewMut};
use ipcgan_kernels::Adam;

use super::kernel::{elementwise, owned, vector_size};

/// `parameter`, and both moments, one step on.
///
/// # Panics
/// If one of them is not on a GPU, without gradients.
pub(in super::super) fn adam_update<const D: usize>(
    adam: Adam,
    parameter: Tensor<D>,
    gradient: Tensor<D>,
    moments: [Tensor<D>; 2],
) -> (Tensor<D>, [Tensor<D>; 2]) {
    let primitive = |tensor: Tensor<D>| tensor.try_into_primitive::<Cube>().expect("it is on a GPU, without gradients");
    let [first, second] = moments.map(primitive);
    let updated = update(adam, primitive(gradient), [primitive(parameter), first, second]);
    let [parameter, first, second] = updated.map(Tensor::from_primitive::<Cube>);
    (parameter, [first, second])
}

/// `[parameter, first moment, second moment]` one step on.
fn update(adam: Adam, gradient: CubeTensor, updated: [CubeTensor; 3]) -> [CubeTensor; 3] {
    let [parameter, first, second] = updated.map(owned);
    let vector = vector_size(&[&parameter, &gradient, &first, &second]);
    let client = parameter.client.clone();
    let (count, dim) = elementwise(&client, parameter.meta.num_elements() / vector);
    let Adam { learning_rate, beta_1, beta_2, epsilon, time } = adam;
    adam_kernel::launch(
        &client,
        count,
        dim,
        parameter.required_address_type(),
        vector,
        parameter.clone().into_linear_view(),
        gradient.into_linear_view(),
        first.clone().into_linear_view(),
        second.clone().into_linear_view(),
        AdamFactorsLaunch::new(
            beta_1,
            1.0 - beta_1,
            beta_2,
            1.0 - beta_2,
            // Both moments begin at zero, which this makes up for.
            learning_rate / (1.0 - beta_1.powi(time)),
            (1.0 - beta_2.powi(time)).sqrt().recip(),
            epsilon,
        ),
    );
    [parameter, first, second]
}

#[derive(CubeLaunch, CubeType)]
struct AdamFactors {
    beta_1: f32,
    new_1: f32,
    beta_2: f32,
    new_2: f32,
    rate: f32,
    correction: f32,
    epsilon: f32,
}

#[cube(launch, address_type = "dynamic")]
fn adam_kernel<N: Size>(
    mut parameter: LinearViewMut<'_, Vector<f32, N>>,
    gradient: LinearView<'_, Vector<f32, N>>,
    mut first: LinearViewMut<'_, Vector<f32, N>>,
    mut second: LinearViewMut<'_, Vector<f32, N>>,
    factors: &AdamFactors,
) {
    if !parameter.is_in_bounds(ABSOLUTE_POS) {
        terminate!();
    }
    let gradient = gradient.read(ABSOLUTE_POS);
    let mean = Vector::new(factors.beta_1) * first.read(ABSOLUTE_POS) + Vector::new(factors.new_1) * gradient;
    let square =
        Vector::new(factors.beta_2) * second.read(ABSOLUTE_POS) + Vector::new(factors.new_2) * (gradient * gradient);
    let scale = square.sqrt() * Vector::new(factors.correction) + Vector::new(factors.epsilon);
    let change = Vector::new(factors.rate) * mean / scale;
    first.write(ABSOLUTE_POS, mean);
    second.write(ABSOLUTE_POS, square);
    parameter.write(ABSOLUTE_POS, parameter.read(ABSOLUTE_POS) - change);
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::super::tests::{largest_share, test_gpu};
    use super::*;
    use crate::operation::KernelLaunches;
    use crate::random_tensors::RandomTensors;

    const ADAM: Adam = Adam { learning_rate: 1e-3, beta_1: 0.5, beta_2: 0.999, epsilon: 1e-8, time: 0 };

    #[test]
    fn updates_equal_those_of_the_cpu_for_any_memory_layout() {
        let Some(gpu) = test_gpu() else { return };
        for shape in [[16, 8, 3, 3], [5, 1, 1, 7], [8, 4, 16, 32]] {
            let mut random_tensors = RandomTensors::new(0);
            let mut random = || random_tensors.uniform(shape, -2.0..2.0);
            let mut cpu = [random(), Tensor::zeros(shape, &Device::flex()), Tensor::zeros(shape, &Device::flex())];
            let mut found = cpu.clone().map(|tensor| tensor.to_device(&gpu));
            for time in 1..4 {
                let gradient = random();
                // The gradient of a convolution's weights has another memory layout than the weights.
                let permuted = gradient.clone().permute([0, 2, 3, 1]).to_device(&gpu).permute([0, 3, 1, 2]);
                let adam = Adam { time, ..ADAM };

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
                assert!(largest_share(found, expected) < 1e-6);
            }
        }
    }

    #[test]
    fn an_update_is_one_launch() {
        let Some(gpu) = test_gpu() else { return };
        let tensor = || Tensor::<2>::ones([8, 8], &gpu);
        let (parameter, gradient, moments) = (tensor(), tensor(), [tensor(), tensor()]);
        // The memory of new tensors is filled when it is first asked for.
        let adam = Adam { time: 1, ..ADAM };

        let counted = KernelLaunches::of(|| drop(adam_update(adam, parameter, gradient, moments)));

        assert_eq!(counted.total(), 1, "{counted}");
    }
}
