//! Evaluation networks: a face recogniser and an age estimator that others trained.

use std::fs;
use std::path::{Path, PathBuf};

use burn::tensor::{Device, Tensor};
use image::RgbImage;
use image::imageops::{FilterType, resize};
use ipcgan_data::{photo, pixels};
use ipcgan_model::{AgeEstimator, Recogniser};

use crate::TrainingError;

/// Batch size.
const BATCH: usize = 32;

/// The evaluation networks: a face recogniser and an age estimator that are independent of our training.
#[derive(Debug)]
pub struct Judges {
    recogniser: Recogniser,
    estimator: AgeEstimator,
    device: Device,
}

/// Outputs of the evaluation networks for a face.
#[derive(Clone, Debug)]
pub(super) struct FaceEstimate {
    /// Estimated age.
    pub(super) years: f64,
    /// Embedding of the recogniser; near for the same identity.
    pub(super) embedding: Vec<f32>,
    /// Penultimate features of the age estimator.
    pub(super) age_features: Vec<f32>,
}

impl Judges {
    /// File names of their weights.
    pub const FILES: [&str; 2] = ["recogniser.safetensors", "age_estimator.safetensors"];

    /// Loads `recogniser.safetensors` and `age_estimator.safetensors` from `folder`, as in `assets/judges`.
    ///
    /// # Errors
    /// A file cannot be read, or contains another network.
    pub fn load(folder: &Path, device: &Device) -> Result<Self, TrainingError> {
        let bytes = |name: &str| {
            let path = folder.join(name);
            match fs::read(&path) {
                Ok(bytes) => Ok((bytes, path)),
                Err(source) => Err(TrainingError::Access { path, source }),
            }
        };
        Self::of_files(bytes(Self::FILES[0])?, bytes(Self::FILES[1])?, device)
    }

    /// Loads both networks from the bytes of safetensors files, each with a path for error messages.
    ///
    /// # Errors
    /// The bytes are damaged, or contain another network.
    pub fn of_files(
        recogniser: (Vec<u8>, PathBuf),
        estimator: (Vec<u8>, PathBuf),
        device: &Device,
    ) -> Result<Self, TrainingError> {
        Ok(Self {
            recogniser: Recogniser::from_bytes(recogniser.0, &recogniser.1, device)?,
            estimator: AgeEstimator::from_bytes(estimator.0, &estimator.1, device)?,
            device: device.clone(),
        })
    }

    /// Estimates for each of `faces`, aligned as ours.
    pub(super) fn estimates(&self, faces: &[RgbImage]) -> Vec<FaceEstimate> {
        faces.chunks(BATCH).flat_map(|faces| self.estimates_of_batch(faces)).collect()
    }

    fn estimates_of_batch(&self, faces: &[RgbImage]) -> Vec<FaceEstimate> {
        let seen: Vec<_> = faces.iter().map(|face| photo::resized(face, AgeEstimator::SIDE as u32)).collect();
        let age_features = self.estimator.features(pixels::faces_tensor(&seen, &self.device));
        let years = self.estimator.ages_of_features(age_features.clone()).into_data();
        let seen: Vec<_> = faces.iter().map(for_recogniser).collect();
        let embeddings = self.recogniser.embeddings(pixels::faces_tensor(&seen, &self.device));
        let estimates = years.iter::<f64>().zip(rows(embeddings)).zip(rows(age_features));
        estimates.map(|((years, embedding), age_features)| FaceEstimate { years, embedding, age_features }).collect()
    }
}

impl Judges {
    /// Perceptual distances (as LPIPS, on the recogniser) between `faces` and `others`, pair by pair.
    pub(super) fn perceptual_distances(&self, faces: &[&RgbImage], others: &[&RgbImage]) -> Vec<f64> {
        let seen = |faces: &[&RgbImage]| {
            let seen: Vec<_> = faces.iter().map(|face| for_recogniser(face)).collect();
            pixels::faces_tensor(&seen, &self.device)
        };
        let batches = faces.chunks(BATCH).zip(others.chunks(BATCH));
        let distances = batches.flat_map(|(faces, others)| {
            let distances = self.recogniser.perceptual_distances(seen(faces), seen(others)).into_data();
            distances.iter::<f64>().collect::<Vec<_>>()
        });
        distances.collect()
    }
}

/// The face as input of the recogniser: dlib's crop is wider than ours, so our border is extended.
fn for_recogniser(face: &RgbImage) -> RgbImage {
    /// Left and upper border of dlib's crop (padding 0.25) in ours, and its side, as shares of our side: the eyes of its
    /// template are at 0.318 and 0.669 of the width and 0.314 of the height, ours at 0.30, 0.68 and 0.30.
    const LEFT: f64 = 0.045;
    const TOP: f64 = 0.041;
    const SIDE: f64 = 1.0856;
    let side = f64::from(face.width());
    let wide = (SIDE * side).round() as u32;
    let [left, top] = [LEFT, TOP].map(|fraction| (fraction * side).round() as u32);
    let seen = RgbImage::from_fn(wide, wide, |x, y| {
        let nearest = |place: u32, start: u32| place.saturating_sub(start).min(face.width() - 1);
        *face.get_pixel(nearest(x, left), nearest(y, top).min(face.height() - 1))
    });
    resize(&seen, Recogniser::SIDE as u32, Recogniser::SIDE as u32, FilterType::Triangle)
}

/// The rows of a matrix.
pub(super) fn rows(matrix: Tensor<2>) -> Vec<Vec<f32>> {
    let [_, length] = matrix.dims();
    let values: Vec<f32> = matrix.into_data().iter::<f32>().collect();
    values.chunks_exact(length).map(<[f32]>::to_vec).collect()
}
