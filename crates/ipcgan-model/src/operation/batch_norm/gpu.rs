//! Batch norm with its activation on GPUs: three launches forwards, three backwards.
//!
//! Workgroups sum up blocks of pixels in parallel, then one workgroup a channel joins the blocks, then each value is
//! computed.

mod backward;
mod blocks;
mod forward;

use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, AutodiffBackend, Cube};
use burn_cubecl::tensor::CubeTensor;

use self::backward::{gradient_of_input, gradient_sums};
use self::blocks::Blocks;
use self::forward::{Parameters, apply, statistics};
use super::spec::{BatchNormOutput, BatchNormPass, BatchNormSpec};
use crate::operation::gpu::{channels_last, dims, kernel, reshaped};

/// The output, and the running mean and variance after the last ghost batch.
pub(super) fn batch_norm(
    x: CubeTensor,
    [gamma, beta]: [CubeTensor; 2],
    running: [CubeTensor; 2],
    spec: BatchNormSpec,
) -> BatchNormOutput<Cube> {
    let (_, output, [mean, variance]) = SavedForBackward::forward(x, [gamma, beta], running, spec);
    (output, mean, variance)
}

pub(super) fn batch_norm_autodiff<C: CheckpointStrategy>(
    x: FloatTensor<Autodiff<Cube, C>>,
    [gamma, beta]: [FloatTensor<Autodiff<Cube, C>>; 2],
    running: [FloatTensor<Autodiff<Cube, C>>; 2],
    spec: BatchNormSpec,
) -> BatchNormOutput<Autodiff<Cube, C>> {
    // Nothing learns through the running statistics.
    let lifted = |tensor| <Autodiff<Cube, C> as AutodiffBackend>::from_inner(tensor);
    let prepared = BatchNormBackward.prepare::<C>([x.node(), gamma.node(), beta.node()]).compute_bound().stateful();
    let parameters = [gamma, beta].map(|parameter| parameter.into_primitive());
    let running = running.map(|running| running.into_primitive());
    let (saved, output, [mean, variance]) = SavedForBackward::forward(x.into_primitive(), parameters, running, spec);
    let output = match prepared {
        OpsKind::Tracked(prepared) => prepared.finish(saved, output),
        OpsKind::UnTracked(prepared) => prepared.finish(output),
    };
    (output, lifted(mean), lifted(variance))
}

#[derive(Debug)]
struct BatchNormBackward;

impl Backward<Cube, 3> for BatchNormBackward {
    type State = SavedForBackward;

    fn backward(self, ops: Ops<Self::State, 3>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let gradient = gradients.consume::<Cube>(&ops.node);
        for (node, gradient) in ops.parents.into_iter().zip(ops.state.gradients(gradient)) {
            if let Some(node) = node {
                gradients.register::<Cube>(node.id, gradient);
            }
        }
    }
}

/// Tensors saved for the backward pass of a batch norm.
#[derive(Clone, Debug)]
struct SavedForBackward {
    /// The input, `[pixels, channels]`.
    x: CubeTensor,
    parameters: Parameters,
    blocks: Blocks,
    /// Shape of the input, `[batch, channels, height, width]`.
    shape: [usize; 4],
}

impl SavedForBackward {
    /// Runs the forward pass; returns the saved tensors, the output, and the running mean and variance after the last
    /// ghost batch.
    fn forward(
        x: CubeTensor,
        [gamma, beta]: [CubeTensor; 2],
        running: [CubeTensor; 2],
        spec: BatchNormSpec,
    ) -> (Self, CubeTensor, [CubeTensor; 2]) {
        let BatchNormSpec { epsilon, pass: BatchNormPass { ghost_batches, momentum }, activation } = spec;
        let shape @ [batch, channels, height, width] = dims::<Cube, 4>(&x);
        let x = kernel::contiguous(channels_last::<Cube>(x));
        let blocks = Blocks::new(&x.client, ghost_batches, batch * height * width / ghost_batches, channels);
        let [gamma, beta, mean, variance] =
            [gamma, beta, running[0].clone(), running[1].clone()].map(kernel::contiguous);
        let (statistics, running) = statistics(&x, gamma, [mean, variance], &blocks, [epsilon, momentum as f32]);
        let parameters = Parameters { statistics, beta, slope: activation.slope() };
        let saved = Self { x, parameters, blocks, shape };
        let output = saved.in_input_shape(apply(&saved.x, &saved.parameters, &saved.blocks));
        (saved, output, running)
    }

    /// Gradients with respect to the input, `gamma` and `beta`, from the gradient with respect to the output.
    fn gradients(&self, gradient: CubeTensor) -> [CubeTensor; 3] {
        let gradient = kernel::contiguous(channels_last::<Cube>(gradient));
        let (sums, gamma, beta) = gradient_sums(&self.x, &gradient, &self.parameters, &self.blocks);
        let x = gradient_of_input(&self.x, &gradient, &self.parameters, sums, &self.blocks);
        [self.in_input_shape(x), gamma, beta]
    }

    /// `[pixels, channels]` in the shape of the input, `[batch, channels, height, width]`.
    fn in_input_shape(&self, x: CubeTensor) -> CubeTensor {
        use burn::backend::ops::FloatTensorOps;
        let [batch, channels, height, width] = self.shape;
        Cube::float_permute(reshaped::<Cube, 4>(x, [batch, height, width, channels]), &[0, 3, 1, 2])
    }
}

