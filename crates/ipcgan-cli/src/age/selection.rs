//! Selection of ages and faces.

use std::num::NonZero;
use std::str::FromStr;

use anyhow::Result;
use ipcgan::data::Residual;
use ipcgan::{AgeBlend, AgeGroups, NoSuchFace, PhotoFace};
use serde::{Deserialize, Serialize};

use crate::exit_reason::usage_error;
use crate::invalid_value::InvalidValue;

/// A target age.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Age {
    /// As given: `51+`, `45`.
    pub(crate) name: String,
    pub(crate) blend: AgeBlend,
}

impl Age {
    /// Parses the age `name`: a group of `groups` by name, or years in digits, at least the first age of the youngest
    /// group.
    ///
    /// # Errors
    /// It is neither, or these networks do not support the age.
    pub(crate) fn parse(name: &str, groups: &AgeGroups) -> Result<Self, InvalidValue> {
        let blend = AgeBlend::parse(name, groups).map_err(InvalidValue::new)?;
        // One age has one name, which results are named after: `025` is `25`.
        let name = name.parse::<u32>().map_or_else(|_| name.into(), |years| years.to_string());
        Ok(Self { name, blend })
    }

    /// For tests that only use names.
    #[cfg(test)]
    pub(crate) fn named(name: &str) -> Self {
        Self { name: name.into(), blend: AgeBlend::from_group(0, &AgeGroups::default()) }
    }
}

/// Parses the strength of the ageing effect.
///
/// # Errors
/// It is not a number from 0 to [`Residual::MAX_STRENGTH`].
pub(crate) fn strength(text: &str) -> Result<f32, InvalidValue> {
    // Other text than a number is as wrong as NaN.
    let strength = text.parse().unwrap_or(f64::NAN);
    Residual::checked_strength(strength).map_err(|error| InvalidValue::new(error.to_string()))
}

/// Parses `to` (`all` groups, groups by name, years); also returns notices.
///
/// # Errors
/// An age is invalid, or no group of these weights contains it.
pub(crate) fn ages(to: &[String], groups: &AgeGroups) -> Result<(Vec<Age>, Vec<String>)> {
    let (mut ages, mut notices) = (Vec::<Age>::new(), Vec::new());
    let given = to.iter().map(|name| name.trim());
    let names =
        given.flat_map(|name| if name.eq_ignore_ascii_case("all") { groups.names() } else { vec![name.into()] });
    for name in names {
        let age = Age::parse(&name, groups).map_err(|reason| usage_error(format!("--to: {reason}, and `all`")))?;
        if ages.iter().any(|other| other.name == age.name) {
            continue;
        }
        notices.extend(notice(&age.name, groups));
        ages.push(age);
    }
    Ok((ages, notices))
}

/// Notice that an age looks like a group, because it is not between the middle ages of two groups.
fn notice(name: &str, groups: &AgeGroups) -> Option<String> {
    let years: f32 = name.parse().ok()?;
    let oldest = groups.count() - 1;
    let group = match years {
        years if years < groups.middle(0) => 0,
        years if years > groups.middle(oldest) => oldest,
        _ => return None,
    };
    let [from, to] = [0, oldest].map(|group| groups.middle(group));
    let name = groups.name(group);
    Some(format!("the age {years} is shown as {name}: these weights distinguish ages from {from} to {to}"))
}

/// Which faces of a photo are aged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum FaceSelection {
    All,
    Largest,
    /// Numbered from left to right, starting at one.
    Number(NonZero<usize>),
}

impl FaceSelection {
    /// The selected ones of `faces`, which have this `area` each, with their numbers.
    ///
    /// # Errors
    /// No face has the selected number.
    pub(crate) fn of<F>(self, faces: Vec<F>, area: impl Fn(&F) -> f32) -> Result<Vec<(usize, F)>, NoSuchFace> {
        let count = faces.len();
        let mut numbered = (1..).zip(faces);
        match self {
            Self::All => Ok(numbered.collect()),
            Self::Largest => Ok(numbered.max_by(|(_, a), (_, b)| area(a).total_cmp(&area(b))).into_iter().collect()),
            Self::Number(selected) => {
                let selected = selected.get();
                let face = numbered.find(|(number, _)| *number == selected);
                face.map(|face| vec![face]).ok_or(NoSuchFace { number: selected, count })
            }
        }
    }
}

/// Area of a face in its photo, in pixels.
pub(crate) fn face_area(face: &PhotoFace) -> f32 {
    face.found.bounds.width() * face.found.bounds.height()
}

impl FromStr for FaceSelection {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let invalid = || InvalidValue::new("must be all, largest, or a number from 1");
        match text.trim().to_ascii_lowercase().as_str() {
            "all" => Ok(Self::All),
            "largest" => Ok(Self::Largest),
            text => text.parse().map(Self::Number).map_err(|_| invalid()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selected(to: &[&str]) -> Result<(Vec<String>, Vec<String>)> {
        let to: Vec<String> = to.iter().map(|name| name.to_string()).collect();
        let (ages, notices) = ages(&to, &AgeGroups::default())?;
        Ok((ages.into_iter().map(|age| age.name).collect(), notices))
    }

    fn names(to: &[&str]) -> Vec<String> {
        selected(to).unwrap().0
    }

    #[test]
    fn all_is_every_group_without_duplicates() {
        assert_eq!(names(&["all"]), ["11-20", "21-30", "31-40", "41-50", "51+"]);
        assert_eq!(names(&["51+", "45", "51+"]), ["51+", "45"]);
    }

    #[test]
    fn spaces_and_case_are_ignored() {
        assert_eq!(names(&["25", " 45", "51+ "]), ["25", "45", "51+"]);
        assert_eq!(names(&["ALL"]), names(&["all"]));
        assert_eq!(names(&["025", "25"]), ["25"]);
    }

    #[test]
    fn an_invalid_age_is_rejected_with_the_valid_ones() {
        for text in ["old", "-5", "+45", "4.5", "11-21"] {
            let error = selected(&[text]).unwrap_err().to_string();
            assert!(
                error.contains(&format!("`{text}`")) && error.contains("41-50") && error.contains("years"),
                "{error}"
            );
        }
        assert!(selected(&["25", ""]).unwrap_err().to_string().contains("an age is missing"));
    }

    #[test]
    fn an_age_that_no_group_holds_is_rejected_with_the_range() {
        for age in ["0", "5", "10", "121", "150", "200", "300", "4000000000", "99999999999999999999"] {
            let error = selected(&[age]).unwrap_err().to_string();

            assert!(error.contains("from 11 to 120"), "{age}: {error}");
        }
    }

    #[test]
    fn an_age_outside_of_the_group_middles_has_a_notice() {
        for (age, group) in [("12", "11-20"), ("57", "51+"), ("80", "51+"), ("120", "51+")] {
            let (_, notices) = selected(&[age]).unwrap();

            assert_eq!(notices.len(), 1, "{age}");
            assert!(notices[0].contains(age) && notices[0].contains(group), "{notices:?}");
        }
        assert_eq!(selected(&["16", "45", "56", "51+"]).unwrap().1, Vec::<String>::new());
    }

    #[test]
    fn faces_are_chosen_by_word_or_number() {
        assert_eq!("largest".parse(), Ok(FaceSelection::Largest));
        assert_eq!(" Largest".parse(), Ok(FaceSelection::Largest));
        assert_eq!("2".parse(), Ok(FaceSelection::Number(NonZero::new(2).unwrap())));
        assert!("0".parse::<FaceSelection>().is_err() && "left".parse::<FaceSelection>().is_err());
    }
}
