//! Ages the faces in photos.

use std::path::{Path, PathBuf};

use ipcgan::data::{InvalidStrength, Residual};
use ipcgan::{AgeBlend, Device, DeviceChoice, FaceAging, NoFaceFound, PhotoAging, PhotoFace};
use pyo3::{Bound, Py, PyResult, Python, pyclass, pymethods};

use crate::error::{Failure, computed};
use crate::face::Face;
use crate::generator::FoundGenerator;
use crate::photo::Photo;

/// Generator and detector on a device.
#[pyclass(frozen, module = "ipcgan._native")]
pub(crate) struct Aging {
    aging: PhotoAging,
    device: String,
    notices: Vec<String>,
}

#[pymethods]
impl Aging {
    /// Loads the generator in a weights file, run folder or checkpoint, or the embedded one.
    #[new]
    fn new(py: Python<'_>, weights: Option<PathBuf>, device: &str) -> PyResult<Self> {
        computed(py, || {
            let device = device.parse::<DeviceChoice>()?.resolve()?;
            let (face_aging, notices) = match weights {
                None => (FaceAging::embedded(&device)?, Vec::new()),
                Some(path) => loaded(&path, &device)?,
            };
            Ok(Self { aging: PhotoAging::new(face_aging, &device), device: DeviceChoice::describe(&device), notices })
        })
    }

    /// Names of the age groups, youngest first.
    #[getter]
    fn age_groups(&self) -> Vec<String> {
        self.aging.age_groups().names()
    }

    /// Image size of the generator in pixels.
    #[getter]
    fn image_size(&self) -> u32 {
        self.aging.face_aging().image_size()
    }

    /// Name of the device.
    #[getter]
    fn device(&self) -> &str {
        &self.device
    }

    /// The weights file, or the name of the embedded weights.
    #[getter]
    fn weights(&self) -> String {
        self.aging.face_aging().origin().display().to_string()
    }

    /// Notices of loading the weights, such as the selected checkpoint.
    #[getter]
    fn notices(&self) -> Vec<String> {
        self.notices.clone()
    }

    /// The faces in `photo`, from left to right.
    fn faces(&self, py: Python<'_>, photo: &Bound<'_, Photo>) -> PyResult<Vec<Face>> {
        let photo_size = photo.get().size();
        let original = &photo.get().original;
        let found = computed(py, || Ok(self.aging.faces(&original.rgb())))?;
        Ok((1..).zip(found).map(|(number, face)| Face { face, number, photo_size }).collect())
    }

    /// `photo` at each of `ages`; `faces` are the faces to age, found in it by [`Aging::faces`], or `None` for all.
    fn at_ages(
        &self,
        py: Python<'_>,
        photo: &Bound<'_, Photo>,
        faces: Option<Vec<Py<Face>>>,
        ages: Vec<String>,
        strength: f64,
    ) -> PyResult<Vec<Photo>> {
        let photo = photo.get();
        computed(py, || {
            let ages = self.blends(&ages)?;
            let strength = Residual::checked_strength(strength).map_err(invalid_strength)?;
            let all = faces.is_none().then(|| self.all_faces(photo)).transpose()?.unwrap_or_default();
            let given: Vec<&Face> = faces.iter().flatten().map(Py::get).collect();
            given.iter().try_for_each(|face| self.check_face(face, photo))?;
            let faces: Vec<&PhotoFace> = given.into_iter().map(|face| &face.face).chain(&all).collect();
            let aged = self.aging.at_ages(&photo.original, &faces, &ages, strength)?;
            Ok(aged.into_iter().map(|original| Photo { original, name: photo.name.clone() }).collect())
        })
    }
}

impl Aging {
    fn blends(&self, ages: &[String]) -> Result<Vec<AgeBlend>, Failure> {
        let blends = ages.iter().map(|age| AgeBlend::parse(age.trim(), self.aging.age_groups()));
        blends.collect::<Result<_, _>>().map_err(Failure::Argument)
    }

    fn all_faces(&self, photo: &Photo) -> Result<Vec<PhotoFace>, Failure> {
        let rgb = photo.original.rgb();
        let faces = self.aging.faces(&rgb);
        if faces.is_empty() {
            let error = NoFaceFound::new(&self.aging, &rgb, &photo.name);
            let advice = match error.rotation {
                None => "; a face must be upright and seen from the front",
                Some(_) => "",
            };
            return Err(Failure::NoFace(format!("{error}{advice}")));
        }
        Ok(faces)
    }

    /// Checks that `face` was found in a photo of this size, for a generator of this image size.
    fn check_face(&self, face: &Face, photo: &Photo) -> Result<(), Failure> {
        let ((width, height), number) = (photo.size(), face.number);
        let (found_width, found_height) = face.photo_size;
        if (width, height) != (found_width, found_height) {
            return Err(Failure::Argument(format!(
                "face {number} was found in an image of {found_width} x {found_height} pixels, and {} has {width} x \
                 {height}; find the faces in the same image",
                photo.name
            )));
        }
        let (size, found_size) = (self.image_size(), face.face.aligned.image.width());
        if size != found_size {
            return Err(Failure::Argument(format!(
                "face {number} was found for a generator of {found_size} pixels, and this one has {size}; find the faces with \
                 the same weights"
            )));
        }
        Ok(())
    }
}

/// The generator at `path`, and the notices of loading it.
fn loaded(path: &Path, device: &Device) -> Result<(FaceAging, Vec<String>), Failure> {
    let generator = FoundGenerator::at(path, device)?;
    Ok((FaceAging::of_weights(generator.weights, &generator.source.file(), device), generator.notices))
}

fn invalid_strength(error: InvalidStrength) -> Failure {
    Failure::Argument(format!("{error}, not {}", error.strength))
}
