//! The training stages: their names, what defines one, and its state in a run.

pub(crate) mod context;
pub(crate) mod definition;
pub(crate) mod parts;
pub(crate) mod state;
pub(crate) mod training;

use std::fmt;
use std::str::FromStr;

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

    /// Name on the command line and in the run folder.
    pub fn name(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Age => "age",
            Self::Aging => "aging",
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for Stage {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|stage| stage.name() == name);
        found.ok_or_else(|| format!("unknown stage `{name}`; valid are {}", Self::ALL.map(Self::name).join(", ")))
    }
}
