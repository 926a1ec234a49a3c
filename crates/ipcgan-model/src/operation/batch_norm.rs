//! Batch norm.

use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, AutodiffBackend, Dispatch, Flex};
use burn::nn::BatchNorm;
use burn::tensor::Tensor;
use burn_flex::FlexTensor;
use ipcgan_kernels::{Activation, BatchNormGradients, BatchNormParams, BatchStatistics, InstructionSet};

use super::extension::CpuOperations;
use super::gpu;
use super::nhwc_tensor::{NhwcTensor, contiguous, nhwc_tensor, tensor, values};
use super::{activate, kernels_for};

/// A pass of a batch norm over a batch in training.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BatchNormPass {
    /// Number of equal parts of the batch, each of which is normalized by its own statistics.
    pub(crate) chunks: usize,
    /// Share of each part in the running statistics.
    pub(crate) momentum: f64,
}

/// `layer` on each part of the batch, then an activation; `pass.momentum` replaces the layer's.
///
/// In training, each part is normalized by its own statistics and updates the running ones, in order, as if the parts
/// came one after another.
///
/// `[batch, channels, height, width]` to the same shape.
pub(crate) fn batch_norm(layer: &BatchNorm, x: Tensor<4>, pass: BatchNormPass, activation: Activation) -> Tensor<4> {
    let BatchNormPass { chunks, momentum } = pass;
    let [_, channels, _, _] = x.dims();
    let learns = x.device().is_autodiff() && layer.training.is_enabled();
    if !learns {
        return activate(layer.forward(x), activation);
    }
    let spec = BatchNormSpec { epsilon: layer.epsilon as f32, chunks, activation };
    let (output, [means, variances]) = if kernels_for(&x).is_some() {
        let (gamma, beta) = (layer.gamma.val().into_dispatch(), layer.beta.val().into_dispatch());
        let (output, means, variances) = <Dispatch as CpuOperations>::batch_norm(x.into_dispatch(), gamma, beta, spec);
        (Tensor::from_dispatch(output), [means, variances].map(Tensor::<1>::from_dispatch))
    } else if let Some(output) = gpu::batch_norm(layer, &x, spec, momentum) {
        return output;
    } else {
        // The clone shares the running statistics.
        let layer = BatchNorm { momentum, ..layer.clone() };
        let normalized = x.chunk(chunks, 0).into_iter().map(|part| layer.forward(part)).collect();
        return activate(Tensor::cat(normalized, 0), activation);
    };
    let of_part = |statistics: Tensor<1>, part: usize| statistics.narrow(0, part * channels, channels);
    for part in 0..chunks {
        for (running, new) in [(&layer.running_mean, &means), (&layer.running_var, &variances)] {
            let kept = running.value_sync() * (1.0 - momentum);
            running.update((kept + of_part(new.clone(), part) * momentum).detach());
        }
    }
    output
}

/// How to norm.
#[derive(Clone, Copy, Debug)]
pub(super) struct BatchNormSpec {
    pub(super) epsilon: f32,
    pub(super) chunks: usize,
    pub(super) activation: Activation,
}

impl BatchNormSpec {
    fn with<'a>(&self, gamma: &'a FlexTensor, beta: &'a FlexTensor) -> BatchNormParams<'a> {
        let Self { epsilon, chunks, activation } = *self;
        BatchNormParams { gamma: values(gamma), beta: values(beta), epsilon, chunks, activation }
    }
}

/// What the backward pass of a batch norm needs.
#[derive(Clone, Debug)]
pub(super) struct SavedForBackward {
    x: NhwcTensor,
    gamma: FlexTensor,
    beta: FlexTensor,
    statistics: BatchStatistics,
    spec: BatchNormSpec,
}

impl SavedForBackward {
    fn new(x: FlexTensor, gamma: FlexTensor, beta: FlexTensor, spec: BatchNormSpec) -> Self {
        let x = NhwcTensor::new(x);
        let statistics = BatchStatistics::new(InstructionSet::best(), x.values(), x.shape, spec.chunks);
        Self { x, gamma: contiguous(gamma), beta: contiguous(beta), statistics, spec }
    }

    /// Output, means and variances.
    fn outputs(&self) -> (FlexTensor, FlexTensor, FlexTensor) {
        let norm = self.spec.with(&self.gamma, &self.beta);
        let output = norm.run(InstructionSet::best(), self.x.values(), self.x.shape, &self.statistics);
        let BatchStatistics { means, variances } = self.statistics.clone();
        let count = [means.len()];
        (nhwc_tensor(output, self.x.shape), tensor(means, &count), tensor(variances, &count))
    }
}

pub(super) fn batch_norm_kernel(
    x: FlexTensor,
    gamma: FlexTensor,
    beta: FlexTensor,
    spec: BatchNormSpec,
) -> (FlexTensor, FlexTensor, FlexTensor) {
    SavedForBackward::new(x, gamma, beta, spec).outputs()
}

/// Output, means and variances.
pub(super) type BatchNormOutput<B> = (FloatTensor<B>, FloatTensor<B>, FloatTensor<B>);

pub(super) fn batch_norm_autodiff<C: CheckpointStrategy>(
    x: FloatTensor<Autodiff<Flex, C>>,
    gamma: FloatTensor<Autodiff<Flex, C>>,
    beta: FloatTensor<Autodiff<Flex, C>>,
    spec: BatchNormSpec,
) -> BatchNormOutput<Autodiff<Flex, C>> {
    // Nothing learns through the statistics that are handed out.
    let lifted = |tensor: FlexTensor| <Autodiff<Flex, C> as AutodiffBackend>::from_inner(tensor);
    let prepared = BatchNormBackward.prepare::<C>([x.node(), gamma.node(), beta.node()]).compute_bound().stateful();
    let saved = SavedForBackward::new(x.into_primitive(), gamma.into_primitive(), beta.into_primitive(), spec);
    let (output, means, variances) = saved.outputs();
    let output = match prepared {
        OpsKind::Tracked(prepared) => prepared.finish(saved, output),
        OpsKind::UnTracked(prepared) => prepared.finish(output),
    };
    (output, lifted(means), lifted(variances))
}

#[derive(Debug)]
struct BatchNormBackward;

impl Backward<Flex, 3> for BatchNormBackward {
    type State = SavedForBackward;

    fn backward(self, ops: Ops<SavedForBackward, 3>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let [x, gamma, beta] = ops.parents;
        let SavedForBackward { x: saved, gamma: factors, beta: shifts, statistics, spec } = ops.state;
        let gradient = NhwcTensor::new(gradients.consume::<Flex>(&ops.node));
        let norm = spec.with(&factors, &shifts);
        let BatchNormGradients { input, gamma: grad_gamma, beta: grad_beta } =
            norm.gradients(InstructionSet::best(), saved.values(), gradient.values(), saved.shape, &statistics);
        if let Some(node) = x {
            gradients.register::<Flex>(node.id, nhwc_tensor(input, saved.shape));
        }
        for (node, gradient) in [(gamma, grad_gamma), (beta, grad_beta)] {
            if let Some(node) = node {
                let count = [gradient.len()];
                gradients.register::<Flex>(node.id, tensor(gradient, &count));
            }
        }
    }
}
