//! What is wanted of a photo: which ages, and whose.

use std::num::NonZero;
use std::str::FromStr;

use anyhow::{Result, bail};
use ipcgan::{AgeBlend, AgeGroups, PhotoFace};

use crate::unfinished::misused;

/// An age to show.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Age {
    /// As it was asked for: `51+`, `45`.
    pub(crate) name: String,
    pub(crate) blend: AgeBlend,
}

/// The ages that `to` asks for: `all` groups, groups by name, years.
pub(crate) fn ages(to: &[String], groups: &AgeGroups) -> Result<Vec<Age>> {
    let mut ages: Vec<Age> = Vec::new();
    let names = to.iter().flat_map(|name| if name == "all" { groups.names() } else { vec![name.clone()] });
    for name in names {
        let Some(blend) = AgeBlend::named(&name, groups) else {
            let known = groups.names().join(", ");
            return Err(misused(format!(
                "these weights know no age group `{name}`; --to takes all, {known}, or years as 45"
            )));
        };
        if !ages.iter().any(|age| age.name == name) {
            ages.push(Age { name, blend });
        }
    }
    Ok(ages)
}

/// Which faces of a photo are aged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Faces {
    All,
    Largest,
    /// From left to right, from one on.
    Number(NonZero<usize>),
}

impl Faces {
    /// Those of `faces` that are meant, with their numbers.
    pub(crate) fn of(self, faces: Vec<PhotoFace>) -> Result<Vec<(usize, PhotoFace)>> {
        let count = faces.len();
        let mut numbered = (1..).zip(faces);
        let area = |face: &PhotoFace| face.found.bounds.width() * face.found.bounds.height();
        match self {
            Self::All => Ok(numbered.collect()),
            Self::Largest => Ok(numbered.max_by(|(_, a), (_, b)| area(a).total_cmp(&area(b))).into_iter().collect()),
            Self::Number(wanted) => match numbered.find(|(number, _)| *number == wanted.get()) {
                Some(face) => Ok(vec![face]),
                None => bail!("there is no face {wanted}: {count} were found, numbered from left to right"),
            },
        }
    }
}

impl FromStr for Faces {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "all" => Ok(Self::All),
            "largest" => Ok(Self::Largest),
            text => text.parse().map(Self::Number).map_err(|_| "it is all, largest, or a number from 1 on".into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(to: &[&str]) -> Vec<String> {
        let to: Vec<String> = to.iter().map(|name| name.to_string()).collect();
        ages(&to, &AgeGroups::default()).unwrap().into_iter().map(|age| age.name).collect()
    }

    #[test]
    fn all_is_every_group_and_nothing_comes_twice() {
        assert_eq!(names(&["all"]), ["11-20", "21-30", "31-40", "41-50", "51+"]);
        assert_eq!(names(&["51+", "45", "51+"]), ["51+", "45"]);
    }

    #[test]
    fn what_is_no_age_is_refused_with_what_there_is() {
        let error = ages(&["old".into()], &AgeGroups::default()).unwrap_err().to_string();

        assert!(error.contains("`old`") && error.contains("41-50") && error.contains("years"), "{error}");
    }

    #[test]
    fn faces_are_chosen_by_word_or_number() {
        assert_eq!("largest".parse(), Ok(Faces::Largest));
        assert_eq!("2".parse(), Ok(Faces::Number(NonZero::new(2).unwrap())));
        assert!("0".parse::<Faces>().is_err() && "left".parse::<Faces>().is_err());
    }
}
