//! Replaces `gpu` in builds without GPU support.

use std::collections::BTreeMap;

use burn::tensor::{Device, Tensor};
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