#[cfg(test)]
mod tests {
    use burn::module::Param;
    use burn::nn::{BatchNorm, BatchNormConfig};
    use burn::tensor::{Device, Tensor};
    use ipcgan_kernels::Activation;

    use super::super as norm_layer;
    use super::*;
    use crate::operation::KernelLaunches;
    use crate::operation::gpu::tests::test_gpu;
    use crate::random_tensors::RandomTensors;
    use crate::relative_error::normwise_error;

    struct Found {
        output: Tensor<4>,
        gradients: [Tensor<4>; 3],
        running: [Tensor<1>; 2],
    }

    /// Results of two steps of `layer` on two ghost batches of `maps`, with the gradients of the second step.
    fn found(device: &Device, maps: &Tensor<4>, weights: &Tensor<4>, activation: Activation) -> Found {
        let [_, channels, ..] = maps.dims();
        let plain = device;
        let device = plain.clone().autodiff();
        let of_channels = |scale: f32| {
            let values: Vec<f32> = (0..channels).map(|channel| scale * (channel as f32 - 1.3)).collect();
            Param::from_tensor(Tensor::<1>::from_data(values.as_slice(), plain).autodiff().require_grad())
        };
        let layer = BatchNormConfig::new(channels).with_epsilon(1e-3).init(&device);
        let layer = BatchNorm { gamma: of_channels(0.3), beta: of_channels(-0.1), ..layer };
        let x = maps.clone().to_device(plain).autodiff().require_grad();
        let pass = norm_layer::BatchNormPass { ghost_batches: 2, momentum: layer.momentum };
        norm_layer::batch_norm(&layer, x.clone(), pass, activation);
        let output = norm_layer::batch_norm(&layer, x.clone(), pass, activation);
        let gradients = (output.clone() * weights.clone().to_device(plain).autodiff()).sum().backward();
        let flex = Device::flex();
        let of_parameter = |parameter: &Param<Tensor<1>>| {
            parameter.val().grad(&gradients).unwrap().to_device(&flex).reshape([1, channels, 1, 1])
        };
        Found {
            output: output.without_autodiff().to_device(&flex),
            gradients: [
                x.grad(&gradients).unwrap().to_device(&flex),
                of_parameter(&layer.gamma),
                of_parameter(&layer.beta),
            ],
            running: [&layer.running_mean, &layer.running_var]
                .map(|running| running.value_sync().without_autodiff().to_device(&flex)),
        }
    }

    #[test]
    fn outputs_gradients_and_running_statistics_equal_those_of_the_cpu() {
        let Some(gpu) = test_gpu() else { return };
        // Each part needs more than two values in a channel: of two, the gradient of the maps is zero but for epsilon,
        // and what is left after the cancellation is rounding.
        for shape in [[4, 3, 6, 10], [2, 24, 96, 96], [2, 300, 3, 5], [4, 1, 2, 3]] {
            for activation in [Activation::None, Activation::Relu, Activation::LeakyRelu(0.2)] {
                let mut random = RandomTensors::new(0);
                let [maps, weights] = [(); 2].map(|()| random.uniform(shape, -1.0..3.0));

                let [expected, found] =
                    [&Device::flex(), &gpu].map(|device| found(device, &maps, &weights, activation));

                assert!(normwise_error(found.output, expected.output) < 1e-5, "{shape:?}");
                for (place, (found, expected)) in found.gradients.into_iter().zip(expected.gradients).enumerate() {
                    let error = normwise_error(found, expected);
                    assert!(error < 1e-4, "{shape:?}, {activation:?}: gradient {place} is off by {error}");
                }
                for (found, expected) in found.running.into_iter().zip(expected.running) {
                    assert!(normwise_error(found, expected) < 1e-5, "{shape:?}");
                }
            }
        }
    }

    #[test]
    fn batch_norm_takes_three_launches_forward_and_three_backward() {
        let Some(gpu) = test_gpu() else { return };
        let empty = |shape: &[usize]| kernel::empty(&client(&gpu), &cube(&gpu), shape);
        let of_channels = || empty(&[8]);
        let x = reshaped::<Cube, 4>(empty(&[2 * 4 * 4, 8]), [2, 4, 4, 8]);
        let permuted = |x: CubeTensor| {
            use burn::backend::ops::FloatTensorOps;
            Cube::float_permute(x, &[0, 3, 1, 2])
        };
        let spec = BatchNormSpec {
            epsilon: 1e-3,
            pass: BatchNormPass { ghost_batches: 2, momentum: 0.1 },
            activation: Activation::Relu,
        };
        let (x, gradient) = (permuted(x.clone()), permuted(x));
        let (parameters, running) = ([of_channels(), of_channels()], [of_channels(), of_channels()]);

        let mut saved = None;
        let forwards = KernelLaunches::of(|| saved = Some(SavedForBackward::forward(x, parameters, running, spec).0));
        let backwards = KernelLaunches::of(|| drop(saved.unwrap().gradients(gradient)));

        assert_eq!(forwards.total(), 3, "{forwards}");
        assert_eq!(backwards.total(), 3, "{backwards}");
    }

    fn cube(device: &Device) -> burn_cubecl::CubeDevice {
        match device.as_dispatch() {
            burn::backend::DispatchDevice::Cube(device) => device.clone(),
            _ => panic!("the test device is not a GPU"),
        }
    }

    fn client(device: &Device) -> cubecl::client::Client {
        cube(device).client()
    }
}
