//! Batch norm on GPUs.

use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, AutodiffBackend, Backend, Cube, Dispatch};
use burn::nn::BatchNorm;
use burn::tensor::Tensor;

use super::super::batch_norm::{BatchNormOutput, BatchNormSpec};
use super::sums::sums;
use super::{GpuOperations, channels_last, dims, on_a_gpu, reshaped};

/// `x` with each part normalized by its own statistics, and these, if it is on a GPU; without the activation.
pub(in super::super) fn batch_norm(
    layer: &BatchNorm,
    x: &Tensor<4>,
    spec: BatchNormSpec,
) -> Option<(Tensor<4>, [Tensor<1>; 2])> {
    if !on_a_gpu(x) {
        return None;
    }
    let [gamma, beta] = [&layer.gamma, &layer.beta].map(|parameter| parameter.val().into_dispatch());
    let (output, means, variances) =
        <Dispatch as GpuOperations>::batch_norm(x.clone().into_dispatch(), gamma, beta, spec);
    Some((Tensor::from_dispatch(output), [means, variances].map(Tensor::from_dispatch)))
}

pub(super) fn batch_norm_kernel(
    x: FloatTensor<Cube>,
    gamma: FloatTensor<Cube>,
    beta: FloatTensor<Cube>,
    spec: BatchNormSpec,
) -> BatchNormOutput<Cube> {
    let (normalized, means, variances) = Normalized::<Cube>::of(x, spec);
    (normalized.output(gamma, beta), means, variances)
}

pub(super) fn batch_norm_autodiff<C: CheckpointStrategy>(
    x: FloatTensor<Autodiff<Cube, C>>,
    gamma: FloatTensor<Autodiff<Cube, C>>,
    beta: FloatTensor<Autodiff<Cube, C>>,
    spec: BatchNormSpec,
) -> BatchNormOutput<Autodiff<Cube, C>> {
    // Nothing learns through the statistics that are handed out.
    let lifted = |tensor| <Autodiff<Cube, C> as AutodiffBackend>::from_inner(tensor);
    let prepared = BatchNormBackward.prepare::<C>([x.node(), gamma.node(), beta.node()]).compute_bound().stateful();
    let (normalized, means, variances) = Normalized::<Cube>::of(x.into_primitive(), spec);
    let gamma = gamma.into_primitive();
    let output = normalized.output(gamma.clone(), beta.into_primitive());
    let output = match prepared {
        OpsKind::Tracked(prepared) => prepared.finish((normalized, gamma), output),
        OpsKind::UnTracked(prepared) => prepared.finish(output),
    };
    (output, lifted(means), lifted(variances))
}

#[derive(Debug)]
struct BatchNormBackward;

impl Backward<Cube, 3> for BatchNormBackward {
    type State = (Normalized<Cube>, FloatTensor<Cube>);

    fn backward(self, ops: Ops<Self::State, 3>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let (normalized, gamma) = ops.state;
        let gradient = gradients.consume::<Cube>(&ops.node);
        for (node, gradient) in ops.parents.into_iter().zip(normalized.gradients(gamma, gradient)) {
            if let Some(node) = node {
                gradients.register::<Cube>(node.id, gradient);
            }
        }
    }
}

/// Centred feature maps and their inverse standard deviations.
#[derive(Clone, Debug)]
struct Normalized<B: Backend> {
    /// Differences from the means, `[chunks, places, channels]`.
    centred: FloatTensor<B>,
    /// One by the deviations, `[chunks, 1, channels]`.
    scale: FloatTensor<B>,
    /// As the maps came, `[batch, channels, height, width]`.
    shape: [usize; 4],
}

impl<B: Backend> Normalized<B> {
    /// Of maps, with their means and (biased) variances, `[chunks * channels]` each.
    fn of(x: FloatTensor<B>, spec: BatchNormSpec) -> (Self, FloatTensor<B>, FloatTensor<B>) {
        let BatchNormSpec { epsilon, chunks, .. } = spec;
        let shape @ [batch, channels, height, width] = dims::<B, 4>(&x);
        let places = batch * height * width / chunks;
        let x = reshaped::<B, 3>(channels_last::<B>(x), [chunks, places, channels]);
        let mean = |x| B::float_mul_scalar(sums::<B>(x), (1.0 / places as f64).into());
        let of_parts = |x| reshaped::<B, 3>(x, [chunks, 1, channels]);
        let means = mean(x.clone());
        let centred = B::float_sub(x, of_parts(means.clone()));
        let variances = mean(B::float_mul(centred.clone(), centred.clone()));
        let scale = B::float_recip(B::float_sqrt(B::float_add_scalar(variances.clone(), epsilon.into())));
        let flat = |x| reshaped::<B, 1>(x, [chunks * channels]);
        (Self { centred, scale: of_parts(scale), shape }, flat(means), flat(variances))
    }

    /// `gamma * (x - mean) / sqrt(variance + epsilon) + beta`.
    fn output(&self, gamma: FloatTensor<B>, beta: FloatTensor<B>) -> FloatTensor<B> {
        let factor = B::float_mul(self.scale.clone(), self.of_channels(gamma));
        self.maps(B::float_add(B::float_mul(self.centred.clone(), factor), self.of_channels(beta)))
    }

