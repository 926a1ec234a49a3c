//! Validation of settings.

use std::fmt::Display;

use ipcgan_model::{DiscriminatorConfig, InvalidConfig};
use serde_json::Value;

use super::{AgingTraining, ClassifierTraining, EditableSettings, LoopSettings, LossWeights, SettingFault};
use crate::{TrainingConfig, TrainingError};

/// Maximum number of faces that a stage may read: above this, 64-bit arithmetic on it would overflow.
const MAX_ITEMS: f64 = 9e15;
/// Maximum memory of synthetic faces, in bytes.
const MAX_SYNTHETIC_BYTES: f64 = 16e9;
/// Maximum of counts that take memory or time.
const MAX_COUNT: usize = 1_000_000_000;

/// A rule: the setting, whether it holds, and the expected value. The documentation of each setting states its range.
type Rule = (String, bool, String);

fn rule(setting: impl Into<String>, holds: bool, expected: impl Into<String>) -> Rule {
    (setting.into(), holds, expected.into())
}

fn count(setting: impl Into<String>, value: usize, max: usize) -> Rule {
    rule(setting, (1..=max).contains(&value), format!("in 1 to {max}"))
}

/// A rule that `value` is finite and not negative.
fn non_negative(setting: impl Into<String>, value: f64) -> Rule {
    rule(setting, value >= 0.0 && value.is_finite(), "0 or above")
}

fn at_most(setting: impl Into<String>, value: f64, max: f64) -> Rule {
    rule(setting, (0.0..=max).contains(&value), format!("in 0 to {max}"))
}

/// A rule that the group of settings at `path` passes its own check.
fn rule_of(path: impl Display, checked: Result<(), InvalidConfig>) -> Rule {
    match checked {
        Ok(()) => rule(path.to_string(), true, ""),
        Err(invalid) => rule(format!("{path}.{}", invalid.name), false, invalid.expected),
    }
}

fn learning_rate(setting: impl Into<String>, value: f64) -> Rule {
    rule(setting, value > 0.0 && value <= 1.0, "above 0 and at most 1")
}

/// A rule of the decay of a moving average in float32: 1 would never change the average, and Adam's bias correction would
/// divide by zero.
fn decay(setting: impl Into<String>, value: f64) -> Rule {
    rule(setting, value >= 0.0 && (value as f32) < 1.0, "at least 0 and below 1 as a float32")
}

/// A rule that the warm-up ends before the `steps` steps of its schedule, which `what` names.
fn warm_up(value: usize, steps: usize, what: &str) -> Rule {
    rule("warm_up", value == 0 || value < steps, format!("0 or below the number of {what} ({steps})"))
}

impl TrainingConfig {
    /// Checks that all settings are in their valid ranges.
    ///
    /// # Errors
    /// The first invalid setting, by its path.
    pub fn check(&self) -> Result<(), TrainingError> {
        self.check_networks()?;
        let rules = [
            self.run_rules(),
            self.data_rules(),
            in_group("identity", self.identity.rules()),
            in_group("age", self.age.rules()),
            in_group("aging", self.aging.rules()),
            vec![rule(
                "discriminator.projected",
                self.discriminator.projected == (self.aging.weights.projected > 0.0),
                "true if aging.weights.projected is above 0, and false otherwise",
            )],
            in_group("aging.weights", self.aging.weights.rules()),
        ];
        match rules.into_iter().flatten().find(|(_, holds, _)| !holds) {
            None => Ok(()),
            Some((setting, _, expected)) => {
                Err(TrainingError::Setting { setting, reason: SettingFault::Range(expected) })
            }
        }
    }

