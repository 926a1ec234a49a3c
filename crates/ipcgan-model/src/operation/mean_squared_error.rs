//! Least-squares losses of parts of a batch, and squared distances.

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
use ipcgan_kernels::{mean_squared_error, mean_squared_error_gradient};

use super::engine::{Engine, f32_engine};
use super::nhwc_tensor::{NhwcTensor, contiguous, nhwc_tensor, tensor, values};

/// Target value of a part of a batch, and the weight of the part in the loss.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target {
    pub(crate) value: f32,
    pub(crate) weight: f32,
}

/// Weighted sum over the equal parts of the batch of their mean squared differences from their targets, `[1]`.
///
/// # Panics
/// If there are no parts, or the batch does not divide into them.
pub(crate) fn weighted_squared_error<const N: usize>(x: Tensor<4>, parts: [Target; N]) -> Tensor<1> {
    let [batch, ..] = x.dims();
    assert!(N > 0 && batch.is_multiple_of(N), "a batch of {batch} does not divide into {N} parts");
    match f32_engine([&x]) {
        Engine::Cpu | Engine::Gpu => {
            let sum = <Dispatch as SquaredErrorOps>::weighted_squared_error(x.into_dispatch(), parts.to_vec());
            Tensor::from_dispatch(sum)
        }
        Engine::Burn => {
            let terms = x.chunk(N, 0).into_iter().zip(parts);
            let mut terms = terms.map(|(x, target)| (x - target.value).square().mean() * target.weight);
            let first = terms.next().expect("a batch has at least one part");
            terms.fold(first, |sum, term| sum + term)
        }
    }
}

/// Sum of the squared differences of two tensors of one shape, `[1]`.
pub(crate) fn squared_distance(x: Tensor<4>, other: Tensor<4>) -> Tensor<1> {
    #[cfg(feature = "gpu")]
    if matches!(f32_engine([&x, &other]), Engine::Gpu) {
        return gpu::squared_distance(x, other);
    }
    // Channels last, the memory layout of the CPU kernels: the sum then reads memory contiguously.
    let [x, other] = [x, other].map(|maps| maps.permute([0, 2, 3, 1]));
    (x - other).square().sum()
}

/// The sum of the weighted mean squared differences on the CPU and on GPUs.
#[backend_extension(Flex, Cube: cfg(feature = "gpu"), Autodiff)]
trait SquaredErrorOps: Backend {
    fn weighted_squared_error(x: FloatTensor<Self>, parts: Vec<Target>) -> FloatTensor<Self>;
}

impl SquaredErrorOps for Flex {
    fn weighted_squared_error(x: FloatTensor<Self>, parts: Vec<Target>) -> FloatTensor<Self> {
        sum(&NhwcTensor::new(x), &parts)
    }
}

#[cfg(feature = "gpu")]
impl SquaredErrorOps for Cube {
    fn weighted_squared_error(x: FloatTensor<Self>, parts: Vec<Target>) -> FloatTensor<Self> {
        gpu::weighted_squared_error(x, &parts)
    }
}

impl<C: CheckpointStrategy> SquaredErrorOps for Autodiff<Flex, C> {
    fn weighted_squared_error(x: FloatTensor<Self>, parts: Vec<Target>) -> FloatTensor<Self> {
        match MeanSquaredErrorBackward.prepare::<C>([x.node()]).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => {
                let x = NhwcTensor::new(x.into_primitive());
                let sum = sum(&x, &parts);
                prepared.finish((x, parts), sum)
            }
            OpsKind::UnTracked(prepared) => prepared.finish(sum(&NhwcTensor::new(x.into_primitive()), &parts)),
        }
    }
}

#[cfg(feature = "gpu")]
impl<C: CheckpointStrategy> SquaredErrorOps for Autodiff<Cube, C> {
    fn weighted_squared_error(x: FloatTensor<Self>, parts: Vec<Target>) -> FloatTensor<Self> {
        gpu::weighted_squared_error_autodiff::<C>(x, parts)
    }
}

fn sum(x: &NhwcTensor, parts: &[Target]) -> FlexTensor {
    let values = x.values().chunks_exact(x.values().len() / parts.len());
    let terms = values.zip(parts).map(|(values, part)| mean_squared_error(values, part.value) * f64::from(part.weight));
    tensor(vec![terms.sum::<f64>() as f32], &[1])
}

#[derive(Debug)]
struct MeanSquaredErrorBackward;

impl Backward<Flex, 1> for MeanSquaredErrorBackward {
    type State = (NhwcTensor, Vec<Target>);

    fn backward(self, ops: Ops<Self::State, 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let (x, parts) = ops.state;
        let gradient = contiguous(gradients.consume::<Flex>(&ops.node));
        let factor = values(&gradient)[0];
        if let [Some(node)] = ops.parents {
            let part = x.values().len() / parts.len();
            let mut grad_x = vec![0.0; x.values().len()];
            let pieces = grad_x.chunks_exact_mut(part).zip(x.values().chunks_exact(part));
            for ((grad_x, x), target) in pieces.zip(&parts) {
                mean_squared_error_gradient(x, target.value, factor * target.weight, grad_x);
            }
            gradients.register::<Flex>(node.id, nhwc_tensor(grad_x, x.shape));
        }
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;

    #[test]
    #[should_panic(expected = "a batch of 3 does not divide into 2 parts")]
    fn a_batch_that_does_not_divide_into_parts_is_refused() {
        let x = Tensor::<4>::ones([3, 1, 2, 2], &Device::flex());

        weighted_squared_error(x, [Target { value: 1.0, weight: 0.5 }, Target { value: 0.0, weight: 0.5 }]);
    }
}
