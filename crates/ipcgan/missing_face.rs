//! Errors about faces that a photo does not show.

use image::RgbImage;
use ipcgan_data::counted;

use crate::{PhotoAging, Rotation, rotation_advice};

/// No face is found in a photo.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no face found in {photo}{}", advice(*.rotation))]
pub struct NoFaceFound {
    /// Name of the photo in messages.
    pub photo: String,
    /// How to rotate the photo so that a face is found; `None` if no rotation shows one.
    pub rotation: Option<Rotation>,
}

impl NoFaceFound {
    /// The error for the photo `name`, in which `aging` finds no face; searches its rotations.
    pub fn new(aging: &PhotoAging, photo: &RgbImage, name: impl Into<String>) -> Self {
        Self { photo: name.into(), rotation: rotation_advice(aging, photo) }
    }
}

/// Message suffix that says how to rotate a photo.
fn advice(rotation: Option<Rotation>) -> String {
    rotation.map(|rotation| format!("; {}", rotation.advice())).unwrap_or_default()
}

/// A photo has no face of the selected number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no face {number}: {} found, numbered from left to right", counted(*.count, "was", "were"))]
pub struct NoSuchFace {
    /// The selected number, counted from one.
    pub number: usize,
    /// Number of faces in the photo.
    pub count: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_photo_without_a_face_is_an_error_with_the_rotation_that_helps() {
        let message = |rotation| NoFaceFound { photo: "wall.png".into(), rotation }.to_string();

        assert_eq!(message(None), "no face found in wall.png");
        assert!(message(Some(Rotation::HalfTurn)).starts_with("no face found in wall.png; it is upside down"));
    }

    #[test]
    fn a_face_of_a_missing_number_is_an_error_with_the_number_of_faces() {
        let message = |number, count| NoSuchFace { number, count }.to_string();

        assert_eq!(message(3, 2), "there is no face 3: 2 were found, numbered from left to right");
        assert_eq!(message(2, 1), "there is no face 2: 1 was found, numbered from left to right");
    }
}
