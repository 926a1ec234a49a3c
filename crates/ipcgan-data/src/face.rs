//! Sets of faces.

use std::sync::Arc;

use image::RgbImage;

use crate::{DataError, FaceLabel};

/// A set of labelled faces, whose images are read one at a time.
pub trait FaceSet: Send + Sync {
    /// Number of faces.
    fn len(&self) -> usize;

    /// Labels of face `index`.
    ///
    /// # Panics
    /// If there is no such face.
    fn label(&self, index: usize) -> &FaceLabel;

    /// Name of face `index`, such as its path: different for each, and the same in every run.
    ///
    /// # Panics
    /// If there is no such face.
    fn name(&self, index: usize) -> String;

    /// Image of face `index`, of any size.
    ///
    /// # Errors
    /// The image cannot be read or shows no usable face, so a preparation excludes it; or
    /// [`DataError::DetectorFailed`], which ends the preparation.
    ///
    /// # Panics
    /// If there is no such face. A preparation excludes an image on which this panics for another reason.
    fn image(&self, index: usize) -> Result<RgbImage, DataError>;

    /// Checksum of the file of face `index`, which distinguishes it from another face of the same name without decoding;
    /// `None` if a name always means the same face, or if the file cannot be read.
    ///
    /// # Panics
    /// If there is no such face.
    fn source_checksum(&self, _index: usize) -> Option<u32> {
        None
    }

    /// Whether there is no face.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<F: FaceSet + ?Sized> FaceSet for Arc<F> {
    fn len(&self) -> usize {
        (**self).len()
    }

    fn label(&self, index: usize) -> &FaceLabel {
        (**self).label(index)
    }

    fn name(&self, index: usize) -> String {
        (**self).name(index)
    }

    fn image(&self, index: usize) -> Result<RgbImage, DataError> {
        (**self).image(index)
    }

    fn source_checksum(&self, index: usize) -> Option<u32> {
        (**self).source_checksum(index)
    }
}

/// Faces for tests: image `i` is of one colour, red `i` and blue the age group.
#[cfg(test)]
pub(crate) struct PlainFaces(pub(crate) Vec<FaceLabel>);

#[cfg(test)]
impl PlainFaces {
    /// Faces of these age groups, each of its own identity.
    pub(crate) fn of_groups(groups: &[usize]) -> Self {
        Self(groups.iter().map(|&group| FaceLabel { group: Some(group), ..FaceLabel::default() }).collect())
    }

    /// Faces of these identities; an empty name is an unknown identity.
    pub(crate) fn of_people(names: &[&str]) -> Self {
        let label =
            |name: &&str| FaceLabel { identity: (!name.is_empty()).then(|| name.to_string()), ..FaceLabel::default() };
        Self(names.iter().map(label).collect())
    }
}

#[cfg(test)]
impl FaceSet for PlainFaces {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn label(&self, index: usize) -> &FaceLabel {
        &self.0[index]
    }

    fn name(&self, index: usize) -> String {
        format!("face {index}")
    }

    fn image(&self, index: usize) -> Result<RgbImage, DataError> {
        let group = self.0[index].group.unwrap_or(0);
        Ok(RgbImage::from_pixel(8, 8, image::Rgb([index as u8, 0, group as u8])))
    }
}
