//! Detection by the three networks of MTCNN.

use std::path::Path;

use burn::tensor::{Device, Tensor, TensorData};
use image::RgbImage;
use ipcgan_model::{Judgement, ModelError, Mtcnn};

use super::bounds::{OverlapOf, Scored, surest};
use super::sampling::{Pixels, cut_out, shrunk};
use super::{Bounds, DetectedFace, FaceDetector};

/// From one size of the photo to the next smaller one.
const STEP: f64 = 0.709;
/// Score from which on each network takes a window for a face.
const LEAST_SCORES: [f32; 3] = [0.6, 0.7, 0.8];
/// Overlap from which on the less sure of two is left out: of windows of one size, of all, and after each later network.
const MOST_OVERLAP: [f32; 4] = [0.5, 0.7, 0.7, 0.7];
/// Longer sides by shorter ones, up to which the share of a smallest face is of the shorter one.
const LONGEST: f64 = 16.0;
/// Windows that a network sees at a time.
const BATCH: usize = 256;

/// Which faces to look for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MtcnnSettings {
    /// Side of the smallest face, in pixels. Default: 20, the smallest that the networks were trained on.
    pub least_side: f32,
    /// The same as a share of the photo's shorter side; the larger of the two counts. Default: 1/24.
    /// Strips of more than sixteen to one count as wider, or a strip would be looked at as if it were a hundred photos.
    ///
    /// Time grows with the square of what is looked at, and large photos seldom have tiny faces that matter.
    pub least_share: f32,
}

impl Default for MtcnnSettings {
    fn default() -> Self {
        Self { least_side: 20.0, least_share: 1.0 / 24.0 }
    }
}

impl MtcnnSettings {
    /// Sizes at which a photo is looked at, as shares of its own: the smallest face is one window at the first.
    fn scales(&self, photo: [u32; 2]) -> impl Iterator<Item = f32> {
        let window = Mtcnn::SIDES[0] as f64;
        let [width, height] = photo.map(f64::from);
        let shorter = width.min(height);
        let wide = shorter.max((width * height / LONGEST).sqrt());
        let least = f64::from(self.least_side).max(f64::from(self.least_share) * wide);
        let scales = (0..).map(move |step| window / least * STEP.powi(step));
        scales.take_while(move |scale| shorter * scale >= window).map(|scale| scale as f32)
    }
}

/// Finds faces with MTCNN.
#[derive(Debug)]
pub struct MtcnnDetector {
    networks: Mtcnn,
    device: Device,
    settings: MtcnnSettings,
}

/// A window that may be a face.
#[derive(Clone, Copy, Debug)]
struct Window {
    bounds: Bounds,
    score: f32,
}

impl Scored for Window {
    fn bounds(&self) -> &Bounds {
        &self.bounds
    }

    fn score(&self) -> f32 {
        self.score
    }
}

impl Scored for DetectedFace {
    fn bounds(&self) -> &Bounds {
        &self.bounds
    }

    fn score(&self) -> f32 {
        self.score
    }
}

impl MtcnnDetector {
    /// A detector with networks from the bytes of a safetensors file; `origin` names them in errors.
    ///
    /// # Errors
    /// The bytes are damaged, or hold other networks.
    pub fn from_bytes(
        bytes: Vec<u8>,
        origin: &Path,
        settings: MtcnnSettings,
        device: &Device,
    ) -> Result<Self, ModelError> {
        Ok(Self { networks: Mtcnn::from_bytes(bytes, origin, device)?, device: device.clone(), settings })
    }

    /// Windows of one size of the photo.
    fn proposed(&self, photo: &RgbImage, scale: f32) -> Vec<Window> {
        let side = |pixels: u32| ((pixels as f32 * scale) as usize).max(Mtcnn::SIDES[0]);
        let Pixels { values, height, width } = shrunk(photo, side(photo.width()), side(photo.height()));
        let picture = Tensor::from_data(TensorData::new(values, [1, 3, height, width]), &self.device);
        let (judgement, columns) = self.networks.propose(picture);
        let windows = Judged::new(judgement).into_iter().enumerate();
        let faces = windows.filter(|(_, judged)| judged.score > LEAST_SCORES[0]).map(|(index, judged)| {
            let place = |index: usize| (index * Mtcnn::STRIDE) as f32;
            let (left, top) = (place(index % columns), place(index / columns));
            // From the middle of the first pixel to the middle of the last, as the network was taught.
            let side = Mtcnn::SIDES[0] as f32;
            let window = Bounds { left: left + 1.0, top: top + 1.0, right: left + side, bottom: top + side };
            let sizes = [window.width(), window.height()];
            Window { bounds: window.moved(judged.offsets, sizes).scaled_back(scale), score: judged.score }
        });
        surest(faces.collect(), MOST_OVERLAP[0], OverlapOf::Union)
    }

