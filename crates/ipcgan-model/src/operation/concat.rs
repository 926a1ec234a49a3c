//! Concatenation of feature maps, with each other and with condition planes.

#[cfg(feature = "gpu")]
mod gpu;
mod spec;

pub(crate) use spec::BatchGather;

#[cfg(feature = "gpu")]
use burn::backend::Cube;
use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, Flex, backend_extension};
use burn::tensor::Tensor;
use burn_flex::FlexTensor;
use ipcgan_kernels::{ConditionConcat, Nhwc};

use super::engine::{Engine, f32_engine};
use super::nhwc_tensor::{NhwcTensor, contiguous, nhwc_tensor, sizes, values};

/// Gathers parts of `features` and appends `conditions` as channels that are constant over
/// all pixels; conditions have no gradient.
///
/// `[batch, channels, height, width]` and `[outputs, conditions]` to `[outputs, channels + conditions, height, width]`.
///
/// # Panics
/// If the batch does not divide into the parts of `gather`.
pub(crate) fn concat_conditions(features: Tensor<4>, gather: BatchGather, conditions: Tensor<2>) -> Tensor<4> {
    let ([batch, ..], parts) = (features.dims(), gather.parts);
    assert!(parts > 0 && batch.is_multiple_of(parts), "a batch of {batch} does not divide into {parts} parts");
    match f32_engine([&features]) {
        Engine::Cpu | Engine::Gpu => {
            let (features, conditions) = (features.into_dispatch(), conditions.into_dispatch());
            Tensor::from_dispatch(<Dispatch as ConcatOps>::concat_conditions(features, conditions, gather))
        }
        Engine::Burn => {
            let [_, _, height, width] = features.dims();
            let [outputs, count] = conditions.dims();
            let planes = conditions.reshape([outputs, count, 1, 1]).expand([outputs, count, height, width]);
            let parts = features.chunk(gather.parts, 0);
            let features = Tensor::cat(gather.indices.iter().map(|&index| parts[index].clone()).collect(), 0);
            Tensor::cat(vec![features, planes], 1)
        }
    }
}

/// Concatenates `batches`, each `[batch, channels, height, width]`, along the batch dimension.
pub(crate) fn concat_batches(batches: Vec<Tensor<4>>) -> Tensor<4> {
    match f32_engine([&batches[0]]) {
        Engine::Cpu => {
            // The CPU kernels' outputs are channels last in memory: in that layout, the concatenation copies contiguous
            // memory.
            let batches = batches.into_iter().map(|batch| batch.permute([0, 2, 3, 1])).collect();
            Tensor::cat(batches, 0).permute([0, 3, 1, 2])
        }
        Engine::Gpu | Engine::Burn => Tensor::cat(batches, 0),
    }
}

/// Residual connection: `x + residual(x)`.
pub(crate) fn residual_add(x: Tensor<4>, residual: impl FnOnce(Tensor<4>) -> Tensor<4>) -> Tensor<4> {
    match f32_engine([&x]) {
        Engine::Cpu => {
            // Channels last, as in memory: this sum, and that of the two gradients, then read memory contiguously.
            let x = x.permute([0, 2, 3, 1]);
            let residual = residual(x.clone().permute([0, 3, 1, 2])).permute([0, 2, 3, 1]);
            (x + residual).permute([0, 3, 1, 2])
        }
        Engine::Gpu | Engine::Burn => x.clone() + residual(x),
    }
}

/// Gathering parts of a batch and appending `[outputs, conditions]` as channels, on the CPU and on GPUs.
#[backend_extension(Flex, Cube: cfg(feature = "gpu"), Autodiff)]
trait ConcatOps: Backend {
    fn concat_conditions(
        features: FloatTensor<Self>,
        conditions: FloatTensor<Self>,
        gather: BatchGather,
    ) -> FloatTensor<Self>;
}

impl ConcatOps for Flex {
    fn concat_conditions(
        features: FloatTensor<Self>,
        conditions: FloatTensor<Self>,
        gather: BatchGather,
    ) -> FloatTensor<Self> {
        concat_conditions_kernel(features, conditions, &gather)
    }
}

#[cfg(feature = "gpu")]
impl ConcatOps for Cube {
    fn concat_conditions(
        features: FloatTensor<Self>,
        conditions: FloatTensor<Self>,
        gather: BatchGather,
    ) -> FloatTensor<Self> {
        gpu::concat_conditions(features, conditions, &gather)
    }
}

impl<C: CheckpointStrategy> ConcatOps for Autodiff<Flex, C> {
    fn concat_conditions(
        features: FloatTensor<Self>,
        conditions: FloatTensor<Self>,
        gather: BatchGather,
    ) -> FloatTensor<Self> {
        let prepared = ConcatConditionsBackward.prepare::<C>([features.node()]).compute_bound().stateful();
        let (features, conditions) = (NhwcTensor::new(features.into_primitive()), conditions.into_primitive());
        let (shape, [_, count]) = (features.shape, sizes(&conditions));
        let output = concat_conditions_kernel(features.into_tensor(), conditions, &gather);
        match prepared {
            OpsKind::Tracked(prepared) => prepared.finish((shape, gather, count), output),
            OpsKind::UnTracked(prepared) => prepared.finish(output),
        }
    }
}

#[cfg(feature = "gpu")]
impl<C: CheckpointStrategy> ConcatOps for Autodiff<Cube, C> {
    fn concat_conditions(
        features: FloatTensor<Self>,
        conditions: FloatTensor<Self>,
        gather: BatchGather,
    ) -> FloatTensor<Self> {
        gpu::concat_conditions_autodiff::<C>(features, conditions, gather)
    }
}

/// Arguments of the kernel, and the shape of its output.
struct Concat {
    shape: Nhwc,
    images: Vec<usize>,
    conditions: usize,
}

impl Concat {
    fn new(shape: Nhwc, gather: &BatchGather, conditions: usize) -> Self {
        Self { shape, images: gather.images(shape.batch), conditions }
    }

    fn kernel(&self) -> ConditionConcat<'_> {
        ConditionConcat { shape: self.shape, images: &self.images, conditions: self.conditions }
    }

    fn output_shape(&self) -> Nhwc {
        Nhwc { batch: self.images.len(), channels: self.shape.channels + self.conditions, ..self.shape }
    }
}

fn concat_conditions_kernel(features: FlexTensor, conditions: FlexTensor, gather: &BatchGather) -> FlexTensor {
    let (features, conditions) = (NhwcTensor::new(features), contiguous(conditions));
    let [_, count] = sizes(&conditions);
    let concat = Concat::new(features.shape, gather, count);
    nhwc_tensor(concat.kernel().run(features.values(), values(&conditions)), concat.output_shape())
}

#[derive(Debug)]
struct ConcatConditionsBackward;

impl Backward<Flex, 1> for ConcatConditionsBackward {
    /// Shape of the features, the gathered parts, and the number of conditions.
    type State = (Nhwc, BatchGather, usize);

    fn backward(self, ops: Ops<Self::State, 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let (shape, gather, conditions) = ops.state;
        let gradient = NhwcTensor::new(gradients.consume::<Flex>(&ops.node));
        if let [Some(node)] = ops.parents {
            let grad = Concat::new(shape, &gather, conditions).kernel().gradient(gradient.values());
            gradients.register::<Flex>(node.id, nhwc_tensor(grad, shape));
        }
    }
}
