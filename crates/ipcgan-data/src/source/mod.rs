//! Public data sets as they are downloaded, and folders of one's own: which pictures they hold, and what is known of
//! each.
//!
//! A data set is one file here and one line in [`SOURCES`].

mod cacd;
mod faces;
mod fairface;
mod fgnet;
mod folder;
mod lag;
mod matlab;
mod morph;
mod names;
mod people;
mod table;
mod tree;
mod utkface;

use std::path::PathBuf;

use ipcgan_model::AgeGroups;

pub use faces::{FaceFinding, SourceFaces};
pub use tree::Tree;

use crate::left_out::Fault;
use crate::metadata::Columns;
use crate::{DataError, FaceLabel};

/// All data sets that we know; the first one that recognises a folder reads it.
pub const SOURCES: [&dyn Source; 9] = [
    &fairface::FAIRFACE,
    &table::TABLE,
    &cacd::CACD,
    &utkface::UTKFACE,
    &morph::MORPH,
    &fgnet::FGNET,
    &lag::LAG,
    &people::PEOPLE,
    &folder::FOLDER,
];

/// A kind of data set.
pub trait Source: Sync {
    /// What it is called on the command line.
    fn name(&self) -> &'static str;

    /// What it is and how it is known, in one line.
    fn about(&self) -> &'static str;

    /// Whether the files of `tree` look like it.
    fn recognises(&self, tree: &Tree) -> bool;

    /// Every picture of `tree`, in an order that is always the same, with what is known of it or why it cannot be used.
    ///
    /// # Errors
    /// A table that belongs to the data set is missing or damaged.
    fn pictures(&self, tree: &Tree, table: &Table, groups: &AgeGroups) -> Result<Vec<SourcePicture>, DataError>;
}

/// A table with labels, if the user names one.
#[derive(Clone, Debug, Default)]
pub struct Table {
    /// Where it is; none: where the data set has it.
    pub path: Option<PathBuf>,
    /// What it calls its columns.
    pub columns: Columns,
}

/// A picture of a data set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourcePicture {
    /// Its path relative to the data set's folder, with `/` between the parts.
    pub file_name: String,
    /// The line of the table that names it, from 1, if one does.
    pub line: Option<u64>,
    /// What is known of it, or why it cannot be used.
    pub label: Result<FaceLabel, Fault>,
}

impl SourcePicture {
    /// One that no table names.
    fn of_file(file_name: &str, label: Result<FaceLabel, Fault>) -> Self {
        Self { file_name: file_name.into(), line: None, label }
    }
}

/// The source called `name`.
pub fn by_name(name: &str) -> Option<&'static dyn Source> {
    SOURCES.into_iter().find(|source| source.name() == name)
}

/// The source that `tree` looks like; a plain folder if like no other.
pub fn recognised(tree: &Tree) -> &'static dyn Source {
    SOURCES.into_iter().find(|source| source.recognises(tree)).unwrap_or(&folder::FOLDER)
}
