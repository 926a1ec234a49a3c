//! Concatenation of feature maps, with each other and with condition planes.

use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Dispatch, Flex};
use burn::tensor::Tensor;
use burn_flex::FlexTensor;
use ipcgan_kernels::{ConditionConcat, Nhwc};

use super::extension::CpuOperations;
use super::kernels_for;
use super::nhwc_tensor::{NhwcTensor, contiguous, nhwc_tensor, sizes, values};

/// Gathers equal parts of a batch by index.
#[derive(Clone, Debug)]
pub(crate) struct BatchGather {
    /// How many parts there are.
    pub(crate) parts: usize,
    /// Which parts the output has.
    pub(crate) indices: Vec<usize>,
}

impl BatchGather {
    /// The batch as it is.
    pub(crate) fn identity() -> Self {
        Self { parts: 1, indices: vec![0] }
    }

    /// For each image of the output, that of the input.
    fn images(&self, batch: usize) -> Vec<usize> {
        let part = batch / self.parts;
        self.indices.iter().flat_map(|index| index * part..(index + 1) * part).collect()
    }
}

/// Gathers parts of `features` and appends `conditions` as channels that are constant over
/// all pixels; conditions have no gradient.
///
/// `[batch, channels, height, width]` and `[outputs, conditions]` to `[outputs, channels + conditions, height, width]`.
pub(crate) fn concat_conditions(features: Tensor<4>, gather: BatchGather, conditions: Tensor<2>) -> Tensor<4> {
    if kernels_for(&features).is_some() {
        let (features, conditions) = (features.into_dispatch(), conditions.into_dispatch());
        return Tensor::from_dispatch(<Dispatch as CpuOperations>::concat_conditions(features, conditions, gather));
    }
    let [_, _, height, width] = features.dims();
    let [outputs, count] = conditions.dims();
    let planes = conditions.reshape([outputs, count, 1, 1]).expand([outputs, count, height, width]);
    let parts = features.chunk(gather.parts, 0);
    let features = Tensor::cat(gather.indices.iter().map(|&index| parts[index].clone()).collect(), 0);
    Tensor::cat(vec![features, planes], 1)
}

/// The batches one after another: `[batch, channels, height, width]` each.
pub(crate) fn concat_batches(batches: Vec<Tensor<4>>) -> Tensor<4> {
    if kernels_for(&batches[0]).is_none() {
        return Tensor::cat(batches, 0);
    }
    // Where the kernels left the channels last, they are joined as they lie.
    let batches = batches.into_iter().map(|batch| batch.permute([0, 2, 3, 1])).collect();
    Tensor::cat(batches, 0).permute([0, 3, 1, 2])
}

/// Residual connection: `x + change(x)`.
pub(crate) fn residual_add(x: Tensor<4>, change: impl FnOnce(Tensor<4>) -> Tensor<4>) -> Tensor<4> {
    if kernels_for(&x).is_none() {
        return x.clone() + change(x);
    }
    // Channels last, as they lie: this sum, and that of the two gradients, then run over memory from end to end.
    let x = x.permute([0, 2, 3, 1]);
    let change = change(x.clone().permute([0, 3, 1, 2])).permute([0, 2, 3, 1]);
    (x + change).permute([0, 3, 1, 2])
}

/// What the kernel needs to know, with the output's sizes.
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

pub(super) fn concat_conditions_kernel(
    features: FlexTensor,
    conditions: FlexTensor,
    gather: &BatchGather,
) -> FlexTensor {
    let (features, conditions) = (NhwcTensor::new(features), contiguous(conditions));
    let [_, count] = sizes(&conditions);
    let concat = Concat::new(features.shape, gather, count);
    nhwc_tensor(concat.kernel().run(features.values(), values(&conditions)), concat.output_shape())
}

pub(super) fn concat_conditions_autodiff<C: CheckpointStrategy>(
    features: FloatTensor<Autodiff<Flex, C>>,
    conditions: FloatTensor<Autodiff<Flex, C>>,
    gather: BatchGather,
) -> FloatTensor<Autodiff<Flex, C>> {
    let prepared = ConcatConditionsBackward.prepare::<C>([features.node()]).compute_bound().stateful();
    let (features, conditions) = (NhwcTensor::new(features.into_primitive()), conditions.into_primitive());
    let (shape, [_, count]) = (features.shape, sizes(&conditions));
    let output = concat_conditions_kernel(features.into_tensor(), conditions, &gather);
    match prepared {
        OpsKind::Tracked(prepared) => prepared.finish((shape, gather, count), output),
        OpsKind::UnTracked(prepared) => prepared.finish(output),
    }
}

#[derive(Debug)]
struct ConcatConditionsBackward;

impl Backward<Flex, 1> for ConcatConditionsBackward {
    /// Sizes of the features, the order, and the number of conditions.
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
