//! Scaling of tensors on GPUs, of several in one launch: gradients that are clipped.

use burn::backend::Cube;
use burn::tensor::Tensor;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

use super::tensor_list::{Values, for_each_launch, owned_buffer, thread_stride, values};
use super::updates;

/// Contiguous tensors that are to be multiplied by a factor.
#[derive(Default)]
pub(in super::super) struct ScaleTerms(Vec<CubeTensor>);

impl ScaleTerms {
    /// Whether [`ScaleTerms::scaled`] takes `tensor`: it is on the GPU of `factor`.
    pub(in super::super) fn takes<const D: usize>(tensor: &Tensor<D>, factor: &Tensor<1>) -> bool {
        updates(tensor) && updates(factor) && tensor.device() == factor.device()
    }

    /// `tensor`, which [`ScaleTerms::launch`] multiplies.
    pub(in super::super) fn scaled<const D: usize>(&mut self, tensor: Tensor<D>) -> Tensor<D> {
        let scaled = owned_buffer(primitive(tensor));
        self.0.push(scaled.clone());
        Tensor::from_primitive::<Cube>(scaled)
    }

    /// Multiplies all tensors by `factor`.
    pub(in super::super) fn launch(self, factor: Tensor<1>) {
        let Some(first) = self.0.first() else { return };
        let (client, factor) = (first.client.clone(), primitive(factor));
        let length = |tensor: &CubeTensor| tensor.meta.num_elements();
        for_each_launch(&client, &self.0, 1, length, |grid, tensors| {
            scale_kernel::launch(
                &client,
                grid.count(),
                grid.dim(),
                tensors.iter().map(values).collect(),
                factor.clone().into_buffer_arg(),
                grid.threads,
            );
        });
    }
}

fn primitive<const D: usize>(tensor: Tensor<D>) -> CubeTensor {
    tensor.try_into_primitive::<Cube>().expect("it is on a GPU, without gradients")
}

#[cube(launch)]
fn scale_kernel(tensors: &mut Sequence<Values>, factor: &[f32], #[comptime] threads: usize) {
    let count = comptime![tensors.len()];
    #[unroll]
    for index in 0..count {
        if CUBE_POS_Y as usize == index {
            let tensor = tensors.index_mut(index);
            scale(tensor, factor, threads);
        }
    }
}

#[cube]
fn scale(tensor: &mut Values, factor: &[f32], #[comptime] threads: usize) {
    let stride = thread_stride(tensor.length, threads);
    for iteration in 0..stride.iterations {
        let index = stride.first + iteration * stride.step;
        if index < tensor.length {
            let value = tensor.values[index];
            tensor.values[index] = value * factor[0];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::test_gpu;
    use super::*;
    use crate::operation::KernelLaunches;

    #[test]
    fn tensors_are_scaled_together_in_one_launch_and_shared_ones_stay_as_they_are() {
        let Some(gpu) = test_gpu() else { return };
        let tensors: Vec<_> = (1..=5).map(|length| Tensor::<1>::ones([length], &gpu) * 2.0).collect();
        let factor = Tensor::<1>::from_data([1.5], &gpu);
        let shared = tensors[4].clone();

        let mut found: Vec<Tensor<1>> = Vec::new();
        let launches = KernelLaunches::of(|| {
            let mut terms = ScaleTerms::default();
            found = tensors.into_iter().map(|tensor| terms.scaled(tensor)).collect();
            terms.launch(factor);
        });

        assert!(found.into_iter().all(|tensor| tensor.into_data().iter::<f32>().all(|value| value == 3.0)));
        assert_eq!(shared.into_data().iter::<f32>().collect::<Vec<_>>(), [2.0; 5]);
        assert_eq!(launches.total(), 2, "a copy of the shared one, and all together:\n{launches}");
    }
}
