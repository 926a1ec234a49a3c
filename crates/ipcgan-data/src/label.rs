//! Labels of faces.

use std::fmt;

/// A split of a data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Split {
    /// Training set.
    Train,
    /// Validation set.
    Valid,
    /// Test set.
    Test,
}

impl Split {
    /// All splits.
    pub const ALL: [Self; 3] = [Self::Train, Self::Valid, Self::Test];

    /// The split called `name`: `train`, `valid` (also `validation`, `val`) or `test`.
    pub fn by_name(name: &str) -> Option<Self> {
        match name {
            "train" => Some(Self::Train),
            "valid" | "validation" | "val" => Some(Self::Valid),
            "test" => Some(Self::Test),
            _ => None,
        }
    }
}

impl fmt::Display for Split {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Train => "train",
            Self::Valid => "valid",
            Self::Test => "test",
        })
    }
}

/// Gender of a person, as data sets state it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Gender {
    /// Female.
    Female,
    /// Male.
    Male,
}

impl Gender {
    /// The gender that `text` of a table means: `female`, `f`, `woman`, `male`, `m` or `man` in any case; `None` for other
    /// texts, as tables have many for unknown.
    pub fn by_name(text: &str) -> Option<Self> {
        match text.to_ascii_lowercase().as_str() {
            "female" | "f" | "woman" => Some(Self::Female),
            "male" | "m" | "man" => Some(Self::Male),
            _ => None,
        }
    }
}

impl fmt::Display for Gender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Female => "female",
            Self::Male => "male",
        })
    }
}

/// Labels of a face; each may be unknown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FaceLabel {
    /// Index of the age group, from 0 for the youngest.
    pub group: Option<usize>,
    /// Age in years.
    pub age: Option<u32>,
    /// Name of the identity; a face without one is an identity of its own.
    pub identity: Option<String>,
    /// Official split of the data set.
    pub split: Option<Split>,
    /// Gender.
    pub gender: Option<Gender>,
}
