//! Non-maximum suppression.

use super::DetectedFace;

/// Maximum number of candidates, highest scores first; a photo of a dense crowd has fewer.
const MAX_CANDIDATES: usize = 5000;
/// Maximum fraction of a face's area inside another; above it, the face is a part of that one.
const MAX_FRACTION_IN_ANOTHER: f32 = 0.75;

/// The faces with the highest scores among those that overlap, highest score first: a candidate is suppressed if its
/// intersection over union with a kept one exceeds `max_iou`.
pub(super) fn non_maximum_suppression(mut candidates: Vec<DetectedFace>, max_iou: f32) -> Vec<DetectedFace> {
    candidates.sort_by(|a, b| b.score.total_cmp(&a.score));
    candidates.truncate(MAX_CANDIDATES);
    let mut kept: Vec<DetectedFace> = Vec::new();
    for candidate in candidates {
        if kept.iter().all(|face| face.bounds.iou(&candidate.bounds) <= max_iou) {
            kept.push(candidate);
        }
    }
    kept
}

/// Removes from `faces`, highest score first, those inside one with a higher score: in a fine level, parts of a large
/// face look like faces.
pub(super) fn without_nested(faces: Vec<DetectedFace>) -> Vec<DetectedFace> {
    let mut whole: Vec<DetectedFace> = Vec::new();
    for face in faces {
        if whole.iter().all(|other| face.bounds.fraction_in(&other.bounds) <= MAX_FRACTION_IN_ANOTHER) {
            whole.push(face);
        }
    }
    whole
}

#[cfg(test)]
mod tests {
    use super::super::BoundingBox;
    use super::*;

    fn face(left: f32, score: f32) -> DetectedFace {
        let bounds = BoundingBox { left, top: 0.0, right: left + 10.0, bottom: 10.0 };
        DetectedFace { bounds, score, landmarks: [[left; 2]; 5] }
    }

    #[test]
    fn the_highest_score_of_overlapping_faces_is_kept() {
        let kept = non_maximum_suppression(vec![face(4.0, 0.7), face(0.0, 0.8), face(30.0, 0.6)], 0.3);

        assert_eq!(kept, [face(0.0, 0.8), face(30.0, 0.6)]);
    }

    #[test]
    fn a_face_nested_in_one_of_a_higher_score_is_removed() {
        let part =
            DetectedFace { bounds: BoundingBox { right: 5.0, bottom: 5.0, ..face(1.0, 0.6).bounds }, ..face(1.0, 0.6) };

        assert_eq!(without_nested(vec![face(0.0, 0.9), face(4.0, 0.7), part]), [face(0.0, 0.9), face(4.0, 0.7)]);
    }

    #[test]
    fn a_suppressed_face_suppresses_no_other() {
        // The second overlaps both others, which overlap each other less.
        let kept = non_maximum_suppression(vec![face(0.0, 0.9), face(4.0, 0.8), face(8.0, 0.7)], 0.3);

        assert_eq!(kept, [face(0.0, 0.9), face(8.0, 0.7)]);
    }
}
