//! Face detection: bounding boxes and landmarks.

mod bounding_box;
mod pyramid;
mod refinement;
mod sampling;
mod suppression;
mod tracking;
mod yunet;

pub use bounding_box::BoundingBox;
pub use tracking::{SMOOTHING_RADIUS, Track, smoothing_weights, track_faces};
pub use yunet::{LandmarkSource, YunetConfig, YunetDetector};

use image::RgbImage;

/// A face in a photo.
#[derive(Clone, Debug, PartialEq)]
pub struct DetectedFace {
    /// Its bounding box.
    pub bounds: BoundingBox,
    /// Confidence from 0 to 1.
    pub score: f32,
    /// `[column, row]` in pixels of the left eye, the right eye, the nose, the left and the right corner of the mouth;
    /// left and right from the viewer.
    pub landmarks: [[f32; 2]; 5],
}

/// A face detector.
pub trait FaceDetector: Send + Sync {
    /// All faces of `photo`, highest score first.
    fn detect(&self, photo: &RgbImage) -> Vec<DetectedFace>;
}
