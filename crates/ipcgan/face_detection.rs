//! The face detector that needs no file.

use std::path::Path;

use burn::tensor::Device;
use ipcgan_data::detection::{MtcnnDetector, MtcnnSettings};

/// Its weights.
const EMBEDDED: &[u8] = include_bytes!("../../assets/detector/mtcnn.safetensors");

/// The detector whose weights are in this library: MTCNN, for faces as small as `settings` say.
pub fn face_detector(settings: MtcnnSettings, device: &Device) -> MtcnnDetector {
    let origin = Path::new("assets/detector/mtcnn.safetensors");
    MtcnnDetector::from_bytes(EMBEDDED.to_vec(), origin, settings, device).expect("the embedded weights are whole")
}
