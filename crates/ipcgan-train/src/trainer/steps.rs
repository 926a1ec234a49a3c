//! Which items and random numbers each step uses, and when validations take place.

use std::ops::Range;

use burn::data::dataset::DatasetError;

/// The steps of a stage.
///
/// The loader yields the items of the whole stage in a fixed order, so a run resumed after step `k` reads from item
/// `k * faces_per_step`; the random numbers of a step are derived from the seed and the step.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StepPlan {
    pub(crate) seed: u64,
    pub(crate) steps: usize,
    /// Validations, evenly spaced; the last one is at the end.
    pub(crate) validations: usize,
    /// Micro-batches that a step takes from the loader.
    pub(crate) micro_batches_per_step: usize,
    pub(crate) faces_per_step: usize,
}

impl StepPlan {
    /// Last step of each epoch.
    pub(super) fn epoch_ends(self) -> Vec<usize> {
        let epochs = self.validations.clamp(1, self.steps.max(1));
        (1..=epochs).map(|epoch| epoch * self.steps / epochs).collect()
    }

    /// The micro-batches of the next step. The inner error is how many were left where `batches` ended early: an
    /// incomplete step would have other gradients, and an epoch without it fewer steps than a run resumed in it.
    ///
    /// # Errors
    /// A batch cannot be read.
    pub(super) fn next_batches<B>(
        self,
        batches: impl Iterator<Item = Result<B, DatasetError>>,
    ) -> Result<Result<Vec<B>, usize>, DatasetError> {
        let count = self.micro_batches_per_step;
        let batches: Vec<B> = batches.take(count).collect::<Result<_, _>>()?;
        Ok(match batches.len() {
            found if found < count => Err(found),
            _ => Ok(batches),
        })
    }

    /// The items of `steps`.
    pub(super) fn items(self, steps: Range<usize>) -> Range<usize> {
        steps.start * self.faces_per_step..steps.end * self.faces_per_step
    }

    /// Seed of a step, so that a resumed run draws the same random numbers as an uninterrupted one.
    pub(super) fn seed_of(self, step: usize) -> u64 {
        self.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(step as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn validations_are_evenly_spaced_and_the_last_is_at_the_end() {
        let plan = StepPlan { seed: 0, steps: 10, validations: 4, micro_batches_per_step: 1, faces_per_step: 3 };

        assert_eq!(plan.epoch_ends(), [2, 5, 7, 10]);
        assert_eq!(StepPlan { validations: 99, steps: 2, ..plan }.epoch_ends(), [1, 2]);
    }

    #[test]
    fn a_resumed_run_reads_the_items_after_those_of_earlier_steps() {
        let plan = StepPlan { seed: 7, steps: 10, validations: 1, micro_batches_per_step: 1, faces_per_step: 3 };

        assert_eq!(plan.items(4..6), 12..18);
        assert_ne!(plan.seed_of(4), plan.seed_of(5));
    }

    #[test]
    fn data_that_end_before_the_last_step_are_an_error() {
        let plan = StepPlan { seed: 7, steps: 2, validations: 1, micro_batches_per_step: 2, faces_per_step: 4 };
        let mut batches = [10, 11, 12].into_iter().map(Ok);

        let [first, second] = [(); 2].map(|()| plan.next_batches(&mut batches).unwrap());

        assert_eq!(first, Ok(vec![10, 11]));
        assert_eq!(second, Err(1));
    }
}
