//! Summary of all photos.

use std::collections::BTreeMap;
use std::fmt;

use anyhow::{Result, bail};
use ipcgan::data::counted;
use log::info;
use serde::Serialize;

use super::listing::Listing;

/// Number of photos by result.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Summary {
    pub(crate) aged: usize,
    /// Skipped, because an earlier run aged them with the same request.
    pub(crate) aged_before: usize,
    pub(crate) failed: usize,
    /// Folders and links that cannot be read.
    unreadable: usize,
    /// Skipped files by kind.
    skipped: BTreeMap<String, usize>,
    /// The same as text.
    #[serde(skip)]
    skipped_text: Option<String>,
    /// Results that replaced earlier ones.
    pub(crate) replaced: usize,
}

impl Summary {
    pub(crate) fn new(listing: &Listing) -> Self {
        let skipped = listing.skipped.iter().map(|(kind, count)| (kind.to_string(), *count)).collect();
        let skipped_text = listing.skipped_text();
        Self { unreadable: listing.unreadable.len(), skipped, skipped_text, ..Self::default() }
    }

    /// Reports replaced results.
    pub(crate) fn report_replaced(&self) {
        if self.replaced > 0 {
            let results =
                counted(self.replaced, "result of an earlier command was", "results of earlier commands were");
            info!("{results} replaced");
        }
    }

    /// An error if any photo failed.
    pub(crate) fn result(&self) -> Result<()> {
        let photos = counted(self.aged + self.aged_before + self.failed, "photo", "photos");
        let unreadable = counted(self.unreadable, "folder or link", "folders or links");
        match (self.failed, self.unreadable) {
            (0, 0) => Ok(()),
            (0, _) => bail!("{unreadable} gave no photo"),
            (failed, 0) => bail!("{failed} of {photos} could not be aged"),
            (failed, _) => bail!("{failed} of {photos} could not be aged, and {unreadable} gave no photo"),
        }
    }
}

/// One line: `photos aged: 9, aged before: 2 (--reprocess ages them again), failed: 1; skipped: 3 HEIC, 1 video`.
impl fmt::Display for Summary {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "photos aged: {}", self.aged)?;
        if self.aged_before > 0 {
            write!(formatter, ", aged before: {} (--reprocess ages them again)", self.aged_before)?;
        }
        if self.failed > 0 {
            write!(formatter, ", failed: {}", self.failed)?;
        }
        if let Some(skipped) = &self.skipped_text {
            write!(formatter, "; skipped: {skipped}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_omits_counts_of_zero() {
        let mut summary = Summary { aged: 9, ..Summary::default() };
        assert_eq!(summary.to_string(), "photos aged: 9");
        assert!(summary.result().is_ok());

        summary.aged_before = 2;
        summary.failed = 1;
        summary.skipped_text = Some("3 HEIC".into());
        let line = "photos aged: 9, aged before: 2 (--reprocess ages them again), failed: 1; skipped: 3 HEIC";
        assert_eq!(summary.to_string(), line);
        assert_eq!(summary.result().unwrap_err().to_string(), "1 of 12 photos could not be aged");
        let only = Summary { failed: 1, ..Summary::default() };
        assert_eq!(only.result().unwrap_err().to_string(), "1 of 1 photo could not be aged");
    }

    #[test]
    fn a_folder_that_cannot_be_read_is_a_failure() {
        let summary = Summary { aged: 9, unreadable: 1, ..Summary::default() };

        assert_eq!(summary.result().unwrap_err().to_string(), "1 folder or link gave no photo");
    }
}
