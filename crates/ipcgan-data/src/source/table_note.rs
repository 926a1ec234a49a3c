//! Notes on the tables of a data set.

use std::fmt;

use crate::counted;

/// A note on a table of a data set that is readable nevertheless.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TableNote {
    /// A table is not in UTF-8, or not separated by commas.
    Format {
        /// File name of the table.
        table: String,
        /// Its encoding and separator, such as `UTF-8, separated by semicolons`.
        format: String,
    },
    /// A table lacks one of the columns of [`Columns`](crate::Columns).
    MissingColumn {
        /// File name of the table.
        table: String,
        /// Our name of the column.
        ours: &'static str,
        /// An existing column with a similar name.
        similar: Option<String>,
        /// The columns of the table.
        found: Vec<String>,
    },
    /// A data set lacks a table.
    MissingTable {
        /// File name of the table.
        table: &'static str,
        /// What follows, such as `identities are unknown`.
        consequence: &'static str,
    },
    /// A data set's tables lack images, whose labels are read from their names.
    ReadByName {
        /// Number of images.
        images: usize,
    },
}

impl fmt::Display for TableNote {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Format { table, format } => write!(formatter, "{table} is read as a table in {format}"),
            Self::MissingColumn { table, ours, similar: Some(similar), .. } => {
                write!(formatter, "{table} has no column `{ours}`; did you mean `{similar}`?")
            }
            Self::MissingColumn { table, ours, similar: None, found } => {
                write!(formatter, "{table} has no column `{ours}`; its columns are: {}", found.join(", "))
            }
            Self::MissingTable { table, consequence } => write!(formatter, "{table} is not there, so {consequence}"),
            Self::ReadByName { images } => {
                write!(formatter, "{} in no table, and read by name", counted(*images, "image is", "images are"))
            }
        }
    }
}
