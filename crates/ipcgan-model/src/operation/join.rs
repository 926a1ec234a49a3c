//! Feature maps joined with each other, and with the conditions under which they are seen.

use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Dispatch, Flex};
use burn::tensor::Tensor;
use burn_flex::FlexTensor;
use ipcgan_kernels::{Conditioned, Maps};

use super::extension::KernelOperations;
use super::kernels_for;
use super::memory::{FeatureMaps, contiguous, feature_maps, sizes, values};

/// Equal parts of a batch, in another order and perhaps several times each.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    /// How many parts there are.
    pub(crate) parts: usize,
    /// Which parts the output has.
    pub(crate) order: Vec<usize>,
}

impl Order {
    /// The batch as it is.
    pub(crate) fn unchanged() -> Self {
        Self { parts: 1, order: vec![0] }
    }

    /// For each picture of the output, that of the input.
    fn pictures(&self, batch: usize) -> Vec<usize> {
        let part = batch / self.parts;
        self.order.iter().flat_map(|index| index * part..(index + 1) * part).collect()
    }
}

/// Parts of `features` in a new order, each picture with its `conditions` as further channels that are the same at
/// every pixel; nothing learns through the conditions.
///
/// `[batch, channels, height, width]` and `[outputs, conditions]` to `[outputs, channels + conditions, height, width]`.
pub(crate) fn conditioned(features: Tensor<4>, order: Order, conditions: Tensor<2>) -> Tensor<4> {
    if kernels_for(&features).is_some() {
        let (features, conditions) = (features.into_dispatch(), conditions.into_dispatch());
        return Tensor::from_dispatch(<Dispatch as KernelOperations>::conditioned(features, conditions, order));
    }
    let [_, _, height, width] = features.dims();
    let [outputs, count] = conditions.dims();
    let planes = conditions.reshape([outputs, count, 1, 1]).expand([outputs, count, height, width]);
    let parts = features.chunk(order.parts, 0);
    let features = Tensor::cat(order.order.iter().map(|&index| parts[index].clone()).collect(), 0);
    Tensor::cat(vec![features, planes], 1)
}

/// The batches one after another: `[batch, channels, height, width]` each.
pub(crate) fn joined_batches(batches: Vec<Tensor<4>>) -> Tensor<4> {
    if kernels_for(&batches[0]).is_none() {
        return Tensor::cat(batches, 0);
    }
    // Where the kernels left the channels last, they are joined as they lie.
    let batches = batches.into_iter().map(|maps| maps.permute([0, 2, 3, 1])).collect();
    Tensor::cat(batches, 0).permute([0, 3, 1, 2])
}

/// `x` plus what `change` makes of it.
pub(crate) fn with_skip(x: Tensor<4>, change: impl FnOnce(Tensor<4>) -> Tensor<4>) -> Tensor<4> {
    if kernels_for(&x).is_none() {
        return x.clone() + change(x);
    }
    // Channels last, as they lie: this sum, and that of the two gradients, then run over memory from end to end.
    let x = x.permute([0, 2, 3, 1]);
    let change = change(x.clone().permute([0, 3, 1, 2])).permute([0, 2, 3, 1]);
    (x + change).permute([0, 3, 1, 2])
}

/// What the kernel needs to know, with the output's sizes.
struct Joined {
    maps: Maps,
    pictures: Vec<usize>,
    conditions: usize,
}

impl Joined {
    fn new(maps: Maps, order: &Order, conditions: usize) -> Self {
        Self { maps, pictures: order.pictures(maps.batch), conditions }
    }

    fn kernel(&self) -> Conditioned<'_> {
        Conditioned { maps: self.maps, pictures: &self.pictures, conditions: self.conditions }
    }

    fn output_maps(&self) -> Maps {
        Maps { batch: self.pictures.len(), channels: self.maps.channels + self.conditions, ..self.maps }
    }
}

pub(super) fn join(features: FlexTensor, conditions: FlexTensor, order: &Order) -> FlexTensor {
    let (features, conditions) = (FeatureMaps::new(features), contiguous(conditions));
    let [_, count] = sizes(&conditions);
    let joined = Joined::new(features.maps, order, count);
    feature_maps(joined.kernel().run(features.values(), values(&conditions)), joined.output_maps())
}

pub(super) fn recorded_join<C: CheckpointStrategy>(
    features: FloatTensor<Autodiff<Flex, C>>,
    conditions: FloatTensor<Autodiff<Flex, C>>,
    order: Order,
) -> FloatTensor<Autodiff<Flex, C>> {
    let prepared = JoinBack.prepare::<C>([features.node()]).compute_bound().stateful();
    let (features, conditions) = (FeatureMaps::new(features.into_primitive()), conditions.into_primitive());
    let (maps, [_, count]) = (features.maps, sizes(&conditions));
    let output = join(features.into_tensor(), conditions, &order);
    match prepared {
        OpsKind::Tracked(prepared) => prepared.finish((maps, order, count), output),
        OpsKind::UnTracked(prepared) => prepared.finish(output),
    }
}

#[derive(Debug)]
struct JoinBack;

impl Backward<Flex, 1> for JoinBack {
    /// Sizes of the features, the order, and the number of conditions.
    type State = (Maps, Order, usize);

    fn backward(self, ops: Ops<Self::State, 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let (maps, order, conditions) = ops.state;
        let gradient = FeatureMaps::new(gradients.consume::<Flex>(&ops.node));
        if let [Some(node)] = ops.parents {
            let towards = Joined::new(maps, &order, conditions).kernel().gradient(gradient.values());
            gradients.register::<Flex>(node.id, feature_maps(towards, maps));
        }
    }
}
