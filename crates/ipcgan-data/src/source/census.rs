//! Statistics of image names.

use std::collections::{BTreeMap, HashMap};

use super::evidence::Evidence;
use super::file_name::Named;
use crate::age_text::MAX_AGE;

/// Minimum number of names for the plausibility test of identities and ages.
const MIN_NAMES: usize = 8;

/// Statistics of all image names.
pub(super) struct Census {
    /// All images.
    pub(super) images: usize,
    /// Number of names that match the pattern.
    pub(super) fitting: usize,
    identities: HashMap<String, usize>,
    ages: BTreeMap<u32, usize>,
}

impl Census {
    /// Statistics of `images`, whose names `read` parses.
    pub(super) fn of<'a>(images: impl Iterator<Item = &'a str>, read: impl Fn(&str) -> Option<Named>) -> Self {
        let mut census = Self { images: 0, fitting: 0, identities: HashMap::new(), ages: BTreeMap::new() };
        for file_name in images {
            census.images += 1;
            let Some(Named { age, identity, .. }) = read(file_name) else { continue };
            if age.is_some_and(|age| age > MAX_AGE) {
                continue;
            }
            census.fitting += 1;
            if let Some(identity) = identity {
                *census.identities.entry(identity).or_default() += 1;
            }
            if let Some(age) = age {
                *census.ages.entry(age).or_default() += 1;
            }
        }
        census
    }

    /// Evidence for the name pattern `form`: nine of ten names must match, with a plausible distribution of identities
    /// and ages.
    pub(super) fn evidence(&self, form: &str) -> Evidence {
        let seen = format!("{} of {} images are called {form}", self.fitting, self.images);
        if 3 * self.fitting < self.images || self.fitting == 0 {
            return Evidence::None;
        }
        if 10 * self.fitting < 9 * self.images {
            return Evidence::Doubtful(seen);
        }
        match self.implausible() {
            Some(reason) => Evidence::Doubtful(format!("{seen}, but {reason}")),
            None => Evidence::Names(seen),
        }
    }

    /// Why the images are unlikely to be a data set of faces.
    fn implausible(&self) -> Option<String> {
        if self.fitting < MIN_NAMES {
            return None;
        }
        if let Some((identity, count)) = self.identities.iter().max_by_key(|(name, count)| (**count, *name))
            && 2 * count > self.fitting
        {
            return Some(format!("{count} of them would show one identity, `{identity}`"));
        }
        if self.ages.len() == 1 {
            return Some(format!("all would be {} years old", self.ages.keys().next()?));
        }
        None
    }
}
