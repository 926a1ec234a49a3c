//! The list of stages. Each is one module: model, step, metrics, data, and saved weights.

mod adversarial_examples;
mod age;
mod age_labelled_faces;
mod classifier;
mod frozen;
pub(crate) mod gan;
mod identity;
mod labelled;

pub use age::AgeModel;
pub use gan::{AgingModel, gan_lr_scheduler, gan_optimizer};
pub use identity::IdentityModel;

use std::fmt;
use std::str::FromStr;

use crate::TrainingError;
use crate::stage::definition::StageDefinition;

/// A training stage; each requires the one before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// The identity network learns to classify identities.
    Identity,
    /// The age classifier is trained on the frozen trunk of the identity network.
    Age,
    /// The GAN: generator and discriminator are trained against each other.
    Aging,
}

impl Stage {
    /// All stages, in order.
    pub const ALL: [Self; 3] = [Self::Identity, Self::Age, Self::Aging];

    /// The implementation of the stage.
    pub(crate) fn definition(self) -> &'static dyn StageDefinition {
        match self {
            Self::Identity => &identity::IdentityStage,
            Self::Age => &age::AgeStage,
            Self::Aging => &gan::GanStage,
        }
    }

    /// Name on the command line and in the run folder.
    pub fn name(self) -> &'static str {
        self.definition().name()
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for Stage {
    type Err = TrainingError;

    fn from_str(name: &str) -> Result<Self, TrainingError> {
        let found = Self::ALL.into_iter().find(|stage| stage.name() == name);
        found.ok_or_else(|| TrainingError::UnknownStage { name: name.into() })
    }
}
