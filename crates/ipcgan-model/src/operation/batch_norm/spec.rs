//! Arguments and results of a batch norm on any engine.

use burn::backend::tensor::FloatTensor;
use ipcgan_kernels::Activation;

/// A pass of a batch norm over a batch in training.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BatchNormPass {
    /// Number of ghost batches: equal parts of the batch, each of which is normalized by its own statistics.
    pub(crate) ghost_batches: usize,
    /// Share of each ghost batch in the running statistics.
    pub(crate) momentum: f64,
}

/// Arguments of a batch norm that are not tensors.
#[derive(Clone, Copy, Debug)]
pub(super) struct BatchNormSpec {
    pub(super) epsilon: f32,
    pub(super) pass: BatchNormPass,
    pub(super) activation: Activation,
}

/// Output, running mean and running variance.
pub(super) type BatchNormOutput<B> = (FloatTensor<B>, FloatTensor<B>, FloatTensor<B>);
