//! Placement of a face in its photo, and its blend mask.

use crate::similarity_transform::SimilarityTransform;

/// Centre of the mask, as fractions of the face's width.
const MIDDLE: [f32; 2] = [0.495, 0.5];
/// Radii of the mask of a frontal face, horizontal and vertical: from the hair to the chin.
const RADII: [f32; 2] = [0.46, 0.5];
/// Exponent of the superellipse: two is an ellipse; a larger one is closer to a rectangle.
const ROUNDNESS: f32 = 2.5;
/// Where the feathering begins, as a fraction of the distance from the centre to the edge.
const FULL: f32 = 0.7;
/// Horizontal distance of the nose from the midpoint of the eyes, in distances between the eyes, from which a face
/// counts as turned: slightly, and fully.
const TURNED: [f32; 2] = [0.08, 0.3];
/// Distance from the outermost landmark to the edge of the mask of a turned face, as a fraction of the width.
const BEYOND: f32 = 0.14;

/// Placement of a face in its photo.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FacePlacement {
    /// Maps points of the photo to points of the aligned face, in pixels.
    pub from_photo: SimilarityTransform,
    /// Blend mask in the aligned face.
    pub(crate) mask: OvalMask,
}

impl FacePlacement {
    /// Placement of the face with `landmarks` in pixels of the photo, in the order of [`crate::alignment::TEMPLATE`],
    /// whose aligned crop has `size` x `size` pixels; `None` if all landmarks coincide.
    pub fn of(landmarks: &[[f32; 2]; 5], size: u32) -> Option<Self> {
        let from_photo = SimilarityTransform::to_aligned(landmarks, size)?;
        let oval =
            OvalMask::of(&landmarks.map(|landmark| from_photo.apply(landmark).map(|length| length / size as f32)));
        Some(Self { from_photo, mask: oval })
    }

    /// The placement in the photo resized by `factor`.
    pub fn for_resized_photo(&self, factor: f32) -> Self {
        Self { from_photo: self.from_photo.for_resized_photo(factor), ..*self }
    }
}

/// A feathered oval blend mask; for a turned head it is narrowed to the face, so that the background is unchanged.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct OvalMask {
    /// Radii to the left and to the right of the centre, as fractions of the face's width.
    reach: [f32; 2],
}

impl OvalMask {
    /// Mask of a frontal face.
    const FRONTAL: Self = Self { reach: [RADII[0]; 2] };

    /// Mask of the aligned face with `landmarks`, in the order and the units of [`crate::alignment::TEMPLATE`].
    pub(crate) fn of(landmarks: &[[f32; 2]; 5]) -> Self {
        let [left_eye, right_eye, nose, ..] = landmarks.map(|[x, _]| x);
        let eyes = (right_eye - left_eye).max(f32::EPSILON);
        let turn = (nose - (left_eye + right_eye) / 2.0) / eyes;
        let turned = smooth((turn.abs() - TURNED[0]) / (TURNED[1] - TURNED[0]));
        let columns = || landmarks.iter().map(|[x, _]| x - MIDDLE[0]);
        let outermost = [-columns().fold(0.0, f32::min), columns().fold(0.0, f32::max)];
        let mut oval = Self::FRONTAL;
        let far = usize::from(turn > 0.0);
        let short = (outermost[far] + BEYOND).min(RADII[0]);
        oval.reach[far] += turned * (short - RADII[0]);
        oval
    }

    /// Opacity of the residual at a point of the face, in fractions of its width: one inside, zero outside.
    pub(crate) fn weight(&self, [x, y]: [f32; 2]) -> f32 {
        let across = x - MIDDLE[0];
        let parts = [across / self.reach[usize::from(across > 0.0)], (y - MIDDLE[1]) / RADII[1]];
        let distance = parts.map(|part| part.abs().powf(ROUNDNESS)).iter().sum::<f32>().powf(1.0 / ROUNDNESS);
        smooth((1.0 - distance) / (1.0 - FULL))
    }
}

/// Smooth step from zero to one.
fn smooth(t: f32) -> f32 {
    let t = t.clamp(0.0, 1.0);
    t * t * (3.0 - 2.0 * t)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alignment::TEMPLATE;

    #[test]
    fn a_frontal_face_has_the_frontal_mask() {
        assert_eq!(OvalMask::of(&TEMPLATE), OvalMask::FRONTAL);
    }

    #[test]
    fn the_mask_of_a_turned_face_covers_the_near_cheek_and_nothing_behind_the_face() {
        // The nose is beyond the right eye.
        let turned = [[0.36, 0.3], [0.62, 0.3], [0.66, 0.52], [0.4, 0.69], [0.62, 0.69]];
        let mirrored = turned.map(|[x, y]| [2.0 * MIDDLE[0] - x, y]);
        let mirrored = [mirrored[1], mirrored[0], mirrored[2], mirrored[4], mirrored[3]];

        for (oval, side) in [(OvalMask::of(&turned), 1.0), (OvalMask::of(&mirrored), -1.0)] {
            let at = |x: f32| oval.weight([MIDDLE[0] + side * x, 0.5]);
            assert!(at(0.32) < 0.01, "{}", at(0.32));
            assert!(at(0.1) == 1.0 && at(-0.3) == 1.0, "{} {}", at(0.1), at(-0.3));
        }
    }
}
