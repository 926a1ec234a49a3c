//! The embedded face detector.

use std::path::Path;

use burn::tensor::Device;
use ipcgan_data::detection::{YunetConfig, YunetDetector};

/// Embedded weights.
const EMBEDDED: &[u8] = include_bytes!("../../assets/detector/yunet.safetensors");

/// The embedded face detector (YuNet), with the thresholds of `config`.
pub fn face_detector(config: YunetConfig, device: &Device) -> YunetDetector {
    let origin = Path::new("assets/detector/yunet.safetensors");
    YunetDetector::from_bytes(EMBEDDED.to_vec(), origin, config, device).expect("the embedded weights are valid")
}
