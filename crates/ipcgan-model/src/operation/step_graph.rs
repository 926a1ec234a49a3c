//! A training step as a graph of a GPU: its launches are recorded once and submitted together from then on.

use burn::tensor::{Device, Int, Tensor};

use super::gpu;

/// A training step as a graph of a GPU.
///
/// Recording needs memory that stays where it is and no values from the host, so a step is warmed up first: weights and
/// averages are then updated in place. Use it in one thread, with the same shapes in each step:
///
/// 1. [`StepGraph::prepare`], after a step that gave the optimizer its state;
/// 2. [`StepGraph::warm_up`] for a few steps;
/// 3. [`StepGraph::begin_recording`] and [`StepGraph::record`] for one step, which does not run, then [`StepGraph::replay`], which runs it;
/// 4. for each step after it [`StepGraph::renew`], in which optimizer and average are called as in a step, then
///    [`StepGraph::replay`].
#[derive(Debug)]
pub struct StepGraph(gpu::CapturedGraph);

impl StepGraph {
    /// Prepares a recording on `device`.
    ///
    /// # Errors
    /// The device does not support it; the reason.
    pub fn prepare(device: &Device) -> Result<Self, String> {
        gpu::CapturedGraph::prepare(device).map(Self)
    }

    /// Runs `step` in fixed memory: updates are in place.
    pub fn warm_up<R>(&mut self, step: impl FnOnce() -> R) -> R {
        self.0.warm_up(step)
    }

    /// Begins to record launches. A device that does not support it refuses here, before anything has changed.
    ///
    /// # Errors
    /// The device does not support it; the reason.
    pub fn begin_recording(&mut self) -> Result<(), String> {
        self.0.begin_recording()
    }

    /// Records the launches of `step`, directly after [`StepGraph::begin_recording`], without running them; values from the
    /// host are renewed.
    ///
    /// # Errors
    /// The step cannot be recorded; the reason.
    pub fn record<R>(&mut self, step: impl FnOnce() -> R) -> Result<R, String> {
        self.0.record(step)
    }

    /// Runs `renew`, in which [`adam_update`](crate::adam_update), [`ema_tensor_update`](crate::ema_tensor_update) and
    /// [`renew_window_offset`](crate::renew_window_offset) only write their values for the next replay to the device. They
    /// must be called in the order of the recorded step.
    ///
    /// # Errors
    /// The calls differ from those of the recorded step.
    pub fn renew<R>(&mut self, renew: impl FnOnce() -> R) -> Result<R, String> {
        self.0.renew(renew)
    }

    /// Submits the recorded launches.
    ///
    /// # Errors
    /// The device refuses them, or nothing was recorded; the reason.
    ///
    /// # Safety
    /// - All tensors that the recorded step used and that existed before it or outlive it still exist.
    /// - No other thread uses them until the replay is complete.
    /// - This thread recorded the step.
    #[allow(unsafe_code, reason = "the device cannot check which memory a graph uses")]
    pub unsafe fn replay(&self) -> Result<(), String> {
        // SAFETY: the caller's promise.
        unsafe { self.0.replay() }
    }

    /// Whether this thread records a step.
    pub fn is_recording() -> bool {
        gpu::is_recording()
    }

    /// Whether this thread renews the values of a step.
    pub fn is_renewing() -> bool {
        gpu::is_renewing()
    }
}

/// Copies of tensors on one GPU, in as few launches as possible.
#[derive(Default)]
pub struct TensorCopies(gpu::Copies);

impl TensorCopies {
    /// Copies the values of `from` to the memory of `to`.
    ///
    /// # Panics
    /// If one of them is not on a GPU, or they differ in shape or type.
    pub fn add<const D: usize>(&mut self, from: Tensor<D>, to: &Tensor<D>) {
        self.0.add(from, to);
    }

    /// As [`TensorCopies::add`].
    ///
    /// # Panics
    /// As there.
    pub fn add_int<const D: usize>(&mut self, from: Tensor<D, Int>, to: &Tensor<D, Int>) {
        self.0.add_int(from, to);
    }

    /// A copy of `tensor` in new memory, on the same device, with values after [`TensorCopies::launch`].
    ///
    /// # Panics
    /// If it is not on a GPU.
    pub fn duplicate<const D: usize>(&mut self, tensor: Tensor<D>) -> Tensor<D> {
        self.0.duplicate(tensor)
    }

    /// As [`TensorCopies::duplicate`].
    ///
    /// # Panics
    /// As there.
    pub fn duplicate_int<const D: usize>(&mut self, tensor: Tensor<D, Int>) -> Tensor<D, Int> {
        self.0.duplicate_int(tensor)
    }

    /// Makes the copies.
    pub fn launch(self) {
        self.0.launch();
    }
}

/// `new`; in a captured step its values in the memory of `old`, so that the next step finds them there.
pub(crate) fn in_memory_of<const D: usize>(old: Tensor<D>, new: Tensor<D>) -> Tensor<D> {
    gpu::in_memory_of(old, new)
}
