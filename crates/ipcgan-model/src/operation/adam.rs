//! The Adam update of one parameter.

use burn::backend::Flex;
use burn::optim::{AdamState, AdaptiveMomentumState};
use burn::tensor::Tensor;
use burn_flex::FlexTensor;
use ipcgan_kernels::{Adam, InstructionSet};

use super::engine::{Engine, f32_engine};
use super::gpu;
use super::nhwc_tensor::{contiguous_flex, values};

/// Whether [`adam_update`] supports `parameter`: it is on a GPU, or on the CPU with autodiff off.
pub fn can_adam_update<const D: usize>(parameter: &Tensor<D>, gradient: &Tensor<D>) -> bool {
    let plain = |tensor: &Tensor<D>| matches!(f32_engine([tensor]), Engine::Cpu) && !tensor.device().is_autodiff();
    plain(parameter) && plain(gradient) || gpu::updates(parameter) && gpu::updates(gradient)
}

/// Runs `run` and collects the GPU updates that it requests in this thread by [`adam_update`] and
/// [`ema_tensor_update`](super::ema_tensor_update). When `run` returns, they are launched together: many tensors share
/// one launch, where each would take its own (a multi-tensor update). Until then `run` must not read the tensors that
/// these functions returned.
pub fn update_together<R>(run: impl FnOnce() -> R) -> R {
    gpu::update_together(run)
}

/// `parameter` and the state of Adam after one step; the state, not `adam.step`, gives the number of the step.
///
/// # Panics
/// If not [`can_adam_update`].
pub fn adam_update<const D: usize>(
    adam: Adam,
    parameter: Tensor<D>,
    gradient: Tensor<D>,
    state: Option<AdamState<D>>,
) -> (Tensor<D>, AdamState<D>) {
    let (step, moments) = match state {
        Some(AdamState { momentum }) => (momentum.time + 1, [momentum.moment_1, momentum.moment_2]),
        None => (1, [gradient.zeros_like(), gradient.zeros_like()]),
    };
    let adam = Adam { step: step as i32, ..adam };
    if gpu::updates(&parameter) {
        let (parameter, [first, second]) = gpu::adam_update(adam, parameter, gradient, moments);
        return (parameter, AdamState::new(AdaptiveMomentumState::new(step, first, second)));
    }
    let [mut parameter, gradient] = [parameter, gradient].map(contiguous_flex);
    let [mut first, mut second] = moments.map(contiguous_flex);
    adam.update(
        InstructionSet::best(),
        values_mut(&mut parameter),
        values(&gradient),
        [values_mut(&mut first), values_mut(&mut second)],
    );
    let [parameter, first, second] = [parameter, first, second].map(Tensor::from_primitive::<Flex>);
    (parameter, AdamState::new(AdaptiveMomentumState::new(step, first, second)))
}

/// The values of a contiguous tensor, copied only if another tensor shares them.
fn values_mut(tensor: &mut FlexTensor) -> &mut [f32] {
    let (start, count) = (tensor.layout().start_offset(), tensor.layout().num_elements());
    &mut tensor.storage_mut::<f32>()[start..start + count]
}
