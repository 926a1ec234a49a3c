//! Replaces `gpu` in builds without GPU support.

use std::collections::BTreeMap;

use burn::tensor::{Device, Int, Tensor};
use ipcgan_kernels::Adam;

/// Builds without GPUs have no matrix units.
pub(super) fn multiplies_in_tf32(_: &Device) -> bool {
    false
}

pub(super) fn observed_launches(run: impl FnOnce()) -> BTreeMap<&'static str, usize> {
    run();
    BTreeMap::new()
}

pub(super) fn without_executing<R>(run: impl FnOnce() -> R) -> R {
    run()
}

pub(super) fn update_together<R>(run: impl FnOnce() -> R) -> R {
    run()
}

pub(super) fn updates<const D: usize>(_: &Tensor<D>) -> bool {
    false
}

pub(super) fn adam_update<const D: usize>(
    _: Adam,
    _: Tensor<D>,
    _: Tensor<D>,
    _: [Tensor<D>; 2],
) -> (Tensor<D>, [Tensor<D>; 2]) {
    unreachable!("no tensor is on a GPU")
}

pub(super) fn ema_tensor_update<const D: usize>(_: Tensor<D>, _: Tensor<D>, _: f64) -> Tensor<D> {
    unreachable!("no tensor is on a GPU")
}

#[derive(Default)]
pub(super) struct ScaleTerms(());

impl ScaleTerms {
    pub(super) fn takes<const D: usize>(_: &Tensor<D>, _: &Tensor<1>) -> bool {
        false
    }

    pub(super) fn scaled<const D: usize>(&mut self, _: Tensor<D>) -> Tensor<D> {
        unreachable!("no tensor is on a GPU")
    }

    pub(super) fn launch(self, _: Tensor<1>) {}
}

#[derive(Default)]
pub(super) struct SquareTerms;

impl SquareTerms {
    pub(super) fn take<const D: usize>(&mut self, _: &Tensor<D>) -> bool {
        false
    }

    pub(super) fn sum(self) -> Option<Tensor<1>> {
        None
    }
}

pub(super) fn constant<const D: usize>(_: &[f32], _: [usize; D], _: &Device) -> Option<Tensor<D>> {
    None
}

pub(super) fn count_from_zero(_: usize, _: &Tensor<1, Int>) -> Option<Tensor<1, Int>> {
    None
}

pub(crate) fn in_memory_of<const D: usize>(_: Tensor<D>, new: Tensor<D>) -> Tensor<D> {
    new
}

/// No device of such a build records launches.
#[derive(Debug)]
pub enum StepGraph {}

const NO_GPU_SUPPORT: &str = "this build has no GPU support";

impl StepGraph {
    /// Nothing is recorded.
    pub fn is_recording() -> bool {
        false
    }

    /// Nothing is renewed.
    pub fn is_renewing() -> bool {
        false
    }

    /// As in builds with GPU support.
    pub fn check_device(_: &Device) -> Result<(), String> {
        Err(NO_GPU_SUPPORT.into())
    }

    /// As in builds with GPU support.
    pub fn prepare(_: &Device) -> Result<Self, String> {
        Err(NO_GPU_SUPPORT.into())
    }

    /// As in builds with GPU support.
    pub fn warm_up<R>(&mut self, _: impl FnOnce() -> R) -> R {
        match *self {}
    }

    /// As in builds with GPU support.
    pub fn begin_recording(&mut self) -> Result<(), String> {
        match *self {}
    }

    /// As in builds with GPU support.
    pub fn record<R>(&mut self, _: impl FnOnce() -> R) -> Result<R, String> {
        match *self {}
    }

    /// As in builds with GPU support.
    pub fn renew<R>(&mut self, _: impl FnOnce() -> R) -> Result<R, String> {
        match *self {}
    }

    /// As in builds with GPU support.
    ///
    /// # Safety
    /// Nothing exists to replay.
    #[allow(unsafe_code, reason = "as in builds with GPU support")]
    pub unsafe fn replay(&self) -> Result<(), String> {
        match *self {}
    }
}

/// No tensor of such a build is on a GPU.
#[derive(Default)]
pub struct TensorCopies(());

impl TensorCopies {
    /// As in builds with GPU support.
    pub fn add<const D: usize>(&mut self, _: Tensor<D>, _: &Tensor<D>) {
        unreachable!("no tensor is on a GPU")
    }

    /// As in builds with GPU support.
    pub fn add_int<const D: usize>(&mut self, _: Tensor<D, Int>, _: &Tensor<D, Int>) {
        unreachable!("no tensor is on a GPU")
    }

    /// As in builds with GPU support.
    pub fn duplicate<const D: usize>(&mut self, _: Tensor<D>) -> Tensor<D> {
        unreachable!("no tensor is on a GPU")
    }

    /// As in builds with GPU support.
    pub fn duplicate_int<const D: usize>(&mut self, _: Tensor<D, Int>) -> Tensor<D, Int> {
        unreachable!("no tensor is on a GPU")
    }

    /// As in builds with GPU support.
    pub fn launch(self) {}
}
