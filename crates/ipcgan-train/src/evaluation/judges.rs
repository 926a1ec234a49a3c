//! Evaluation networks: a face recogniser and an age estimator that others trained, and that no training here uses.

use std::fs;
use std::path::{Path, PathBuf};

use burn::tensor::{Device, Tensor};
use image::RgbImage;
use ipcgan_data::{photo, pixels};
use ipcgan_model::{AgeEstimator, FaceRes};

use crate::TrainingError;

/// Batch size; feature maps of pairs of faces take 12 MB a pair.
const BATCH: usize = 16;

/// The evaluation networks, which are independent of our training: HSE-FaceRes, a face recogniser that estimates ages
/// too, and dlib's age estimator.
#[derive(Debug)]
pub struct Judges {
    recogniser: FaceRes,
    estimator: AgeEstimator,
    device: Device,
}

/// Outputs of the evaluation networks for a face.
#[derive(Clone, Debug)]
pub(super) struct FaceEstimate {
    /// Age by the age estimator.
    pub(super) years: f64,
    /// Age by the second estimator, which is the recogniser.
    pub(super) second_years: f64,
    /// Embedding of the recogniser; of a small cosine distance for the same identity. It is not normalized: as means of
    /// activations in 0 to 6, embeddings have products `x y / d` of about 0.1 to 0.2, a sensible scale for the kernel of
    /// the kernel distance.
    pub(super) embedding: Vec<f32>,
    /// Penultimate features of the age estimator.
    pub(super) age_features: Vec<f32>,
}

impl Judges {
    /// File names of their weights.
    pub const FILES: [&str; 2] = ["faceres.safetensors", "age_estimator.safetensors"];

    /// Loads `faceres.safetensors` and `age_estimator.safetensors` from `folder`, as in `assets/judges`.
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
            recogniser: FaceRes::from_bytes(recogniser.0, &recogniser.1, device)?,
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
        let second_years = self.recogniser.ages_of_embeddings(embeddings.clone()).into_data();
        let ages = years.iter::<f64>().zip(second_years.iter::<f64>());
        let estimates = ages.zip(rows(embeddings)).zip(rows(age_features));
        let estimates = estimates.map(|(((years, second_years), embedding), age_features)| FaceEstimate {
            years,
            second_years,
            embedding,
            age_features,
        });
        estimates.collect()
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

/// The face as input of the recogniser: the whole of it.
fn for_recogniser(face: &RgbImage) -> RgbImage {
    photo::resized(face, FaceRes::SIDE as u32)
}

/// The rows of a matrix.
pub(super) fn rows(matrix: Tensor<2>) -> Vec<Vec<f32>> {
    let [_, length] = matrix.dims();
    let values: Vec<f32> = matrix.into_data().iter::<f32>().collect();
    values.chunks_exact(length).map(<[f32]>::to_vec).collect()
}
