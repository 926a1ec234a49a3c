//! Checks the options of `prepare` for consistency, and selects the data set.

use std::path::Path;

use anyhow::{Context, Result};
use ipcgan::DeviceChoice;
use ipcgan::data::preparation::PublishedSplit;
use ipcgan::data::source::{SOURCES, Source, TableUse, Tree, by_name, detect_source, source_of_table};
use ipcgan::data::{Columns, DataError};
use log::info;

use crate::arguments::{PrepareArguments, SYNTHETIC};
use crate::exit_reason::usage_error;

/// The folder of the data set; `None` for synthetic faces. Rejects options without effect.
pub(super) fn check(arguments: &PrepareArguments) -> Result<Option<&Path>> {
    let is_synthetic = arguments.source.as_deref() == Some(SYNTHETIC);
    let folder = match (&arguments.folder, is_synthetic) {
        (Some(_), true) => {
            return Err(usage_error(format!("--source {SYNTHETIC} generates faces and reads no folder")));
        }
        (None, false) => {
            return Err(usage_error(format!(
                "give the FOLDER into which the data set was unpacked, or --source {SYNTHETIC}"
            )));
        }
        (folder, _) => folder.as_deref(),
    };
    let is_default_split = arguments.split == Path::new("source") || arguments.split == Path::new("seeded");
    let unread = [
        ("--identities", arguments.identities.is_some() && !is_synthetic),
        ("--table", arguments.table.is_some() && is_synthetic),
        ("--column", !arguments.columns.is_empty() && is_synthetic),
        ("--split FILE", !is_default_split && is_synthetic),
        ("--aligned", arguments.aligned && is_synthetic),
        ("--min-face", arguments.min_face.is_some() && is_synthetic),
        ("--allow-unknown-ages", arguments.allow_unknown_ages && is_synthetic),
    ];
    if let Some((option, _)) = unread.into_iter().find(|(_, given)| *given) {
        let reason = if is_synthetic { "is not read with" } else { "is read only with" };
        return Err(usage_error(format!("{option} {reason} --source {SYNTHETIC}")));
    }
    if arguments.device.device != DeviceChoice::Auto && (is_synthetic || arguments.aligned) {
        info!("note: face detection is skipped, so --device has no effect");
    }
    match folder {
        Some(folder) if folder.canonicalize().is_ok_and(|path| Some(path) == arguments.out.canonicalize().ok()) => {
            Err(usage_error(format!(
                "{} is the data set itself; choose another output folder with --out",
                arguments.out.display()
            )))
        }
        folder => Ok(folder),
    }
}

/// The source given by name, by its table, or detected from `tree`, with the reason for the choice.
pub(super) fn source(tree: &Tree, arguments: &PrepareArguments) -> Result<(&'static dyn Source, String)> {
    let named = |name: &str| by_name(name).expect("the arguments were checked");
    match (&arguments.source, &arguments.table) {
        (Some(name), _) => Ok((named(name), named(name).description().into())),
        (None, Some(table)) => Ok((source_of_table(table)?, format!("{} is a table of it", table.display()))),
        (None, None) if !arguments.columns.is_empty() => Ok((named("csv"), "--column names columns of a table".into())),
        (None, None) => detect_source(tree).map_err(|error| match error {
            error @ DataError::AmbiguousSource { .. } => {
                anyhow::anyhow!("{error}; select one with --source (ipcgan prepare --help lists all)")
            }
            error => error.into(),
        }),
    }
}

/// Rejects `--table` and `--column` for a source that does not use them.
pub(super) fn check_table(source: &dyn Source, arguments: &PrepareArguments) -> Result<()> {
    let readers = |needed: &[TableUse]| -> String {
        let readers = SOURCES.iter().filter(|source| needed.contains(&source.table_use())).map(|source| source.name());
        readers.collect::<Vec<_>>().join(", ")
    };
    let refused = |option: &str, needed: &[TableUse]| {
        let (name, readers) = (source.name(), readers(needed));
        Err(usage_error(format!("{option} is not read with --source {name}; it is with {readers}")))
    };
    if arguments.table.is_some() && source.table_use() == TableUse::Nothing {
        return refused("--table", &[TableUse::File, TableUse::Columns]);
    }
    if !arguments.columns.is_empty() && source.table_use() != TableUse::Columns {
        return refused("--column", &[TableUse::Columns]);
    }
    Ok(())
}

/// Parses `OURS=THEIRS` column mappings.
pub(super) fn columns(renamed: &[String]) -> Result<Columns> {
    let mut columns = Columns::default();
    for text in renamed {
        let unclear = || usage_error(format!("--column {text} is not of the form OURS=THEIRS"));
        let (ours, theirs) = text.split_once('=').ok_or_else(unclear)?;
        columns.rename(ours, theirs).map_err(|reason| usage_error(format!("--column {text}: {reason}")))?;
    }
    Ok(columns)
}

/// How the faces are split.
pub(super) enum Splits {
    /// Official split of the data set.
    Source,
    /// By seed, ignoring the official split.
    Seeded,
    /// From a table.
    Published(PublishedSplit),
}

impl Splits {
    /// Parses `--split`.
    pub(super) fn of(how: &Path) -> Result<Self> {
        match how.to_str() {
            Some("source") => Ok(Self::Source),
            Some("seeded") => Ok(Self::Seeded),
            _ => {
                let list = PublishedSplit::read(how);
                let list = list.with_context(|| format!("--split {} is neither source nor seeded", how.display()))?;
                Ok(Self::Published(list))
            }
        }
    }
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
