//! Multi-tensor updates: the updates of many tensors share launches.

use std::cell::RefCell;

use burn::tensor::Tensor;
use ipcgan_kernels::Adam;

use super::adam::AdamUpdate;
use super::ema::EmaUpdate;

thread_local! {
    /// Updates of this thread that wait, inside [`update_together`].
    static WAITING: RefCell<Option<Waiting>> = const { RefCell::new(None) };
}

/// Updates of each kind, which do not depend on one another.
#[derive(Default)]
struct Waiting {
    adam: Vec<AdamUpdate>,
    ema: Vec<EmaUpdate>,
}

impl Waiting {
    fn launch(self) {
        AdamUpdate::launch(self.adam);
        EmaUpdate::launch(self.ema);
    }
}

/// The updated `parameter` and both moments, which are computed at the end of [`update_together`], or at once outside
/// of it.
///
/// # Panics
/// If one of them is not on a GPU, without gradients.
pub(in super::super) fn adam_update<const D: usize>(
    adam: Adam,
    parameter: Tensor<D>,
    gradient: Tensor<D>,
    moments: [Tensor<D>; 2],
) -> (Tensor<D>, [Tensor<D>; 2]) {
    let (update, parameter, moments) = AdamUpdate::of(adam, parameter, gradient, moments);
    add(|waiting| waiting.adam.push(update));
    (parameter, moments)
}

/// `average * decay + value * (1 - decay)`, computed at the end of [`update_together`], or at once outside of it.
///
/// # Panics
/// If one of them is not on a GPU, without gradients.
pub(in super::super) fn ema_tensor_update<const D: usize>(
    average: Tensor<D>,
    value: Tensor<D>,
    decay: f64,
) -> Tensor<D> {
    let (update, average) = EmaUpdate::of(average, value, decay);
    add(|waiting| waiting.ema.push(update));
    average
}

/// Runs `run`, then launches all updates that this thread added meanwhile.
pub(in super::super) fn update_together<R>(run: impl FnOnce() -> R) -> R {
    let is_nested = WAITING.with_borrow_mut(|waiting| {
        let is_nested = waiting.is_some();
        waiting.get_or_insert_default();
        is_nested
    });
    if is_nested {
        return run();
    }
    // After a panic the updates must not wait for the next caller.
    let _discard = Discard;
    let result = run();
    WAITING.take().unwrap_or_default().launch();
    result
}

struct Discard;

impl Drop for Discard {
    fn drop(&mut self) {
        WAITING.take();
    }
}

/// Adds an update to those that wait, or launches it at once outside of [`update_together`].
fn add(to: impl FnOnce(&mut Waiting)) {
    let alone = WAITING.with_borrow_mut(|waiting| match waiting {
        Some(waiting) => {
            to(waiting);
            None
        }
        None => {
            let mut alone = Waiting::default();
            to(&mut alone);
            Some(alone)
        }
    });
    if let Some(alone) = alone {
        alone.launch();
    }
}
