//! State shared by all photos of a command.

use std::path::PathBuf;

use anyhow::Result;
use ipcgan::data::Residual;
use ipcgan::{AgeBlend, PhotoAging, RgbImage};

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
    /// Residuals of an aligned face at each age of the command.
    pub(crate) fn residuals(&self, before: &RgbImage) -> Result<Vec<Residual>> {
        let blends: Vec<_> = self.ages.iter().map(|age| age.blend.clone()).collect();
        self.residuals_at(before, &blends)
    }

    /// Residuals of an aligned face at each of `ages`.
    pub(crate) fn residuals_at(&self, before: &RgbImage, ages: &[AgeBlend]) -> Result<Vec<Residual>> {
        Ok(self.photo_aging.try_residuals(before, ages, self.settings.strength)?)
    }
}
