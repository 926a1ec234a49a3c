//! Selects the kind of data set, and adds advice about options to errors.

use anyhow::Result;
use ipcgan::data::source::{SOURCES, Source, TableUse, Tree, by_name, detect_source, source_of_table};
use ipcgan::data::{Columns, DataError};

use super::request::DataSet;
use crate::exit_reason::usage_error;

/// The source given by name, by its table, or detected from `tree`, with the reason for the choice.
pub(super) fn source(tree: &Tree, data_set: &DataSet) -> Result<(&'static dyn Source, String)> {
    let named = |name: &str| by_name(name).expect("the arguments were checked");
    match (&data_set.source, &data_set.table) {
        (Some(name), _) => Ok((named(name), named(name).description().into())),
        (None, Some(table)) => Ok((source_of_table(table)?, format!("{} is a table of it", table.display()))),
        (None, None) if data_set.columns != Columns::default() => {
            Ok((named("csv"), "--column names columns of a table".into()))
        }
        (None, None) => Ok(detect_source(tree)?),
    }
}

/// Rejects `--table` and `--column` for a source that does not use them.
pub(super) fn check_table(source: &dyn Source, data_set: &DataSet) -> Result<()> {
    let readers = |needed: &[TableUse]| -> String {
        let readers = SOURCES.iter().filter(|source| needed.contains(&source.table_use())).map(|source| source.name());
        readers.collect::<Vec<_>>().join(", ")
    };
    let refused = |option: &str, needed: &[TableUse]| {
        let (name, readers) = (source.name(), readers(needed));
        Err(usage_error(format!("{option} has no effect with --source {name}; it is used with {readers}")))
    };
    if data_set.table.is_some() && source.table_use() == TableUse::Nothing {
        return refused("--table", &[TableUse::File, TableUse::Columns]);
    }
    if data_set.columns != Columns::default() && source.table_use() != TableUse::Columns {
        return refused("--column", &[TableUse::Columns]);
    }
    Ok(())
}

/// Adds advice about options to `error`.
pub(super) fn with_advice(error: DataError, source: &dyn Source) -> anyhow::Error {
    match &error {
        DataError::MissingColumn { ours, similar, .. } if source.table_use() == TableUse::Columns => {
            let theirs = similar.as_deref().unwrap_or("NAME");
            anyhow::anyhow!("{error}; map it with --column {ours}={theirs}")
        }
        _ => error.into(),
    }
}
