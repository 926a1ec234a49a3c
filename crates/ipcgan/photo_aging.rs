//! Ages the people in a photo: detect, align, age, paste back.

use std::path::Path;

use burn::tensor::Device;
use image::{DynamicImage, RgbImage};
use ipcgan_data::alignment::{AlignedFace, TEMPLATE, aligned};
use ipcgan_data::detection::{DetectedFace, FaceDetector, YunetConfig};
use ipcgan_data::photo::Original;
use ipcgan_data::{FacePlacement, Residual, paste_back};
use ipcgan_model::{AgeBlend, AgeGroups, ModelError};
use serde::Serialize;

use crate::{FaceAging, face_detector};

/// Detects the faces in photos and ages them in place.
pub struct PhotoAging {
    face_aging: FaceAging,
    detector: Box<dyn FaceDetector>,
}

/// A face in a photo.
#[derive(Clone, Debug)]
pub struct PhotoFace {
    /// Bounds and landmarks.
    pub found: DetectedFace,
    /// Aligned crop, the input of the generator.
    pub aligned: AlignedFace,
}

impl PhotoAging {
    /// Loads the embedded weights.
    ///
    /// # Errors
    /// Only if the embedded weights were replaced by invalid ones.
    pub fn embedded(device: &Device) -> Result<Self, ModelError> {
        Ok(Self::new(FaceAging::embedded(device)?, device))
    }

    /// Loads the generator in the weights file `path`.
    ///
    /// # Errors
    /// The file cannot be read, is damaged, or contains another kind of network.
    pub fn load(path: &Path, device: &Device) -> Result<Self, ModelError> {
        Ok(Self::new(FaceAging::load(path, device)?, device))
    }

    /// Uses a generator, and the embedded face detector.
    pub fn new(face_aging: FaceAging, device: &Device) -> Self {
        Self::with_detector(face_aging, Box::new(face_detector(YunetConfig::default(), device)))
    }

    /// Uses any generator and detector.
    pub fn with_detector(face_aging: FaceAging, detector: Box<dyn FaceDetector>) -> Self {
        Self { face_aging, detector }
    }

    /// The generator with its settings.
    pub fn face_aging(&self) -> &FaceAging {
        &self.face_aging
    }

    /// The age groups of the generator.
    pub fn age_groups(&self) -> &AgeGroups {
        self.face_aging.age_groups()
    }

