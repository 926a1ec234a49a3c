//! Batch norm by the CPU kernels.

use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, AutodiffBackend, Flex};
use burn_flex::FlexTensor;
use ipcgan_kernels::{BatchNormGradients, BatchNormParams, BatchStatistics, InstructionSet};

use super::spec::{BatchNormOutput, BatchNormPass, BatchNormSpec};
use crate::operation::nhwc_tensor::{NhwcTensor, contiguous, nhwc_tensor, tensor, values};

/// The output, and the running mean and variance after the last ghost batch.
pub(super) fn batch_norm(
    x: FlexTensor,
    [gamma, beta]: [FlexTensor; 2],
    running: [FlexTensor; 2],
    spec: BatchNormSpec,
) -> BatchNormOutput<Flex> {
    let saved = SavedForBackward::new(x, gamma, beta, spec);
    let [mean, variance] = saved.updated(running);
    (saved.output(), mean, variance)
}

pub(super) fn batch_norm_autodiff<C: CheckpointStrategy>(
    x: FloatTensor<Autodiff<Flex, C>>,
    [gamma, beta]: [FloatTensor<Autodiff<Flex, C>>; 2],
    running: [FloatTensor<Autodiff<Flex, C>>; 2],
    spec: BatchNormSpec,
) -> BatchNormOutput<Autodiff<Flex, C>> {
    // Nothing learns through the running statistics.
    let lifted = |tensor: FlexTensor| <Autodiff<Flex, C> as AutodiffBackend>::from_inner(tensor);
    let prepared = BatchNormBackward.prepare::<C>([x.node(), gamma.node(), beta.node()]).compute_bound().stateful();
    let saved = SavedForBackward::new(x.into_primitive(), gamma.into_primitive(), beta.into_primitive(), spec);
    let [mean, variance] = saved.updated(running.map(|running| running.into_primitive()));
    let output = saved.output();
    let output = match prepared {
        OpsKind::Tracked(prepared) => prepared.finish(saved, output),
        OpsKind::UnTracked(prepared) => prepared.finish(output),
    };
    (output, lifted(mean), lifted(variance))
}

impl BatchNormSpec {
    fn with<'a>(&self, gamma: &'a FlexTensor, beta: &'a FlexTensor) -> BatchNormParams<'a> {
        let Self { epsilon, pass: BatchNormPass { ghost_batches, .. }, activation } = *self;
        BatchNormParams { gamma: values(gamma), beta: values(beta), epsilon, ghost_batches, activation }
    }
}

/// Tensors saved for the backward pass of a batch norm.
#[derive(Clone, Debug)]
struct SavedForBackward {
    x: NhwcTensor,
    gamma: FlexTensor,
    beta: FlexTensor,
    statistics: BatchStatistics,
    spec: BatchNormSpec,
}

impl SavedForBackward {
    fn new(x: FlexTensor, gamma: FlexTensor, beta: FlexTensor, spec: BatchNormSpec) -> Self {
        let x = NhwcTensor::new(x);
        let statistics = BatchStatistics::new(InstructionSet::best(), x.values(), x.shape, spec.pass.ghost_batches);
        Self { x, gamma: contiguous(gamma), beta: contiguous(beta), statistics, spec }
    }

    fn output(&self) -> FlexTensor {
        let norm = self.spec.with(&self.gamma, &self.beta);
        let output = norm.run(InstructionSet::best(), self.x.values(), self.x.shape, &self.statistics);
        nhwc_tensor(output, self.x.shape)
    }

    /// The running mean and variance after the last ghost batch.
    fn updated(&self, running: [FlexTensor; 2]) -> [FlexTensor; 2] {
        let [mean, variance] = running.map(contiguous);
        let BatchStatistics { means, variances } = &self.statistics;
        let (new, kept) = (self.spec.pass.momentum as f32, (1.0 - self.spec.pass.momentum) as f32);
        [(mean, means), (variance, variances)].map(|(running, of_ghost_batches)| {
            let mut running = values(&running).to_vec();
            for of_ghost_batch in of_ghost_batches.chunks_exact(running.len()) {
                running
                    .iter_mut()
                    .zip(of_ghost_batch)
                    .for_each(|(running, of_ghost_batch)| *running = *running * kept + of_ghost_batch * new);
            }
            let count = [running.len()];
            tensor(running, &count)
        })
    }
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
