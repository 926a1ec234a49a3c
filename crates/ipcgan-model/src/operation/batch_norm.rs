//! Batch norm.

mod cpu;
#[cfg(feature = "gpu")]
mod gpu;
mod spec;

pub(crate) use spec::BatchNormPass;

#[cfg(feature = "gpu")]
use burn::backend::Cube;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, Flex, backend_extension};
use burn::module::{Module, ModuleMapper, Param, RunningState};
use burn::nn::BatchNorm;
use burn::tensor::Tensor;
use ipcgan_kernels::Activation;

use super::activation::activate;
use super::engine::{Engine, f32_engine};
use spec::{BatchNormOutput, BatchNormSpec};

/// Applies `layer` to each ghost batch, then an activation; `pass.momentum` replaces the layer's momentum.
///
/// In training, each ghost batch is normalized by its own statistics and updates the running ones, in order, as if the
/// ghost batches came one after another (ghost batch normalization).
///
/// Source: Hoffer et al., "Train longer, generalize better", NeurIPS 2017.
///
/// `[batch, channels, height, width]` to the same shape.
///
/// # Panics
/// If, in training, `pass.ghost_batches` is zero or does not divide the batch.
pub(crate) fn batch_norm(layer: &BatchNorm, x: Tensor<4>, pass: BatchNormPass, activation: Activation) -> Tensor<4> {
    let learns = x.device().is_autodiff() && layer.training.is_enabled();
    if !learns {
        return activate(layer.forward(x), activation);
    }
    let ([batch, ..], ghost_batches) = (x.dims(), pass.ghost_batches);
    let divides = ghost_batches > 0 && batch.is_multiple_of(ghost_batches);
    assert!(divides, "a batch of {batch} does not divide into {ghost_batches} ghost batches");
    match f32_engine([&x]) {
        Engine::Cpu | Engine::Gpu => by_kernels(layer, x, pass, activation),
        Engine::Burn => activate(by_burn(layer, x, pass), activation),
    }
}

fn by_kernels(layer: &BatchNorm, x: Tensor<4>, pass: BatchNormPass, activation: Activation) -> Tensor<4> {
    let [gamma, beta] = [&layer.gamma, &layer.beta].map(|parameter| parameter.val().into_dispatch());
    let running = [&layer.running_mean, &layer.running_var];
    let [mean, variance] = running.map(|running| running.value_sync().autodiff().into_dispatch());
    let spec = BatchNormSpec { epsilon: layer.epsilon as f32, pass, activation };
    let (output, mean, variance) =
        <Dispatch as BatchNormOps>::batch_norm(x.into_dispatch(), gamma, beta, mean, variance, spec);
    running.into_iter().zip([mean, variance]).for_each(|(running, new)| replace(running, Tensor::from_dispatch(new)));
    Tensor::from_dispatch(output)
}

/// Sets the value of a running statistic. `RunningState::update` would divide it by the number of threads that updated
/// it, which is a launch for each statistic; here each thread has a network of its own.
fn replace(running: &RunningState<Tensor<1>>, new: Tensor<1>) {
    struct Replace(Option<Tensor<1>>);

    impl ModuleMapper for Replace {
        fn map_float<const D: usize>(&mut self, parameter: Param<Tensor<D>>) -> Param<Tensor<D>> {
            let Some(new) = self.0.take() else { return parameter };
            parameter.map(|old| new.reshape(old.shape()))
        }
    }

    // The clone shares the value.
    drop(running.clone().map(&mut Replace(Some(new))));
}

fn by_burn(layer: &BatchNorm, x: Tensor<4>, BatchNormPass { ghost_batches, momentum }: BatchNormPass) -> Tensor<4> {
    // The clone shares the running statistics.
    let layer = BatchNorm { momentum, ..layer.clone() };
    Tensor::cat(x.chunk(ghost_batches, 0).into_iter().map(|x| layer.forward(x)).collect(), 0)
}

/// Batch norm on the CPU and on GPUs.
#[backend_extension(Flex, Cube: cfg(feature = "gpu"), Autodiff)]
trait BatchNormOps: Backend {
    /// Batch norm of each ghost batch, then an activation. Also returns the running mean and variance after the last
    /// ghost batch.
    fn batch_norm(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        mean: FloatTensor<Self>,
        variance: FloatTensor<Self>,
        spec: BatchNormSpec,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>);
}

