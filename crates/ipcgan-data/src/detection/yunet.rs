//! Face detection by YuNet.

use std::path::Path;

use burn::tensor::{Device, Tensor, TensorData};
use image::RgbImage;
use ipcgan_model::{ModelError, Yunet};

use super::pyramid::{PyramidLevel, TILE_OVERLAP, Tile, pyramid_levels};
use super::refinement::refined;
use super::sampling::{Pixels, resized};
use super::suppression::{non_maximum_suppression, without_nested};
use super::{BoundingBox, DetectedFace, FaceDetector};

/// Side of the smallest face, in pixels of the finest level: the network detects most faces of that size.
const FINEST_FACE: f32 = 24.0;

/// Configuration of the YuNet detector.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct YunetConfig {
    /// Minimum face size: longer side, in pixels of the photo. Default: 16; a small photo is enlarged for it.
    pub min_face: f32,
    /// Maximum number of pixels of the finest level. Default: one million, in which a photo of 12 megapixels shows
    /// faces of 70 pixels. Time grows with it, so it bounds the cost of large and of very long photos.
    pub max_pixels: u32,
    /// Minimum score of a face, from 0 to 1. Default: 0.6.
    pub score_threshold: f32,
    /// Intersection over union, from 0 to 1, above which the face with the lower score is suppressed (non-maximum
    /// suppression). Default: 0.3.
    pub nms_threshold: f32,
    /// Source of the landmarks. Default: refinement.
    pub landmarks: LandmarkSource,
}

/// Source of a face's landmarks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LandmarkSource {
    /// From the pyramid level in which the face was detected, as in OpenCV.
    Detection,
    /// From upright, large aligned crops: about 0.3 megapixels more per face. They also reject false positives.
    Refinement,
}

impl Default for YunetConfig {
    fn default() -> Self {
        Self {
            min_face: 16.0,
            max_pixels: 1_000_000,
            score_threshold: 0.6,
            nms_threshold: 0.3,
            landmarks: LandmarkSource::Refinement,
        }
    }
}

impl YunetConfig {
    /// Size of the finest level of a photo of `[width, height]`, relative to the photo.
    fn finest_scale(&self, [width, height]: [u32; 2]) -> f64 {
        let affordable = (f64::from(self.max_pixels) / (f64::from(width) * f64::from(height))).sqrt();
        f64::from(FINEST_FACE / self.min_face).min(affordable)
    }
}

/// Face detector based on YuNet.
///
/// The network detects faces of about 10 to 300 pixels, so a large photo is searched at several scales (an image
/// pyramid).
#[derive(Debug)]
pub struct YunetDetector {
    network: Yunet,
    device: Device,
    config: YunetConfig,
}

impl YunetDetector {
    /// Loads the network from the bytes of a safetensors file; `origin` names it in errors.
    ///
    /// # Errors
    /// The bytes are damaged, or hold another network.
    pub fn from_bytes(bytes: Vec<u8>, origin: &Path, config: YunetConfig, device: &Device) -> Result<Self, ModelError> {
        Ok(Self { network: Yunet::from_bytes(bytes, origin, device)?, device: device.clone(), config })
    }

    /// The detections in one level, in pixels of the photo; possibly several for the same face.
    fn candidates(&self, photo: &RgbImage, pass: PyramidLevel) -> Vec<DetectedFace> {
        let pixels = resized(photo, pass.width, pass.height);
        let scales = [pass.width as f32 / photo.width() as f32, pass.height as f32 / photo.height() as f32];
        let tiles = pass.tiles();
        // A face cut by a tile border is detected whole in the next coarser level.
        let max_side = if tiles.len() > 1 { TILE_OVERLAP as f32 } else { f32::INFINITY };
        let mut faces = Vec::new();
        for tile in tiles {
            let found = self.predictions(padded(&pixels, tile)).remove(0).into_iter().map(|face| face.moved(tile));
            let found = found.filter(|face| tile.owns(pass, face.bounds.centre()));
            let found = found.filter(|face| face.bounds.longer_side() <= max_side);
            faces.extend(found.map(|face| face.scaled_back(scales)));
        }
        faces
    }

    /// The detections in each of `images`, `[batch, height, width, 3]`; possibly several for the same face.
    fn predictions(&self, images: TensorData) -> Vec<Vec<DetectedFace>> {
        let images = Tensor::<4>::from_data(images, &self.device).permute([0, 3, 1, 2]);
        let [batch, ..] = images.dims();
        let mut faces = vec![Vec::new(); batch];
        for (level, stride) in self.network.forward(images).into_iter().zip(Yunet::STRIDES) {
            let [_, _, rows, columns] = level.dims();
            let values = level.permute([0, 2, 3, 1]).into_data().convert::<f32>();
            let values = values.as_slice::<f32>().expect("values were converted to f32");
            let images = values.chunks_exact(rows * columns * Yunet::OUTPUTS);
            for (faces, values) in faces.iter_mut().zip(images) {
                decode(values, columns, stride as f32, self.config.score_threshold, faces);
            }
        }
        faces
    }
}

