//! The exponential moving average (EMA) of weights on GPUs, in one launch a tensor.

use burn::backend::Cube;
use burn::tensor::Tensor;
use cubecl::prelude::*;
use cubecl::std::tensor::layout::linear::{LinearView, LinearViewMut};

use super::kernel::{elementwise, owned, vector_size};

/// `average * decay + value * (1 - decay)`.
///
/// # Panics
/// If one of them is not on a GPU, without gradients.
pub(in super::super) fn ema_tensor_update<const D: usize>(
    average: Tensor<D>,
    value: Tensor<D>,
    decay: f64,
) -> Tensor<D> {
    let primitive = |tensor: Tensor<D>| tensor.try_into_primitive::<Cube>().expect("it is on a GPU, without gradients");
    let (average, value) = (owned(primitive(average)), primitive(value));
    let vector = vector_size(&[&average, &value]);
    let client = average.client.clone();
    let (count, dim) = elementwise(&client, average.meta.num_elements() / vector);
    ema_kernel::launch(
        &client,
        count,
        dim,
        average.required_address_type(),
        vector,
        average.clone().into_linear_view(),
        value.into_linear_view(),
        decay as f32,
        (1.0 - decay) as f32,
    );
    Tensor::from_primitive::<Cube>(average)
}

#[cube(launch, address_type = "dynamic")]
fn ema_kernel<N: Size>(
    mut average: LinearViewMut<'_, Vector<f32, N>>,
    value: LinearView<'_, Vector<f32, N>>,
    decay: f32,
    new: f32,
) {
    if !average.is_in_bounds(ABSOLUTE_POS) {
        terminate!();
    }
    let moved = average.read(ABSOLUTE_POS) * Vector::new(decay) + value.read(ABSOLUTE_POS) * Vector::new(new);
    average.write(ABSOLUTE_POS, moved);
}

#[cfg(test)]
mod tests {

    use super::super::tests::{largest_share, test_gpu};
    use super::*;
    use crate::operation::KernelLaunches;
    use crate::random_tensors::RandomTensors;

    #[test]
    fn an_ema_update_equals_that_of_the_cpu_in_one_launch() {
        let Some(gpu) = test_gpu() else { return };
        let mut random_tensors = RandomTensors::new(0);
        let [average, value] = [(); 2].map(|()| random_tensors.uniform([4, 5, 12], -2.0..2.0));
        let permuted = value.clone().permute([0, 2, 1]).to_device(&gpu).permute([0, 2, 1]);
        let on_gpu = average.clone().to_device(&gpu);

        let mut found = None;
        let counted = KernelLaunches::of(|| found = Some(ema_tensor_update(on_gpu, permuted, 0.9)));

        assert!(largest_share(found.unwrap(), average * 0.9 + value * 0.1) < 1e-6);
        assert_eq!(counted.total(), 1, "{counted}");
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
