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
    pub(crate) rate: RetryHint,
    /// Half the batch size, if it is above one.
    pub(crate) batch: Option<RetryHint>,
}

impl RetryHints {
    /// Hints for `stage` with `settings`.
    pub(crate) fn of(stage: Stage, settings: &LoopSettings) -> Self {
        let LoopSettings { learning_rate: (rate, value), batch_size, .. } = *settings;
        let half = batch_size.div_ceil(2) as f64;
        Self {
            rate: RetryHint { stage, setting: rate, value: value / 2.0 },
            batch: (batch_size > 1).then_some(RetryHint { stage, setting: "batch_size", value: half }),
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

        assert_eq!(hints.rate.to_string(), "aging.generator_learning_rate=0.001");
        assert_eq!(hints.batch.unwrap().to_string(), "aging.batch_size=5");
    }
}