/// The part `tile` of `pixels`, `[1, height, width, 3]`, padded with black at the bottom and right to multiples of the
/// largest stride.
fn padded(pixels: &Pixels, tile: Tile) -> TensorData {
    let [height, width] = [tile.height, tile.width].map(|side| side.next_multiple_of(Yunet::STRIDES[2]));
    let mut values = vec![0.0; 3 * height * width];
    let rows = pixels.values.chunks_exact(3 * pixels.width).skip(tile.top).take(tile.height);
    for (to, row) in values.chunks_exact_mut(3 * width).zip(rows) {
        to[..3 * tile.width].copy_from_slice(&row[3 * tile.left..3 * (tile.left + tile.width)]);
    }
    TensorData::new(values, [1, height, width, 3])
}

impl FaceDetector for YunetDetector {
    fn detect(&self, photo: &RgbImage) -> Vec<DetectedFace> {
        let sizes = <[u32; 2]>::from(photo.dimensions());
        if sizes.contains(&0) {
            return Vec::new();
        }
        let pyramid_levels = pyramid_levels(sizes, self.config.finest_scale(sizes));
        let candidates = pyramid_levels.iter().flat_map(|&pass| self.candidates(photo, pass)).collect();
        let mut faces = non_maximum_suppression(candidates, self.config.nms_threshold);
        if pyramid_levels.len() > 1 {
            faces = without_nested(faces);
        }
        faces.retain(|face| face.bounds.longer_side() >= self.config.min_face);
        match self.config.landmarks {
            LandmarkSource::Detection => faces,
            LandmarkSource::Refinement => {
                let predict = |images| self.predictions(images);
                faces.into_iter().filter_map(|face| refined(&predict, photo, face)).collect()
            }
        }
    }
}

/// Adds the faces that the cells of a level predict with a score of at least `threshold`; see [`Yunet::forward`].
fn decode(values: &[f32], columns: usize, stride: f32, threshold: f32, faces: &mut Vec<DetectedFace>) {
    for (cell, values) in values.chunks_exact(Yunet::OUTPUTS).enumerate() {
        let score = (sigmoid(values[0]) * sigmoid(values[1])).sqrt();
        if score >= threshold {
            let point =
                |x: f32, y: f32| [((cell % columns) as f32 + x) * stride, ((cell / columns) as f32 + y) * stride];
            let [x, y] = point(values[2], values[3]);
            let [right, down] = [values[4], values[5]].map(|side| side.exp() * stride / 2.0);
            let bounds = BoundingBox { left: x - right, top: y - down, right: x + right, bottom: y + down };
            let landmarks = std::array::from_fn(|index| point(values[6 + 2 * index], values[7 + 2 * index]));
            faces.push(DetectedFace { bounds, score, landmarks });
        }
    }
}

fn sigmoid(logit: f32) -> f32 {
    1.0 / (1.0 + (-logit).exp())
}

impl DetectedFace {
    /// Converts pixels of a tile to pixels of its level.
    fn moved(self, tile: Tile) -> Self {
        self.mapped(|[x, y]| [x + tile.left as f32, y + tile.top as f32])
    }

    /// Converts pixels of a level to pixels of the photo; `scales` are the level's width and height relative to the
    /// photo.
    fn scaled_back(self, scales: [f32; 2]) -> Self {
        self.mapped(|[x, y]| [x / scales[0], y / scales[1]])
    }

    fn mapped(self, map: impl Fn([f32; 2]) -> [f32; 2]) -> Self {
        let Self { bounds, score, landmarks } = self;
        let ([left, top], [right, bottom]) = (map([bounds.left, bounds.top]), map([bounds.right, bounds.bottom]));
        Self { bounds: BoundingBox { left, top, right, bottom }, score, landmarks: landmarks.map(map) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_of_known_predictions_is_decoded_by_hand() {
        // Cell (row 1, column 2) of a level of two rows and three columns.
        let mut values = vec![-20.0f32; 2 * 3 * 16];
        values[5 * 16..]
            .copy_from_slice(&[20.0, 20.0, 0.5, 0.25, 1.0, 0.0, -1.0, -1.0, 1.0, -1.0, 0.0, 0.0, -1.0, 1.0, 1.0, 1.0]);
        let mut faces = Vec::new();

        decode(&values, 3, 8.0, 0.5, &mut faces);

        assert_eq!(faces.len(), 1);
        let BoundingBox { left, top, right, bottom } = faces[0].bounds;
        let half = 4.0 * std::f32::consts::E;
        assert_eq!([left, top, right, bottom], [20.0 - half, 6.0, 20.0 + half, 14.0]);
        assert_eq!(faces[0].landmarks, [[8.0, 0.0], [24.0, 0.0], [16.0, 8.0], [8.0, 16.0], [24.0, 16.0]]);
        assert!(faces[0].score > 0.999);
    }

    #[test]
    fn the_finest_level_is_bounded_by_the_minimum_face_and_by_pixels() {
        let config = YunetConfig::default();

        assert_eq!(YunetConfig { min_face: 16.0, ..config }.finest_scale([320, 240]), 1.5);
        assert_eq!(YunetConfig { min_face: 96.0, ..config }.finest_scale([640, 480]), 0.25);
        for photo in [[50_000, 900], [900, 50_000], [6_000, 6_000], [20_000, 2_000]] {
            let [width, height] = photo.map(|side| f64::from(side) * config.finest_scale(photo));

            assert!(width * height < 1.001e6, "{photo:?}: {width} x {height}");
        }
    }
}
