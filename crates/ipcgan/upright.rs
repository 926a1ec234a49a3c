//! Detects whether a photo without detected faces has to be rotated.

use image::RgbImage;
use image::imageops::{rotate90, rotate180, rotate270, thumbnail};

use crate::PhotoAging;

/// Side in pixels to which a larger photo is downscaled before it is rotated and searched for faces.
const ROTATED_SIDE: u32 = 800;

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
    // Some faces are detected in two rotations: the largest, most certain and most upright face decides.
    let evidence = |photo: &RgbImage| {
        let faces = aging.faces(photo).into_iter().map(|face| face.found);
        faces
            .map(|face| {
                let [[left, above], [right, below], ..] = face.landmarks;
                let upright = (right - left) / (right - left).hypot(below - above).max(f32::EPSILON);
                face.score * face.bounds.width() * face.bounds.height() * upright
            })
            .max_by(f32::total_cmp)
    };
    let found = rotated.iter().filter_map(|(photo, advice)| Some((evidence(photo)?, *advice)));
    found.max_by(|(one, _), (other, _)| one.total_cmp(other)).map(|(_, advice)| advice)
}
