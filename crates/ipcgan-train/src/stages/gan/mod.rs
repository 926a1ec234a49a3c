//! Third stage: adversarial training of generator and discriminator.

mod model;
mod objective;

pub use model::AgingModel;
pub(crate) use objective::{ADVERSARIAL, DISCRIMINATOR, discriminator_objective, generator_objective};

/// Name of the metric for mode collapse.
pub(crate) const DIVERSITY: &str = "diversity";
