//! Max pooling, and AlexNet's local response norm.

#[cfg(feature = "gpu")]
mod gpu;

#[cfg(feature = "gpu")]
use burn::backend::Cube;
use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, Flex, backend_extension};
use burn::nn::LocalResponseNorm;
use burn::nn::pool::MaxPool2d;
use burn::tensor::Tensor;
use burn_flex::FlexTensor;
use ipcgan_kernels::{InstructionSet, MaxPoolParams};

use super::engine::{Engine, f32_engine};
use super::nhwc_tensor::{NhwcTensor, nhwc_tensor};

/// `layer`, max pooling with stride two.
pub(crate) fn max_pool(layer: &MaxPool2d, x: Tensor<4>) -> Tensor<4> {
    let pooling = MaxPoolParams { kernel: layer.kernel_size[0], ceil_mode: layer.ceil_mode };
    match f32_engine([&x]) {
        Engine::Cpu => Tensor::from_dispatch(<Dispatch as MaxPoolOps>::max_pool(x.into_dispatch(), pooling)),
        Engine::Gpu | Engine::Burn => layer.forward(x),
    }
}

/// `layer`, which is `x / (1 + alpha * sum of the squares of five neighbouring channels)^0.75`.
pub(crate) fn local_response_norm(layer: &LocalResponseNorm, x: Tensor<4>, alpha: f32) -> Tensor<4> {
    match f32_engine([&x]) {
        Engine::Cpu | Engine::Gpu => {
            Tensor::from_dispatch(<Dispatch as LocalResponseNormOps>::local_response_norm(x.into_dispatch(), alpha))
        }
        Engine::Burn => layer.forward(x),
    }
}

/// Max pooling on the CPU.
#[backend_extension(Flex, Autodiff)]
trait MaxPoolOps: Backend {
    /// Max pooling.
    fn max_pool(x: FloatTensor<Self>, pooling: MaxPoolParams) -> FloatTensor<Self>;
}

impl MaxPoolOps for Flex {
    fn max_pool(x: FloatTensor<Self>, pooling: MaxPoolParams) -> FloatTensor<Self> {
        pool(&NhwcTensor::new(x), pooling)
    }
}

impl<C: CheckpointStrategy> MaxPoolOps for Autodiff<Flex, C> {
    fn max_pool(x: FloatTensor<Self>, pooling: MaxPoolParams) -> FloatTensor<Self> {
        match PoolBackward.prepare::<C>([x.node()]).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => {
                let x = NhwcTensor::new(x.into_primitive());
                let output = pool(&x, pooling);
                prepared.finish((x, NhwcTensor::new(output.clone()), pooling), output)
            }
            OpsKind::UnTracked(prepared) => prepared.finish(pool(&NhwcTensor::new(x.into_primitive()), pooling)),
        }
    }
}

/// Local response norm on the CPU and on GPUs.
#[backend_extension(Flex, Cube: cfg(feature = "gpu"), Autodiff)]
trait LocalResponseNormOps: Backend {
    /// Local response norm over five channels.
    fn local_response_norm(x: FloatTensor<Self>, alpha: f32) -> FloatTensor<Self>;
}

impl LocalResponseNormOps for Flex {
    fn local_response_norm(x: FloatTensor<Self>, alpha: f32) -> FloatTensor<Self> {
        apply_local_response_norm(&NhwcTensor::new(x), alpha)
    }
}

#[cfg(feature = "gpu")]
impl LocalResponseNormOps for Cube {
    fn local_response_norm(x: FloatTensor<Self>, alpha: f32) -> FloatTensor<Self> {
        gpu::local_response_norm(x, alpha)
    }
}

impl<C: CheckpointStrategy> LocalResponseNormOps for Autodiff<Flex, C> {
    fn local_response_norm(x: FloatTensor<Self>, alpha: f32) -> FloatTensor<Self> {
        match LocalResponseNormBackward.prepare::<C>([x.node()]).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => {
                let x = NhwcTensor::new(x.into_primitive());
                let output = apply_local_response_norm(&x, alpha);
                prepared.finish((x, alpha), output)
            }
            OpsKind::UnTracked(prepared) => {
                prepared.finish(apply_local_response_norm(&NhwcTensor::new(x.into_primitive()), alpha))
            }
        }
    }
}

#[cfg(feature = "gpu")]
impl<C: CheckpointStrategy> LocalResponseNormOps for Autodiff<Cube, C> {
    fn local_response_norm(x: FloatTensor<Self>, alpha: f32) -> FloatTensor<Self> {
        gpu::local_response_norm_autodiff::<C>(x, alpha)
    }
}

fn pool(x: &NhwcTensor, pooling: MaxPoolParams) -> FlexTensor {
    let output = ipcgan_kernels::max_pool(InstructionSet::best(), pooling, x.values(), x.shape);
    nhwc_tensor(output, pooling.output_shape(x.shape))
}

#[derive(Debug)]
struct PoolBackward;

impl Backward<Flex, 1> for PoolBackward {
    type State = (NhwcTensor, NhwcTensor, MaxPoolParams);

    fn backward(self, ops: Ops<Self::State, 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let (x, output, pooling) = ops.state;
        let gradient = NhwcTensor::new(gradients.consume::<Flex>(&ops.node));
        if let [Some(node)] = ops.parents {
            let grad_x = ipcgan_kernels::max_pool_gradient(
                InstructionSet::best(),
                pooling,
                x.values(),
                x.shape,
                output.values(),
                gradient.values(),
            );
            gradients.register::<Flex>(node.id, nhwc_tensor(grad_x, x.shape));
        }
    }
}

fn apply_local_response_norm(x: &NhwcTensor, alpha: f32) -> FlexTensor {
    nhwc_tensor(
        ipcgan_kernels::local_response_norm(InstructionSet::best(), x.values(), x.shape.channels, alpha),
        x.shape,
    )
}

#[derive(Debug)]
struct LocalResponseNormBackward;

impl Backward<Flex, 1> for LocalResponseNormBackward {
    type State = (NhwcTensor, f32);

    fn backward(self, ops: Ops<Self::State, 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let (x, alpha) = ops.state;
        let gradient = NhwcTensor::new(gradients.consume::<Flex>(&ops.node));
        if let [Some(node)] = ops.parents {
            let grad_x = ipcgan_kernels::local_response_norm_gradient(
                InstructionSet::best(),
                x.values(),
                gradient.values(),
                x.shape.channels,
                alpha,
            );
            gradients.register::<Flex>(node.id, nhwc_tensor(grad_x, x.shape));
        }
    }
}
