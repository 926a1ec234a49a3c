//! Training and validation faces, split by identity.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ipcgan_data::split::by_identity;
use ipcgan_data::{Excluded, FaceLabel, FaceSet, Subset, SyntheticFaces, check_images, open_faces};

use crate::{TrainingConfig, TrainingError};

/// Progress callback: done, total.
pub(crate) type Progress<'a> = &'a (dyn Fn(usize, usize) + Sync);

/// Training faces, and validation faces of other identities.
#[derive(Clone)]
pub struct TrainingData {
    train: Arc<dyn FaceSet>,
    valid: Arc<dyn FaceSet>,
    valid_faces: usize,
    /// Prepared folder; none for synthetic faces.
    folder: Option<PathBuf>,
    /// Sizes of the splits before the selection by stage.
    all_train: usize,
    all_valid: usize,
}

impl TrainingData {
    /// Faces of any [`FaceSet`]. Images are loaded during training on several threads, and may have any size.
    ///
    /// An identity with an image whose label names a split is in that split with all its images; the others are split by
    /// identity, [`TrainingConfig::valid_fraction`] of them to validation. Both splits need a face of every age group for
    /// the age and the ageing stage, and two identities for the identity stage.
    ///
    /// # Errors
    /// A label names a group that [`TrainingConfig::age_groups`] does not have, or an identity is in several splits.
    ///
    /// # Examples
    /// ```
    /// use std::sync::Arc;
    ///
    /// use burn::tensor::Device;
    /// use image::{Rgb, RgbImage};
    /// use ipcgan_data::{DataError, FaceLabel, FaceSet};
    /// use ipcgan_train::{Display, Interrupter, Preset, RunFolder, Session, Stage, TrainingConfig, TrainingData, plan};
    ///
    /// /// Faces in memory with their labels.
    /// struct Album(Vec<(RgbImage, FaceLabel)>);
    ///
    /// impl FaceSet for Album {
    ///     fn len(&self) -> usize {
    ///         self.0.len()
    ///     }
    ///     fn label(&self, index: usize) -> &FaceLabel {
    ///         &self.0[index].1
    ///     }
    ///     fn name(&self, index: usize) -> String {
    ///         format!("face {index}")
    ///     }
    ///     fn image(&self, index: usize) -> Result<RgbImage, DataError> {
    ///         Ok(self.0[index].0.clone())
    ///     }
    /// }
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let small = ["generator.image_size=16", "generator.width=2", "discriminator.width=2", "alexnet.input_size=67"];
    /// let smaller = ["alexnet.width=2", "alexnet.hidden=8", "aging.batch_size=2", "valid_fraction=0.5"];
    /// let settings: Vec<String> = small.into_iter().chain(smaller).map(String::from).collect();
    /// let config = TrainingConfig::of(Preset::Tiny).with_settings(&settings)?;
    ///
    /// // Twenty identities of each age group.
    /// let face = |number: u32| {
    ///     let age = [15, 25, 35, 45, 60][number as usize % 5];
    ///     let group = config.age_groups.group_of(age);
    ///     let label = FaceLabel { age: Some(age), group, identity: Some(format!("person {number}")), ..FaceLabel::default() };
    ///     (RgbImage::from_pixel(16, 16, Rgb([number as u8, 2 * age as u8, 90])), label)
    /// };
    /// let data = TrainingData::new(Arc::new(Album((0..100).map(face).collect())), &config)?;
    ///
    /// // A dry run; `train` takes the same arguments.
    /// let session = Session {
    ///     devices: vec![Device::flex()],
    ///     display: Display::Lines(Arc::new(|_| ())),
    ///     interrupter: Interrupter::new(),
    ///     resume: false,
    ///     device_memory: None,
    ///     recogniser: None,
    /// };
    /// let stages = plan(&config, &Stage::ALL, &data, &RunFolder::at("run".as_ref()), &session)?;
    /// assert_eq!(stages[2].steps, config.aging.steps);
    /// # Ok(())
    /// # }
    /// ```
    pub fn new(faces: Arc<dyn FaceSet>, config: &TrainingConfig) -> Result<Self, TrainingError> {
        let groups = config.age_groups.count();
        for index in 0..faces.len() {
            if let Some(group) = faces.label(index).group.filter(|group| *group >= groups) {
                return Err(TrainingError::Label { name: faces.name(index), group, groups });
            }
        }
        Self::split(faces, None, config)
    }

