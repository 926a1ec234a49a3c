//! Values that no training can work with.

use crate::{TrainingConfig, TrainingError};

impl TrainingConfig {
    /// Refuses values that no training can work with.
    ///
    /// # Errors
    /// The first such value, by its path.
    pub(crate) fn check(&self) -> Result<(), TrainingError> {
        let rate = |rate: f64| rate > 0.0 && rate <= 1.0;
        let share = |share: f64| share > 0.0 && share < 1.0;
        let (identity, age, aging) = (&self.identity, &self.age, &self.aging);
        let norm = |norm: f64| norm >= 0.0 && norm.is_finite();
        let rules = [
            ("identity.batch_size", identity.batch_size > 0, "must be at least 1"),
            ("age.batch_size", age.batch_size > 0, "must be at least 1"),
            ("aging.batch_size", aging.batch_size > 0, "must be at least 1"),
            ("identity.learning_rate", rate(identity.learning_rate), "must be in (0, 1]"),
            ("age.learning_rate", rate(age.learning_rate), "must be in (0, 1]"),
            ("aging.generator_learning_rate", rate(aging.generator_learning_rate), "must be in (0, 1]"),
            ("aging.discriminator_learning_rate", rate(aging.discriminator_learning_rate), "must be in (0, 1]"),
            ("identity.accumulate", identity.accumulate > 0, "must be at least 1"),
            ("age.accumulate", age.accumulate > 0, "must be at least 1"),
            ("aging.accumulate", aging.accumulate > 0, "must be at least 1"),
            ("identity.clip_norm", norm(identity.clip_norm), "must be 0 or above"),
            ("age.clip_norm", norm(age.clip_norm), "must be 0 or above"),
            ("aging.clip_norm", norm(aging.clip_norm), "must be 0 or above"),
            ("identity.adversarial_epsilon", norm(identity.adversarial_epsilon), "must be 0 or above"),
            ("age.adversarial_epsilon", norm(age.adversarial_epsilon), "must be 0 or above"),
            ("aging.discriminator_updates", aging.discriminator_updates > 0, "must be at least 1"),
            ("aging.generator_updates", aging.generator_updates > 0, "must be at least 1"),
            ("aging.window_shifts", (1..=16).contains(&aging.window_shifts), "must be in 1 to 16"),
            ("aging.average", (0.0..1.0).contains(&aging.average), "must be in [0, 1)"),
            ("aging.sample_every", aging.sample_every > 0, "must be at least 1"),
            ("aging.weights.adversarial", norm(aging.weights.adversarial), "must be 0 or above"),
            ("aging.weights.identity", norm(aging.weights.identity), "must be 0 or above"),
            ("aging.weights.age", norm(aging.weights.age), "must be 0 or above"),
            ("trunk_age_weight", norm(self.trunk_age_weight), "must be 0 or above"),
            ("checkpoint_every", self.checkpoint_every > 0, "must be at least 1"),
            ("checkpoint_minutes", self.checkpoint_minutes > 0.0, "must be above 0"),
            ("checkpoints_kept", self.checkpoints_kept > 0, "must be at least 1"),
            ("validations", self.validations > 0, "must be at least 1"),
            ("valid_faces", self.valid_faces > 0, "must be at least 1"),
            ("valid_share", share(self.valid_share), "must be between 0 and 1"),
            ("alexnet.dropout", (0.0..1.0).contains(&self.alexnet.dropout), "must be in [0, 1)"),
            ("alexnet.input_size", self.alexnet.input_size >= 67, "must be at least 67"),
            ("alexnet.width", self.alexnet.width > 0, "must be at least 1"),
            ("generator.width", self.generator.width > 0, "must be at least 1"),
            (
                "generator.residual_blocks",
                (1..=64).contains(&self.generator.residual_blocks),
                "must be in 1 to 64, as in a weights file",
            ),
            ("discriminator.width", self.discriminator.width > 0, "must be at least 1"),
            (
                "generator.image_size",
                self.generator.image_size >= 16 && self.generator.image_size.is_multiple_of(8),
                "must be a multiple of 8, at least 16",
            ),
        ];
        match rules.into_iter().find(|(_, holds, _)| !holds) {
            None => Ok(()),
            Some((setting, _, reason)) => {
                Err(TrainingError::Setting { setting: setting.into(), reason: reason.into() })
            }
        }
    }
}
