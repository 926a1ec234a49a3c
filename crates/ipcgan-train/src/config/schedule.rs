//! Learning-rate schedules with warm-up.

use std::f64::consts::PI;

use burn::optim::LearningRate;
use burn::optim::lr_scheduler::{LrScheduler, LrSchedulerRecord};
use serde::{Deserialize, Serialize};

/// Key of the number of steps in a record.
const STEPS_DONE: &str = "steps_done";

/// Learning-rate schedule after the warm-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Schedule {
    /// Constant.
    Constant,
    /// Linear decay to zero.
    Linear,
    /// Cosine decay to zero.
    Cosine,
}

impl Schedule {
    /// Fraction of the peak rate after the fraction `fraction` of the steps, in [0, 1].
    fn at(self, fraction: f64) -> f64 {
        match self {
            Self::Constant => 1.0,
            Self::Linear => 1.0 - fraction,
            Self::Cosine => 0.5 * (1.0 + (fraction * PI).cos()),
        }
    }
}

/// Pretraining: its steps, and their peak learning rate.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Pretraining {
    pub(crate) steps: usize,
    pub(crate) peak: f64,
}

/// Learning-rate schedule: the rate as a function of the number of steps done, with a linear warm-up to `peak`.
#[derive(Clone, Debug)]
pub(crate) struct LrSchedule {
    pub(crate) peak: f64,
    pub(crate) schedule: Schedule,
    /// Steps of the linear warm-up.
    pub(crate) warm_up: usize,
    /// Steps of the stage.
    pub(crate) steps: usize,
    /// First steps, with a schedule of their own.
    pretraining: Pretraining,
    steps_done: usize,
}

impl LrSchedule {
    pub(crate) fn new(peak: f64, schedule: Schedule, warm_up: usize, steps: usize) -> Self {
        Self { peak, schedule, warm_up, steps, pretraining: Pretraining::default(), steps_done: 0 }
    }

    /// The schedule after the `pretraining`, which has warm-up and decay of its own, to its own peak rate.
    pub(crate) fn after_pretraining(self, pretraining: Pretraining) -> Self {
        Self { pretraining, ..self }
    }

    /// Learning rate of the step after `done` steps.
    fn after(&self, done: usize) -> LearningRate {
        let Pretraining { steps: pretraining, peak } = self.pretraining;
        let (peak, done, steps) = match done.checked_sub(pretraining) {
            None => (peak, done, pretraining),
            Some(done) => (self.peak, done, self.steps.saturating_sub(pretraining)),
        };
        if done < self.warm_up {
            return peak * (done + 1) as f64 / self.warm_up as f64;
        }
        let steps = steps.saturating_sub(self.warm_up).max(1);
        peak * self.schedule.at((done - self.warm_up) as f64 / steps as f64)
    }
}

impl LrScheduler for LrSchedule {
    fn step(&mut self) -> LearningRate {
        let rate = self.after(self.steps_done);
        self.steps_done += 1;
        rate
    }

    fn to_record(&self) -> LrSchedulerRecord {
        LrSchedulerRecord::new().with_scalar(STEPS_DONE, self.steps_done as u64)
    }

    fn load_record(&mut self, record: LrSchedulerRecord) {
        if let Some(done) = record.scalar::<u64>(STEPS_DONE) {
            self.steps_done = done as usize;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rates(schedule: Schedule, warm_up: usize) -> Vec<f64> {
        let mut rate = LrSchedule::new(8.0, schedule, warm_up, 4 + warm_up);
        (0..4 + warm_up).map(|_| (rate.step() * 1000.0).round() / 1000.0).collect()
    }

    #[test]
    fn each_schedule_starts_at_the_peak_rate() {
        assert_eq!(rates(Schedule::Constant, 0), [8.0, 8.0, 8.0, 8.0]);
        assert_eq!(rates(Schedule::Linear, 0), [8.0, 6.0, 4.0, 2.0]);
        assert_eq!(rates(Schedule::Cosine, 0), [8.0, 6.828, 4.0, 1.172]);
    }

    #[test]
    fn the_warm_up_is_linear() {
        assert_eq!(rates(Schedule::Linear, 2), [4.0, 8.0, 8.0, 6.0, 4.0, 2.0]);
    }

    #[test]
    fn the_schedule_starts_anew_after_the_pretraining() {
        let pretraining = Pretraining { steps: 3, peak: 16.0 };
        let mut rate = LrSchedule::new(8.0, Schedule::Linear, 1, 8).after_pretraining(pretraining);

        let rates: Vec<_> = (0..8).map(|_| rate.step()).collect();

        assert_eq!(rates, [16.0, 16.0, 8.0, 8.0, 8.0, 6.0, 4.0, 2.0]);
    }

    #[test]
    fn a_schedule_resumes_from_its_record() {
        let mut rate = LrSchedule::new(1.0, Schedule::Cosine, 1, 9);
        (0..3).for_each(|_| _ = rate.step());
        let mut again = LrSchedule::new(1.0, Schedule::Cosine, 1, 9);
        again.load_record(rate.to_record());

        assert_eq!(again.step(), rate.step());
    }
}
