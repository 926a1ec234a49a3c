//! State shared by all photos of a command.

use std::path::PathBuf;

use anyhow::Result;
use ipcgan::data::Residual;
use ipcgan::{PhotoAging, RgbImage};

use super::result_settings::ResultSettings;
use super::selection::Age;
use super::suffixes::Suffixes;

/// Parameters shared by all photos.
pub(crate) struct Aging {
    pub(crate) photo_aging: PhotoAging,
    pub(crate) ages: Vec<Age>,
    pub(crate) suffixes: Suffixes,
    pub(crate) settings: ResultSettings,
    pub(crate) out: PathBuf,
}

impl Aging {
    /// Residuals of an aligned face at each age.
    pub(crate) fn residuals(&self, before: &RgbImage) -> Result<Vec<Residual>> {
        let blends: Vec<_> = self.ages.iter().map(|age| age.blend.clone()).collect();
        let residuals = self.photo_aging.try_residuals(before, &blends)?.into_iter();
        Ok(residuals.map(|residual| residual.scaled(self.settings.strength)).collect())
    }
}
