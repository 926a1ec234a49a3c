//! Fully connected layers.

use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Dispatch, Flex};
use burn::tensor::Tensor;
use burn_flex::FlexTensor;
use ipcgan_kernels::{Activation, Instructions, activation_gradient, channel_sums};

use super::extension::KernelOperations;
use super::memory::{contiguous, sizes, tensor, values};
use super::precision::by_burn;
use super::{activated, products_for};

/// `layer`, then an activation: `[batch, inputs]` to `[batch, outputs]`.
pub(crate) fn linear(layer: &burn::nn::Linear, x: Tensor<2>, activation: Activation) -> Tensor<2> {
    let (Some(_), Some(bias)) = (products_for(&x), &layer.bias) else {
        return activated(by_burn(layer, x, burn::nn::Linear::forward), activation);
    };
    let (weight, bias) = (layer.weight.val().into_dispatch(), bias.val().into_dispatch());
    Tensor::from_dispatch(<Dispatch as KernelOperations>::connect(x.into_dispatch(), weight, bias, activation))
}

fn kernel(weight: &FlexTensor) -> ipcgan_kernels::Linear<'_> {
    let [inputs, outputs] = sizes(weight);
    ipcgan_kernels::Linear { instructions: Instructions::best(), weights: values(weight), inputs, outputs }
}

pub(super) fn connect(x: FlexTensor, weight: FlexTensor, bias: FlexTensor, activation: Activation) -> FlexTensor {
    let (x, weight, bias) = (contiguous(x), contiguous(weight), contiguous(bias));
    let [batch, _] = sizes(&x);
    let kernel = kernel(&weight);
    tensor(kernel.run(values(&x), Some(values(&bias)), activation), &[batch, kernel.outputs])
}

pub(super) fn recorded_connect<C: CheckpointStrategy>(
    x: FloatTensor<Autodiff<Flex, C>>,
    weight: FloatTensor<Autodiff<Flex, C>>,
    bias: FloatTensor<Autodiff<Flex, C>>,
    activation: Activation,
) -> FloatTensor<Autodiff<Flex, C>> {
    let prepared = ConnectBack.prepare::<C>([x.node(), weight.node(), bias.node()]).compute_bound().stateful();
    let (x, weight) = (contiguous(x.into_primitive()), contiguous(weight.into_primitive()));
    let output = connect(x.clone(), weight.clone(), bias.into_primitive(), activation);
    match prepared {
        OpsKind::Tracked(prepared) => {
            let recorded = Recorded { x, weight, output: output.clone(), activation };
            prepared.finish(recorded, output)
        }
        OpsKind::UnTracked(prepared) => prepared.finish(output),
    }
}

/// What the gradient of a fully connected layer needs.
#[derive(Clone, Debug)]
struct Recorded {
    x: FlexTensor,
    weight: FlexTensor,
    output: FlexTensor,
    activation: Activation,
}

#[derive(Debug)]
struct ConnectBack;

impl Backward<Flex, 3> for ConnectBack {
    type State = Recorded;

    fn backward(self, ops: Ops<Recorded, 3>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let [towards_x, towards_weight, towards_bias] = ops.parents;
        let Recorded { x, weight, output, activation } = ops.state;
        let gradient = contiguous(gradients.consume::<Flex>(&ops.node));
        let gradient = activation_gradient(Instructions::best(), activation, values(&output), values(&gradient));
        let kernel = kernel(&weight);
        if let Some(node) = towards_x {
            let towards_x = tensor(kernel.input_gradient(&gradient), &sizes::<2>(&x));
            gradients.register::<Flex>(node.id, towards_x);
        }
        if let Some(node) = towards_weight {
            let towards_weight = tensor(kernel.weight_gradient(values(&x), &gradient), &sizes::<2>(&weight));
            gradients.register::<Flex>(node.id, towards_weight);
        }
        if let Some(node) = towards_bias {
            let sums = channel_sums(Instructions::best(), &gradient, kernel.outputs);
            gradients.register::<Flex>(node.id, tensor(sums, &[kernel.outputs]));
        }
    }
}
