//! Convolutions whose weights do not change, and through which gradients may still go to the input.

use std::sync::{Arc, OnceLock};

use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Dispatch, Flex};
use burn::nn::conv::Conv2d;
use burn::tensor::Tensor;
use burn_flex::FlexTensor;
use ipcgan_kernels::{Activation, Arithmetic, Convolution, Epilogue, Instructions, Maps, activation_gradient};

use super::extension::KernelOperations;
use super::memory::{FeatureMaps, contiguous, feature_maps, sizes, values};
use super::prepared::Prepared;

/// A layer of a network that does not learn: its weights are packed once for the output, and once for the gradient
/// towards the input when that is first asked for.
#[derive(Clone, Debug)]
pub(crate) struct Frozen {
    layer: Arc<Layer>,
}

#[derive(Debug)]
struct Layer {
    forward: Prepared,
    weight: FlexTensor,
    arithmetic: Arithmetic,
    adjoint: OnceLock<Convolution>,
}

impl Frozen {
    /// `layer`, whose weights are on the CPU and record nothing, then an activation.
    pub(crate) fn new(layer: &Conv2d, activation: Activation, arithmetic: Arithmetic) -> Self {
        let weight = layer.weight.val().try_into_primitive::<Flex>().expect("it is on the CPU, without gradients");
        let forward = Prepared::new(layer, None, activation, arithmetic);
        Self { layer: Arc::new(Layer { forward, weight: contiguous(weight), arithmetic, adjoint: OnceLock::new() }) }
    }

    /// `[batch, inputs, height, width]` to `[batch, outputs, ..]`.
    pub(crate) fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        Tensor::from_dispatch(<Dispatch as KernelOperations>::frozen(x.into_dispatch(), self.clone()))
    }

    /// The gradient towards an input of `maps` from that of the sums, before the activation.
    fn towards_input(&self, gradient: &[f32], gradient_maps: Maps, maps: Maps) -> FlexTensor {
        let Layer { forward, weight, arithmetic, adjoint } = &*self.layer;
        let adjoint = adjoint.get_or_init(|| {
            let [outputs, inputs, _, _] = sizes(weight);
            let (weights, channels) = (values(weight), [outputs, inputs]);
            Convolution::adjoint(Instructions::best(), *arithmetic, weights, channels, &forward.window, None)
        });
        let sides = [maps.height, maps.width];
        feature_maps(adjoint.run(gradient, gradient_maps, sides, &Epilogue::default()), maps)
    }
}

pub(super) fn frozen(x: FlexTensor, layer: &Frozen) -> FlexTensor {
    let x = FeatureMaps::new(x);
    let mut output = Vec::new();
    let maps = layer.layer.forward.run(x.values(), x.maps, None, &mut output);
    feature_maps(output, maps)
}

pub(super) fn recorded_frozen<C: CheckpointStrategy>(
    x: FloatTensor<Autodiff<Flex, C>>,
    layer: Frozen,
) -> FloatTensor<Autodiff<Flex, C>> {
    let prepared = FrozenBack.prepare::<C>([x.node()]).compute_bound().stateful();
    let x = FeatureMaps::new(x.into_primitive());
    let maps = x.maps;
    let output = frozen(x.into_tensor(), &layer);
    match prepared {
        OpsKind::Tracked(prepared) => {
            let recorded = Recorded { maps, output: FeatureMaps::new(output.clone()), layer };
            prepared.finish(recorded, output)
        }
        OpsKind::UnTracked(prepared) => prepared.finish(output),
    }
}

/// What the gradient towards the input needs, and no more: the input itself is not kept.
#[derive(Clone, Debug)]
struct Recorded {
    /// Sizes of the input.
    maps: Maps,
    /// Tells where the activation was not the identity.
    output: FeatureMaps,
    layer: Frozen,
}

#[derive(Debug)]
struct FrozenBack;

impl Backward<Flex, 1> for FrozenBack {
    type State = Recorded;

    fn backward(self, ops: Ops<Recorded, 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let Recorded { maps, output, layer } = ops.state;
        let gradient = FeatureMaps::new(gradients.consume::<Flex>(&ops.node));
        if let [Some(node)] = ops.parents {
            let activation = layer.layer.forward.activation;
            let before = activation_gradient(Instructions::best(), activation, output.values(), gradient.values());
            gradients.register::<Flex>(node.id, layer.towards_input(&before, gradient.maps, maps));
        }
    }
}
