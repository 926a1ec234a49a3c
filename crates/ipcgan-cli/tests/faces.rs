//! Photos as they come: every face is found and aged.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::path::Path;
use std::process::Command;

use image::RgbImage;
use image::imageops::replace;

#[test]
fn each_face_of_a_photo_gets_its_own_pictures() {
    let folder = tempfile::tempdir().unwrap();
    let photos = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../assets/photos");
    let portraits =
        ["eileen-collins.jpg", "grace-hopper.jpg"].map(|name| image::open(photos.join(name)).unwrap().into_rgb8());
    let mut both = RgbImage::new(1024, 600);
    for (portrait, left) in portraits.iter().zip([0, 512]) {
        replace(&mut both, portrait, left, 0);
    }
    both.save(folder.path().join("both.png")).unwrap();

    let output = Command::new(env!("CARGO_BIN_EXE_ipcgan"))
        .current_dir(folder.path())
        .args(["age", "both.png", "--to", "51+", "--device", "cpu"])
        .output()
        .unwrap();

    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("2 faces, numbered from left to right"), "{said}");
    for name in ["both-face1-51+", "both-face1-strip", "both-face2-51+", "both-face2-strip"] {
        let path = folder.path().join(format!("aged/{name}.png"));
        assert!(image::open(&path).unwrap().height() >= 128, "{}", path.display());
    }
}