    /// Synthetic faces.
    ///
    /// # Errors
    /// An age group or the validation split would be empty.
    pub fn synthetic(config: &TrainingConfig, progress: Progress<'_>) -> Result<Self, TrainingError> {
        config.check()?;
        let faces = SyntheticFaces::new(config.synthetic.clone(), &config.age_groups);
        faces.render_all(progress);
        Self::split(Arc::new(faces), None, config)
    }

    /// The prepared folder `folder`, or the Parquet shards in it, and the faces that are excluded.
    ///
    /// Every image is decoded once, so that a damaged image is reported before training starts.
    ///
    /// # Errors
    /// The folder does not exist, has no usable table, or no usable face.
    pub fn prepared(
        folder: &Path,
        config: &TrainingConfig,
        progress: Progress<'_>,
    ) -> Result<(Self, Vec<Excluded>), TrainingError> {
        config.check()?;
        let (faces, mut excluded) = open_faces(folder, &config.age_groups)?;
        let (faces, unreadable) = check_images(faces, progress);
        excluded.extend(unreadable);
        Ok((Self::split(Arc::new(faces), Some(folder.into()), config)?, excluded))
    }

    fn split(faces: Arc<dyn FaceSet>, folder: Option<PathBuf>, config: &TrainingConfig) -> Result<Self, TrainingError> {
        let (train, valid) = by_identity(faces, config.seed, config.valid_fraction)?;
        let (all_train, all_valid) = (train.len(), valid.len());
        let (train, valid) = (Arc::new(train), Arc::new(valid));
        Ok(Self { train, valid, valid_faces: config.valid_faces, folder, all_train, all_valid })
    }

    /// Training faces.
    pub fn train(&self) -> &Arc<dyn FaceSet> {
        &self.train
    }

    /// Validation faces, of identities that are not in [`TrainingData::train`].
    pub fn valid(&self) -> &Arc<dyn FaceSet> {
        &self.valid
    }

    /// Size of the training split, over all stages.
    pub(crate) fn all_train(&self) -> usize {
        self.all_train
    }

    /// Size of the validation split, over all stages.
    pub(crate) fn all_valid(&self) -> usize {
        self.all_valid
    }

    /// Prepared folder; none for synthetic faces.
    pub(crate) fn folder(&self) -> Option<&Path> {
        self.folder.as_deref()
    }

    /// The faces that `wanted` selects; of the validation faces, at most as many as configured.
    pub(crate) fn selected(&self, wanted: impl Fn(&FaceLabel) -> bool) -> Self {
        let kept = |faces: &Arc<dyn FaceSet>| -> Vec<usize> {
            (0..faces.len()).filter(|index| wanted(faces.label(*index))).collect()
        };
        let train = Subset::new(self.train.clone(), kept(&self.train));
        let valid = Subset::new(self.valid.clone(), kept(&self.valid));
        Self { train: Arc::new(train), valid: Arc::new(subsample(valid, self.valid_faces)), ..self.clone() }
    }
}

/// At most `count` of `faces`. Images of an identity are usually adjacent, so whole blocks are kept.
fn subsample(faces: Subset, count: usize) -> Subset {
    const BLOCK: usize = 20;
    let len = faces.len();
    if len <= count {
        return faces;
    }
    let blocks = count.div_ceil(BLOCK);
    let kept = (0..blocks).flat_map(|block| {
        let start = block * len / blocks;
        start..(start + BLOCK).min((block + 1) * len / blocks)
    });
    let kept = kept.take(count).collect();
    Subset::new(Arc::new(faces), kept)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use ipcgan_data::SyntheticConfig;
    use ipcgan_model::AgeGroups;

    use super::*;

    #[test]
    fn a_subsample_has_no_duplicates() {
        let config = SyntheticConfig { identities: 7, faces_per_group: 1, size: 16, seed: 0 };
        let faces: Arc<dyn FaceSet> = Arc::new(SyntheticFaces::new(config, &AgeGroups::default()));
        let all = Subset::new(faces, (0..35).collect());

        let chosen = subsample(all, 30);

        let names: HashSet<String> = (0..chosen.len()).map(|index| chosen.name(index)).collect();
        assert_eq!((chosen.len(), names.len()), (30, 30));
    }
}
