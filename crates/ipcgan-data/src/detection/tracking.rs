//! Face tracking through the frames of a video.

use std::ops::Range;

use super::{BoundingBox, DetectedFace};

/// Minimum intersection over union of two detections of one face in different frames.
const MIN_IOU: f32 = 0.3;
/// Maximum number of frames without a detection; the landmarks are interpolated linearly meanwhile.
const MAX_GAP: usize = 5;

/// The face of one person in consecutive frames.
#[derive(Clone, Debug, PartialEq)]
pub struct Track {
    /// The first frame.
    pub first: usize,
    /// Landmarks in each frame from the first one, in the order of [`DetectedFace::landmarks`].
    pub landmarks: Vec<[[f32; 2]; 5]>,
    /// Bounding box of the newest detection.
    last_bounds: BoundingBox,
    /// Area of the largest detection, in pixels.
    pub largest: f32,
}

impl Track {
    fn start(frame: usize, face: &DetectedFace) -> Self {
        let area = area(&face.bounds);
        Self { first: frame, landmarks: vec![face.landmarks], last_bounds: face.bounds, largest: area }
    }

    /// The frame after the last one.
    pub fn end(&self) -> usize {
        self.first + self.landmarks.len()
    }

    /// Landmarks in a frame, if the track covers it.
    pub fn at(&self, frame: usize) -> Option<[[f32; 2]; 5]> {
        self.landmarks.get(frame.checked_sub(self.first)?).copied()
    }

    /// Extends the track by a face in `frame`.
    fn add(&mut self, frame: usize, face: &DetectedFace) {
        let (from, gap) = (self.landmarks[self.landmarks.len() - 1], frame - self.end());
        for step in 1..=gap {
            let fraction = step as f32 / (gap + 1) as f32;
            self.landmarks.push(mixed(&[(from, 1.0 - fraction), (face.landmarks, fraction)]));
        }
        self.landmarks.push(face.landmarks);
        self.last_bounds = face.bounds;
        self.largest = self.largest.max(area(&face.bounds));
    }

    /// The track with temporally smoothed landmarks (see [`smoothing_weights`]), because detectors jitter.
    pub fn smoothed(&self) -> Self {
        let landmarks = (self.first..self.end()).map(|frame| {
            let weights = smoothing_weights(frame, self.first..self.end());
            let parts: Vec<_> =
                weights.into_iter().filter_map(|(frame, weight)| Some((self.at(frame)?, weight))).collect();
            mixed(&parts)
        });
        Self { landmarks: landmarks.collect(), ..self.clone() }
    }
}

/// Gaussian weights, which sum to one, of the frames in `within` up to [`SMOOTHING_RADIUS`] before and after `frame`;
/// empty if there are none.
pub fn smoothing_weights(frame: usize, within: Range<usize>) -> Vec<(usize, f32)> {
    const SPREAD: f32 = 1.2;
    let near = frame.saturating_sub(SMOOTHING_RADIUS).max(within.start)..(frame + SMOOTHING_RADIUS + 1).min(within.end);
    let weight = |other: usize| (-0.5 * (other.abs_diff(frame) as f32 / SPREAD).powi(2)).exp();
    let sum: f32 = near.clone().map(weight).sum();
    near.map(|other| (other, weight(other) / sum)).collect()
}

/// Radius of the temporal smoothing in frames.
pub const SMOOTHING_RADIUS: usize = 3;