    /// `windows` at `side` pixels, some at a time.
    fn cut_out<'a>(
        &'a self,
        photo: &'a RgbImage,
        windows: &'a [Window],
        side: usize,
    ) -> impl Iterator<Item = (&'a [Window], Tensor<4>)> {
        windows.chunks(BATCH).map(move |windows| {
            let mut values = Vec::with_capacity(windows.len() * 3 * side * side);
            windows.iter().for_each(|window| cut_out(photo, window.bounds, side, &mut values));
            (windows, Tensor::from_data(TensorData::new(values, [windows.len(), 3, side, side]), &self.device))
        })
    }

    fn refined(&self, photo: &RgbImage, windows: &[Window]) -> Vec<Window> {
        let mut refined = Vec::new();
        for (windows, pixels) in self.cut_out(photo, windows, Mtcnn::SIDES[1]) {
            for (window, judged) in windows.iter().zip(Judged::new(self.networks.refine(pixels))) {
                if judged.score > LEAST_SCORES[1] {
                    refined.push(Window { bounds: judged.moved(window.bounds), score: judged.score });
                }
            }
        }
        surest(refined, MOST_OVERLAP[2], OverlapOf::Union)
    }

    fn finished(&self, photo: &RgbImage, windows: &[Window]) -> Vec<DetectedFace> {
        let mut faces = Vec::new();
        for (windows, pixels) in self.cut_out(photo, windows, Mtcnn::SIDES[2]) {
            let (judgement, landmarks) = self.networks.finish(pixels);
            let landmarks = numbers(landmarks);
            let judged = windows.iter().zip(Judged::new(judgement)).zip(landmarks.chunks_exact(10));
            for ((window, judged), shares) in judged.filter(|((_, judged), _)| judged.score > LEAST_SCORES[2]) {
                let Bounds { left, top, .. } = window.bounds;
                let [width, height] = judged_sizes(window.bounds);
                let landmarks = std::array::from_fn(|index| {
                    [left + width * shares[index] - 1.0, top + height * shares[5 + index] - 1.0]
                });
                faces.push(DetectedFace { bounds: judged.moved(window.bounds), score: judged.score, landmarks });
            }
        }
        surest(faces, MOST_OVERLAP[3], OverlapOf::Smaller)
    }
}

impl FaceDetector for MtcnnDetector {
    fn detect(&self, photo: &RgbImage) -> Vec<DetectedFace> {
        let scales = self.settings.scales(photo.dimensions().into());
        let proposed = scales.flat_map(|scale| self.proposed(photo, scale)).collect();
        let proposed = squares(surest(proposed, MOST_OVERLAP[1], OverlapOf::Union));
        let refined = squares(self.refined(photo, &proposed));
        self.finished(photo, &refined)
    }
}

fn squares(mut windows: Vec<Window>) -> Vec<Window> {
    windows.iter_mut().for_each(|window| window.bounds = window.bounds.square());
    windows
}

/// What a network thinks of one window.
struct Judged {
    score: f32,
    offsets: [f32; 4],
}

impl Judged {
    fn new(Judgement { scores, offsets }: Judgement) -> Vec<Self> {
        let (scores, offsets) = (numbers(scores), numbers(offsets));
        let offsets = offsets.as_chunks::<4>().0;
        scores.iter().zip(offsets).map(|(&score, &offsets)| Self { score, offsets }).collect()
    }

    fn moved(&self, bounds: Bounds) -> Bounds {
        bounds.moved(self.offsets, judged_sizes(bounds))
    }
}

/// Width and height as the later networks were taught: of a rectangle that includes its last pixel.
fn judged_sizes(bounds: Bounds) -> [f32; 2] {
    [bounds.width() + 1.0, bounds.height() + 1.0]
}

fn numbers<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().convert::<f32>().try_into_vec::<f32>().expect("numbers were converted to f32")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first_scale(photo: [u32; 2]) -> f32 {
        MtcnnSettings::default().scales(photo).next().unwrap()
    }

    #[test]
    fn a_photo_is_first_looked_at_with_its_smallest_face_in_one_window() {
        assert_eq!(first_scale([400, 300]), 12.0 / 20.0);
        assert_eq!(first_scale([4800, 3000]), 12.0 / 125.0);
        assert_eq!(first_scale([12_000, 2_000]), first_scale([2_000, 2_000]));
    }

    #[test]
    fn a_strip_is_looked_at_no_larger_than_another_photo() {
        for photo in [[50_000, 900], [900, 50_000], [6_000, 6_000], [20_000, 2_000]] {
            let [width, height] = photo.map(|side| side as f32 * first_scale(photo));

            assert!(width * height < 1.35e6, "{photo:?}: {width} x {height}");
        }
    }

    #[test]
    fn every_size_holds_a_window() {
        let scales: Vec<f32> = MtcnnSettings::default().scales([640, 480]).collect();

        assert!(scales.windows(2).all(|pair| (pair[1] / pair[0] - 0.709).abs() < 1e-6));
        assert!(480.0 * scales.last().unwrap() >= 12.0 && 480.0 * scales.last().unwrap() * 0.709 < 12.0);
    }
}
