//! Similarity transforms, estimated from landmarks.

/// Landmarks of an aligned face, as fractions of its side: left eye, right eye, nose, left and right corner of
/// the mouth, as seen in the image.
///
/// The layout of UTKFace and FairFace, where most public faces with ages come from.
pub const TEMPLATE: [[f32; 2]; 5] = [[0.305, 0.290], [0.683, 0.290], [0.495, 0.518], [0.336, 0.688], [0.665, 0.688]];

/// A similarity transform: rotation, uniform scale and translation.
///
/// `(x, y)` maps to `(a x - b y + right, b x + a y + down)`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SimilarityTransform {
    a: f32,
    b: f32,
    right: f32,
    down: f32,
}

impl SimilarityTransform {
    /// The least-squares estimate of the transform from points `from` to points `to`.
    ///
    /// `None` if all of `from` coincide, or are not finite.
    pub fn estimate(from: &[[f32; 2]; 5], to: &[[f32; 2]; 5]) -> Option<Self> {
        let mean =
            |points: &[[f32; 2]; 5], axis: usize| points.iter().map(|point| f64::from(point[axis])).sum::<f64>() / 5.0;
        let [from_mean, to_mean] = [from, to].map(|points| [mean(points, 0), mean(points, 1)]);
        let (mut spread, mut along, mut across) = (0.0, 0.0, 0.0);
        for (from, to) in from.iter().zip(to) {
            let [x, y] = [f64::from(from[0]) - from_mean[0], f64::from(from[1]) - from_mean[1]];
            let [u, v] = [f64::from(to[0]) - to_mean[0], f64::from(to[1]) - to_mean[1]];
            spread += x * x + y * y;
            along += x * u + y * v;
            across += x * v - y * u;
        }
        let (a, b) = (along / spread, across / spread);
        let right = to_mean[0] - (a * from_mean[0] - b * from_mean[1]);
        let down = to_mean[1] - (b * from_mean[0] + a * from_mean[1]);
        let found = Self { a: a as f32, b: b as f32, right: right as f32, down: down as f32 };
        (found.scale().is_normal() && found.right.is_finite() && found.down.is_finite()).then_some(found)
    }

    /// The transform that aligns a face with `landmarks` (in pixels, in the order of [`TEMPLATE`]) to `size` x `size` pixels.
    ///
    /// `None` if all landmarks coincide.
    pub(crate) fn to_aligned(landmarks: &[[f32; 2]; 5], size: u32) -> Option<Self> {
        Self::estimate(landmarks, &TEMPLATE.map(|place| place.map(|fraction| fraction * size as f32)))
    }

    /// Applies the transform to a point.
    pub fn apply(&self, [x, y]: [f32; 2]) -> [f32; 2] {
        [self.a * x - self.b * y + self.right, self.b * x + self.a * y + self.down]
    }

    /// The scale factor.
    pub fn scale(&self) -> f32 {
        self.a.hypot(self.b)
    }

    /// The transform for the photo resized by `factor`.
    pub fn for_resized_photo(&self, factor: f32) -> Self {
        Self { a: self.a / factor, b: self.b / factor, ..*self }
    }

    /// The inverse transform.
    pub fn inverse(&self) -> Self {
        let square = self.a * self.a + self.b * self.b;
        let (a, b) = (self.a / square, -self.b / square);
        Self { a, b, right: -(a * self.right - b * self.down), down: -(b * self.right + a * self.down) }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// The landmarks of the [`TEMPLATE`] in a face of 100 x 100 pixels.
    pub(crate) fn template_landmarks() -> [[f32; 2]; 5] {
        TEMPLATE.map(|place| place.map(|fraction| fraction * 100.0))
    }

    #[test]
    fn estimate_recovers_a_rotation_and_scale() {
        let moved = SimilarityTransform { a: 0.6, b: -0.4, right: 30.0, down: 70.0 };
        let landmarks = template_landmarks().map(|place| moved.apply(place));

        let found = SimilarityTransform::estimate(&landmarks, &template_landmarks()).unwrap();

        for (landmark, place) in landmarks.iter().zip(template_landmarks()) {
            let [x, y] = found.apply(*landmark);
            assert!((x - place[0]).abs() < 1e-3 && (y - place[1]).abs() < 1e-3);
            let [x, y] = found.inverse().apply(place);
            assert!((x - landmark[0]).abs() < 1e-3 && (y - landmark[1]).abs() < 1e-3);
        }
    }

    #[test]
    fn the_aspect_ratio_of_a_long_face_is_preserved() {
        let landmarks = template_landmarks().map(|[x, y]| [x, 1.5 * y]);

        let found = SimilarityTransform::estimate(&landmarks, &template_landmarks()).unwrap();

        let (across, down) = (found.apply([1.0, 0.0]), found.apply([0.0, 1.0]));
        let origin = found.apply([0.0, 0.0]);
        let length = |[x, y]: [f32; 2]| (x - origin[0]).hypot(y - origin[1]);
        assert!((length(across) - length(down)).abs() < 1e-5);
    }

    #[test]
    fn coincident_landmarks_have_no_alignment() {
        assert_eq!(SimilarityTransform::estimate(&[[5.0, 5.0]; 5], &template_landmarks()), None);
        assert_eq!(SimilarityTransform::estimate(&[[f32::NAN; 2]; 5], &template_landmarks()), None);
    }
}