    /// Checks the network sizes: limits of weights files, and further limits of training.
    fn check_networks(&self) -> Result<(), TrainingError> {
        let of = |network: &'static str| {
            move |invalid: InvalidConfig| TrainingError::Setting {
                setting: format!("{network}.{}", invalid.name),
                reason: SettingFault::Size(invalid),
            }
        };
        self.generator.check().map_err(of("generator"))?;
        self.discriminator.check().map_err(of("discriminator"))?;
        self.alexnet.check().map_err(of("alexnet"))?;
        DiscriminatorConfig::check_image_size(self.generator.image_size).map_err(|invalid| TrainingError::Setting {
            setting: format!("generator.{}", invalid.name),
            reason: SettingFault::Range(format!("{}, to train", invalid.expected)),
        })
    }

    fn run_rules(&self) -> Vec<Rule> {
        vec![
            count("checkpoint_every", self.checkpoint_every, usize::MAX),
            rule(
                "checkpoint_minutes",
                self.checkpoint_minutes > 0.0 && self.checkpoint_minutes <= 1e6,
                "above 0 and at most 1000000",
            ),
            count("checkpoints_kept", self.checkpoints_kept, usize::MAX),
            count("validations", self.validations, 100_000),
            non_negative("trunk_age_weight", self.trunk_age_weight),
        ]
    }

    fn data_rules(&self) -> Vec<Rule> {
        let synthetic = &self.synthetic;
        let faces = synthetic.identities as f64 * synthetic.faces_per_group as f64 * self.age_groups.count() as f64;
        let bytes = faces * 3.0 * f64::from(synthetic.size).powi(2);
        vec![
            count("valid_faces", self.valid_faces, usize::MAX),
            rule("valid_fraction", self.valid_fraction > 0.0 && self.valid_fraction < 1.0, "between 0 and 1"),
            rule_of("synthetic", synthetic.check()),
            rule(
                "synthetic.identities",
                bytes <= MAX_SYNTHETIC_BYTES,
                format!(
                    "lower, or synthetic.faces_per_group or synthetic.size: {faces} faces would take {:.0} GB of memory",
                    bytes / 1e9
                ),
            ),
        ]
    }
}

/// A rule that the faces that a stage reads can be counted.
fn length(settings: LoopSettings) -> Rule {
    let items = settings.steps as f64 * settings.batch_size as f64 * settings.batches_per_step as f64;
    rule("steps", items <= MAX_ITEMS, "lower, because so many faces cannot be counted")
}

/// The `rules` of the group of settings `group`.
fn in_group(group: &str, rules: Vec<Rule>) -> Vec<Rule> {
    rules.into_iter().map(|(name, holds, expected)| (format!("{group}.{name}"), holds, expected)).collect()
}

impl ClassifierTraining {
    fn rules(&self) -> Vec<Rule> {
        vec![
            count("steps", self.steps, MAX_COUNT),
            count("batch_size", self.batch_size, 1_000_000),
            count("gradient_accumulation", self.gradient_accumulation, 10_000),
            learning_rate("learning_rate", self.learning_rate),
            warm_up(self.warm_up, self.steps, "steps"),
            non_negative("gradient_clip_norm", self.gradient_clip_norm),
            at_most("adversarial_epsilon", self.adversarial_epsilon, 255.0),
            rule("adversarial_start", self.adversarial_start <= MAX_COUNT, format!("at most {MAX_COUNT}")),
            rule_of("augmentation", self.augmentation.check()),
            length(self.loop_settings()),
        ]
    }
}

impl AgingTraining {
    fn rules(&self) -> Vec<Rule> {
        let full_steps = if self.pretraining_steps == 0 { "steps" } else { "steps after the pretraining" };
        vec![
            count("steps", self.steps, MAX_COUNT),
            rule("pretraining_steps", self.pretraining_steps <= self.steps, "at most aging.steps"),
            rule(
                "pretraining_steps",
                self.pretraining_steps == 0 || self.weights.prototype > 0.0,
                "0 without aging.weights.prototype, the loss of the pretraining",
            ),
            rule(
                "weights.chroma",
                self.weights.chroma == 0.0 || self.weights.prototype > 0.0,
                "0 without aging.weights.prototype, whose faces it compares with",
            ),
            rule_of("prototype", self.prototype.check()),
            count("batch_size", self.batch_size, 1_000_000),
            count("gradient_accumulation", self.gradient_accumulation, 10_000),
            count("discriminator_updates", self.discriminator_updates, 1000),
            count("generator_updates", self.generator_updates, 1000),
            learning_rate("pretraining_learning_rate", self.pretraining_learning_rate),
            learning_rate("generator_learning_rate", self.generator_learning_rate),
            learning_rate("discriminator_learning_rate", self.discriminator_learning_rate),
            non_negative("gradient_clip_norm", self.gradient_clip_norm),
            decay("adam_beta_2", self.adam_beta_2),
            match self.steps.saturating_sub(self.pretraining_steps) {
                0 => rule("warm_up", true, ""),
                steps => warm_up(self.warm_up, steps, full_steps),
            },
            rule(
                "warm_up",
                self.pretraining_steps == 0 || self.warm_up < self.pretraining_steps,
                format!("below the number of pretraining steps ({})", self.pretraining_steps),
            ),
            count("window_shifts", self.window_shifts, 16),
            decay("ema_decay", self.ema_decay),
            rule("recalibration_batches", self.recalibration_batches <= 1_000_000, "at most 1000000"),
            count("sample_every", self.sample_every, usize::MAX),
            rule_of("differentiable_augmentation", self.differentiable_augmentation.check()),
            length(self.loop_settings()),
        ]
    }
}

