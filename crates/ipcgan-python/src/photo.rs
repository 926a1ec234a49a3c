//! Photos, from files and from the pixels of Python images.

use std::path::{Path, PathBuf};

use image::{DynamicImage, GrayAlphaImage, GrayImage, RgbImage, RgbaImage};
use ipcgan::data::DataError;
use ipcgan::photo::{self, Original};
use pyo3::types::{PyByteArray, PyBytes};
use pyo3::{Bound, PyResult, Python, pyclass, pymethods};

use crate::error::{Failure, computed};

/// A photo in memory.
#[pyclass(frozen, module = "ipcgan._native")]
pub(crate) struct Photo {
    pub(crate) original: Original,
    /// Its name in messages.
    pub(crate) name: String,
}

#[pymethods]
impl Photo {
    /// Reads a file of any format that the command reads, turned upright.
    #[staticmethod]
    fn open(py: Python<'_>, path: PathBuf) -> PyResult<Self> {
        computed(py, || Ok(Self { original: photo::read_original(&path)?, name: path.display().to_string() }))
    }

    /// From rows of pixels, 8 bits a channel; `mode` is PIL's name of the channels.
    #[staticmethod]
    fn of_pixels(py: Python<'_>, pixels: &[u8], width: u32, height: u32, mode: &str, name: String) -> PyResult<Self> {
        computed(py, || {
            let pixels = pixels.to_vec();
            let image = match mode {
                "L" => GrayImage::from_raw(width, height, pixels).map(DynamicImage::from),
                "LA" => GrayAlphaImage::from_raw(width, height, pixels).map(DynamicImage::from),
                "RGB" => RgbImage::from_raw(width, height, pixels).map(DynamicImage::from),
                "RGBA" => RgbaImage::from_raw(width, height, pixels).map(DynamicImage::from),
                _ => return Err(Failure::Argument(format!("{name} has the unknown mode {mode}"))),
            };
            let image =
                image.ok_or_else(|| Failure::Argument(format!("{name} has fewer pixels than its size says")))?;
            let original = Original::from_image(image, Path::new(&name)).map_err(unsuitable)?;
            Ok(Self { original, name })
        })
    }

    /// Width and height in pixels.
    #[getter]
    pub(crate) fn size(&self) -> (u32, u32) {
        (self.original.image.width(), self.original.image.height())
    }

    /// PIL's name of the channels of [`Photo::pixels`].
    #[getter]
    fn mode(&self) -> &'static str {
        let color = self.original.image.color();
        match (color.has_color(), color.has_alpha()) {
            (true, true) => "RGBA",
            (true, false) => "RGB",
            (false, true) => "LA",
            (false, false) => "L",
        }
    }

    /// What is wrong with its file although the image is complete.
    #[getter]
    fn warning(&self) -> Option<String> {
        self.original.warning().map(|warning| warning.to_string())
    }

    /// ICC colour profile of its file.
    #[getter]
    fn colour_profile<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyBytes>> {
        Some(PyBytes::new(py, self.original.colour_profile()?))
    }

    /// EXIF metadata of its file, from the TIFF header on.
    #[getter]
    fn exif<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyBytes>> {
        Some(PyBytes::new(py, self.original.exif()?))
    }

    /// Rows of pixels, 8 bits a channel.
    fn pixels<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyByteArray>> {
        let image = &self.original.image;
        let mode = self.mode();
        let converted = computed(py, || {
            Ok(match (image, mode) {
                (DynamicImage::ImageLuma8(_) | DynamicImage::ImageLumaA8(_), _) => None,
                (DynamicImage::ImageRgb8(_) | DynamicImage::ImageRgba8(_), _) => None,
                (deep, "L") => Some(deep.to_luma8().into_raw()),
                (deep, "LA") => Some(deep.to_luma_alpha8().into_raw()),
                (deep, "RGBA") => Some(deep.to_rgba8().into_raw()),
                (deep, _) => Some(deep.to_rgb8().into_raw()),
            })
        })?;
        Ok(PyByteArray::new(py, converted.as_deref().unwrap_or_else(|| image.as_bytes())))
    }
}

/// An invalid size of pixels in memory is a mistake of the caller, not of a file.
fn unsuitable(error: DataError) -> Failure {
    match error {
        DataError::TooSmall { .. } | DataError::TooLarge { .. } => Failure::Argument(error.user_message()),
        error => error.into(),
    }
}
