//! The Adam update in one pass over memory.

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use crate::InstructionSet;
use crate::lanes::{load, store};
use crate::output::TASK_VALUES;

/// Hyperparameters of Adam and the number of the step.
///
/// Source: Kingma and Ba, *Adam: A Method for Stochastic Optimization*, 2015.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Adam {
    /// The learning rate.
    pub learning_rate: f32,
    /// Decay of the first moment (mean of the gradients), in [0, 1).
    pub beta_1: f32,
    /// Decay of the second moment (mean of the squared gradients), in [0, 1).
    pub beta_2: f32,
    /// Added to the root of the mean square; positive.
    pub epsilon: f32,
    /// Number of this step, from one on.
    pub step: i32,
}

impl Adam {
    /// Updates `values` and both moments, which are zeros before the first step, with `gradient`.
    ///
    /// # Panics
    /// If they are not of one length.
    pub fn update(
        &self,
        instructions: InstructionSet,
        values: &mut [f32],
        gradient: &[f32],
        [first, second]: [&mut [f32]; 2],
    ) {
        let lengths = [gradient.len(), first.len(), second.len()];
        assert!(lengths.iter().all(|&length| length == values.len()), "{lengths:?} instead of {}", values.len());
        let moments = first.par_chunks_mut(TASK_VALUES).zip(second.par_chunks_mut(TASK_VALUES));
        let tasks = values.par_chunks_mut(TASK_VALUES).zip(gradient.par_chunks(TASK_VALUES));
        tasks.zip(moments).for_each(|((values, gradient), (first, second))| {
            instructions.run(Update { adam: self, values, gradient, first, second });
        });
    }
}

/// [`Adam::update`] of one task.
struct Update<'a> {
    adam: &'a Adam,
    values: &'a mut [f32],
    gradient: &'a [f32],
    first: &'a mut [f32],
    second: &'a mut [f32],
}

impl WithSimd for Update<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Adam { learning_rate, beta_1, beta_2, epsilon, step } = *self.adam;
        let splat = |value: f32| simd.splat_f32s(value);
        let (kept_1, kept_2) = (splat(beta_1), splat(beta_2));
        let (new_1, new_2) = (splat(1.0 - beta_1), splat(1.0 - beta_2));
        // Bias correction: both moments start at zero.
        let rate = splat(learning_rate / (1.0 - beta_1.powi(step)));
        let correction = splat((1.0 - beta_2.powi(step)).sqrt().recip());
        let epsilon = splat(epsilon);
        let moments = self.first.chunks_mut(S::F32_LANES).zip(self.second.chunks_mut(S::F32_LANES));
        let vectors = self.values.chunks_mut(S::F32_LANES).zip(self.gradient.chunks(S::F32_LANES));
        for ((values, gradient), (first, second)) in vectors.zip(moments) {
            let gradient = load(simd, gradient);
            let mean = simd.mul_add_e_f32s(kept_1, load(simd, first), simd.mul_f32s(new_1, gradient));
            let new_square = simd.mul_f32s(new_2, simd.mul_f32s(gradient, gradient));
            let square = simd.mul_add_e_f32s(kept_2, load(simd, second), new_square);
            let scale = simd.mul_add_e_f32s(simd.sqrt_f32s(square), correction, epsilon);
            let change = simd.div_f32s(simd.mul_f32s(rate, mean), scale);
            store(simd, first, mean);
            store(simd, second, square);
            store(simd, values, simd.sub_f32s(load(simd, values), change));
        }
    }
}
