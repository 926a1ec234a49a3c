//! Ages one photo.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use ipcgan::data::{FacePlacement, Residual, aged_sheet, counted, paste_back};
use ipcgan::photo::{self, Original};
use ipcgan::system::JsonPath;
use ipcgan::{FaceDescription, NoFaceFound, PhotoFace, RgbImage};
use log::{debug, info, warn};
use serde::Serialize;

use super::aging::Aging;
use super::animation;
use super::output_names::face_label;
use super::request::OutputKind;
use super::results::{Job, Output, Results};
use super::resume_log::{PhotoRecord, ResumeLog};
use super::selection::face_area;
use super::summary::Summary;
use super::video::AgedClip;

/// Minimum ratio of the face size to the crop size of an aligned crop; below it the crop is a whole photo.
const MIN_CROP_RATIO: f32 = 0.5;

/// Result for a photo.
#[derive(Debug, Serialize)]
pub(crate) struct AgedPhoto {
    path: JsonPath,
    width: u32,
    height: u32,
    /// `None` if face detection was skipped.
    #[serde(skip_serializing_if = "Option::is_none")]
    faces: Option<Vec<FaceDescription>>,
    /// Results by age, and by face for face crops.
    #[serde(rename = "images")]
    by_age: BTreeMap<String, JsonPath>,
    /// All results.
    pub(crate) files: Vec<JsonPath>,
    /// Number of replaced results of earlier runs.
    #[serde(skip)]
    pub(crate) replaced: usize,
    /// The entry of the resume log.
    #[serde(skip)]
    pub(crate) record: PhotoRecord,
}