/// Tracks faces through a video; `frames` holds the faces of each frame. Tracks are in order of appearance, and from
/// left to right if they start in the same frame.
pub fn track_faces(frames: &[Vec<DetectedFace>]) -> Vec<Track> {
    let mut tracks: Vec<Track> = Vec::new();
    for (frame, faces) in frames.iter().enumerate() {
        let mut faces: Vec<&DetectedFace> = faces.iter().collect();
        faces.sort_by(|a, b| a.bounds.left.total_cmp(&b.bounds.left));
        // The pairs with the largest overlap first.
        let mut pairs: Vec<(f32, usize, usize)> = Vec::new();
        for (place, track) in tracks.iter().enumerate().filter(|(_, track)| frame - track.end() <= MAX_GAP) {
            for (index, face) in faces.iter().enumerate() {
                pairs.push((track.last_bounds.iou(&face.bounds), place, index));
            }
        }
        pairs.retain(|(overlap, ..)| *overlap >= MIN_IOU);
        pairs.sort_by(|a, b| b.0.total_cmp(&a.0));
        let mut taken = vec![false; faces.len()];
        for (_, place, index) in pairs {
            if !taken[index] && tracks[place].end() <= frame {
                tracks[place].add(frame, faces[index]);
                taken[index] = true;
            }
        }
        let new = faces.iter().zip(taken).filter(|(_, taken)| !taken).map(|(face, _)| Track::start(frame, face));
        tracks.extend(new.collect::<Vec<_>>());
    }
    tracks
}

fn area(bounds: &BoundingBox) -> f32 {
    bounds.width() * bounds.height()
}

/// Weighted sum of landmarks.
fn mixed(parts: &[([[f32; 2]; 5], f32)]) -> [[f32; 2]; 5] {
    let mut sum = [[0.0; 2]; 5];
    for (landmarks, weight) in parts {
        for (sum, place) in sum.iter_mut().zip(landmarks) {
            sum.iter_mut().zip(place).for_each(|(sum, value)| *sum += weight * value);
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    fn face(left: f32, top: f32) -> DetectedFace {
        let bounds = BoundingBox { left, top, right: left + 40.0, bottom: top + 40.0 };
        DetectedFace { bounds, score: 1.0, landmarks: [[left + 10.0, top + 10.0]; 5] }
    }

    #[test]
    fn two_moving_faces_are_two_tracks() {
        let frames: Vec<_> =
            (0..6).map(|frame| vec![face(200.0 - 5.0 * frame as f32, 0.0), face(5.0 * frame as f32, 0.0)]).collect();

        let tracks = track_faces(&frames);

        assert_eq!(tracks.len(), 2);
        assert!(tracks.iter().all(|track| track.first == 0 && track.end() == 6));
        assert_eq!(tracks[0].at(5).unwrap()[0], [35.0, 10.0], "the left one comes first");
    }

    #[test]
    fn a_track_is_interpolated_where_its_face_is_missing() {
        let frames = [vec![face(0.0, 0.0)], vec![], vec![], vec![face(9.0, 3.0)]];

        let tracks = track_faces(&frames);

        assert_eq!(tracks.len(), 1);
        assert_eq!(tracks[0].at(1).unwrap()[0], [13.0, 11.0]);
        assert_eq!(tracks[0].at(4), None);
    }

    #[test]
    fn a_face_elsewhere_or_much_later_starts_a_new_track() {
        let elsewhere = [vec![face(0.0, 0.0)], vec![face(100.0, 0.0)]];
        let later = [vec![vec![face(0.0, 0.0)]], vec![vec![]; MAX_GAP + 1], vec![vec![face(0.0, 0.0)]]].concat();

        assert_eq!(track_faces(&elsewhere).len(), 2);
        assert_eq!(track_faces(&later).len(), 2);
    }

    #[test]
    fn jitter_is_smoothed_and_steady_movement_is_kept() {
        let moved = |frame: usize, tremble: f32| vec![face(10.0 * frame as f32 + tremble, 0.0)];
        let even: Vec<_> = (0..20).map(|frame| moved(frame, 0.0)).collect();
        let trembling: Vec<_> = (0..20).map(|frame| moved(frame, if frame % 2 == 0 { 2.0 } else { -2.0 })).collect();
        let column = |track: &Track, frame: usize| track.smoothed().at(frame).unwrap()[0][0];

        let [even, trembling] = [even, trembling].map(|frames| track_faces(&frames).remove(0));

        for frame in 5..15 {
            assert!((column(&even, frame) - even.at(frame).unwrap()[0][0]).abs() < 1e-3);
            assert!((column(&trembling, frame) - column(&even, frame)).abs() < 0.4);
        }
    }
}
