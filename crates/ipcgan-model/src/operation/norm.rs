//! Batch norm.

use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, AutodiffBackend, Dispatch, Flex};
use burn::nn::BatchNorm;
use burn::tensor::Tensor;
use burn_flex::FlexTensor;
use ipcgan_kernels::{Activation, Instructions, Norm, NormGradients, Statistics};

use super::extension::KernelOperations;
use super::gpu;
use super::memory::{FeatureMaps, contiguous, feature_maps, tensor, values};
use super::{activated, kernels_for};

/// `layer` on each of `parts` equal parts of the batch, then an activation.
///
/// While it learns, each part is normed by its own statistics and moves the running ones, in order, as if the parts
/// came one after another.
///
/// `[batch, channels, height, width]` to the same shape.
pub(crate) fn norm(layer: &BatchNorm, x: Tensor<4>, parts: usize, activation: Activation) -> Tensor<4> {
    let [_, channels, _, _] = x.dims();
    let learns = x.device().is_autodiff() && layer.training.is_enabled();
    if !learns {
        return activated(layer.forward(x), activation);
    }
    let form = NormForm { epsilon: layer.epsilon as f32, parts, activation };
    let (output, [means, variances]) = if kernels_for(&x).is_some() {
        let (gamma, beta) = (layer.gamma.val().into_dispatch(), layer.beta.val().into_dispatch());
        let (output, means, variances) = <Dispatch as KernelOperations>::normed(x.into_dispatch(), gamma, beta, form);
        (Tensor::from_dispatch(output), [means, variances].map(Tensor::<1>::from_dispatch))
    } else if let Some((output, statistics)) = gpu::normed(layer, &x, form) {
        (activated(output, activation), statistics)
    } else {
        let normed = x.chunk(parts, 0).into_iter().map(|part| layer.forward(part)).collect();
        return activated(Tensor::cat(normed, 0), activation);
    };
    let of_part = |statistics: Tensor<1>, part: usize| statistics.narrow(0, part * channels, channels);
    for part in 0..parts {
        for (running, new) in [(&layer.running_mean, &means), (&layer.running_var, &variances)] {
            let kept = running.value_sync() * (1.0 - layer.momentum);
            running.update((kept + of_part(new.clone(), part) * layer.momentum).detach());
        }
    }
    output
}

/// How to norm.
#[derive(Clone, Copy, Debug)]
pub(super) struct NormForm {
    pub(super) epsilon: f32,
    pub(super) parts: usize,
    pub(super) activation: Activation,
}

impl NormForm {
    fn with<'a>(&self, gamma: &'a FlexTensor, beta: &'a FlexTensor) -> Norm<'a> {
        let Self { epsilon, parts, activation } = *self;
        Norm { gamma: values(gamma), beta: values(beta), epsilon, parts, activation }
    }
}

/// What the gradient of a batch norm needs.
#[derive(Clone, Debug)]
pub(super) struct Recorded {
    x: FeatureMaps,
    gamma: FlexTensor,
    beta: FlexTensor,
    statistics: Statistics,
    form: NormForm,
}

impl Recorded {
    fn new(x: FlexTensor, gamma: FlexTensor, beta: FlexTensor, form: NormForm) -> Self {
        let x = FeatureMaps::new(x);
        let statistics = Statistics::new(Instructions::best(), x.values(), x.maps, form.parts);
        Self { x, gamma: contiguous(gamma), beta: contiguous(beta), statistics, form }
    }

    /// Output, means and variances.
    fn outputs(&self) -> (FlexTensor, FlexTensor, FlexTensor) {
        let norm = self.form.with(&self.gamma, &self.beta);
        let output = norm.run(Instructions::best(), self.x.values(), self.x.maps, &self.statistics);
        let Statistics { means, variances } = self.statistics.clone();
        let count = [means.len()];
        (feature_maps(output, self.x.maps), tensor(means, &count), tensor(variances, &count))
    }
}

pub(super) fn normed(
    x: FlexTensor,
    gamma: FlexTensor,
    beta: FlexTensor,
    form: NormForm,
) -> (FlexTensor, FlexTensor, FlexTensor) {
    Recorded::new(x, gamma, beta, form).outputs()
}

/// Output, means and variances.
pub(super) type Normed<B> = (FloatTensor<B>, FloatTensor<B>, FloatTensor<B>);

pub(super) fn recorded_normed<C: CheckpointStrategy>(
    x: FloatTensor<Autodiff<Flex, C>>,
    gamma: FloatTensor<Autodiff<Flex, C>>,
    beta: FloatTensor<Autodiff<Flex, C>>,
    form: NormForm,
) -> Normed<Autodiff<Flex, C>> {
    // Nothing learns through the statistics that are handed out.
    let lifted = |tensor: FlexTensor| <Autodiff<Flex, C> as AutodiffBackend>::from_inner(tensor);
    let prepared = NormBack.prepare::<C>([x.node(), gamma.node(), beta.node()]).compute_bound().stateful();
    let recorded = Recorded::new(x.into_primitive(), gamma.into_primitive(), beta.into_primitive(), form);
    let (output, means, variances) = recorded.outputs();
    let output = match prepared {
        OpsKind::Tracked(prepared) => prepared.finish(recorded, output),
        OpsKind::UnTracked(prepared) => prepared.finish(output),
    };
    (output, lifted(means), lifted(variances))
}

#[derive(Debug)]
struct NormBack;

impl Backward<Flex, 3> for NormBack {
    type State = Recorded;

    fn backward(self, ops: Ops<Recorded, 3>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let [x, gamma, beta] = ops.parents;
        let Recorded { x: maps, gamma: factors, beta: shifts, statistics, form } = ops.state;
        let gradient = FeatureMaps::new(gradients.consume::<Flex>(&ops.node));
        let norm = form.with(&factors, &shifts);
        let NormGradients { input, gamma: towards_gamma, beta: towards_beta } =
            norm.gradients(Instructions::best(), maps.values(), gradient.values(), maps.maps, &statistics);
        if let Some(node) = x {
            gradients.register::<Flex>(node.id, feature_maps(input, maps.maps));
        }
        for (node, gradient) in [(gamma, towards_gamma), (beta, towards_beta)] {
            if let Some(node) = node {
                let count = [gradient.len()];
                gradients.register::<Flex>(node.id, tensor(gradient, &count));
            }
        }
    }
}