    /// The gradients of the input, `gamma` and `beta`, from that of the output.
    ///
    /// `dx = gamma / sqrt(variance + epsilon) * (g - mean(g) - (x - mean) mean(g (x - mean)) / (variance + epsilon))`
    fn gradients(&self, gamma: FloatTensor<B>, gradient: FloatTensor<B>) -> [FloatTensor<B>; 3] {
        let [chunks, places, channels] = dims::<B, 3>(&self.centred);
        let gradient = reshaped::<B, 3>(channels_last::<B>(gradient), [chunks, places, channels]);
        let of_parts = |x| reshaped::<B, 3>(x, [chunks, 1, channels]);
        let of_all_parts = |x| reshaped::<B, 1>(sums::<B>(reshaped::<B, 3>(x, [1, chunks, channels])), [channels]);
        let sum = of_parts(sums::<B>(gradient.clone()));
        // Of the gradient and the maps at a variance of one.
        let product =
            B::float_mul(of_parts(sums::<B>(B::float_mul(gradient.clone(), self.centred.clone()))), self.scale.clone());
        let factor = B::float_mul(self.scale.clone(), self.of_channels(gamma));
        let mean = |x| B::float_mul_scalar(x, (1.0 / places as f64).into());
        let of_maps = mean(B::float_mul(product.clone(), self.scale.clone()));
        let around = B::float_sub(gradient, B::float_mul(self.centred.clone(), of_maps));
        let around = B::float_sub(around, mean(sum.clone()));
        [self.maps(B::float_mul(around, factor)), of_all_parts(product), of_all_parts(sum)]
    }

    fn of_channels(&self, x: FloatTensor<B>) -> FloatTensor<B> {
        let [_, channels, ..] = self.shape;
        reshaped::<B, 3>(x, [1, 1, channels])
    }

    /// `[chunks, places, channels]` as the maps came.
    fn maps(&self, x: FloatTensor<B>) -> FloatTensor<B> {
        let [batch, channels, height, width] = self.shape;
        B::float_permute(reshaped::<B, 4>(x, [batch, height, width, channels]), &[0, 3, 1, 2])
    }
}

#[cfg(test)]
mod tests {
    use burn::backend::Flex;
    use burn::nn::BatchNormConfig;
    use burn::tensor::{Device, Distribution};
    use ipcgan_kernels::Activation;

    use super::*;

    fn primitive<const D: usize>(x: &Tensor<D>) -> FloatTensor<Flex> {
        x.clone().try_into_primitive::<Flex>().unwrap()
    }

    /// How far `found` is from `expected`, at most.
    fn distance<const D: usize>(found: FloatTensor<Flex>, expected: Tensor<D>) -> f32 {
        (Tensor::<D>::from_primitive::<Flex>(found) - expected).abs().max().into_scalar::<f32>()
    }

    #[test]
    fn outputs_and_gradients_are_those_of_burns_norm_of_each_part() {
        let device = Device::flex().autodiff();
        let random = |shape| Tensor::<4>::random(shape, Distribution::Uniform(-1.0, 3.0), &Device::flex());
        let (maps, gradient) = (random([4, 3, 6, 10]), random([4, 3, 6, 10]));
        let layer = BatchNormConfig::new(3).with_epsilon(1e-3).init(&device);
        let [gamma, beta] = [[0.5, 2.0, -1.0], [1.0, 0.0, 3.0]]
            .map(|factors| Tensor::<1>::from_data(factors, &Device::flex()).autodiff().require_grad());
        let layer = burn::nn::BatchNorm {
            gamma: burn::module::Param::from_tensor(gamma),
            beta: burn::module::Param::from_tensor(beta),
            ..layer
        };
        let x = maps.clone().autodiff().require_grad();
        let output = Tensor::cat(x.clone().chunk(2, 0).into_iter().map(|part| layer.forward(part)).collect(), 0);
        let gradients = (output.clone() * gradient.clone().autodiff()).sum().backward();
        let plain = |x: Tensor<1>| x.without_autodiff();
        let (gamma, beta) = (layer.gamma.val(), layer.beta.val());

        let spec = BatchNormSpec { epsilon: 1e-3, chunks: 2, activation: Activation::None };
        let (normalized, means, variances) = Normalized::<Flex>::of(primitive(&maps), spec);
        let found = normalized.output(primitive(&plain(gamma.clone())), primitive(&plain(beta.clone())));
        let [grad_x, grad_gamma, grad_beta] =
            normalized.gradients(primitive(&plain(gamma.clone())), primitive(&gradient));

        assert!(distance(found, output.without_autodiff()) < 1e-5);
        assert!(distance(grad_x, x.grad(&gradients).unwrap()) < 1e-5);
        assert!(distance(grad_gamma, gamma.grad(&gradients).unwrap()) < 1e-3);
        assert!(distance(grad_beta, beta.grad(&gradients).unwrap()) < 1e-3);
        let of_parts = |of: &dyn Fn(Tensor<2>) -> Tensor<2>| {
            let chunks = maps.clone().chunk(2, 0).into_iter();
            Tensor::cat(chunks.map(|part| of(part.swap_dims(0, 1).reshape([3, 120])).reshape([3])).collect(), 0)
        };
        assert!(distance(means, of_parts(&|part| part.mean_dim(1))) < 1e-5);
        assert!(distance(variances, of_parts(&|part| part.var_bias(1))) < 1e-5);
    }
}
