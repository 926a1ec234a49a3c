//! Fully connected layers with frozen weights, through which gradients still flow to the input.

use std::sync::Arc;

use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, Flex, backend_extension};
use burn::module::{Module, Param};
use burn::nn::Linear;
use burn::tensor::{Device, Tensor};
use burn_flex::FlexTensor;
use ipcgan_kernels::{Activation, HalfLinear, InstructionSet, activation_gradient};

use super::Precision;
use super::engine::{is_flex, is_packable};
use super::linear::linear;
use super::nhwc_tensor::{contiguous, contiguous_flex, sizes, tensor, values};

/// A fully connected layer with frozen weights, then an activation.
///
/// On the CPU, weights that half precision holds exactly (those of a half-precision weights file) are packed in half
/// precision. The layer computes the same, bit for bit, and reads half the memory, which takes most of its time at
/// small batch sizes. All other weights stay as they are.
#[derive(Clone, Debug)]
pub(crate) struct FrozenLinear {
    storage: Storage,
    activation: Activation,
    precision: Precision,
}

/// The weights and the bias.
#[derive(Clone, Debug)]
enum Storage {
    Packed(PackedLinear),
    Unpacked(Box<Linear>),
}

impl FrozenLinear {
    /// `layer`, then an activation. If it is packed, its weights in single precision are dropped.
    pub(crate) fn new(layer: Linear, activation: Activation, precision: Precision) -> Self {
        let storage = match PackedLinear::new(&layer, precision) {
            Some(packed) => Storage::Packed(packed),
            None => Storage::Unpacked(Box::new(layer.freeze())),
        };
        Self { storage, activation, precision }
    }

    /// `[batch, inputs]` to `[batch, outputs]`.
    pub(crate) fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        match &self.storage {
            Storage::Packed(layer) => {
                let (x, layer) = (x.into_dispatch(), layer.clone());
                Tensor::from_dispatch(<Dispatch as PackedLinearOps>::packed_linear(x, layer, self.activation))
            }
            Storage::Unpacked(layer) => linear(layer, x, self.activation, self.precision),
        }
    }

    /// The layer with weights in single precision.
    pub(crate) fn to_linear(&self) -> Linear {
        match &self.storage {
            Storage::Packed(layer) => layer.to_linear(),
            Storage::Unpacked(layer) => (**layer).clone(),
        }
    }

    /// The same on another device.
    pub(crate) fn to_device(&self, device: &Device) -> Self {
        match &self.storage {
            Storage::Packed(_) if is_flex(device) => self.clone(),
            _ => Self::new(self.to_linear().to_device(device), self.activation, self.precision),
        }
    }
}

/// A layer whose weights are packed in half precision.
#[derive(Clone, Debug)]
struct PackedLinear {
    kernel: Arc<HalfLinear>,
    bias: Arc<[f32]>,
    inputs: usize,
}

impl PackedLinear {
    /// `layer`, if it is on the CPU and half precision holds its weights exactly.
    fn new(layer: &Linear, precision: Precision) -> Option<Self> {
        let (weight, bias) = (layer.weight.val(), layer.bias.as_ref()?.val());
        if !is_packable(&weight, precision) {
            return None;
        }
        let [weight, bias] = [contiguous_flex(weight), contiguous_flex(bias)];
        let [inputs, outputs] = sizes(&weight);
        let kernel = HalfLinear::new(InstructionSet::best(), values(&weight), inputs, outputs)?;
        Some(Self { kernel: Arc::new(kernel), bias: values(&bias).into(), inputs })
    }

    fn run(&self, x: FlexTensor, activation: Activation) -> FlexTensor {
        let x = contiguous(x);
        let [batch, _] = sizes(&x);
        tensor(self.kernel.run(values(&x), Some(&self.bias), activation), &[batch, self.bias.len()])
    }

