//! The trait that each supported kind of data set implements, and the label table that a user may name.

use std::path::PathBuf;

use ipcgan_model::AgeGroups;

use super::evidence::Evidence;
use super::listing::Listing;
use super::tree::Tree;
use crate::DataError;
use crate::metadata::Columns;

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
