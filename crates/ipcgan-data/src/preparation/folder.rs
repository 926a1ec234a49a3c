//! Writes the tables and the report of a prepared folder, rejects foreign files in it and removes partial ones.

use std::fs;
use std::path::{Path, PathBuf};

use ipcgan_system::{remove_stale_temporary_files, write_atomic};
use walkdir::WalkDir;

use super::{PreparationConfig, Prepared, config, journal, report};
use crate::DataError;
use crate::metadata::{self, Columns};

/// Subfolder of the face crops.
pub(super) const IMAGES: &str = "images";
/// Files that the preparation writes.
const WRITTEN: [&str; 4] = ["metadata.csv", "report.html", "excluded.csv", "duplicates.csv"];

/// Path of the crop of face `name`, relative to the prepared folder.
pub(super) fn file_name(name: &str) -> String {
    format!("images/{name}.png")
}

/// Rejects a folder that holds foreign files where the preparation would write.
pub(super) fn check_foreign_files(folder: &Path) -> Result<(), DataError> {
    if folder.join(config::NAME).exists() || folder.join(journal::NAME).exists() {
        return Ok(());
    }
    let holds_images = || fs::read_dir(folder.join(IMAGES)).is_ok_and(|mut entries| entries.next().is_some());
    let foreign = WRITTEN.into_iter().find(|name| folder.join(name).exists());
    match foreign.or_else(|| holds_images().then_some(IMAGES)) {
        Some(name) => Err(DataError::ForeignFile { folder: folder.into(), name }),
        None => Ok(()),
    }
}

/// Paths that did not exist before the preparation.
pub(super) struct CreatedPaths {
    files: Vec<PathBuf>,
    /// Innermost first.
    folders: Vec<PathBuf>,
}

impl CreatedPaths {
    pub(super) fn of(folder: &Path) -> Self {
        let new = |paths: [PathBuf; 2]| paths.into_iter().filter(|path| !path.exists()).collect();
        Self {
            files: new([folder.join(config::NAME), folder.join(journal::NAME)]),
            folders: new([folder.join(IMAGES), folder.into()]),
        }
    }

    /// Removes them after a call that prepared no face; failures are ignored.
    pub(super) fn remove(self) {
        for file in self.files {
            let _ = fs::remove_file(file);
        }
        for folder in self.folders {
            let _ = fs::remove_dir(folder);
        }
    }
}

/// Removes partial files of a killed run at the top of `folder` and in every folder below its images.
pub(super) fn remove_stale_files(folder: &Path) -> Result<(), DataError> {
    remove_stale_temporary_files(folder);
    for entry in WalkDir::new(folder.join(IMAGES)) {
        let entry = entry.map_err(|error| {
            let path = error.path().unwrap_or(folder).into();
            DataError::Read { path, source: error.into() }
        })?;
        if entry.file_type().is_dir() {
            remove_stale_temporary_files(entry.path());
        }
    }
    Ok(())
}

/// Writes the tables and the report; `metadata.csv` comes last.
pub(super) fn write(prepared: &Prepared, folder: &Path, config: &PreparationConfig) -> Result<(), DataError> {
    let path = |name: &str| folder.join(name);
    let excluded = prepared.excluded.iter().map(|excluded| {
        let line = excluded.line.map(|line| line.to_string()).unwrap_or_default();
        let fault = &excluded.fault;
        [excluded.path.display().to_string(), line, fault.cause.to_string(), fault.reason.clone()]
    });
    let excluded = metadata::written(&path("excluded.csv"), ["path", "line", "cause", "reason"], excluded)?;
    let duplicates = metadata::written(&path("duplicates.csv"), ["one", "other"], prepared.duplicates.iter().cloned())?;
    let faces = prepared.faces.iter().map(|(file_name, label)| metadata::cells(file_name.clone(), label));
    let table = metadata::written(&path("metadata.csv"), Columns::NAMES, faces)?;
    let report = report::report(prepared, folder, config)?;
    for (name, contents) in [
        ("excluded.csv", excluded),
        ("duplicates.csv", duplicates),
        ("report.html", report.into_bytes()),
        ("metadata.csv", table),
    ] {
        write_atomic(&path(name), &contents).map_err(DataError::writing(path(name)))?;
    }
    Ok(())
}
