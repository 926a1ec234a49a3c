//! Faces in photos.

use ipcgan::PhotoFace;
use pyo3::types::PyByteArray;
use pyo3::{Bound, Python, pyclass, pymethods};

/// A face in a photo.
#[pyclass(frozen, module = "ipcgan._native")]
pub(crate) struct Face {
    pub(crate) face: PhotoFace,
    /// From left to right, starting at one.
    #[pyo3(get)]
    pub(crate) number: usize,
    /// Width and height of its photo.
    pub(crate) photo_size: (u32, u32),
}

#[pymethods]
impl Face {
    /// Left, top, width and height in pixels of the photo.
    #[getter]
    fn bounds(&self) -> (f32, f32, f32, f32) {
        let [left, top, width, height] = self.face.description(self.number).bounds;
        (left, top, width, height)
    }

    /// Detection confidence, from 0 to 1.
    #[getter]
    fn score(&self) -> f32 {
        self.face.found.score
    }

    /// Eyes, nose and corners of the mouth, in pixels of the photo.
    #[getter]
    fn landmarks(&self) -> Vec<(f32, f32)> {
        self.face.found.landmarks.iter().map(|&[x, y]| (x, y)).collect()
    }

    /// Width and height of the aligned crop.
    #[getter]
    fn size(&self) -> u32 {
        self.face.aligned.image.width()
    }

    /// Rows of pixels of the aligned crop, RGB.
    fn pixels<'py>(&self, py: Python<'py>) -> Bound<'py, PyByteArray> {
        PyByteArray::new(py, self.face.aligned.image.as_raw())
    }
}
