//! The images of a data set, with their labels.

use std::collections::HashSet;

use super::table_note::TableNote;
use super::tree::Tree;
use crate::FaceLabel;
use crate::excluded::{Cause, Fault};

/// The images of a data set, and notes on its tables.
#[derive(Clone, Debug, Default)]
pub struct Listing {
    /// The images.
    pub images: Vec<SourceImage>,
    /// Notes on the tables.
    pub notes: Vec<TableNote>,
}

impl From<Vec<SourceImage>> for Listing {
    fn from(images: Vec<SourceImage>) -> Self {
        Self { images, notes: Vec::new() }
    }
}

impl Listing {
    /// Adds the images of `tree` that it does not name as excluded images.
    pub fn with_unlisted(mut self, tree: &Tree) -> Self {
        let listed: HashSet<&str> = self.images.iter().map(|image| image.file_name.as_str()).collect();
        let fault = || Fault::new(Cause::Unlisted, "it is not listed in the tables");
        let others = tree.images().filter(|file| !listed.contains(file));
        let others: Vec<_> = others.map(|file| SourceImage::of_file(file, Err(fault()))).collect();
        self.images.extend(others);
        self
    }

    /// Number of usable images, and the number of those of unknown age and age group.
    pub fn usable_and_ageless(&self) -> [usize; 2] {
        let usable = || self.images.iter().filter_map(|image| image.label.as_ref().ok());
        [usable().count(), usable().filter(|label| label.group.is_none()).count()]
    }
}

/// An image of a data set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceImage {
    /// Its path relative to the data set's folder, with `/` between the parts.
    pub file_name: String,
    /// Its line in a table, from 1, if a table names it.
    pub line: Option<u64>,
    /// Its label, or why it is excluded.
    pub label: Result<FaceLabel, Fault>,
}

impl SourceImage {
    /// An image that no table names.
    pub(super) fn of_file(file_name: &str, label: Result<FaceLabel, Fault>) -> Self {
        Self { file_name: file_name.into(), line: None, label }
    }

    /// An image that is excluded because `used` is another version of it.
    pub(super) fn other_version(file_name: &str, used: &str) -> Self {
        let fault = Fault::new(Cause::OtherVersion, format!("{used} is another version of it, and used"));
        Self::of_file(file_name, Err(fault))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::testing::tree;

    #[test]
    fn images_without_a_table_row_are_excluded_with_that_reason() {
        let (_folder, tree) = tree(&["a.jpg", "b.jpg"]);
        let listing = Listing::from(vec![SourceImage::of_file("a.jpg", Ok(FaceLabel::default()))]);

        let listing = listing.with_unlisted(&tree);

        assert_eq!(listing.images[1].file_name, "b.jpg");
        assert_eq!(listing.images[1].label.as_ref().unwrap_err().cause, Cause::Unlisted);
        assert_eq!(listing.usable_and_ageless(), [1, 1]);
    }
}
