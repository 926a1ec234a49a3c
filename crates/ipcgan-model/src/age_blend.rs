//! Ages between the groups, as weights of the age groups.

use burn::tensor::{Device, Tensor, TensorData};

use crate::AgeGroups;

/// Weights of the age groups, which sum to one; training uses one-hot weights only.
#[derive(Clone, Debug, PartialEq)]
pub struct AgeBlend {
    weights: Vec<f32>,
}

impl AgeBlend {
    /// Maximum target age in years, and maximum first age of an age group. Labels of faces may be a few years older: a
    /// label is what a data set says of a person, a target what a user asks the generator for.
    pub const MAX_TARGET_AGE: u32 = 120;

    /// One-hot weights of group `index`.
    ///
    /// # Panics
    /// If there is no such group.
    pub fn from_group(index: usize, groups: &AgeGroups) -> Self {
        assert!(index < groups.count(), "no age group has the index {index}");
        Self { weights: groups.indices().map(|group| f32::from(u8::from(group == index))).collect() }
    }

    /// Linear interpolation between the two groups whose mid-ages enclose `age` (years). Below the first mid-age, the
    /// first group alone; above the last one, the last group alone.
    pub fn from_age(age: f32, groups: &AgeGroups) -> Self {
        let Some(above) = groups.indices().find(|&group| age <= groups.middle(group)) else {
            return Self::from_group(groups.count() - 1, groups);
        };
        let Some(below) = above.checked_sub(1) else {
            return Self::from_group(0, groups);
        };
        let [from, to] = [below, above].map(|group| groups.middle(group));
        let fraction = (age - from) / (to - from);
        let blended = |group| match group {
            group if group == below => 1.0 - fraction,
            group if group == above => fraction,
            _ => 0.0,
        };
        Self { weights: groups.indices().map(blended).collect() }
    }

    /// Parses a group name (`31-40`, `51+`), or an age in years (`45`) between the first age of the youngest group and
    /// [`AgeBlend::MAX_TARGET_AGE`].
    ///
    /// # Errors
    /// `text` is neither; the message names the groups and the range.
    pub fn parse(text: &str, groups: &AgeGroups) -> Result<Self, String> {
        if let Some(group) = groups.by_name(text) {
            return Ok(Self::from_group(group, groups));
        }
        let (youngest, _) = groups.ages(0);
        let known =
            format!("ages are {}, and years from {youngest} to {}", groups.names().join(", "), Self::MAX_TARGET_AGE);
        if text.is_empty() {
            return Err(format!("an age is missing; {known}"));
        }
        if !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(format!("these weights know no age group `{text}`; {known}"));
        }
        match text.parse::<u32>() {
            Ok(years) if (youngest..=Self::MAX_TARGET_AGE).contains(&years) => Ok(Self::from_age(years as f32, groups)),
            _ => Err(format!("these weights cannot show the age {text}; {known}")),
        }
    }

    /// The weight of each group, youngest first.
    pub fn weights(&self) -> &[f32] {
        &self.weights
    }

    /// A batch of blends for the generator.
    ///
    /// # Shapes
    /// - returns: `[blends, groups]`
    ///
    /// # Panics
    /// If `blends` is empty, or if the numbers of groups differ.
    pub fn tensor(blends: &[Self], device: &Device) -> Tensor<2> {
        let groups = blends.first().expect("there is at least one").weights.len();
        let weights: Vec<f32> = blends.iter().flat_map(|blend| blend.weights.iter().copied()).collect();
        Tensor::from_data(TensorData::new(weights, [blends.len(), groups]), device)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weights(text: &str) -> Vec<f32> {
        AgeBlend::parse(text, &AgeGroups::default()).unwrap().weights
    }

    #[test]
    fn a_group_name_gives_one_hot_weights() {
        assert_eq!(weights("31-40"), [0.0, 0.0, 1.0, 0.0, 0.0]);
        assert_eq!(weights("51+"), [0.0, 0.0, 0.0, 0.0, 1.0]);
    }

    #[test]
    fn an_age_is_interpolated_between_the_mid_ages_of_two_groups() {
        // Mid-ages are 16, 26, 36, 46 and 56.
        assert_eq!(weights("46"), [0.0, 0.0, 0.0, 1.0, 0.0]);
        assert_eq!(weights("31"), [0.0, 0.5, 0.5, 0.0, 0.0]);
        assert_eq!(weights("11"), [1.0, 0.0, 0.0, 0.0, 0.0]);
        assert_eq!(weights("90"), [0.0, 0.0, 0.0, 0.0, 1.0]);
    }

    #[test]
    fn the_weights_of_any_age_sum_to_one() {
        for age in 0..=120 {
            let sum: f32 = AgeBlend::from_age(age as f32, &AgeGroups::default()).weights.iter().sum();

            assert!((sum - 1.0).abs() < 1e-6, "{age}");
        }
    }

    #[test]
    fn an_invalid_age_is_refused_with_the_valid_ages() {
        for text in ["old", "", "30-31", "-4", "4.5", "10", "121", "99999999999999999999"] {
            let error = AgeBlend::parse(text, &AgeGroups::default()).unwrap_err();

            assert!(error.contains(text) && error.contains("51+, and years from 11 to 120"), "{text}: {error}");
        }
    }
}
