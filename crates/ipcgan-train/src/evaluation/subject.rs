//! The generator to evaluate, and the real faces that it ages.

use burn::tensor::Device;
use image::RgbImage;
use ipcgan_data::{FaceSet, Gender, photo};
use ipcgan_model::{AgeGroups, AlexNet, InferenceGenerator};

use super::judges::FaceEstimate;
use crate::TrainingError;

/// The generator to evaluate.
pub struct EvaluatedGenerator<'a> {
    /// The generator.
    pub generator: &'a InferenceGenerator,
    /// Its age groups.
    pub groups: &'a AgeGroups,
    /// Image size in pixels.
    pub size: u32,
    /// Its device.
    pub device: &'a Device,
    /// The AlexNet that it was trained with, if it is known.
    pub alexnet: Option<&'a AlexNet>,
}

impl EvaluatedGenerator<'_> {
    /// The faces at `indices` as inputs of the generator: square, at its image size.
    pub(super) fn images(&self, faces: &dyn FaceSet, indices: &[usize]) -> Result<Vec<RgbImage>, TrainingError> {
        let image = |index: &usize| Ok(photo::resized(&photo::centred_square(&faces.image(*index)?), self.size));
        indices.iter().map(image).collect()
    }
}

/// A real face.
#[derive(Clone)]
pub(crate) struct RealFace {
    pub(super) image: RgbImage,
    pub(super) group: usize,
    /// Identity, numbered in order of first appearance.
    pub(super) identity: usize,
    pub(super) gender: Option<Gender>,
    pub(super) estimate: FaceEstimate,
}

impl RealFace {
    /// Whether the face is in one of two halves, split by identity.
    pub(super) fn is_of_half(&self, half: usize) -> bool {
        self.identity % 2 == half
    }
}

/// An estimated age in whole years.
pub(super) fn age(years: f64) -> u32 {
    years.max(0.0) as u32
}
