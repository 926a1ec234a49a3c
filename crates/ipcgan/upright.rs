//! Detects whether a photo without detected faces has to be rotated.

use image::RgbImage;
use image::imageops::{rotate90, rotate180, rotate270, thumbnail};
use ipcgan_data::detection::DetectedFace;

use crate::PhotoAging;

/// Side in pixels to which a larger photo is downscaled before it is rotated and searched for faces.
const ROTATED_SIDE: u32 = 800;
/// Minimum area of a face that decides, as a fraction of the largest face in any rotation: smaller ones are often false
/// positives.
const MIN_AREA: f32 = 0.5;

/// A rotation after which a face is found in a photo.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rotation {
    /// By 90 degrees clockwise.
    Clockwise,
    /// By 90 degrees counterclockwise.
    Counterclockwise,
    /// By 180 degrees.
    HalfTurn,
}

impl Rotation {
    const ALL: [Self; 3] = [Self::Clockwise, Self::Counterclockwise, Self::HalfTurn];

    /// Advice for a photo that needs this rotation.
    pub fn advice(self) -> &'static str {
        match self {
            Self::Clockwise => "a face is found after rotating by 90 degrees clockwise: save the photo upright first",
            Self::Counterclockwise => {
                "a face is found after rotating by 90 degrees counterclockwise: save the photo upright first"
            }
            Self::HalfTurn => "it is upside down: a face is found after rotating by 180 degrees",
        }
    }

    fn apply(self, photo: &RgbImage) -> RgbImage {
        match self {
            Self::Clockwise => rotate90(photo),
            Self::Counterclockwise => rotate270(photo),
            Self::HalfTurn => rotate180(photo),
        }
    }
}

/// How to rotate a photo in which no face is found; `None` if no rotation shows a face.
pub fn rotation_advice(aging: &PhotoAging, photo: &RgbImage) -> Option<Rotation> {
    let factor = (ROTATED_SIDE as f32 / photo.width().max(photo.height()) as f32).min(1.0);
    let [width, height] = [photo.width(), photo.height()].map(|side| ((side as f32 * factor) as u32).max(1));
    let small = if factor < 1.0 { thumbnail(photo, width, height) } else { photo.clone() };
    let found = Rotation::ALL.into_iter().flat_map(|rotation| {
        let faces = aging.faces(&rotation.apply(&small));
        faces.into_iter().map(move |face| (Evidence::of(&face.found), rotation))
    });
    strongest(&found.collect::<Vec<_>>())
}

/// Evidence that a photo is upright: a face in it.
#[derive(Clone, Copy, Debug)]
struct Evidence {
    area: f32,
    /// Score of an upright face. Most faces are detected upside down too, in boxes of any size, but with a lower score.
    upright_score: f32,
}

impl Evidence {
    fn of(face: &DetectedFace) -> Self {
        let [[left, above], [right, below], ..] = face.landmarks;
        let cosine = (right - left) / (right - left).hypot(below - above).max(f32::EPSILON);
        Self { area: face.bounds.width() * face.bounds.height(), upright_score: face.score * cosine }
    }
}

/// The rotation with the strongest evidence.
fn strongest(found: &[(Evidence, Rotation)]) -> Option<Rotation> {
    let largest = found.iter().map(|(evidence, _)| evidence.area).fold(0.0, f32::max);
    let deciding = found.iter().filter(|(evidence, _)| evidence.area >= MIN_AREA * largest);
    let best = deciding.max_by(|(one, _), (other, _)| one.upright_score.total_cmp(&other.upright_score));
    best.map(|(_, rotation)| *rotation)
}

#[cfg(test)]
mod tests {
    use super::Rotation::{Clockwise, Counterclockwise};
    use super::*;

    #[test]
    fn of_the_rotations_of_a_face_the_one_with_the_highest_score_is_upright() {
        let face = |area, upright_score| Evidence { area, upright_score };

        let found = [(face(100.0, 0.9), Clockwise), (face(130.0, 0.7), Counterclockwise)];
        assert_eq!(strongest(&found), Some(Clockwise));
        let found = [(face(100.0, 0.9), Clockwise), (face(20.0, 0.95), Counterclockwise)];
        assert_eq!(strongest(&found), Some(Clockwise), "too small to decide");
        assert_eq!(strongest(&[]), None);
    }
}
