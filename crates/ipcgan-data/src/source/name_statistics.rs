//! Statistics of image names.

use std::collections::{BTreeMap, HashMap};

use super::evidence::Evidence;
use super::file_name::FileNameLabels;
use crate::age_text::MAX_LABEL_AGE;

/// Minimum number of names for the plausibility test of identities and ages.
const MIN_NAMES: usize = 8;

/// Statistics of all image names.
pub(super) struct NameStatistics {
    /// Number of all images.
    pub(super) images: usize,
    /// Number of names that match the pattern with an age up to [`MAX_LABEL_AGE`], or without one.
    pub(super) matching: usize,
    identities: HashMap<String, usize>,
    ages: BTreeMap<u32, usize>,
}

impl NameStatistics {
    /// Statistics of `images`, whose names `read` parses.
    pub(super) fn of<'a>(images: impl Iterator<Item = &'a str>, read: impl Fn(&str) -> Option<FileNameLabels>) -> Self {
        let mut statistics = Self { images: 0, matching: 0, identities: HashMap::new(), ages: BTreeMap::new() };
        for file_name in images {
            statistics.images += 1;
            let Some(FileNameLabels { age, identity, .. }) = read(file_name) else { continue };
            if age.is_some_and(|age| age > MAX_LABEL_AGE) {
                continue;
            }
            statistics.matching += 1;
            if let Some(identity) = identity {
                *statistics.identities.entry(identity).or_default() += 1;
            }
            if let Some(age) = age {
                *statistics.ages.entry(age).or_default() += 1;
            }
        }
        statistics
    }

    /// Evidence for the name pattern `form`.
    ///
    /// None if no name or less than a third of the names match; doubtful if less than nine tenths match, or if the
    /// distribution of identities and ages is implausible: one identity in more than half of the matching names, or the
    /// same age in all of them. The distribution is tested from [`MIN_NAMES`] matching names on.
    pub(super) fn evidence(&self, form: &str) -> Evidence {
        let seen = format!("{} of {} images are called {form}", self.matching, self.images);
        if 3 * self.matching < self.images || self.matching == 0 {
            return Evidence::None;
        }
        if 10 * self.matching < 9 * self.images {
            return Evidence::Doubtful(seen);
        }
        match self.implausible() {
            Some(reason) => Evidence::Doubtful(format!("{seen}, but {reason}")),
            None => Evidence::Names(seen),
        }
    }

    /// Why the names are implausible for a data set of faces; `None` if they are plausible, or too few for a test.
    fn implausible(&self) -> Option<String> {
        if self.matching < MIN_NAMES {
            return None;
        }
        if let Some((identity, count)) = self.identities.iter().max_by_key(|(name, count)| (**count, *name))
            && 2 * count > self.matching
        {
            return Some(format!("{count} of them would show one identity, `{identity}`"));
        }
        if self.ages.len() == 1 {
            return Some(format!("all would be {} years old", self.ages.keys().next()?));
        }
        None
    }
}
