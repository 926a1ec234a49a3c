//! Public data sets as downloaded, and user folders: lists their images and labels.
//!
//! Each data set is one file here and one line in [`SOURCES`].

mod adience;
mod afad;
mod age_folders;
mod agedb;
mod all_age_faces;
mod appa_real;
mod autodetect;
mod cacd;
mod celeba;
mod faces;
mod fairface;
mod ffhq;
mod fgnet;
mod folder;
mod identities;
mod imdb_wiki;
mod lag;
mod matlab;
mod morph;
mod names;
mod table;
#[cfg(test)]
mod testing;
mod tree;
mod utkface;

use std::collections::HashSet;
use std::path::PathBuf;

use ipcgan_model::AgeGroups;

pub use autodetect::{Evidence, detect_source};
pub use faces::{FaceExtraction, SourceFaces};
pub use table::source_of_table;
pub use tree::Tree;

use crate::excluded::{Cause, Fault};
use crate::metadata::Columns;
use crate::{DataError, FaceLabel};

/// All supported data sets.
pub const SOURCES: [&dyn Source; 18] = [
    &table::TABLE,
    &adience::ADIENCE,
    &afad::AFAD,
    &age_folders::AGE_FOLDERS,
    &agedb::AGEDB,
    &all_age_faces::ALL_AGE_FACES,
    &appa_real::APPA_REAL,
    &cacd::CACD,
    &celeba::CELEBA,
    &fairface::FAIRFACE,
    &ffhq::FFHQ,
    &fgnet::FGNET,
    &imdb_wiki::IMDB_WIKI,
    &lag::LAG,
    &morph::MORPH,
    &utkface::UTKFACE,
    &identities::IDENTITIES,
    &folder::FOLDER,
];

/// A supported kind of data set.
pub trait Source: Sync {
    /// Its name on the command line.
    fn name(&self) -> &'static str;

    /// A one-line description.
    fn description(&self) -> &'static str;

    /// Which parts of a [`Table`] it uses.
    fn table_use(&self) -> TableUse {
        TableUse::Nothing
    }

    /// Why ages are unknown, if they are.
    fn unknown_age_reason(&self) -> &'static str {
        "its labels say no age"
    }

    /// Evidence for this source in the files of `tree`.
    fn evidence(&self, tree: &Tree) -> Evidence;

    /// The images of `tree` that belong to the data set, in a fixed order, each with its label or the reason for its
    /// exclusion. Other images are added by [`Listing::with_unlisted`].
    ///
    /// # Errors
    /// A table of the data set is missing or damaged.
    fn images(&self, tree: &Tree, table: &Table, groups: &AgeGroups) -> Result<Listing, DataError>;
}

/// A label table named by the user.
#[derive(Clone, Debug, Default)]
pub struct Table {
    /// Its path; `None` for the data set's own table.
    pub path: Option<PathBuf>,
    /// Its column names.
    pub columns: Columns,
}

/// Which parts of a [`Table`] a source uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TableUse {
    /// Neither another file nor other column names.
    Nothing,
    /// Another file, in the format of the data set's own table.
    File,
    /// Another file, with any column names.
    Columns,
}

/// The images of a data set, and notes on its tables.
#[derive(Clone, Debug, Default)]
pub struct Listing {
    /// The images.
    pub images: Vec<SourceImage>,
    /// Notes on the tables, such as a missing column.
    pub notes: Vec<String>,
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
    fn of_file(file_name: &str, label: Result<FaceLabel, Fault>) -> Self {
        Self { file_name: file_name.into(), line: None, label }
    }

    /// An image that is excluded because `used` is another version of it.
    fn other_version(file_name: &str, used: &str) -> Self {
        let fault = Fault::new(Cause::OtherVersion, format!("{used} is another version of it, and used"));
        Self::of_file(file_name, Err(fault))
    }
}

/// The source named `name`.
pub fn by_name(name: &str) -> Option<&'static dyn Source> {
    SOURCES.into_iter().find(|source| source.name() == name)
}

#[cfg(test)]
mod tests {
    use super::testing::tree;
    use super::*;

    #[test]
    fn images_that_no_table_names_are_left_out_with_that_reason() {
        let (_folder, tree) = tree(&["a.jpg", "b.jpg"]);
        let listing = Listing::from(vec![SourceImage::of_file("a.jpg", Ok(FaceLabel::default()))]);

        let listing = listing.with_unlisted(&tree);

        assert_eq!(listing.images[1].file_name, "b.jpg");
        assert_eq!(listing.images[1].label.as_ref().unwrap_err().cause, Cause::Unlisted);
        assert_eq!(listing.usable_and_ageless(), [1, 1]);
    }
}