    fn to_linear(&self) -> Linear {
        let (weight, bias) = (self.kernel.weights(), self.bias.to_vec());
        let (weight, bias) = (tensor(weight, &[self.inputs, self.bias.len()]), tensor(bias, &[self.bias.len()]));
        let weight = Param::from_tensor(Tensor::<2>::from_primitive::<Flex>(weight));
        let bias = Param::from_tensor(Tensor::<1>::from_primitive::<Flex>(bias));
        Linear { weight, bias: Some(bias) }.freeze()
    }
}

/// A fully connected layer with packed weights on the CPU.
#[backend_extension(Flex, Autodiff)]
trait PackedLinearOps: Backend {
    fn packed_linear(x: FloatTensor<Self>, layer: PackedLinear, activation: Activation) -> FloatTensor<Self>;
}

impl PackedLinearOps for Flex {
    fn packed_linear(x: FloatTensor<Self>, layer: PackedLinear, activation: Activation) -> FloatTensor<Self> {
        layer.run(x, activation)
    }
}

impl<C: CheckpointStrategy> PackedLinearOps for Autodiff<Flex, C> {
    fn packed_linear(x: FloatTensor<Self>, layer: PackedLinear, activation: Activation) -> FloatTensor<Self> {
        let prepared = PackedLinearBackward.prepare::<C>([x.node()]).compute_bound().stateful();
        let output = layer.run(x.into_primitive(), activation);
        match prepared {
            OpsKind::Tracked(prepared) => {
                let saved = SavedForBackward { output: output.clone(), layer, activation };
                prepared.finish(saved, output)
            }
            OpsKind::UnTracked(prepared) => prepared.finish(output),
        }
    }
}

/// Tensors saved for the backward pass; the input is not saved.
#[derive(Clone, Debug)]
struct SavedForBackward {
    /// Tells where the activation was not the identity.
    output: FlexTensor,
    layer: PackedLinear,
    activation: Activation,
}

#[derive(Debug)]
struct PackedLinearBackward;

impl Backward<Flex, 1> for PackedLinearBackward {
    type State = SavedForBackward;

    fn backward(self, ops: Ops<SavedForBackward, 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let SavedForBackward { output, layer, activation } = ops.state;
        let gradient = contiguous(gradients.consume::<Flex>(&ops.node));
        if let [Some(node)] = ops.parents {
            let [batch, _] = sizes(&output);
            let grad_sums = activation_gradient(InstructionSet::best(), activation, values(&output), values(&gradient));
            let grad_x = tensor(layer.kernel.input_gradient(&grad_sums), &[batch, layer.inputs]);
            gradients.register::<Flex>(node.id, grad_x);
        }
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::DType;

    use super::*;
    use crate::random_tensors::RandomTensors;

    #[test]
    fn a_layer_is_packed_if_half_precision_holds_its_weights_exactly() {
        let mut random = RandomTensors::new(0);
        let weight: Tensor<2> = random.uniform([3, 40], -1.0..1.0);
        let rounded = weight.clone().cast(DType::F16).cast(DType::F32);
        let bias = Some(Param::from_tensor(random.uniform([40], -1.0..1.0)));

        for (weight, packs) in [(weight, false), (rounded, true)] {
            let layer = Linear { weight: Param::from_tensor(weight.clone()), bias: bias.clone() };
            let frozen = FrozenLinear::new(layer, Activation::Relu, Precision::Float32);

            assert_eq!(matches!(frozen.storage, Storage::Packed(_)), packs);
            assert_eq!(frozen.to_linear().weight.val().into_data(), weight.into_data());
        }
    }

    #[test]
    fn a_layer_that_computes_in_another_precision_is_not_packed() {
        let weight = Param::from_tensor(Tensor::<2>::zeros([3, 40], &Device::flex()));
        let bias = Some(Param::from_tensor(Tensor::<1>::zeros([40], &Device::flex())));

        let frozen = FrozenLinear::new(Linear { weight, bias }, Activation::Relu, Precision::Float16);

        assert!(matches!(frozen.storage, Storage::Unpacked(_)));
    }
}
