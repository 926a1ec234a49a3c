//! From what a generator's last layer gives to a face.

use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Dispatch, Flex};
use burn::tensor::Tensor;
use burn_flex::FlexTensor;
use ipcgan_kernels::{Instructions, bounded_gradient};

use super::extension::KernelOperations;
use super::kernels_for;
use super::memory::{FeatureMaps, feature_maps};

/// `tanh(head)`.
pub(crate) fn bounded(head: Tensor<4>) -> Tensor<4> {
    match kernels_for(&head) {
        Some(_) => Tensor::from_dispatch(<Dispatch as KernelOperations>::bounded(head.into_dispatch())),
        None => head.tanh(),
    }
}

/// `tanh(head + atanh(source))`, for a source between -1 and 1.
pub(crate) fn changed(head: Tensor<4>, source: Tensor<4>) -> Tensor<4> {
    match kernels_for(&head) {
        Some(_) => {
            Tensor::from_dispatch(<Dispatch as KernelOperations>::changed(head.into_dispatch(), source.into_dispatch()))
        }
        None => (head + ((source.clone() + 1.0) / (-source + 1.0)).log() * 0.5).tanh(),
    }
}

pub(super) fn bound(head: FlexTensor, source: Option<FlexTensor>) -> FlexTensor {
    let (head, source) = (FeatureMaps::new(head), source.map(FeatureMaps::new));
    assert!(source.as_ref().is_none_or(|source| source.maps == head.maps), "a source of the head's sizes");
    let source = source.as_ref().map(FeatureMaps::values);
    feature_maps(ipcgan_kernels::bounded(Instructions::best(), head.values(), source), head.maps)
}

pub(super) fn recorded_bounded<C: CheckpointStrategy>(
    head: FloatTensor<Autodiff<Flex, C>>,
) -> FloatTensor<Autodiff<Flex, C>> {
    let prepared = BoundBack.prepare::<C>([head.node()]).compute_bound().stateful();
    let output = bound(head.into_primitive(), None);
    match prepared {
        OpsKind::Tracked(prepared) => prepared.finish(FeatureMaps::new(output.clone()), output),
        OpsKind::UnTracked(prepared) => prepared.finish(output),
    }
}

pub(super) fn recorded_changed<C: CheckpointStrategy>(
    head: FloatTensor<Autodiff<Flex, C>>,
    source: FloatTensor<Autodiff<Flex, C>>,
) -> FloatTensor<Autodiff<Flex, C>> {
    let prepared = ChangeBack.prepare::<C>([head.node(), source.node()]).compute_bound().stateful();
    let source = FeatureMaps::new(source.into_primitive());
    let output = bound(head.into_primitive(), Some(source.clone().into_tensor()));
    match prepared {
        OpsKind::Tracked(prepared) => prepared.finish((source, FeatureMaps::new(output.clone())), output),
        OpsKind::UnTracked(prepared) => prepared.finish(output),
    }
}

#[derive(Debug)]
struct BoundBack;

impl Backward<Flex, 1> for BoundBack {
    /// The output.
    type State = FeatureMaps;

    fn backward(self, ops: Ops<FeatureMaps, 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let gradient = FeatureMaps::new(gradients.consume::<Flex>(&ops.node));
        if let [Some(node)] = ops.parents {
            gradients.register::<Flex>(node.id, feature_maps(towards_head(&ops.state, &gradient), gradient.maps));
        }
    }
}

#[derive(Debug)]
struct ChangeBack;

impl Backward<Flex, 2> for ChangeBack {
    /// Source and output.
    type State = (FeatureMaps, FeatureMaps);

    fn backward(self, ops: Ops<Self::State, 2>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let (source, output) = ops.state;
        let gradient = FeatureMaps::new(gradients.consume::<Flex>(&ops.node));
        let [head_node, source_node] = ops.parents;
        let mut towards = towards_head(&output, &gradient);
        if let Some(node) = head_node {
            gradients.register::<Flex>(node.id, feature_maps(towards.clone(), gradient.maps));
        }
        if let Some(node) = source_node {
            towards.iter_mut().zip(source.values()).for_each(|(towards, source)| *towards /= 1.0 - source * source);
            gradients.register::<Flex>(node.id, feature_maps(towards, gradient.maps));
        }
    }
}

fn towards_head(output: &FeatureMaps, gradient: &FeatureMaps) -> Vec<f32> {
    bounded_gradient(Instructions::best(), output.values(), gradient.values())
}