    /// Ages all faces in `photo` to `age`, in place; returns their number. All other pixels keep their exact values.
    ///
    /// # Errors
    /// [`ModelError::NonFinite`] if the output is not finite, as with damaged weights; the photo is unchanged then.
    ///
    /// # Panics
    /// If `age` belongs to other groups than [`PhotoAging::age_groups`].
    ///
    /// # Examples
    /// ```
    /// use ipcgan::{AgeBlend, DeviceChoice, PhotoAging, photo};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let aging = PhotoAging::embedded(&DeviceChoice::Cpu.resolve()?)?;
    /// let age = AgeBlend::from_age(60.0, aging.age_groups());
    /// let mut photo = photo::read_original("assets/photos/eileen-collins.jpg".as_ref())?;
    /// # let before = photo.rgb();
    /// assert_eq!(aging.age(&mut photo, &age)?, 1);
    /// let file = photo.encoded(photo::PhotoFormat::Png)?;
    /// # assert!(photo.rgb() != before && photo.rgb().get_pixel(0, 0) == before.get_pixel(0, 0));
    /// # assert!(file.starts_with(b"\x89PNG"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn age(&self, photo: &mut Original, age: &AgeBlend) -> Result<usize, ModelError> {
        let faces = self.faces(&photo.rgb());
        self.age_faces(photo, &faces.iter().collect::<Vec<_>>(), age, Residual::DEFAULT_STRENGTH)?;
        Ok(faces.len())
    }

    /// Ages `faces`, which are some of the faces in `photo`, to `age`, in place, with a strength of at least 0 (see
    /// [`Residual::checked_strength`]). All other pixels keep their exact values.
    ///
    /// # Errors
    /// As [`PhotoAging::age`].
    ///
    /// # Panics
    /// As [`PhotoAging::age`].
    pub fn age_faces(
        &self,
        photo: &mut Original,
        faces: &[&PhotoFace],
        age: &AgeBlend,
        strength: f32,
    ) -> Result<(), ModelError> {
        let residuals = self.residuals_of_faces(faces, std::slice::from_ref(age), strength)?;
        paste_back_at_age(photo, faces, &residuals, 0);
        Ok(())
    }

    /// `photo` with `faces` at each of `ages`; otherwise as [`PhotoAging::age_faces`].
    ///
    /// # Errors
    /// As [`PhotoAging::age`].
    ///
    /// # Panics
    /// As [`PhotoAging::age`].
    pub fn at_ages(
        &self,
        photo: &Original,
        faces: &[&PhotoFace],
        ages: &[AgeBlend],
        strength: f32,
    ) -> Result<Vec<Original>, ModelError> {
        let residuals = self.residuals_of_faces(faces, ages, strength)?;
        let at_age = |age| {
            let mut photo = photo.clone();
            paste_back_at_age(&mut photo, faces, &residuals, age);
            photo
        };
        Ok((0..ages.len()).map(at_age).collect())
    }

    /// The faces in `photo`, from left to right; without those whose landmarks coincide.
    pub fn faces(&self, photo: &RgbImage) -> Vec<PhotoFace> {
        let mut found = self.detector.detect(photo);
        found.sort_by(|a, b| a.bounds.left.total_cmp(&b.bounds.left));
        let size = self.face_aging.image_size();
        let faces = found.into_iter().filter_map(|found| {
            let aligned = aligned(photo, &found.landmarks, size)?;
            Some(PhotoFace { found, aligned })
        });
        faces.collect()
    }

    /// Treats `crop`, whose centre square shows one face as [`FaceAging::at_every_age`] expects it, as an aligned
    /// face, without detection.
    ///
    /// [`paste_back`] then adds a residual to the crop, whatever its size.
    pub fn aligned_crop(&self, crop: &RgbImage) -> AlignedFace {
        let size = self.face_aging.image_size();
        let side = crop.width().min(crop.height());
        let [left, top] = [crop.width(), crop.height()].map(|length| ((length - side) / 2) as f32);
        let landmarks = TEMPLATE.map(|[x, y]| [left + x * side as f32, top + y * side as f32]);
        let placement = FacePlacement::of(&landmarks, size).expect("the template is a face");
        AlignedFace { image: self.face_aging.source(crop), placement }
    }

    /// Residual of `face` at each of `ages`, at the default strength, for [`PhotoFace::paste_back`].
    ///
    /// # Panics
    /// As [`FaceAging::at_ages`].
    pub fn residuals(&self, face: &PhotoFace, ages: &[AgeBlend]) -> Vec<Residual> {
        let residuals = self.try_residuals(&face.aligned.image, ages, Residual::DEFAULT_STRENGTH);
        residuals.unwrap_or_else(|error| panic!("{error}"))
    }

    /// Residual of an aligned face of [`FaceAging::image_size`] pixels at each of `ages`, scaled by `strength`, for
    /// [`paste_back`].
    ///
    /// # Errors
    /// As [`FaceAging::try_at_ages`].
    pub fn try_residuals(
        &self,
        face: &RgbImage,
        ages: &[AgeBlend],
        strength: f32,
    ) -> Result<Vec<Residual>, ModelError> {
        let aged = self.face_aging.try_at_ages(face, ages)?;
        Ok(aged.iter().map(|after| Residual::between(face, after).scaled(strength)).collect())
    }

    /// By face: its residual at each of `ages`.
    fn residuals_of_faces(
        &self,
        faces: &[&PhotoFace],
        ages: &[AgeBlend],
        strength: f32,
    ) -> Result<Vec<Vec<Residual>>, ModelError> {
        faces.iter().map(|face| self.try_residuals(&face.aligned.image, ages, strength)).collect()
    }
}

/// Adds to each of `faces` in `photo` its residual at the age with the index `age`.
fn paste_back_at_age(photo: &mut Original, faces: &[&PhotoFace], residuals: &[Vec<Residual>], age: usize) {
    for (face, residuals) in faces.iter().zip(residuals) {
        face.paste_back(&mut photo.image, &residuals[age]);
    }
}

/// A face in a photo, in the JSON output.
#[derive(Clone, Debug, Serialize)]
pub struct FaceDescription {
    /// Number from left to right, starting at one.
    pub number: usize,
    /// Left, top, width and height in pixels of the photo.
    pub bounds: [f32; 4],
    /// Detection confidence, from 0 to 1.
    pub score: f32,
    /// As [`DetectedFace::landmarks`].
    pub landmarks: [[f32; 2]; 5],
}

impl PhotoFace {
    /// JSON description of the face with this `number`.
    pub fn description(&self, number: usize) -> FaceDescription {
        let DetectedFace { bounds, score, landmarks } = self.found;
        let bounds = [bounds.left, bounds.top, bounds.width(), bounds.height()];
        FaceDescription { number, bounds, score, landmarks }
    }

    /// Adds `residual` to this face in its photo; all other pixels keep their exact values.
    pub fn paste_back(&self, photo: &mut DynamicImage, residual: &Residual) {
        paste_back(photo, &self.aligned.placement, residual);
    }
}