impl LossWeights {
    fn rules(&self) -> Vec<Rule> {
        let weights = serde_json::to_value(self).expect("plain data turn into JSON");
        let weights = weights.as_object().expect("a struct is a JSON object");
        // JSON has no number for an infinite weight.
        let of = |(name, weight): (&String, &Value)| non_negative(name, weight.as_f64().unwrap_or(f64::NAN));
        weights.iter().map(of).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Preset;

    /// Paths of all numbers in a configuration.
    fn numbers(value: &Value, path: &str, found: &mut Vec<String>) {
        match value {
            Value::Object(fields) => {
                for (name, value) in fields {
                    numbers(value, &[path, name].join(if path.is_empty() { "" } else { "." }), found);
                }
            }
            Value::Number(_) => found.push(path.into()),
            _ => (),
        }
    }

    #[test]
    fn an_extreme_number_is_refused_by_the_name_of_its_setting_or_the_config_is_valid() {
        let config = TrainingConfig::of(Preset::Tiny);
        let mut found = Vec::new();
        numbers(&serde_json::to_value(&config).unwrap(), "", &mut found);
        assert!(found.len() > 50, "{found:?}");

        for name in found.iter().filter(|name| *name != "alexnet.identities") {
            for value in ["-1", "0", "3000000000", "18446744073709551615", "1e300"] {
                let setting = format!("{name}={value}");
                match config.clone().with_settings(std::slice::from_ref(&setting)) {
                    Err(error) => assert!(error.to_string().starts_with("setting `"), "{error}"),
                    Ok(config) => config.check().unwrap(),
                }
                if value == "-1" {
                    assert!(config.clone().with_settings(&[setting]).is_err(), "{name} is negative");
                }
            }
        }
    }

    /// The error of the `tiny` preset with `setting`.
    fn refused(setting: &str) -> String {
        TrainingConfig::of(Preset::Tiny).with_settings(&[setting.into()]).unwrap_err().to_string()
    }

    #[test]
    fn a_decay_that_float32_rounds_to_one_is_refused() {
        for name in ["aging.adam_beta_2", "aging.ema_decay"] {
            assert!(
                refused(&format!("{name}=0.99999999")).contains(&format!("`{name}`: must be at least 0 and below 1"))
            );
        }
    }

    #[test]
    fn a_warm_up_that_never_reaches_the_peak_learning_rate_is_refused() {
        for stage in ["identity", "age", "aging"] {
            let settings = [format!("{stage}.steps=5"), format!("{stage}.warm_up=5")];
            let error = TrainingConfig::of(Preset::Tiny).with_settings(&settings).unwrap_err().to_string();
            assert!(
                error.contains(&format!("`{stage}.warm_up`: must be 0 or below the number of steps (5)")),
                "{error}"
            );
        }
    }

    #[test]
    fn network_sizes_that_could_not_be_loaded_are_refused() {
        assert!(refused("alexnet.width=160").contains("between 1 and 128"));
        assert!(refused("generator.width=600").contains("between 1 and 512"));
        assert!(refused("alexnet.hidden=0").contains("`alexnet.hidden`: is 0 and must be between 1 and 8192"));
        assert!(refused("alexnet.embedding=0").contains("alexnet.embedding"));
    }
}
