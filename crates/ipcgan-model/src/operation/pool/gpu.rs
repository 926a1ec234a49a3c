//! AlexNet's local response norm on GPUs, in one launch forwards and one backwards.

use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Cube};
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

use crate::operation::gpu::kernel::{contiguous, elementwise, empty_like};
use crate::operation::gpu::{channels_last_order, dims};

/// `x / (1 + alpha * sum of the squares of five neighbouring channels)^0.75`, in float32.
pub(super) fn local_response_norm(x: CubeTensor, alpha: f32) -> CubeTensor {
    let ([x], restore) = channels_last_order([x]);
    let x = contiguous(x);
    let (client, output) = (x.client.clone(), empty_like(&x));
    let [.., channels] = dims::<Cube, 4>(&x);
    let (count, dim) = elementwise(&client, x.meta.num_elements());
    response_norm_kernel::launch(
        &client,
        count,
        dim,
        x.into_buffer_arg(),
        output.clone().into_buffer_arg(),
        output.meta.num_elements(),
        channels,
        alpha,
    );
    restore(output)
}

pub(super) fn local_response_norm_autodiff<C: CheckpointStrategy>(
    x: FloatTensor<Autodiff<Cube, C>>,
    alpha: f32,
) -> FloatTensor<Autodiff<Cube, C>> {
    let prepared = ResponseNormBackward.prepare::<C>([x.node()]).compute_bound().stateful();
    let x = x.into_primitive();
    match prepared {
        OpsKind::Tracked(prepared) => prepared.finish((x.clone(), alpha), local_response_norm(x, alpha)),
        OpsKind::UnTracked(prepared) => prepared.finish(local_response_norm(x, alpha)),
    }
}

#[derive(Debug)]
struct ResponseNormBackward;

impl Backward<Cube, 1> for ResponseNormBackward {
    type State = (CubeTensor, f32);

    fn backward(self, ops: Ops<Self::State, 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let gradient = gradients.consume::<Cube>(&ops.node);
        let (x, alpha) = ops.state;
        if let [Some(node)] = ops.parents {
            gradients.register::<Cube>(node.id, response_norm_gradient(x, gradient, alpha));
        }
    }
}

fn response_norm_gradient(x: CubeTensor, gradient: CubeTensor, alpha: f32) -> CubeTensor {
    let ([x, gradient], restore) = channels_last_order([x, gradient]);
    let [x, gradient] = [x, gradient].map(contiguous);
    let (client, output) = (x.client.clone(), empty_like(&x));
    let [.., channels] = dims::<Cube, 4>(&x);
    let (count, dim) = elementwise(&client, x.meta.num_elements());
    response_norm_gradient_kernel::launch(
        &client,
        count,
        dim,
        x.into_buffer_arg(),
        gradient.into_buffer_arg(),
        output.clone().into_buffer_arg(),
        output.meta.num_elements(),
        channels,
        alpha,
    );
    restore(output)
}

/// `1 + alpha * sum of the squares` of the channels around `channel`, in the pixel that begins at `pixel`.
#[cube]
fn response(x: &[f32], pixel: usize, channel: usize, channels: usize, alpha: f32) -> f32 {
    let mut squares = 0.0f32;
    #[unroll]
    for offset in 0..5usize {
        let neighbour = channel + offset;
        // Two channels on each side.
        if neighbour >= 2 && neighbour < channels + 2 {
            let value = x[pixel + neighbour - 2];
            squares += value * value;
        }
    }
    1.0f32 + alpha * squares
}

#[cube(launch)]
fn response_norm_kernel(x: &[f32], output: &mut [f32], length: usize, channels: usize, alpha: f32) {
    if ABSOLUTE_POS >= length {
        terminate!();
    }
    let channel = ABSOLUTE_POS % channels;
    let sum = response(x, ABSOLUTE_POS - channel, channel, channels, alpha);
    // To the power of -3/4, without `powf`, which drivers round differently.
    let root = sum.sqrt();
    let value = x[ABSOLUTE_POS] / (root * root.sqrt());
    output[ABSOLUTE_POS] = value;
}

#[cube(launch)]
fn response_norm_gradient_kernel(
    x: &[f32],
    gradient: &[f32],
    output: &mut [f32],
    length: usize,
    channels: usize,
    alpha: f32,
) {
    if ABSOLUTE_POS >= length {
        terminate!();
    }
    let channel = ABSOLUTE_POS % channels;
    let pixel = ABSOLUTE_POS - channel;
    let mut own = 0.0f32;
    let mut through_neighbours = 0.0f32;
    #[unroll]
    for offset in 0..5usize {
        let shifted = channel + offset;
        if shifted >= 2 && shifted < channels + 2 {
            let neighbour = shifted - 2;
            let sum = response(x, pixel, neighbour, channels, alpha);
            let root = sum.sqrt();
            let scaled = gradient[pixel + neighbour] / (root * root.sqrt());
            if neighbour == channel {
                own = scaled;
            }
            through_neighbours += scaled * x[pixel + neighbour] / sum;
        }
    }
    // d/dx of response^(-3/4) is -3/4 * 2 * alpha * x * response^(-7/4).
    let value = own - 1.5f32 * alpha * x[ABSOLUTE_POS] * through_neighbours;
    output[ABSOLUTE_POS] = value;
}

#[cfg(test)]
mod tests {
    use burn::nn::LocalResponseNormConfig;
    use burn::tensor::{Device, Tensor};

    use super::super::local_response_norm as local_response_norm_anywhere;
    use super::*;
    use crate::operation::KernelLaunches;
    use crate::operation::gpu::tests::test_gpu;
    use crate::random_tensors::RandomTensors;
    use crate::relative_error::componentwise_error;

    const ALPHA: f32 = 0.02;

    /// The norm's output on `device`, and its gradient by `x`.
    fn results(x: &Tensor<4>, weights: &Tensor<4>, device: &Device) -> [Tensor<4>; 2] {
        let layer = LocalResponseNormConfig::new(5).init();
        let x = x.clone().to_device(device).autodiff().require_grad();
        let output = local_response_norm_anywhere(&layer, x.clone(), ALPHA);
        let gradients = (output.clone() * weights.clone().to_device(device).autodiff()).sum().backward();
        [output.inner(), x.grad(&gradients).unwrap()].map(|maps| maps.to_device(&Device::flex()))
    }

    #[test]
    fn the_response_norm_and_its_gradient_equal_those_of_the_cpu() {
        let Some(gpu) = test_gpu() else { return };
        for channels in [1, 3, 8] {
            let mut random = RandomTensors::new(0);
            let [x, weights] = [(); 2].map(|()| random.uniform([2, channels, 3, 4], -9.0..9.0));

            let [expected, found] = [&Device::flex(), &gpu].map(|device| results(&x, &weights, device));

            for (found, expected) in found.into_iter().zip(expected) {
                assert!(componentwise_error(found, expected) < 1e-5, "{channels} channels");
            }
        }
    }

    #[test]
    fn the_response_norm_takes_one_launch_forward_and_one_backward() {
        let Some(gpu) = test_gpu() else { return };
        let x = Tensor::<4>::ones([1, 3, 4, 8], &gpu).permute([0, 3, 1, 2]).try_into_primitive::<Cube>().unwrap();

        let forward = KernelLaunches::of(|| drop(local_response_norm(x.clone(), ALPHA)));
        let backward = KernelLaunches::of(|| drop(response_norm_gradient(x.clone(), x, ALPHA)));

        assert_eq!([forward.total(), backward.total()], [1, 1], "{forward}\n{backward}");
    }
}
