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

/// A rule: the setting, whether it holds, and the expected value.
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
            classifier_rules("identity", &self.identity),
            classifier_rules("age", &self.age),
            aging_rules(&self.aging),
            weight_rules(&self.aging.weights),
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
fn length(stage: &str, settings: LoopSettings) -> Rule {
    let items = settings.steps as f64 * settings.batch_size as f64 * settings.batches_per_step as f64;
    rule(format!("{stage}.steps"), items <= MAX_ITEMS, "lower, because so many faces cannot be counted")
}

fn classifier_rules(stage: &str, training: &ClassifierTraining) -> Vec<Rule> {
    let name = |field: &str| format!("{stage}.{field}");
    vec![
        count(name("steps"), training.steps, MAX_COUNT),
        count(name("batch_size"), training.batch_size, 1_000_000),
        count(name("gradient_accumulation"), training.gradient_accumulation, 10_000),
        learning_rate(name("learning_rate"), training.learning_rate),
        non_negative(name("gradient_clip_norm"), training.gradient_clip_norm),
        at_most(name("adversarial_epsilon"), training.adversarial_epsilon, 255.0),
        rule(name("adversarial_start"), training.adversarial_start <= MAX_COUNT, format!("at most {MAX_COUNT}")),
        rule_of(name("augmentation"), training.augmentation.check()),
        length(stage, training.loop_settings()),
    ]
}

fn aging_rules(aging: &AgingTraining) -> Vec<Rule> {
    vec![
        count("aging.steps", aging.steps, MAX_COUNT),
        rule("aging.pretraining_steps", aging.pretraining_steps <= aging.steps, "at most aging.steps"),
        rule(
            "aging.pretraining_steps",
            aging.pretraining_steps == 0 || aging.weights.prototype > 0.0,
            "0 without aging.weights.prototype, the loss of the pretraining",
        ),
        rule_of("aging.prototype", aging.prototype.check()),
        count("aging.batch_size", aging.batch_size, 1_000_000),
        count("aging.gradient_accumulation", aging.gradient_accumulation, 10_000),
        count("aging.discriminator_updates", aging.discriminator_updates, 1000),
        count("aging.generator_updates", aging.generator_updates, 1000),
        learning_rate("aging.generator_learning_rate", aging.generator_learning_rate),
        learning_rate("aging.discriminator_learning_rate", aging.discriminator_learning_rate),
        non_negative("aging.gradient_clip_norm", aging.gradient_clip_norm),
        rule("aging.adam_beta_2", (0.0..1.0).contains(&aging.adam_beta_2), "at least 0 and below 1"),
        count("aging.window_shifts", aging.window_shifts, 16),
        rule("aging.ema_decay", (0.0..1.0).contains(&aging.ema_decay), "at least 0 and below 1"),
        rule("aging.recalibration_batches", aging.recalibration_batches <= 1_000_000, "at most 1000000"),
        count("aging.sample_every", aging.sample_every, usize::MAX),
        rule_of("aging.differentiable_augmentation", aging.differentiable_augmentation.check()),
        length("aging", aging.loop_settings()),
    ]
}

/// Rules of all loss weights.
fn weight_rules(weights: &LossWeights) -> Vec<Rule> {
    let weights = serde_json::to_value(weights).expect("plain data turn into JSON");
    let weights = weights.as_object().expect("a struct is a JSON object");
    // JSON has no number for an infinite weight.
    let of = |(name, weight): (&String, &Value)| {
        non_negative(format!("aging.weights.{name}"), weight.as_f64().unwrap_or(f64::NAN))
    };
    weights.iter().map(of).collect()
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

    #[test]
    fn network_sizes_that_could_not_be_loaded_are_refused() {
        let refused = |setting: &str| {
            let error = TrainingConfig::of(Preset::Tiny).with_settings(&[setting.into()]).unwrap_err();
            error.to_string()
        };

        assert!(refused("alexnet.width=160").contains("between 1 and 128"));
        assert!(refused("generator.width=600").contains("between 1 and 512"));
        assert!(refused("alexnet.hidden=0").contains("`alexnet.hidden`: is 0 and must be between 1 and 8192"));
        assert!(refused("alexnet.embedding=0").contains("alexnet.embedding"));
    }
}
