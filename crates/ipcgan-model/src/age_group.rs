//! Age groups, the classes that the networks are conditioned on.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::AgeBlend;

/// Age groups, each given by its first age in years; the last one has no end.
///
/// The default is the paper's: 11-20, 21-30, 31-40, 41-50 and 51+.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<u32>", into = "Vec<u32>")]
pub struct AgeGroups {
    first_ages: Vec<u32>,
}

/// First ages that age groups cannot have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidAgeGroups {
    /// There are fewer than two groups.
    #[error("there must be at least two age groups")]
    TooFew,
    /// The ages do not rise.
    #[error("first ages of age groups must be increasing: {0:?}")]
    NotIncreasing(Vec<u32>),
    /// A group begins above [`AgeBlend::MAX_TARGET_AGE`], so no face could be aged to it.
    #[error("first ages of age groups must be at most {} years: {:?}", AgeBlend::MAX_TARGET_AGE, .0)]
    TooOld(Vec<u32>),
}

impl AgeGroups {
    /// Age groups that begin at `first_ages`, in years.
    ///
    /// # Errors
    /// Fewer than two groups, ages that do not rise, or ages above [`AgeBlend::MAX_TARGET_AGE`].
    pub fn new(first_ages: Vec<u32>) -> Result<Self, InvalidAgeGroups> {
        if first_ages.len() < 2 {
            return Err(InvalidAgeGroups::TooFew);
        }
        if !first_ages.is_sorted_by(|a, b| a < b) {
            return Err(InvalidAgeGroups::NotIncreasing(first_ages));
        }
        if first_ages.iter().any(|&age| age > AgeBlend::MAX_TARGET_AGE) {
            return Err(InvalidAgeGroups::TooOld(first_ages));
        }
        Ok(Self { first_ages })
    }

    /// Number of age groups.
    pub fn count(&self) -> usize {
        self.first_ages.len()
    }

    /// Indices of all age groups, youngest first.
    pub fn indices(&self) -> Range<usize> {
        0..self.count()
    }

    /// Index of the age group that holds `age` (years); `None` if `age` is below the first group.
    pub fn group_of(&self, age: u32) -> Option<usize> {
        self.first_ages.iter().rposition(|&first| first <= age)
    }

    /// First age of group `index`, and its last age if it has one, in years.
    ///
    /// # Panics
    /// If there is no such group.
    pub fn ages(&self, index: usize) -> (u32, Option<u32>) {
        let last = self.first_ages.get(index + 1).map(|next| next - 1);
        (self.first_ages[index], last)
    }

    /// The age in the middle of group `index`, in years; the last group is taken to be as wide as the one before.
    ///
    /// # Panics
    /// If there is no such group.
    pub fn middle(&self, index: usize) -> f32 {
        let first = self.first_ages[index] as f32;
        let width = match self.first_ages.get(index + 1) {
            Some(next) => *next as f32 - first,
            None => first - self.first_ages[index - 1] as f32,
        };
        first + width / 2.0
    }

    /// Name of group `index`: `11-20`, or `51+` for the last one.
    ///
    /// # Panics
    /// If there is no such group.
    pub fn name(&self, index: usize) -> String {
        match self.ages(index) {
            (first, Some(last)) => format!("{first}-{last}"),
            (first, None) => format!("{first}+"),
        }
    }

    /// Names of all groups, youngest first.
    pub fn names(&self) -> Vec<String> {
        self.indices().map(|index| self.name(index)).collect()
    }

    /// Index of the group called `name` (see [`AgeGroups::name`]).
    pub fn by_name(&self, name: &str) -> Option<usize> {
        self.indices().find(|&index| self.name(index) == name)
    }
}

impl Default for AgeGroups {
    fn default() -> Self {
        Self { first_ages: vec![11, 21, 31, 41, 51] }
    }
}

impl TryFrom<Vec<u32>> for AgeGroups {
    type Error = InvalidAgeGroups;

    fn try_from(first_ages: Vec<u32>) -> Result<Self, InvalidAgeGroups> {
        Self::new(first_ages)
    }
}

impl From<AgeGroups> for Vec<u32> {
    fn from(groups: AgeGroups) -> Self {
        groups.first_ages
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_belongs_to_the_last_group_whose_first_age_it_reaches() {
        let groups = AgeGroups::default();

        let found = [10, 11, 20, 21, 50, 51, 99].map(|age| groups.group_of(age));

        let expected = [None, Some(0), Some(0), Some(1), Some(3), Some(4), Some(4)];
        assert_eq!(found, expected);
    }

    #[test]
    fn a_group_is_found_by_its_own_name() {
        let groups = AgeGroups::default();

        let names = groups.names();

        assert_eq!(names, ["11-20", "21-30", "31-40", "41-50", "51+"]);
        for (index, name) in names.iter().enumerate() {
            assert_eq!(groups.by_name(name), Some(index));
        }
        assert_eq!(groups.by_name("51-60"), None);
    }

    #[test]
    fn age_groups_that_are_not_ascending_are_refused() {
        assert_eq!(AgeGroups::new(vec![11, 31, 21]), Err(InvalidAgeGroups::NotIncreasing(vec![11, 31, 21])));
        assert_eq!(AgeGroups::new(vec![11]), Err(InvalidAgeGroups::TooFew));
    }

    #[test]
    fn age_groups_that_begin_above_the_maximum_target_age_are_refused() {
        let refused = AgeGroups::new(vec![11, 121]).unwrap_err();

        assert_eq!(refused.to_string(), "first ages of age groups must be at most 120 years: [11, 121]");
        assert!(AgeGroups::new(vec![11, 120]).is_ok());
    }
}
