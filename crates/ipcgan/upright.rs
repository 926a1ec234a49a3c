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

/// How to rotate a photo in which no face is found; `None` if no rotation shows a face.
pub fn rotation_advice(aging: &PhotoAging, photo: &RgbImage) -> Option<&'static str> {
    let factor = (ROTATED_SIDE as f32 / photo.width().max(photo.height()) as f32).min(1.0);
    let [width, height] = [photo.width(), photo.height()].map(|side| ((side as f32 * factor) as u32).max(1));
    let small = if factor < 1.0 { thumbnail(photo, width, height) } else { photo.clone() };
    let rotated = [
        (rotate90(&small), "a face is found after rotating by 90 degrees clockwise: save the photo upright first"),
        (
            rotate270(&small),
            "a face is found after rotating by 90 degrees counterclockwise: save the photo upright first",
        ),
        (rotate180(&small), "it is upside down: a face is found after rotating by 180 degrees"),
    ];
    let found = rotated.iter().flat_map(|(photo, advice)| {
        aging.faces(photo).into_iter().map(move |face| (Evidence::of(&face.found), *advice))
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
fn strongest<T: Copy>(found: &[(Evidence, T)]) -> Option<T> {
    let largest = found.iter().map(|(evidence, _)| evidence.area).fold(0.0, f32::max);
    let deciding = found.iter().filter(|(evidence, _)| evidence.area >= MIN_AREA * largest);
    let best = deciding.max_by(|(one, _), (other, _)| one.upright_score.total_cmp(&other.upright_score));
    best.map(|(_, rotation)| *rotation)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_the_rotations_of_a_face_the_one_with_the_highest_score_is_upright() {
        let face = |area, upright_score| Evidence { area, upright_score };

        assert_eq!(strongest(&[(face(100.0, 0.9), 90), (face(130.0, 0.7), 270)]), Some(90));
        assert_eq!(strongest(&[(face(100.0, 0.9), 90), (face(20.0, 0.95), 270)]), Some(90), "too small to decide");
        assert_eq!(strongest::<u32>(&[]), None);
    }
}
