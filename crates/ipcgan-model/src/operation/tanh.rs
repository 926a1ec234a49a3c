//! `tanh` outputs of the generator.

#[cfg(feature = "gpu")]
mod gpu;

#[cfg(feature = "gpu")]
use burn::backend::Cube;
use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, Flex, backend_extension};
use burn::tensor::Tensor;
use burn_flex::FlexTensor;
use ipcgan_kernels::{InstructionSet, tanh_gradient};

use super::engine::{Engine, f32_engine};
use super::nhwc_tensor::{NhwcTensor, nhwc_tensor};

/// `tanh(head)`.
pub(crate) fn tanh(head: Tensor<4>) -> Tensor<4> {
    match f32_engine([&head]) {
        Engine::Cpu => Tensor::from_dispatch(<Dispatch as TanhOps>::tanh(head.into_dispatch())),
        Engine::Gpu | Engine::Burn => head.tanh(),
    }
}

/// `tanh(head + atanh(source))`, for a source between -1 and 1.
pub(crate) fn tanh_offset(head: Tensor<4>, source: Tensor<4>) -> Tensor<4> {
    match f32_engine([&head, &source]) {
        Engine::Cpu | Engine::Gpu => {
            let (head, source) = (head.into_dispatch(), source.into_dispatch());
            Tensor::from_dispatch(<Dispatch as TanhOffsetOps>::tanh_offset(head, source))
        }
        Engine::Burn => (head + ((source.clone() + 1.0) / (-source + 1.0)).log() * 0.5).tanh(),
    }
}

/// `tanh` on the CPU.
#[backend_extension(Flex, Autodiff)]
trait TanhOps: Backend {
    /// `tanh(head)`.
    fn tanh(head: FloatTensor<Self>) -> FloatTensor<Self>;
}

impl TanhOps for Flex {
    fn tanh(head: FloatTensor<Self>) -> FloatTensor<Self> {
        tanh_kernel(head, None)
    }
}

impl<C: CheckpointStrategy> TanhOps for Autodiff<Flex, C> {
    fn tanh(head: FloatTensor<Self>) -> FloatTensor<Self> {
        let prepared = TanhBackward.prepare::<C>([head.node()]).compute_bound().stateful();
        let output = tanh_kernel(head.into_primitive(), None);
        match prepared {
            OpsKind::Tracked(prepared) => prepared.finish(NhwcTensor::new(output.clone()), output),
            OpsKind::UnTracked(prepared) => prepared.finish(output),
        }
    }
}

/// `tanh` of a sum, on the CPU and on GPUs.
#[backend_extension(Flex, Cube: cfg(feature = "gpu"), Autodiff)]
trait TanhOffsetOps: Backend {
    /// `tanh(head + atanh(source))`.
    fn tanh_offset(head: FloatTensor<Self>, source: FloatTensor<Self>) -> FloatTensor<Self>;
}

impl TanhOffsetOps for Flex {
    fn tanh_offset(head: FloatTensor<Self>, source: FloatTensor<Self>) -> FloatTensor<Self> {
        tanh_kernel(head, Some(source))
    }
}

#[cfg(feature = "gpu")]
impl TanhOffsetOps for Cube {
    fn tanh_offset(head: FloatTensor<Self>, source: FloatTensor<Self>) -> FloatTensor<Self> {
        gpu::tanh_offset(head, source)
    }
}

impl<C: CheckpointStrategy> TanhOffsetOps for Autodiff<Flex, C> {
    fn tanh_offset(head: FloatTensor<Self>, source: FloatTensor<Self>) -> FloatTensor<Self> {
        let prepared = TanhOffsetBackward.prepare::<C>([head.node(), source.node()]).compute_bound().stateful();
        let source = NhwcTensor::new(source.into_primitive());
        let output = tanh_kernel(head.into_primitive(), Some(source.clone().into_tensor()));
        match prepared {
            OpsKind::Tracked(prepared) => prepared.finish((source, NhwcTensor::new(output.clone())), output),
            OpsKind::UnTracked(prepared) => prepared.finish(output),
        }
    }
}

#[cfg(feature = "gpu")]
impl<C: CheckpointStrategy> TanhOffsetOps for Autodiff<Cube, C> {
    fn tanh_offset(head: FloatTensor<Self>, source: FloatTensor<Self>) -> FloatTensor<Self> {
        gpu::tanh_offset_autodiff::<C>(head, source)
    }
}

fn tanh_kernel(head: FlexTensor, source: Option<FlexTensor>) -> FlexTensor {
    let (head, source) = (NhwcTensor::new(head), source.map(NhwcTensor::new));
    assert!(source.as_ref().is_none_or(|source| source.shape == head.shape), "a source of the head's sizes");
    let source = source.as_ref().map(NhwcTensor::values);
    nhwc_tensor(ipcgan_kernels::tanh(InstructionSet::best(), head.values(), source), head.shape)
}

#[derive(Debug)]
struct TanhBackward;

impl Backward<Flex, 1> for TanhBackward {
    /// The output.
    type State = NhwcTensor;

    fn backward(self, ops: Ops<NhwcTensor, 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let gradient = NhwcTensor::new(gradients.consume::<Flex>(&ops.node));
        if let [Some(node)] = ops.parents {
            gradients.register::<Flex>(node.id, nhwc_tensor(grad_head(&ops.state, &gradient), gradient.shape));
        }
    }
}

#[derive(Debug)]
struct TanhOffsetBackward;

impl Backward<Flex, 2> for TanhOffsetBackward {
    /// Source and output.
    type State = (NhwcTensor, NhwcTensor);

    fn backward(self, ops: Ops<Self::State, 2>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let (source, output) = ops.state;
        let gradient = NhwcTensor::new(gradients.consume::<Flex>(&ops.node));
        let [head_node, source_node] = ops.parents;
        let mut grad = grad_head(&output, &gradient);
        if let Some(node) = head_node {
            gradients.register::<Flex>(node.id, nhwc_tensor(grad.clone(), gradient.shape));
        }
        if let Some(node) = source_node {
            grad.iter_mut().zip(source.values()).for_each(|(grad, source)| *grad /= 1.0 - source * source);
            gradients.register::<Flex>(node.id, nhwc_tensor(grad, gradient.shape));
        }
    }
}

fn grad_head(output: &NhwcTensor, gradient: &NhwcTensor) -> Vec<f32> {
    tanh_gradient(InstructionSet::best(), output.values(), gradient.values())
}
