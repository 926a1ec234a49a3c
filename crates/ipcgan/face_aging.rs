//! Ages aligned faces.

use std::path::{Path, PathBuf};

use burn::tensor::Device;
use image::RgbImage;
use ipcgan_data::{photo, pixels};
use ipcgan_model::{AgeBlend, AgeGroups, Generator, GeneratorConfig, InferenceGenerator, ModelError, weights};

/// Embedded weights; `assets/weights/README.md` is their model card.
const EMBEDDED: &[u8] = include_bytes!("../../assets/weights/generator.safetensors");
/// Their name in error messages.
const EMBEDDED_NAME: &str = "the embedded weights";

/// Ages faces with a trained generator.
#[derive(Debug)]
pub struct FaceAging {
    pub(crate) generator: InferenceGenerator,
    config: GeneratorConfig,
    age_groups: AgeGroups,
    /// Weights file, for error messages.
    origin: PathBuf,
    pub(crate) device: Device,
}

impl FaceAging {
    /// Loads the embedded weights.
    ///
    /// # Errors
    /// Only if the embedded weights were replaced by invalid ones.
    pub fn embedded(device: &Device) -> Result<Self, ModelError> {
        let weights = weights::from_bytes(EMBEDDED.to_vec(), EMBEDDED_NAME.as_ref(), device)?;
        Ok(Self::of_weights(weights, EMBEDDED_NAME.as_ref(), device))
    }

    /// Loads the generator in the weights file `path`.
    ///
    /// # Errors
    /// The file cannot be read, is damaged, or contains another kind of network.
    pub fn load(path: &Path, device: &Device) -> Result<Self, ModelError> {
        Ok(Self::of_weights(weights::load(path, device)?, path, device))
    }

    /// Uses the generator of `weights`, which is on `device`; error messages name the file `origin`.
    pub fn of_weights(weights: weights::Weights<Generator>, origin: &Path, device: &Device) -> Self {
        Self {
            generator: weights.network.into_inference(),
            config: weights.config,
            age_groups: weights.age_groups,
            origin: origin.into(),
            device: device.clone(),
        }
    }

    /// The age groups of the generator.
    pub fn age_groups(&self) -> &AgeGroups {
        &self.age_groups
    }

    /// The weights file, or the name of the embedded weights.
    pub fn origin(&self) -> &Path {
        &self.origin
    }

    /// Image size of the generator in pixels.
    pub fn image_size(&self) -> u32 {
        self.config.image_size as u32
    }

    /// `face` at every age group, youngest first, each with the group's name.
    ///
    /// The image shows one face, aligned to the landmarks of [`TEMPLATE`](ipcgan_data::alignment::TEMPLATE). It may
    /// have any size; the results are [`FaceAging::image_size`] pixels wide and high.
    ///
    /// # Panics
    /// As [`FaceAging::at_ages`].
    pub fn at_every_age(&self, face: &RgbImage) -> Vec<(String, RgbImage)> {
        let groups = self.age_groups.indices().map(|group| AgeBlend::from_group(group, &self.age_groups));
        let aged = self.at_ages(face, &groups.collect::<Vec<_>>());
        self.age_groups.names().into_iter().zip(aged).collect()
    }

    /// `face`, aligned as for [`FaceAging::at_every_age`], at each of `ages`, which may lie between groups.
    ///
    /// # Panics
    /// If an age belongs to other groups than [`FaceAging::age_groups`], or if the output is not finite, as with
    /// damaged weights; [`FaceAging::try_at_ages`] returns an error for such an output.
    pub fn at_ages(&self, face: &RgbImage, ages: &[AgeBlend]) -> Vec<RgbImage> {
        self.try_at_ages(face, ages).unwrap_or_else(|error| panic!("{error}"))
    }

    /// As [`FaceAging::at_ages`].
    ///
    /// # Errors
    /// [`ModelError::NonFinite`] if the output is not finite (NaN or infinity).
    ///
    /// # Panics
    /// If an age belongs to other groups than [`FaceAging::age_groups`].
    pub fn try_at_ages(&self, face: &RgbImage, ages: &[AgeBlend]) -> Result<Vec<RgbImage>, ModelError> {
        if ages.is_empty() {
            return Ok(Vec::new());
        }
        let source = pixels::faces_tensor(&[self.source(face)], &self.device).repeat_dim(0, ages.len());
        let aged = self.generator.forward_blended(source, AgeBlend::tensor(ages, &self.device));
        pixels::finite_images(aged).ok_or_else(|| ModelError::NonFinite { path: self.origin.clone() })
    }

    /// The input of the generator: the centre square of `face`, at [`FaceAging::image_size`].
    pub fn source(&self, face: &RgbImage) -> RgbImage {
        photo::resized(&photo::centred_square(face), self.image_size())
    }
}
