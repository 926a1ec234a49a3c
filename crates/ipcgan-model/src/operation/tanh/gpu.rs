//! `tanh` of a sum on GPUs, in one launch forwards and one backwards.

use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Cube};
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

use crate::operation::gpu::channels_last_order;
use crate::operation::gpu::kernel::{contiguous, elementwise, empty_like};

/// As [`super::tanh_offset`], in float32.
pub(super) fn tanh_offset(head: CubeTensor, source: CubeTensor) -> CubeTensor {
    let ([head, source], restore) = channels_last_order([head, source]);
    let [head, source] = [head, source].map(contiguous);
    let (client, length, output) = (head.client.clone(), head.meta.num_elements(), empty_like(&head));
    let (count, dim) = elementwise(&client, length);
    offset_kernel::launch(
        &client,
        count,
        dim,
        head.into_buffer_arg(),
        source.into_buffer_arg(),
        output.clone().into_buffer_arg(),
        length,
    );
    restore(output)
}

pub(super) fn tanh_offset_autodiff<C: CheckpointStrategy>(
    head: FloatTensor<Autodiff<Cube, C>>,
    source: FloatTensor<Autodiff<Cube, C>>,
) -> FloatTensor<Autodiff<Cube, C>> {
    let prepared = TanhOffsetBackward.prepare::<C>([head.node(), source.node()]).compute_bound().stateful();
    let source = source.into_primitive();
    let output = tanh_offset(head.into_primitive(), source.clone());
    match prepared {
        OpsKind::Tracked(prepared) => prepared.finish([source, output.clone()], output),
        OpsKind::UnTracked(prepared) => prepared.finish(output),
    }
}

#[derive(Debug)]
struct TanhOffsetBackward;

impl Backward<Cube, 2> for TanhOffsetBackward {
    /// Source and output.
    type State = [CubeTensor; 2];

    fn backward(self, ops: Ops<Self::State, 2>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let gradient = gradients.consume::<Cube>(&ops.node);
        let [grad_head, grad_source] = ops.parents;
        let [source, output] = ops.state;
        if let Some(node) = grad_head {
            gradients.register::<Cube>(node.id, head_gradient(output.clone(), gradient.clone()));
        }
        if let Some(node) = grad_source {
            gradients.register::<Cube>(node.id, source_gradient(source, output, gradient));
        }
    }
}

fn head_gradient(output: CubeTensor, gradient: CubeTensor) -> CubeTensor {
    let ([output, gradient], restore) = channels_last_order([output, gradient]);
    let [output, gradient] = [output, gradient].map(contiguous);
    let (client, length, grad) = (output.client.clone(), output.meta.num_elements(), empty_like(&output));
    let (count, dim) = elementwise(&client, length);
    head_gradient_kernel::launch(
        &client,
        count,
        dim,
        output.into_buffer_arg(),
        gradient.into_buffer_arg(),
        grad.clone().into_buffer_arg(),
        length,
    );
    restore(grad)
}

fn source_gradient(source: CubeTensor, output: CubeTensor, gradient: CubeTensor) -> CubeTensor {
    let ([source, output, gradient], restore) = channels_last_order([source, output, gradient]);
    let [source, output, gradient] = [source, output, gradient].map(contiguous);
    let (client, length, grad) = (output.client.clone(), output.meta.num_elements(), empty_like(&output));
    let (count, dim) = elementwise(&client, length);
    source_gradient_kernel::launch(
        &client,
        count,
        dim,
        source.into_buffer_arg(),
        output.into_buffer_arg(),
        gradient.into_buffer_arg(),
        grad.clone().into_buffer_arg(),
        length,
    );
    restore(grad)
}

#[cube(launch)]
fn offset_kernel(head: &[f32], source: &[f32], output: &mut [f32], length: usize) {
    if ABSOLUTE_POS >= length {
        terminate!();
    }
    let source = source[ABSOLUTE_POS];
    let atanh = f32::ln((1.0f32 + source) / (1.0f32 - source)) * 0.5f32;
    output[ABSOLUTE_POS] = f32::tanh(head[ABSOLUTE_POS] + atanh);
}

#[cube(launch)]
fn head_gradient_kernel(output: &[f32], gradient: &[f32], grad: &mut [f32], length: usize) {
    if ABSOLUTE_POS >= length {
        terminate!();
    }
    let output = output[ABSOLUTE_POS];
    grad[ABSOLUTE_POS] = gradient[ABSOLUTE_POS] * (1.0f32 - output * output);
}

#[cube(launch)]
fn source_gradient_kernel(source: &[f32], output: &[f32], gradient: &[f32], grad: &mut [f32], length: usize) {
    if ABSOLUTE_POS >= length {
        terminate!();
    }
    let source = source[ABSOLUTE_POS];
    let output = output[ABSOLUTE_POS];
    grad[ABSOLUTE_POS] = gradient[ABSOLUTE_POS] * (1.0f32 - output * output) / (1.0f32 - source * source);
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::super::tanh_offset;
    use crate::operation::gpu::tests::test_gpu;
    use crate::random_tensors::RandomTensors;
    use crate::relative_error::componentwise_error;

    #[test]
    fn the_output_and_both_gradients_equal_those_of_the_cpu() {
        let Some(gpu) = test_gpu() else { return };
        let mut random = RandomTensors::new(0);
        let shape = [2, 3, 4, 5];
        let head = random.uniform(shape, -3.0..3.0).permute([0, 2, 3, 1]);
        let (source, weights) = (random.uniform(shape, -0.99..0.99), random.uniform(shape, -1.0..1.0));
        let results = |device: &Device| {
            let head = head.clone().to_device(device).permute([0, 3, 1, 2]).reshape(shape).autodiff().require_grad();
            let source = source.clone().to_device(device).autodiff().require_grad();
            let output = tanh_offset(head.clone(), source.clone());
            let gradients = (output.clone() * weights.clone().to_device(device).autodiff()).sum().backward();
            [output.inner(), head.grad(&gradients).unwrap(), source.grad(&gradients).unwrap()]
        };

        let [expected, found] = [&Device::flex(), &gpu].map(results);

        for (found, expected) in found.into_iter().zip(expected) {
            assert!(componentwise_error(found, expected) < 1e-5);
        }
    }
}
