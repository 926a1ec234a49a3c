//! The CPU kernels produce the same faces as Burn.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::path::Path;
use std::process::Command;

/// Rounding differences may change a byte by one level.
const BYTE_TOLERANCE: u8 = 1;

fn strip(kernels: &str, out: &Path) -> image::RgbImage {
    let face = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../assets/photos/eileen-collins-face.png");
    let status = Command::new(env!("CARGO_BIN_EXE_ipcgan"))
        .args(["age", "--aligned", "--device", "cpu", "--cpu-kernels", kernels, "--out"])
        .args([out, &face])
        .output()
        .unwrap()
        .status;
    assert!(status.success());
    image::open(out.join("eileen-collins-face-strip.png")).unwrap().into_rgb8()
}

#[test]
fn all_cpu_kernels_give_the_same_faces() {
    let folder = tempfile::tempdir().unwrap();

    let [fast, direct, burn] = ["fast", "direct", "burn"].map(|kernels| strip(kernels, &folder.path().join(kernels)));

    for other in [direct, burn] {
        let differences = fast.as_raw().iter().zip(other.as_raw()).map(|(one, other)| one.abs_diff(*other));
        assert!(differences.max().unwrap() <= BYTE_TOLERANCE);
    }
}

#[test]
fn kernels_that_do_not_exist_are_rejected() {
    let output = Command::new(env!("CARGO_BIN_EXE_ipcgan"))
        .args(["age", "face.png", "--cpu-kernels", "magic"])
        .output()
        .unwrap();

    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("use fast, direct or burn"));
}
