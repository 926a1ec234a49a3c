//! Fully connected layers.

use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, Flex, backend_extension};
use burn::tensor::Tensor;
use burn_flex::FlexTensor;
use ipcgan_kernels::{Activation, InstructionSet, activation_gradient, channel_sums};

use super::Precision;
use super::activation::activate;
use super::engine::{Engine, product_engine};
use super::nhwc_tensor::{contiguous, sizes, tensor, values};

/// `layer`, then an activation: `[batch, inputs]` to `[batch, outputs]`.
pub(crate) fn linear(
    layer: &burn::nn::Linear,
    x: Tensor<2>,
    activation: Activation,
    precision: Precision,
) -> Tensor<2> {
    match (product_engine(&x, precision), &layer.bias) {
        (Engine::Cpu, Some(bias)) => {
            let (weight, bias) = (layer.weight.val().into_dispatch(), bias.val().into_dispatch());
            Tensor::from_dispatch(<Dispatch as LinearOps>::linear(x.into_dispatch(), weight, bias, activation))
        }
        _ => activate(precision.run(layer, x, burn::nn::Linear::forward), activation),
    }
}

/// A fully connected layer with `[inputs, outputs]` and a bias, then an activation, on the CPU.
#[backend_extension(Flex, Autodiff)]
trait LinearOps: Backend {
    fn linear(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        activation: Activation,
    ) -> FloatTensor<Self>;
}

impl LinearOps for Flex {
    fn linear(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        activation: Activation,
    ) -> FloatTensor<Self> {
        linear_kernel(x, weight, bias, activation)
    }
}

impl<C: CheckpointStrategy> LinearOps for Autodiff<Flex, C> {
    fn linear(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        activation: Activation,
    ) -> FloatTensor<Self> {
        let prepared = LinearBackward.prepare::<C>([x.node(), weight.node(), bias.node()]).compute_bound().stateful();
        let (x, weight) = (contiguous(x.into_primitive()), contiguous(weight.into_primitive()));
        let output = linear_kernel(x.clone(), weight.clone(), bias.into_primitive(), activation);
        match prepared {
            OpsKind::Tracked(prepared) => {
                let saved = SavedForBackward { x, weight, output: output.clone(), activation };
                prepared.finish(saved, output)
            }
            OpsKind::UnTracked(prepared) => prepared.finish(output),
        }
    }
}

fn kernel(weight: &FlexTensor) -> ipcgan_kernels::Linear<'_> {
    let [inputs, outputs] = sizes(weight);
    ipcgan_kernels::Linear { instructions: InstructionSet::best(), weights: values(weight), inputs, outputs }
}

fn linear_kernel(x: FlexTensor, weight: FlexTensor, bias: FlexTensor, activation: Activation) -> FlexTensor {
    let (x, weight, bias) = (contiguous(x), contiguous(weight), contiguous(bias));
    let [batch, _] = sizes(&x);
    let kernel = kernel(&weight);
    tensor(kernel.run(values(&x), Some(values(&bias)), activation), &[batch, kernel.outputs])
}

/// Tensors saved for the backward pass of a fully connected layer.
#[derive(Clone, Debug)]
struct SavedForBackward {
    x: FlexTensor,
    weight: FlexTensor,
    output: FlexTensor,
    activation: Activation,
}

#[derive(Debug)]
struct LinearBackward;

impl Backward<Flex, 3> for LinearBackward {
    type State = SavedForBackward;

    fn backward(self, ops: Ops<SavedForBackward, 3>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let [grad_x, grad_weight, grad_bias] = ops.parents;
        let SavedForBackward { x, weight, output, activation } = ops.state;
        let gradient = contiguous(gradients.consume::<Flex>(&ops.node));
        let gradient = activation_gradient(InstructionSet::best(), activation, values(&output), values(&gradient));
        let kernel = kernel(&weight);
        if let Some(node) = grad_x {
            let grad_x = tensor(kernel.input_gradient(&gradient), &sizes::<2>(&x));
            gradients.register::<Flex>(node.id, grad_x);
        }
        if let Some(node) = grad_weight {
            let grad_weight = tensor(kernel.weight_gradient(values(&x), &gradient), &sizes::<2>(&weight));
            gradients.register::<Flex>(node.id, grad_weight);
        }
        if let Some(node) = grad_bias {
            let sums = channel_sums(InstructionSet::best(), &gradient, kernel.outputs);
            gradients.register::<Flex>(node.id, tensor(sums, &[kernel.outputs]));
        }
    }
}
