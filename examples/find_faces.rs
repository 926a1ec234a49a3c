//! Detects the faces in photos: `cargo run --release --example find_faces -- assets/photos/grace-hopper.jpg`.
//!
//! Writes a line of JSON for each photo: its path, and of each face the bounds (left, top, width, height), the score
//! and the five landmarks (eyes, nose, corners of the mouth), in pixels.

#![allow(clippy::print_stdout, reason = "an example prints its result")]

use std::error::Error;
use std::path::PathBuf;

use burn::tensor::Device;
use ipcgan::data::detection::{FaceDetector, YunetConfig};
use ipcgan::{face_detector, photo};
use serde_json::json;

fn main() -> Result<(), Box<dyn Error>> {
    let detector = face_detector(YunetConfig::default(), &Device::flex());
    let mut paths: Vec<PathBuf> = std::env::args().skip(1).map(PathBuf::from).collect();
    if paths.is_empty() {
        paths = ["eileen-collins.jpg", "grace-hopper.jpg"].map(|name| PathBuf::from("assets/photos").join(name)).into();
    }
    for path in paths {
        let faces = detector.detect(&photo::read(&path)?);
        let faces = faces.iter().map(|face| {
            let bounds = face.bounds;
            let bounds = [bounds.left, bounds.top, bounds.width(), bounds.height()];
            json!({ "bounds": bounds, "score": face.score, "landmarks": face.landmarks })
        });
        println!("{}", json!({ "photo": path, "faces": faces.collect::<Vec<_>>() }));
    }
    Ok(())
}
