//! Least squares losses of parts of a batch.

use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Dispatch, Flex};
use burn::tensor::Tensor;
use burn_flex::FlexTensor;
use ipcgan_kernels::{mean_square, mean_square_gradient};

use super::extension::KernelOperations;
use super::kernels_for;
use super::memory::{FeatureMaps, contiguous, feature_maps, tensor, values};

/// What a part of a batch should be, and how much it counts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target {
    pub(crate) value: f32,
    pub(crate) weight: f32,
}

/// For each of the equal parts of the batch its mean squared difference from its target, times its weight; their sum,
/// `[1]`.
pub(crate) fn weighted_squares<const N: usize>(x: Tensor<4>, parts: [Target; N]) -> Tensor<1> {
    if kernels_for(&x).is_some() {
        let sum = <Dispatch as KernelOperations>::squares(x.into_dispatch(), parts.to_vec());
        return Tensor::from_dispatch(sum);
    }
    let terms = x.chunk(N, 0).into_iter().zip(parts);
    let mut terms = terms.map(|(x, target)| (x - target.value).square().mean() * target.weight);
    let first = terms.next().expect("a batch has at least one part");
    terms.fold(first, |sum, term| sum + term)
}

pub(super) fn squares(x: FlexTensor, parts: &[Target]) -> FlexTensor {
    sum(&FeatureMaps::new(x), parts)
}

fn sum(x: &FeatureMaps, parts: &[Target]) -> FlexTensor {
    let values = x.values().chunks_exact(x.values().len() / parts.len());
    let terms = values.zip(parts).map(|(values, part)| mean_square(values, part.value) * f64::from(part.weight));
    tensor(vec![terms.sum::<f64>() as f32], &[1])
}

pub(super) fn recorded_squares<C: CheckpointStrategy>(
    x: FloatTensor<Autodiff<Flex, C>>,
    parts: Vec<Target>,
) -> FloatTensor<Autodiff<Flex, C>> {
    match SquaresBack.prepare::<C>([x.node()]).compute_bound().stateful() {
        OpsKind::Tracked(prepared) => {
            let x = FeatureMaps::new(x.into_primitive());
            let sum = sum(&x, &parts);
            prepared.finish((x, parts), sum)
        }
        OpsKind::UnTracked(prepared) => prepared.finish(squares(x.into_primitive(), &parts)),
    }
}

#[derive(Debug)]
struct SquaresBack;

impl Backward<Flex, 1> for SquaresBack {
    type State = (FeatureMaps, Vec<Target>);

    fn backward(self, ops: Ops<Self::State, 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let (x, parts) = ops.state;
        let gradient = contiguous(gradients.consume::<Flex>(&ops.node));
        let factor = values(&gradient)[0];
        if let [Some(node)] = ops.parents {
            let part = x.values().len() / parts.len();
            let mut towards_x = vec![0.0; x.values().len()];
            let pieces = towards_x.chunks_exact_mut(part).zip(x.values().chunks_exact(part));
            for ((towards_x, x), target) in pieces.zip(&parts) {
                mean_square_gradient(x, target.value, factor * target.weight, towards_x);
            }
            gradients.register::<Flex>(node.id, feature_maps(towards_x, x.maps));
        }
    }
}
