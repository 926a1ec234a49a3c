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

pub(super) fn is_recording() -> bool {
    false
}

pub(super) fn is_renewing() -> bool {
    false
}

pub(super) fn in_memory_of<const D: usize>(_: Tensor<D>, new: Tensor<D>) -> Tensor<D> {
    new
}

/// No device of such a build records launches.
#[derive(Debug)]
pub(super) enum CapturedGraph {}

impl CapturedGraph {
    pub(super) fn prepare(_: &Device) -> Result<Self, String> {
        Err("this build has no GPU support".into())
    }

    pub(super) fn warm_up<R>(&mut self, _: impl FnOnce() -> R) -> R {
        match *self {}
    }

    pub(super) fn record<R>(&mut self, _: impl FnOnce() -> R) -> Result<R, String> {
        match *self {}
    }

    pub(super) fn renew<R>(&mut self, _: impl FnOnce() -> R) -> Result<R, String> {
        match *self {}
    }

    #[allow(unsafe_code, reason = "as in builds with GPU support")]
    pub(super) unsafe fn replay(&self) -> Result<(), String> {
        match *self {}
    }
}

#[derive(Default)]
pub(super) struct Copies;

impl Copies {
    pub(super) fn add<const D: usize>(&mut self, _: Tensor<D>, _: &Tensor<D>) {
        unreachable!("no tensor is on a GPU")
    }

    pub(super) fn add_int<const D: usize>(&mut self, _: Tensor<D, Int>, _: &Tensor<D, Int>) {
        unreachable!("no tensor is on a GPU")
    }

    pub(super) fn duplicate<const D: usize>(&mut self, _: Tensor<D>) -> Tensor<D> {
        unreachable!("no tensor is on a GPU")
    }

    pub(super) fn duplicate_int<const D: usize>(&mut self, _: Tensor<D, Int>) -> Tensor<D, Int> {
        unreachable!("no tensor is on a GPU")
    }

    pub(super) fn launch(self) {}
}