/// A line of `--json`, and its counterpart as plain text: the files on standard output, an error on standard error.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum AgeResult<'a> {
    Aged(&'a AgedPhoto),
    AgedClip(&'a AgedClip),
    Failed { path: JsonPath, error: String },
    Summary { summary: &'a Summary },
}

/// A face as input of the generator, and its residual at each age.
struct AgedFace {
    /// Label in the names of its files.
    label: String,
    place: FacePlacement,
    before: RgbImage,
    residuals: Vec<Residual>,
}

impl Aging {
    /// Writes the photo at each age, and contact sheets of the faces.
    ///
    /// # Errors
    /// It is not a photo, has no face, or its results cannot be written.
    pub(crate) fn age(&self, job: &Job<'_>, log: &mut ResumeLog) -> Result<AgedPhoto> {
        let path = job.source.name();
        let original = photo::original(job.bytes, path)?;
        if let Some(warning) = original.warning() {
            warn!("{}: {warning}", path.display());
        }
        let rgb = original.rgb();
        debug!("read {}, {} x {} pixels", path.display(), rgb.width(), rgb.height());
        let mut files = Results::new(self, job, &original, log);
        let mut described = None;
        if self.settings.shown == OutputKind::Aligned {
            let face = self.aligned_crop(&rgb, path)?;
            self.write_aligned(&original, &face, &mut files)?;
        } else {
            let faces = self.faces(&rgb, path)?;
            described = Some(faces.iter().map(|(number, face)| face.description(*number)).collect());
            let aged = self.aged(&faces)?;
            match self.settings.shown {
                OutputKind::Crops => self.write_faces(&aged, &mut files)?,
                _ => self.write_photo(&original, &rgb, &aged, &mut files)?,
            }
        }
        debug!("aged, and {} written", counted(files.written.len(), "file", "files"));
        let Results { written, by_age, replaced, .. } = files;
        let shown = |file: &PathBuf| JsonPath::from(self.out.join(file));
        Ok(AgedPhoto {
            path: job.source.path().into(),
            width: rgb.width(),
            height: rgb.height(),
            faces: described,
            by_age: by_age.iter().map(|(age, file)| (age.clone(), shown(file))).collect(),
            files: written.iter().map(shown).collect(),
            replaced,
            record: PhotoRecord {
                photo: job.id.clone(),
                base: job.base.into(),
                request: self.settings.clone(),
                files: written.into_iter().map(JsonPath::from).collect(),
            },
        })
    }

    /// The selected faces, numbered from left to right.
    fn faces(&self, photo: &RgbImage, path: &Path) -> Result<Vec<(usize, PhotoFace)>> {
        let found = self.photo_aging.faces(photo);
        debug!("searched for faces: {}", found.len());
        match found.len() {
            0 => return Err(NoFaceFound::new(&self.photo_aging, photo, path.to_string_lossy()).into()),
            1 => (),
            count => info!("{}: {count} faces, numbered from left to right", path.display()),
        }
        self.settings.face.of(found, face_area).with_context(|| format!("{}", path.display()))
    }

    /// A photo that is a single aligned face.
    fn aligned_crop(&self, crop: &RgbImage, path: &Path) -> Result<AgedFace> {
        let size = self.photo_aging.face_aging().image_size() as f32;
        let side = crop.width().min(crop.height()) as f32;
        let sides =
            self.photo_aging.faces(crop).into_iter().map(|face| size / face.aligned.placement.from_photo.scale());
        if let Some(largest) = sides.max_by(f32::total_cmp).filter(|largest| *largest < MIN_CROP_RATIO * side) {
            bail!(
                "{} is not an aligned face: the detected face is {largest:.0} pixels wide, and the photo {side:.0}; \
                 leave out --aligned to detect faces",
                path.display()
            );
        }
        let face = self.photo_aging.aligned_crop(crop);
        let residuals = self.residuals(&face.image)?;
        Ok(AgedFace { label: String::new(), place: face.placement, before: face.image, residuals })
    }

    fn aged(&self, faces: &[(usize, PhotoFace)]) -> Result<Vec<AgedFace>> {
        let aged = faces.iter().map(|(number, face)| {
            let label = if faces.len() > 1 { face_label(*number) } else { String::new() };
            let before = face.aligned.image.clone();
            Ok(AgedFace { label, place: face.aligned.placement, residuals: self.residuals(&before)?, before })
        });
        aged.collect()
    }

    fn write_photo(
        &self,
        original: &Original,
        rgb: &RgbImage,
        faces: &[AgedFace],
        files: &mut Results<'_>,
    ) -> Result<()> {
        let photos = self.ages.iter().enumerate().map(|(index, age)| {
            let photo = move || {
                let mut photo = original.clone();
                for face in faces {
                    paste_back(&mut photo.image, &face.place, &face.residuals[index]);
                }
                photo
            };
            Output::image("", &age.name, photo)
        });
        files.write_all(photos.chain(self.strips(faces)).collect())?;
        if self.settings.animate {
            let faces: Vec<_> = faces.iter().map(|face| (&face.before, face.place)).collect();
            files.animation("", &animation::of_photo(self, rgb, &faces)?)?;
        }
        Ok(())
    }

    /// Writes an aligned face at its own size: the output of the generator if the sizes are equal; otherwise the
    /// residual is pasted back as into a photo.
    fn write_aligned(&self, original: &Original, face: &AgedFace, files: &mut Results<'_>) -> Result<()> {
        let size = (original.image.width(), original.image.height());
        if size == face.before.dimensions() {
            return self.write_faces(std::slice::from_ref(face), files);
        }
        self.write_photo(original, &original.rgb(), std::slice::from_ref(face), files)
    }

    /// Writes face crops at the size of the generator.
    fn write_faces(&self, faces: &[AgedFace], files: &mut Results<'_>) -> Result<()> {
        for face in faces {
            let images = self.ages.iter().zip(&face.residuals).map(|(age, residual)| {
                Output::image(&face.label, &age.name, || residual.added_to(&face.before).into())
            });
            files.write_all(images.collect())?;
            if self.settings.animate {
                files.animation(&face.label, &animation::of_face(self, &face.before)?)?;
            }
        }
        files.write_all(self.strips(faces).collect())
    }

    /// The contact sheet of each face.
    fn strips<'a>(&'a self, faces: &'a [AgedFace]) -> impl Iterator<Item = Output<'a>> {
        faces.iter().map(|face| {
            let strip = || {
                let names: Vec<String> = self.ages.iter().map(|age| age.name.clone()).collect();
                let aged = face.residuals.iter().map(|residual| residual.added_to(&face.before));
                let strip = std::iter::once(face.before.clone()).chain(aged).collect();
                aged_sheet(&[strip], &names).into()
            };
            Output::contact_sheet(&face.label, strip)
        })
    }
}
