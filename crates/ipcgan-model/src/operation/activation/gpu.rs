//! Activations on GPUs, in one launch forwards and one backwards.

use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Cube, Dispatch, backend_extension};
use burn::tensor::Tensor;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;
use cubecl::std::tensor::layout::linear::{LinearView, LinearViewMut};
use ipcgan_kernels::Activation;

use crate::operation::engine::{Engine, f32_engine};
use crate::operation::gpu::channels_last_order;
use crate::operation::gpu::kernel::{elementwise, empty_like, vector_size};

/// Whether [`activation`] supports `x`.
pub(super) fn applies<const D: usize>(x: &Tensor<D>, activation: Activation) -> bool {
    slope_of(activation).is_some() && matches!(f32_engine([x]), Engine::Gpu)
}

/// `x` after `activation`.
///
/// # Panics
/// If not [`applies`].
pub(super) fn activation<const D: usize>(x: Tensor<D>, activation: Activation) -> Tensor<D> {
    let slope = slope_of(activation).expect("the activation has a slope");
    Tensor::from_dispatch(<Dispatch as GpuActivationOps>::sloped(x.into_dispatch(), slope))
}

/// Slope of the activation below zero, if there is one. Not a negative one: then the output would not have the sign of
/// the input.
pub(in crate::operation) fn slope_of(activation: Activation) -> Option<f32> {
    let slope = activation.slope();
    (activation != Activation::None && slope >= 0.0).then_some(slope)
}

/// Activations on GPUs.
#[backend_extension(Cube, Autodiff)]
trait GpuActivationOps: Backend {
    /// `x` where it is above zero, and `slope * x` elsewhere.
    fn sloped(x: FloatTensor<Self>, slope: f32) -> FloatTensor<Self>;
}

impl GpuActivationOps for Cube {
    fn sloped(x: FloatTensor<Self>, slope: f32) -> FloatTensor<Self> {
        sloped(x.clone(), x, slope)
    }
}

impl<C: CheckpointStrategy> GpuActivationOps for Autodiff<Cube, C> {
    fn sloped(x: FloatTensor<Self>, slope: f32) -> FloatTensor<Self> {
        let prepared = SlopedBackward.prepare::<C>([x.node()]).compute_bound().stateful();
        let x = x.into_primitive();
        let output = sloped(x.clone(), x, slope);
        match prepared {
            OpsKind::Tracked(prepared) => prepared.finish((output.clone(), slope), output),
            OpsKind::UnTracked(prepared) => prepared.finish(output),
        }
    }
}

#[derive(Debug)]
struct SlopedBackward;

impl Backward<Cube, 1> for SlopedBackward {
    /// The output, which has the sign of the input, and the slope.
    type State = (CubeTensor, f32);

    fn backward(self, ops: Ops<Self::State, 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let gradient = gradients.consume::<Cube>(&ops.node);
        let (output, slope) = ops.state;
        if let [Some(node)] = ops.parents {
            gradients.register::<Cube>(node.id, sloped(output, gradient, slope));
        }
    }
}

/// `x` where `sign` is above zero, and `slope * x` elsewhere, in the memory layout of convolutions.
pub(in crate::operation) fn sloped(sign: CubeTensor, x: CubeTensor, slope: f32) -> CubeTensor {
    let ([sign, x], restore) = channels_last_order([sign, x]);
    let output = empty_like(&x);
    let vector = vector_size(&[&sign, &x, &output]);
    let client = x.client.clone();
    let (count, dim) = elementwise(&client, x.meta.num_elements() / vector);
    sloped_kernel::launch(
        &client,
        count,
        dim,
        output.required_address_type(),
        vector,
        sign.into_linear_view(),
        x.into_linear_view(),
        output.clone().into_linear_view(),
        slope,
    );
    restore(output)
}

#[cube(launch, address_type = "dynamic")]
fn sloped_kernel<N: Size>(
    sign: LinearView<'_, Vector<f32, N>>,
    x: LinearView<'_, Vector<f32, N>>,
    mut output: LinearViewMut<'_, Vector<f32, N>>,
    slope: f32,
) {
    if !output.is_in_bounds(ABSOLUTE_POS) {
        terminate!();
    }
    let value = x.read(ABSOLUTE_POS);
    let below = value * Vector::new(slope);
    let is_above = sign.read(ABSOLUTE_POS).greater_than(&Vector::new(0.0f32));
    output.write(ABSOLUTE_POS, select_many(is_above, value, below));
}

#[cfg(test)]
mod tests {
    use burn::tensor::activation::leaky_relu;

    use super::*;
    use crate::operation::KernelLaunches;
    use crate::operation::gpu::tests::test_gpu;
    use crate::random_tensors::RandomTensors;
    use crate::relative_error::componentwise_error;

    #[test]
    fn outputs_and_gradients_equal_those_of_burns_cpu_kernels_for_any_memory_layout() {
        let Some(gpu) = test_gpu() else { return };
        for slope in [0.0, 0.2] {
            let mut random = RandomTensors::new(0);
            let [x, weights] = [(); 2].map(|()| random.uniform([2, 3, 4, 5], -1.0..1.0));
            let cpu = x.clone().autodiff().require_grad();
            let on_gpu = x.permute([0, 2, 3, 1]).to_device(&gpu).permute([0, 3, 1, 2]).autodiff().require_grad();

            let expected = leaky_relu(cpu.clone(), f64::from(slope));
            let found = super::activation(on_gpu.clone(), Activation::LeakyRelu(slope));

            let expected_gradients = (expected.clone() * weights.clone().autodiff()).sum().backward();
            let gradients = (found.clone() * weights.to_device(&gpu).autodiff()).sum().backward();
            assert!(componentwise_error(found.inner(), expected.inner()) < 1e-6);
            let [found, expected] = [on_gpu.grad(&gradients), cpu.grad(&expected_gradients)].map(Option::unwrap);
            assert!(componentwise_error(found, expected) < 1e-6);
        }
    }

    #[test]
    fn an_activation_is_one_launch() {
        let Some(gpu) = test_gpu() else { return };
        let x = Tensor::<4>::ones([1, 2, 3, 4], &gpu) * 1.0;

        let launches = KernelLaunches::of(|| drop(super::activation(x, Activation::Relu)));

        assert_eq!(launches.total(), 1, "{launches}");
    }
}
