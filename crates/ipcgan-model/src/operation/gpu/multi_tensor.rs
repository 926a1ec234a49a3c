//! Multi-tensor updates: the updates of many tensors share launches.

use std::cell::RefCell;

use super::adam::AdamUpdate;
use super::ema::EmaUpdate;

thread_local! {
    /// Updates of this thread that wait, inside [`update_together`].
    static WAITING: RefCell<Option<Waiting>> = const { RefCell::new(None) };
}

/// Updates of each kind, which do not depend on one another.
#[derive(Default)]
pub(super) struct Waiting {
    pub(super) adam: Vec<AdamUpdate>,
    pub(super) ema: Vec<EmaUpdate>,
}

impl Waiting {
    fn launch(self) {
        AdamUpdate::launch(self.adam);
        EmaUpdate::launch(self.ema);
    }
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
pub(super) fn add(to: impl FnOnce(&mut Waiting)) {
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
