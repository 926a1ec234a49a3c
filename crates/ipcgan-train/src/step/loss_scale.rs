//! Dynamic loss scaling for mixed precision: losses are multiplied by a scale before the backward pass in float16, in
//! which small gradients would underflow, and gradients are divided by it afterwards. If gradients overflow, the update
//! is skipped and the scale reduced.
//!
//! Source: Micikevicius et al., "Mixed Precision Training", section 3.2; constants of PyTorch's `GradScaler`, except
//! for the initial scale.

use std::sync::{Arc, Mutex};

use burn::tensor::Tensor;
use ipcgan_model::Precision;
use serde::{Deserialize, Serialize};

/// Initial scale: large enough for most gradients, and below `GradScaler`'s 65536, at which a run skips more updates.
const FIRST_SCALE: f64 = 1024.0;
/// Number of consecutive updates after which the scale is doubled.
const GROWTH_INTERVAL: usize = 2000;
/// Minimum scale: gradients that are not finite at this scale belong to a diverged training run.
const MIN_SCALE: f64 = 1.0 / 65536.0;
/// Maximum scale: losses are scaled in float32 (range 3e38) and do not overflow at this scale.
const MAX_SCALE: f64 = 16_777_216.0;

/// State of the loss scale.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct LossScaleState {
    /// Factor that multiplies losses.
    scale: f64,
    /// Number of updates since the last change of the scale.
    updates: usize,
}

/// The loss scale of a stage, shared by all clones.
#[derive(Clone, Debug)]
pub(crate) struct LossScale {
    /// `None` if losses are not scaled.
    state: Option<Arc<Mutex<LossScaleState>>>,
}

impl LossScale {
    /// The loss scale that `precision` needs.
    pub(crate) fn of(precision: Precision) -> Self {
        match precision {
            Precision::Float16 => Self::dynamic(),
            Precision::Float32 | Precision::Tf32 | Precision::Bfloat16 => Self::none(),
        }
    }

    /// No scaling.
    pub(crate) fn none() -> Self {
        Self { state: None }
    }

    /// A dynamic scale.
    pub(crate) fn dynamic() -> Self {
        let state = LossScaleState { scale: FIRST_SCALE, updates: 0 };
        Self { state: Some(Arc::new(Mutex::new(state))) }
    }

    /// The factor that currently multiplies losses; one if they are not scaled.
    pub(crate) fn factor(&self) -> f64 {
        self.state().map_or(1.0, |state| state.scale)
    }

    /// State for a checkpoint; `None` if losses are not scaled.
    pub(crate) fn state(&self) -> Option<LossScaleState> {
        let state = self.state.as_ref()?;
        Some(*state.lock().expect("no holder panics"))
    }

    /// Restores the state of a checkpoint.
    pub(crate) fn restore(&self, saved: Option<LossScaleState>) {
        if let (Some(state), Some(saved)) = (&self.state, saved) {
            *state.lock().expect("no holder panics") = saved;
        }
    }

    /// Whether an update by gradients of norm `norm`, `[1]`, is accepted, and updates the scale: if the gradients have
    /// overflowed, the update is skipped and the scale halved. Without scaling, nothing is read from the device.
    pub(crate) fn accepts(&self, norm: &Tensor<1>) -> bool {
        let Some(state) = &self.state else { return true };
        let finite = norm.clone().into_scalar::<f32>().is_finite();
        let mut state = state.lock().expect("no holder panics");
        *state = match *state {
            // Not an overflow: divergence is detected from the losses.
            LossScaleState { scale, .. } if !finite && scale <= MIN_SCALE => return true,
            LossScaleState { scale, .. } if !finite => LossScaleState { scale: scale / 2.0, updates: 0 },
            LossScaleState { scale, updates } if updates + 1 == GROWTH_INTERVAL => {
                LossScaleState { scale: (scale * 2.0).min(MAX_SCALE), updates: 0 }
            }
            LossScaleState { scale, updates } => LossScaleState { scale, updates: updates + 1 },
        };
        finite
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;

    fn accepts(scale: &LossScale, norm: f32) -> bool {
        scale.accepts(&Tensor::from_data([norm], &Device::flex()))
    }

    #[test]
    fn an_overflow_halves_the_scale_and_two_thousand_updates_double_it() {
        let scale = LossScale::dynamic();

        assert!(!accepts(&scale, f32::INFINITY));
        assert_eq!(scale.factor(), 512.0);
        assert!((1..GROWTH_INTERVAL).all(|_| accepts(&scale, 1.0)));
        assert_eq!(scale.factor(), 512.0);
        assert!(accepts(&scale, 1.0));
        assert_eq!(scale.factor(), 1024.0);
    }

    #[test]
    fn gradients_that_are_never_finite_are_accepted_at_the_minimum_scale() {
        let scale = LossScale::dynamic();

        let skipped = (0..1000).take_while(|_| !accepts(&scale, f32::NAN)).count();

        assert_eq!(skipped, 26, "from 2^10 to 2^-16");
        assert!(LossScale::none().accepts(&Tensor::from_data([f32::NAN], &Device::flex())));
    }

    #[test]
    fn a_restored_loss_scale_continues_from_the_saved_one() {
        let [first, second] = [LossScale::dynamic(), LossScale::dynamic()];
        accepts(&first, f32::INFINITY);
        accepts(&first, 1.0);

        second.restore(first.state());

        assert_eq!(second.state(), Some(LossScaleState { scale: 512.0, updates: 1 }));
    }
}
