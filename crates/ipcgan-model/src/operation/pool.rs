//! Max pooling, and AlexNet's local response norm.

use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Dispatch, Flex};
use burn::nn::LocalResponseNorm;
use burn::nn::pool::MaxPool2d;
use burn::tensor::Tensor;
use burn_flex::FlexTensor;
use ipcgan_kernels::{Instructions, Pooling};

use super::extension::KernelOperations;
use super::kernels_for;
use super::memory::{FeatureMaps, feature_maps};

/// `layer`, which takes the largest of squares two pixels apart.
pub(crate) fn max_pool(layer: &MaxPool2d, x: Tensor<4>) -> Tensor<4> {
    let pooling = Pooling { side: layer.kernel_size[0], over_border: layer.ceil_mode };
    match kernels_for(&x) {
        Some(_) => Tensor::from_dispatch(<Dispatch as KernelOperations>::pooled(x.into_dispatch(), pooling)),
        None => layer.forward(x),
    }
}

/// `layer`, which is `x / (1 + share * sum of the squares of five neighbouring channels)^0.75`.
pub(crate) fn response_norm(layer: &LocalResponseNorm, x: Tensor<4>, share: f32) -> Tensor<4> {
    match kernels_for(&x) {
        Some(_) => Tensor::from_dispatch(<Dispatch as KernelOperations>::response(x.into_dispatch(), share)),
        None => layer.forward(x),
    }
}

pub(super) fn pooled(x: FlexTensor, pooling: Pooling) -> FlexTensor {
    pool(&FeatureMaps::new(x), pooling)
}

fn pool(x: &FeatureMaps, pooling: Pooling) -> FlexTensor {
    let output = ipcgan_kernels::max_pool(Instructions::best(), pooling, x.values(), x.maps);
    feature_maps(output, pooling.of(x.maps))
}

pub(super) fn recorded_pooled<C: CheckpointStrategy>(
    x: FloatTensor<Autodiff<Flex, C>>,
    pooling: Pooling,
) -> FloatTensor<Autodiff<Flex, C>> {
    match PoolBack.prepare::<C>([x.node()]).compute_bound().stateful() {
        OpsKind::Tracked(prepared) => {
            let x = FeatureMaps::new(x.into_primitive());
            let output = pool(&x, pooling);
            prepared.finish((x, FeatureMaps::new(output.clone()), pooling), output)
        }
        OpsKind::UnTracked(prepared) => prepared.finish(pooled(x.into_primitive(), pooling)),
    }
}

#[derive(Debug)]
struct PoolBack;

impl Backward<Flex, 1> for PoolBack {
    type State = (FeatureMaps, FeatureMaps, Pooling);

    fn backward(self, ops: Ops<Self::State, 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let (x, output, pooling) = ops.state;
        let gradient = FeatureMaps::new(gradients.consume::<Flex>(&ops.node));
        if let [Some(node)] = ops.parents {
            let towards_x = ipcgan_kernels::max_pool_gradient(
                Instructions::best(),
                pooling,
                x.values(),
                x.maps,
                output.values(),
                gradient.values(),
            );
            gradients.register::<Flex>(node.id, feature_maps(towards_x, x.maps));
        }
    }
}

pub(super) fn response(x: FlexTensor, share: f32) -> FlexTensor {
    respond(&FeatureMaps::new(x), share)
}

fn respond(x: &FeatureMaps, share: f32) -> FlexTensor {
    feature_maps(ipcgan_kernels::response_norm(Instructions::best(), x.values(), x.maps.channels, share), x.maps)
}

pub(super) fn recorded_response<C: CheckpointStrategy>(
    x: FloatTensor<Autodiff<Flex, C>>,
    share: f32,
) -> FloatTensor<Autodiff<Flex, C>> {
    match ResponseBack.prepare::<C>([x.node()]).compute_bound().stateful() {
        OpsKind::Tracked(prepared) => {
            let x = FeatureMaps::new(x.into_primitive());
            let output = respond(&x, share);
            prepared.finish((x, share), output)
        }
        OpsKind::UnTracked(prepared) => prepared.finish(response(x.into_primitive(), share)),
    }
}

#[derive(Debug)]
struct ResponseBack;

impl Backward<Flex, 1> for ResponseBack {
    type State = (FeatureMaps, f32);

    fn backward(self, ops: Ops<Self::State, 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let (x, share) = ops.state;
        let gradient = FeatureMaps::new(gradients.consume::<Flex>(&ops.node));
        if let [Some(node)] = ops.parents {
            let towards_x = ipcgan_kernels::response_norm_gradient(
                Instructions::best(),
                x.values(),
                gradient.values(),
                x.maps.channels,
                share,
            );
            gradients.register::<Flex>(node.id, feature_maps(towards_x, x.maps));
        }
    }
}
