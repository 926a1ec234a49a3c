//! The three stages of a training.

use std::fmt;
use std::str::FromStr;

/// A stage of the training; each needs the one before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// The identity net learns to tell people apart.
    Identity,
    /// The age classifier learns to tell age groups apart, on the identity net's frozen trunk.
    Age,
    /// Generator and discriminator learn from one another.
    Aging,
}

impl Stage {
    /// All stages, in order.
    pub const ALL: [Self; 3] = [Self::Identity, Self::Age, Self::Aging];

    /// Its name on the command line and in the run folder.
    pub fn name(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Age => "age",
            Self::Aging => "aging",
        }
    }

    /// Names of the networks whose weights it writes.
    pub(crate) fn networks(self) -> &'static [&'static str] {
        match self {
            Self::Identity | Self::Age => &["alexnet"],
            Self::Aging => &["generator", "discriminator"],
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
        found.ok_or_else(|| format!("no stage is called `{name}`; there are identity, age and aging"))
    }
}
