//! Landmark refinement: every face is detected again in an aligned crop.
//!
//! The network's landmarks are limited by its stride, and in a head rotated by 90 degrees they are off by a fifth of
//! the distance between the eyes. Each face is therefore aligned by its landmarks, cropped, and detected again in the
//! crop and its mirror image (test-time augmentation by a horizontal flip), until the landmarks converge. The
//! candidates of a crop are averaged as in weighted box fusion. A face that is not found in its crop was a false
//! positive.
//!
//! Source: Solovyev et al., "Weighted boxes fusion: Ensembling boxes from different object detection models", 2021.

use burn::tensor::TensorData;
use image::RgbImage;

use super::{BoundingBox, DetectedFace};
use crate::alignment::{SimilarityTransform, TEMPLATE};
use crate::resample;

/// Side of an aligned crop, in pixels.
const SIDE: usize = 320;
/// Side of the [`TEMPLATE`] face in the centre of a crop: the network is most accurate for faces of that size.
const FACE_SIDE: f32 = 272.0;
/// Bounding box that the network predicts for the template's face in a crop.
const EXPECTED: BoundingBox = BoundingBox { left: 32.0, top: 26.0, right: 288.0, bottom: 294.0 };
/// Minimum intersection over union with [`EXPECTED`] of the detection in a crop that is its face.
const MIN_IOU: f32 = 0.4;
/// Maximum number of refinement rounds.
const MAX_ROUNDS: usize = 3;
/// Maximum shift of landmarks that have converged, as a fraction of the distance between the eyes.
const MAX_CONVERGED_SHIFT: f32 = 0.1;
/// Maximum number of samples per pixel and axis.
const MAX_SAMPLES: f32 = 4.0;

/// The detections in each of some images, `[batch, height, width, 3]`; possibly several for the same face.
type Predict<'a> = dyn Fn(TensorData) -> Vec<Vec<DetectedFace>> + 'a;

/// `face` with refined landmarks; `None` if its first crop shows no face.
pub(super) fn refined(predict: &Predict<'_>, photo: &RgbImage, face: DetectedFace) -> Option<DetectedFace> {
    let mut landmarks = landmarks_in_crop(predict, photo, &face.landmarks)?;
    let mut before = face.landmarks;
    for _ in 1..MAX_ROUNDS {
        if max_shift(&before, &landmarks) <= MAX_CONVERGED_SHIFT {
            break;
        }
        let Some(seen) = landmarks_in_crop(predict, photo, &landmarks) else { break };
        before = std::mem::replace(&mut landmarks, seen);
    }
    Some(DetectedFace { landmarks, ..face })
}

/// Largest shift of a landmark, as a fraction of the distance between the eyes.
fn max_shift(before: &[[f32; 2]; 5], after: &[[f32; 2]; 5]) -> f32 {
    let distance = |a: [f32; 2], b: [f32; 2]| (a[0] - b[0]).hypot(a[1] - b[1]);
    let shifts = before.iter().zip(after).map(|(&before, &after)| distance(before, after));
    shifts.fold(0.0, f32::max) / distance(after[0], after[1])
}

/// The landmarks in an aligned crop of a face whose landmarks are roughly known.
fn landmarks_in_crop(predict: &Predict<'_>, photo: &RgbImage, landmarks: &[[f32; 2]; 5]) -> Option<[[f32; 2]; 5]> {
    let margin = (SIDE as f32 - FACE_SIDE) / 2.0;
    let template = TEMPLATE.map(|place| place.map(|fraction| margin + fraction * FACE_SIDE));
    let from_photo = SimilarityTransform::estimate(landmarks, &template)?;
    let to_photo = from_photo.inverse();

    let seen = predict(images(photo, &to_photo));
    let straight = fused_landmarks(&seen[0]);
    let mirrored = fused_landmarks(&seen[1]).map(|landmarks| {
        let [right, left, nose, mouth_right, mouth_left] = landmarks.map(|[x, y]| [SIDE as f32 - x, y]);
        [left, right, nose, mouth_left, mouth_right]
    });
    let mean = |a: [f32; 2], b: [f32; 2]| [(a[0] + b[0]) / 2.0, (a[1] + b[1]) / 2.0];
    let landmarks = match (straight, mirrored) {
        (Some(straight), Some(mirrored)) => std::array::from_fn(|index| mean(straight[index], mirrored[index])),
        (seen, None) | (None, seen) => seen?,
    };
    Some(landmarks.map(|landmark| to_photo.apply(landmark)))
}

