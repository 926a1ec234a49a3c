//! Concatenation of feature maps with condition planes on GPUs, in one launch forwards and one backwards.

#![expect(clippy::needless_range_loop, reason = "CubeCL has no iterators")]

use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Cube};
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

use super::spec::BatchGather;
use crate::operation::gpu::kernel::{contiguous, elementwise, empty, uploaded_indices};
use crate::operation::gpu::{channels_last_order, dims};

/// As [`super::concat_conditions`], in float32.
pub(super) fn concat_conditions(features: CubeTensor, conditions: CubeTensor, gather: &BatchGather) -> CubeTensor {
    let ([features], restore) = channels_last_order([features]);
    let (features, conditions) = (contiguous(features), contiguous(conditions));
    let (client, device) = (features.client.clone(), features.device.clone());
    let ([batch, height, width, channels], [outputs, count]) =
        (dims::<Cube, 4>(&features), dims::<Cube, 2>(&conditions));
    let output = empty(&client, &device, &[outputs, height, width, channels + count]);
    let length = outputs * height * width * (channels + count);
    let (cubes, dim) = elementwise(&client, length);
    concat_kernel::launch(
        &client,
        cubes,
        dim,
        features.into_buffer_arg(),
        conditions.into_buffer_arg(),
        uploaded_indices(&client, &device, &gather.indices).into_buffer_arg(),
        output.clone().into_buffer_arg(),
        PlanesLaunch::new(length, height * width, channels, count, batch / gather.parts),
    );
    restore(output)
}

pub(super) fn concat_conditions_autodiff<C: CheckpointStrategy>(
    features: FloatTensor<Autodiff<Cube, C>>,
    conditions: FloatTensor<Autodiff<Cube, C>>,
    gather: BatchGather,
) -> FloatTensor<Autodiff<Cube, C>> {
    let prepared = ConcatBackward.prepare::<C>([features.node()]).compute_bound().stateful();
    let features = features.into_primitive();
    let [batch, channels, ..] = dims::<Cube, 4>(&features);
    let output = concat_conditions(features, conditions.into_primitive(), &gather);
    match prepared {
        OpsKind::Tracked(prepared) => prepared.finish(([batch, channels], gather), output),
        OpsKind::UnTracked(prepared) => prepared.finish(output),
    }
}

#[derive(Debug)]
struct ConcatBackward;

impl Backward<Cube, 1> for ConcatBackward {
    /// Batch and channels of the features, and the gathered parts.
    type State = ([usize; 2], BatchGather);

    fn backward(self, ops: Ops<Self::State, 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let gradient = gradients.consume::<Cube>(&ops.node);
        let (sizes, gather) = ops.state;
        if let [Some(node)] = ops.parents {
            gradients.register::<Cube>(node.id, concat_gradient(gradient, sizes, &gather));
        }
    }
}

/// The gradient with respect to features of `[batch, channels]`.
fn concat_gradient(gradient: CubeTensor, [batch, channels]: [usize; 2], gather: &BatchGather) -> CubeTensor {
    let ([gradient], restore) = channels_last_order([gradient]);
    let gradient = contiguous(gradient);
    let (client, device) = (gradient.client.clone(), gradient.device.clone());
    let [_, height, width, all] = dims::<Cube, 4>(&gradient);
    let output = empty(&client, &device, &[batch, height, width, channels]);
    let length = batch * height * width * channels;
    let (cubes, dim) = elementwise(&client, length);
    concat_gradient_kernel::launch(
        &client,
        cubes,
        dim,
        gradient.into_buffer_arg(),
        uploaded_indices(&client, &device, &gather.indices).into_buffer_arg(),
        output.clone().into_buffer_arg(),
        PlanesLaunch::new(length, height * width, channels, all - channels, batch / gather.parts),
        gather.indices.len(),
    );
    restore(output)
}

/// Sizes of features with conditions.
#[derive(CubeLaunch, CubeType)]
struct Planes {
    /// Number of values of the output of the kernel.
    length: usize,
    /// Pixels of a map.
    pixels: usize,
    channels: usize,
    conditions: usize,
    /// Images of a part of the batch.
    part: usize,
}

#[cube(launch)]
fn concat_kernel(features: &[f32], conditions: &[f32], indices: &[u32], output: &mut [f32], planes: &Planes) {
    if ABSOLUTE_POS >= planes.length {
        terminate!();
    }
    let all = planes.channels + planes.conditions;
    let channel = ABSOLUTE_POS % all;
    let pixel = ABSOLUTE_POS / all;
    let image = pixel / planes.pixels;
    if channel < planes.channels {
        let source = indices[image / planes.part] as usize * planes.part + image % planes.part;
        let source_pixel = source * planes.pixels + pixel % planes.pixels;
        let value = features[source_pixel * planes.channels + channel];
        output[ABSOLUTE_POS] = value;
    } else {
        let value = conditions[image * planes.conditions + channel - planes.channels];
        output[ABSOLUTE_POS] = value;
    }
}

#[cube(launch)]
fn concat_gradient_kernel(gradient: &[f32], indices: &[u32], output: &mut [f32], planes: &Planes, count: usize) {
    if ABSOLUTE_POS >= planes.length {
        terminate!();
    }
    let all = planes.channels + planes.conditions;
    let channel = ABSOLUTE_POS % planes.channels;
    let pixel = ABSOLUTE_POS / planes.channels;
    let image = pixel / planes.pixels;
    let part = image / planes.part;
    let mut sum = 0.0f32;
    for index in 0..count {
        if indices[index] as usize == part {
            let target = index * planes.part + image % planes.part;
            let target_pixel = target * planes.pixels + pixel % planes.pixels;
            sum += gradient[target_pixel * all + channel];
        }
    }
    output[ABSOLUTE_POS] = sum;
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, Tensor};

    use super::super::concat_conditions as concat_anywhere;
    use super::*;
    use crate::operation::gpu::tests::test_gpu;
    use crate::random_tensors::RandomTensors;
    use crate::relative_error::componentwise_error;

    #[test]
    fn gathered_features_with_conditions_and_their_gradient_equal_those_of_the_cpu() {
        let Some(gpu) = test_gpu() else { return };
        for (parts, indices) in [(1, vec![0]), (2, vec![0, 0, 1]), (2, vec![1])] {
            let mut random = RandomTensors::new(0);
            let features = random.uniform([4, 3, 2, 5], -1.0..1.0);
            let outputs = 4 / parts * indices.len();
            let conditions: Tensor<2> = random.uniform([outputs, 2], -1.0..1.0);
            let weights = random.uniform([outputs, 5, 2, 5], -1.0..1.0);
            let gather = BatchGather { parts, indices };
            let results = |device: &Device| {
                let features = features.clone().to_device(device).autodiff().require_grad();
                let conditions = conditions.clone().to_device(device).autodiff();
                let output = concat_anywhere(features.clone(), gather.clone(), conditions);
                let gradients = (output.clone() * weights.clone().to_device(device).autodiff()).sum().backward();
                [output.inner(), features.grad(&gradients).unwrap()].map(|maps| maps.to_device(&Device::flex()))
            };

            let [expected, found] = [&Device::flex(), &gpu].map(results);

            for (found, expected) in found.into_iter().zip(expected) {
                assert!(componentwise_error(found, expected) < 1e-6, "{gather:?}");
            }
        }
    }
}
