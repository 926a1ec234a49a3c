//! Settings to change after a failure.

use std::fmt;

use crate::Stage;
use crate::config::LoopSettings;

/// A setting with a value that may avoid a failure.
#[derive(Clone, Debug, PartialEq)]
pub struct RetryHint {
    /// The stage of the setting.
    pub stage: Stage,
    /// Name of the setting in the settings of the stage.
    pub setting: &'static str,
    /// Its value.
    pub value: f64,
}

impl fmt::Display for RetryHint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}={}", self.stage, self.setting, self.value)
    }
}

/// Hints for each kind of failure.
pub(crate) struct RetryHints {
    /// Half the learning rate.
    rate: RetryHint,
    /// Half the learning rate of the pretraining, if there is one, and the number of its steps.
    pretraining: Option<RetryHint>,
    pretraining_steps: usize,
    /// Half the batch size, if it is above one.
    pub(crate) batch: Option<RetryHint>,
}

impl RetryHints {
    /// Hints for `stage` with `settings`.
    pub(crate) fn of(stage: Stage, settings: &LoopSettings) -> Self {
        let LoopSettings { learning_rate, pretraining_learning_rate, pretraining_steps, batch_size, .. } = *settings;
        let half_rate = |(setting, value): (&'static str, f64)| RetryHint { stage, setting, value: value / 2.0 };
        let half = batch_size.div_ceil(2) as f64;
        Self {
            rate: half_rate(learning_rate),
            pretraining: pretraining_learning_rate.map(half_rate),
            pretraining_steps,
            batch: (batch_size > 1).then_some(RetryHint { stage, setting: "batch_size", value: half }),
        }
    }

    /// Half the learning rate of step number `step`, from one.
    pub(crate) fn rate_at(&self, step: usize) -> &RetryHint {
        match &self.pretraining {
            Some(rate) if step <= self.pretraining_steps => rate,
            _ => &self.rate,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Preset, TrainingConfig};

    #[test]
    fn hints_are_settings_of_half_the_learning_rate_and_half_the_batch_size() {
        let mut config = TrainingConfig::of(Preset::Tiny);
        (config.aging.generator_learning_rate, config.aging.batch_size) = (0.002, 9);

        let hints = RetryHints::of(Stage::Aging, &Stage::Aging.definition().loop_settings(&config));

        assert_eq!(hints.rate_at(1).to_string(), "aging.generator_learning_rate=0.001");
        assert_eq!(hints.batch.unwrap().to_string(), "aging.batch_size=5");
    }

    #[test]
    fn the_hint_for_a_step_of_the_pretraining_is_its_own_learning_rate() {
        let mut config = TrainingConfig::of(Preset::Tiny);
        (config.aging.pretraining_steps, config.aging.pretraining_learning_rate) = (10, 0.002);

        let hints = RetryHints::of(Stage::Aging, &Stage::Aging.definition().loop_settings(&config));

        assert_eq!(hints.rate_at(10).to_string(), "aging.pretraining_learning_rate=0.001");
        assert_eq!(hints.rate_at(11).setting, "generator_learning_rate");
    }
}