impl BatchNormOps for Flex {
    fn batch_norm(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        mean: FloatTensor<Self>,
        variance: FloatTensor<Self>,
        spec: BatchNormSpec,
    ) -> BatchNormOutput<Self> {
        cpu::batch_norm(x, [gamma, beta], [mean, variance], spec)
    }
}

#[cfg(feature = "gpu")]
impl BatchNormOps for Cube {
    fn batch_norm(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        mean: FloatTensor<Self>,
        variance: FloatTensor<Self>,
        spec: BatchNormSpec,
    ) -> BatchNormOutput<Self> {
        gpu::batch_norm(x, [gamma, beta], [mean, variance], spec)
    }
}

impl<C: CheckpointStrategy> BatchNormOps for Autodiff<Flex, C> {
    fn batch_norm(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        mean: FloatTensor<Self>,
        variance: FloatTensor<Self>,
        spec: BatchNormSpec,
    ) -> BatchNormOutput<Self> {
        cpu::batch_norm_autodiff::<C>(x, [gamma, beta], [mean, variance], spec)
    }
}

#[cfg(feature = "gpu")]
impl<C: CheckpointStrategy> BatchNormOps for Autodiff<Cube, C> {
    fn batch_norm(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        mean: FloatTensor<Self>,
        variance: FloatTensor<Self>,
        spec: BatchNormSpec,
    ) -> BatchNormOutput<Self> {
        gpu::batch_norm_autodiff::<C>(x, [gamma, beta], [mean, variance], spec)
    }
}

#[cfg(test)]
mod tests {
    use burn::module::Param;
    use burn::nn::BatchNormConfig;
    use burn::tensor::{Device, Distribution};

    use super::*;
    use crate::relative_error::normwise_error;

    /// Tolerance for sums in another order, relative to the largest value.
    const TOLERANCE: f32 = 1e-5;

    /// Output, gradient with respect to the input, and running statistics after `run` on two ghost batches of `maps`
    /// with a momentum of 0.3.
    fn results(maps: &Tensor<4>, run: impl Fn(&BatchNorm, Tensor<4>, BatchNormPass) -> Tensor<4>) -> [Tensor<1>; 4] {
        let layer = BatchNormConfig::new(3).with_epsilon(1e-3).init(&Device::flex().autodiff());
        let gamma = Tensor::<1>::from_data([0.5, -1.0, 2.0], &Device::flex()).autodiff().require_grad();
        let layer = BatchNorm { gamma: Param::from_tensor(gamma), ..layer };
        let x = maps.clone().autodiff().require_grad();
        let output = run(&layer, x.clone(), BatchNormPass { ghost_batches: 2, momentum: 0.3 });
        let gradients = output.clone().powf_scalar(3.0).sum().backward();
        let running = [&layer.running_mean, &layer.running_var].map(|running| running.value_sync().without_autodiff());
        let [mean, variance] = running;
        [output.inner().flatten(0, 3), x.grad(&gradients).unwrap().flatten(0, 3), mean, variance]
    }

    #[test]
    #[should_panic(expected = "a batch of 3 does not divide into 2 ghost batches")]
    fn a_batch_that_does_not_divide_into_ghost_batches_is_refused() {
        let layer = BatchNormConfig::new(1).init(&Device::flex().autodiff());
        let x = Tensor::<4>::ones([3, 1, 2, 2], &Device::flex()).autodiff();

        batch_norm(&layer, x, BatchNormPass { ghost_batches: 2, momentum: 0.1 }, Activation::None);
    }

    #[test]
    fn kernels_and_burn_agree_on_output_gradient_and_running_statistics() {
        let maps = Tensor::<4>::random([4, 3, 6, 10], Distribution::Uniform(-1.0, 3.0), &Device::flex());

        let found = results(&maps, |layer, x, pass| by_kernels(layer, x, pass, Activation::None));
        let expected = results(&maps, by_burn);

        for (place, (found, expected)) in found.into_iter().zip(expected).enumerate() {
            let error = normwise_error(found, expected);
            assert!(error < TOLERANCE, "result {place} is off by {error} of the largest value");
        }
    }
}