/// The crop and its mirror image, `[2, SIDE, SIDE, 3]`; black beyond the photo.
fn images(photo: &RgbImage, to_photo: &SimilarityTransform) -> TensorData {
    // A bilinear sample is itself a mean over two pixels along each axis.
    let points = (to_photo.scale() / 2.0).ceil().clamp(1.0, MAX_SAMPLES) as usize;
    let [width, height] = [photo.width(), photo.height()].map(|side| side as f32);
    let mut values = vec![0.0; 2 * SIDE * SIDE * 3];
    let (straight, mirrored) = values.split_at_mut(SIDE * SIDE * 3);
    for pixel in 0..SIDE * SIDE {
        let (x, y) = (pixel % SIDE, pixel / SIDE);
        let mut sum = [0.0; 3];
        for index in 0..points * points {
            let part = |index: usize| (index as f32 + 0.5) / points as f32;
            let [column, row] = to_photo.apply([x as f32 + part(index % points), y as f32 + part(index / points)]);
            if (0.0..width).contains(&column) && (0.0..height).contains(&row) {
                // Pixel centres are at half-integer coordinates.
                let value = resample::at(photo, column - 0.5, row - 0.5);
                sum.iter_mut().zip(value).for_each(|(sum, value)| *sum += value);
            }
        }
        let value = sum.map(|sum: f32| sum / (points * points) as f32);
        straight[3 * pixel..3 * pixel + 3].copy_from_slice(&value);
        let opposite = y * SIDE + SIDE - 1 - x;
        mirrored[3 * opposite..3 * opposite + 3].copy_from_slice(&value);
    }
    TensorData::new(values, [2, SIDE, SIDE, 3])
}

/// The landmarks of the face in a crop, by weighted box fusion: the mean over the candidates that overlap the one of
/// the highest score, weighted by the squares of their scores.
fn fused_landmarks(candidates: &[DetectedFace]) -> Option<[[f32; 2]; 5]> {
    const SAME_FACE: f32 = 0.5;
    let near = || candidates.iter().filter(|face| face.bounds.iou(&EXPECTED) > MIN_IOU);
    let best = near().max_by(|a, b| a.score.total_cmp(&b.score))?;
    let overlapping = || near().filter(|face| face.bounds.iou(&best.bounds) > SAME_FACE);
    let weights: f32 = overlapping().map(|face| face.score * face.score).sum();
    let mut landmarks = [[0.0; 2]; 5];
    for face in overlapping() {
        let weight = face.score * face.score / weights;
        for (sum, place) in landmarks.as_flattened_mut().iter_mut().zip(face.landmarks.as_flattened()) {
            *sum += weight * place;
        }
    }
    Some(landmarks)
}

#[cfg(test)]
mod tests {
    use image::Rgb;

    use super::*;

    fn candidate(score: f32, landmark: f32) -> DetectedFace {
        DetectedFace { bounds: EXPECTED, score, landmarks: [[landmark; 2]; 5] }
    }

    #[test]
    fn candidates_of_a_face_are_averaged_with_the_squares_of_their_scores_as_weights() {
        let elsewhere = DetectedFace { bounds: BoundingBox { right: 60.0, ..EXPECTED }, ..candidate(1.0, 900.0) };

        let landmarks = fused_landmarks(&[candidate(0.8, 10.0), candidate(0.4, 20.0), elsewhere]).unwrap();

        assert!(landmarks.as_flattened().iter().all(|value| (value - 12.0).abs() < 1e-4));
        assert_eq!(fused_landmarks(&[]), None);
    }

    #[test]
    fn a_crop_is_black_beyond_the_photo_and_followed_by_its_mirror_image() {
        let photo = RgbImage::from_fn(SIDE as u32 / 2, SIDE as u32, |x, _| Rgb([x as u8, 7, 9]));
        let points = TEMPLATE.map(|place| place.map(|fraction| fraction * 100.0));
        let identity = SimilarityTransform::estimate(&points, &points).unwrap();

        let images = images(&photo, &identity);

        let values = images.as_slice::<f32>().unwrap();
        let pixel = |index: usize| values[3 * index..3 * index + 3].to_vec();
        assert!(pixel(3).iter().zip([3.0, 7.0, 9.0]).all(|(found, expected)| (found - expected).abs() < 1e-2));
        assert_eq!(pixel(SIDE - 1), [0.0; 3]);
        assert_eq!(pixel(SIDE * SIDE + SIDE - 1 - 3), pixel(3));
    }
}
