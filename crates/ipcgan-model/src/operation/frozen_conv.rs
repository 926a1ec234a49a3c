//! Convolutions with frozen weights, through which gradients still flow to the input.

use std::sync::{Arc, OnceLock};

use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, Flex, backend_extension};
use burn::nn::conv::Conv2d;
use burn::tensor::Tensor;
use burn_flex::FlexTensor;
use ipcgan_kernels::{Activation, Convolution, Epilogue, InstructionSet, Nhwc, activation_gradient};

use super::convolution::CONV_ALGORITHM;
use super::nhwc_tensor::{NhwcTensor, contiguous_flex, nhwc_tensor, sizes, values};
use super::packed_conv::PackedConv;

/// A layer with frozen weights: they are packed once for the output, and once for the gradient
/// by the input when that is first needed.
#[derive(Clone, Debug)]
pub(crate) struct FrozenConv {
    layer: Arc<Layer>,
}

#[derive(Debug)]
struct Layer {
    forward: PackedConv,
    weight: FlexTensor,
    adjoint: OnceLock<Convolution>,
}

impl FrozenConv {
    /// `layer`, whose weights are on the CPU and record nothing, then an activation.
    pub(crate) fn new(layer: &Conv2d, activation: Activation) -> Self {
        let weight = contiguous_flex(layer.weight.val());
        let forward = PackedConv::new(layer, None, activation);
        Self { layer: Arc::new(Layer { forward, weight, adjoint: OnceLock::new() }) }
    }

    /// `[batch, inputs, height, width]` to `[batch, outputs, ..]`.
    pub(crate) fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        Tensor::from_dispatch(<Dispatch as FrozenConvOps>::frozen_convolution(x.into_dispatch(), self.clone()))
    }

    fn run(&self, x: &NhwcTensor) -> FlexTensor {
        let mut output = Vec::new();
        let shape = self.layer.forward.run(x.values(), x.shape, None, &mut output);
        nhwc_tensor(output, shape)
    }

    /// The gradient by an input of `shape` from that of the output, before the activation.
    fn grad_input(&self, gradient: &[f32], gradient_shape: Nhwc, shape: Nhwc) -> FlexTensor {
        let Layer { forward, weight, adjoint } = &*self.layer;
        let adjoint = adjoint.get_or_init(|| {
            let [outputs, inputs, _, _] = sizes(weight);
            let (weights, channels) = (values(weight), [outputs, inputs]);
            Convolution::adjoint(InstructionSet::best(), CONV_ALGORITHM, weights, channels, &forward.params, None)
        });
        let sides = [shape.height, shape.width];
        nhwc_tensor(adjoint.run(gradient, gradient_shape, sides, &Epilogue::default()), shape)
    }
}

/// Convolution with frozen weights on the CPU.
#[backend_extension(Flex, Autodiff)]
trait FrozenConvOps: Backend {
    fn frozen_convolution(x: FloatTensor<Self>, layer: FrozenConv) -> FloatTensor<Self>;
}

impl FrozenConvOps for Flex {
    fn frozen_convolution(x: FloatTensor<Self>, layer: FrozenConv) -> FloatTensor<Self> {
        layer.run(&NhwcTensor::new(x))
    }
}

impl<C: CheckpointStrategy> FrozenConvOps for Autodiff<Flex, C> {
    fn frozen_convolution(x: FloatTensor<Self>, layer: FrozenConv) -> FloatTensor<Self> {
        let prepared = FrozenBackward.prepare::<C>([x.node()]).compute_bound().stateful();
        let x = NhwcTensor::new(x.into_primitive());
        let shape = x.shape;
        let output = layer.run(&x);
        match prepared {
            OpsKind::Tracked(prepared) => {
                let saved = SavedForBackward { shape, output: NhwcTensor::new(output.clone()), layer };
                prepared.finish(saved, output)
            }
            OpsKind::UnTracked(prepared) => prepared.finish(output),
        }
    }
}

/// Tensors saved for the backward pass; the input is not saved.
#[derive(Clone, Debug)]
struct SavedForBackward {
    /// Sizes of the input.
    shape: Nhwc,
    /// Tells where the activation was not the identity.
    output: NhwcTensor,
    layer: FrozenConv,
}

#[derive(Debug)]
struct FrozenBackward;

impl Backward<Flex, 1> for FrozenBackward {
    type State = SavedForBackward;

    fn backward(self, ops: Ops<SavedForBackward, 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let SavedForBackward { shape, output, layer } = ops.state;
        let gradient = NhwcTensor::new(gradients.consume::<Flex>(&ops.node));
        if let [Some(node)] = ops.parents {
            let activation = layer.layer.forward.activation;
            let grad_sums = activation_gradient(InstructionSet::best(), activation, output.values(), gradient.values());
            gradients.register::<Flex>(node.id, layer.grad_input(&grad_sums, gradient.shape, shape));
        }
    }
}
