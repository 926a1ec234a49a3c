//! Photos: every face is detected, aged and pasted back.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use image::imageops::{FilterType, replace, resize};
use image::{AnimationDecoder, ImageDecoder, RgbImage};
use serde_json::Value;

fn portrait(name: &str) -> RgbImage {
    let photos = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../assets/photos");
    image::open(photos.join(name)).unwrap().into_rgb8()
}

/// Two people side by side, at a third of the original size.
fn both() -> RgbImage {
    let mut both = RgbImage::new(1024, 600);
    for (name, left) in [("eileen-collins.jpg", 0), ("grace-hopper.jpg", 512)] {
        replace(&mut both, &portrait(name), left, 0);
    }
    both
}

fn ipcgan(folder: &Path, arguments: &[&str]) -> Output {
    let arguments = ["age", "--device", "cpu"].iter().chain(arguments);
    Command::new(env!("CARGO_BIN_EXE_ipcgan")).current_dir(folder).args(arguments).output().unwrap()
}

/// Standard output of the command, which must succeed.
fn stdout(folder: &Path, arguments: &[&str]) -> String {
    let output = ipcgan(folder, arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// First and last column in which two images differ.
fn changed_columns(before: &RgbImage, after: &RgbImage) -> Option<(u32, u32)> {
    assert_eq!(before.dimensions(), after.dimensions());
    let differing = before.enumerate_pixels().filter(|(x, y, pixel)| after.get_pixel(*x, *y) != *pixel);
    let columns: Vec<u32> = differing.map(|(x, ..)| x).collect();
    Some((*columns.iter().min()?, *columns.iter().max()?))
}

#[test]
fn all_faces_in_a_photo_are_aged() {
    let folder = tempfile::tempdir().unwrap();
    let both = both();
    both.save(folder.path().join("both.png")).unwrap();

    let output = ipcgan(folder.path(), &["both.png", "--to", "51+"]);

    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && stderr.contains("2 faces, numbered from left to right"), "{stderr}");
    let aged = image::open(folder.path().join("aged/both-51+.png")).unwrap().into_rgb8();
    let (first, last) = changed_columns(&both, &aged).unwrap();
    assert!(first < 300 && last > 700, "both are changed: {first} to {last}");
    for number in [1, 2] {
        let strip = image::open(folder.path().join(format!("aged/both-face{number}-51+-strip.png"))).unwrap();
        assert!(strip.width() > 2 * 128 && strip.height() > 128);
    }
}

#[test]
fn given_a_selected_face_no_other_face_changes() {
    let folder = tempfile::tempdir().unwrap();
    let both = both();
    both.save(folder.path().join("both.png")).unwrap();

    stdout(folder.path(), &["both.png", "--to", "51+", "--face", "2"]);

    let aged = image::open(folder.path().join("aged/both-51+.png")).unwrap().into_rgb8();
    assert!(changed_columns(&both, &aged).unwrap().0 > 512, "the left one is changed");
    let output = ipcgan(folder.path(), &["both.png", "--face", "3"]);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && stderr.contains("there is no face 3: 2 were found"), "{stderr}");
}

#[test]
fn an_age_between_groups_can_be_strengthened() {
    let folder = tempfile::tempdir().unwrap();
    let before = portrait("grace-hopper.jpg");
    before.save(folder.path().join("grace.png")).unwrap();
    let distance = |strength: &str| {
        stdout(folder.path(), &["grace.png", "--to", "53", "--strength", strength]);
        let after = image::open(folder.path().join("aged/grace-53.png")).unwrap().into_rgb8();
        let pairs = before.as_raw().iter().zip(after.as_raw());
        pairs.map(|(a, b)| f64::from(a.abs_diff(*b))).sum::<f64>()
    };

    let [none, once, twice] = ["0", "1", "2"].map(distance);

    assert_eq!(none, 0.0);
    assert!(0.0 < once && 1.5 * once < twice, "{once} {twice}");
}

#[test]
fn json_lists_face_locations_and_written_files() {
    let folder = tempfile::tempdir().unwrap();
    both().save(folder.path().join("both.png")).unwrap();

    let stderr: Value = serde_json::from_str(&stdout(folder.path(), &["both.png", "--json", "--to", "51+"])).unwrap();

    assert_eq!(stderr["width"], 1024);
    let faces = stderr["faces"].as_array().unwrap();
    assert_eq!(faces.len(), 2);
    assert!(faces[1]["bounds"][0].as_f64().unwrap() > 512.0 && faces[0]["landmarks"].as_array().unwrap().len() == 5);
    assert_eq!(stderr["images"]["51+"], "aged/both-51+.png");
    for file in stderr["files"].as_array().unwrap() {
        assert!(folder.path().join(file.as_str().unwrap()).is_file(), "{file}");
    }
}

#[test]
fn an_animation_goes_through_the_ages_and_back() {
    let folder = tempfile::tempdir().unwrap();
    portrait("grace-hopper.jpg").save(folder.path().join("grace.png")).unwrap();

    let dimensions = || {
        let file = std::io::BufReader::new(fs::File::open(folder.path().join("aged/grace.gif")).unwrap());
        image::codecs::gif::GifDecoder::new(file).unwrap().dimensions()
    };
    stdout(folder.path(), &["grace.png", "--to", "51+", "--animate", "--crops"]);
    assert_eq!(dimensions(), (128, 128), "of the face alone");

    stdout(folder.path(), &["grace.png", "--to", "51+", "--animate"]);

    let (width, height) = dimensions();
    assert_eq!(width.max(height), 480);
    let file = std::io::BufReader::new(fs::File::open(folder.path().join("aged/grace.gif")).unwrap());
    let decoder = image::codecs::gif::GifDecoder::new(file).unwrap();
    let frames: Vec<RgbImage> = decoder
        .into_frames()
        .map(|frame| image::DynamicImage::from(frame.unwrap().into_buffer()).into_rgb8())
        .collect();
    assert_eq!(frames.len(), 48);
    assert!(changed_columns(&frames[0], &frames[24]).is_some(), "the youngest and the oldest are alike");
}

#[test]
fn each_video_frame_gets_a_result_even_without_a_face() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("frames")).unwrap();
    let person = resize(&portrait("grace-hopper.jpg"), 170, 200, FilterType::Triangle);
    for frame in 0..8u32 {
        let mut image = RgbImage::from_pixel(300, 220, image::Rgb([90, 100, 110]));
        // Two frames have no face.
        if !(3..5).contains(&frame) {
            replace(&mut image, &person, i64::from(10 + 8 * frame), 10);
        }
        image.save(folder.path().join(format!("frames/{frame:03}.png"))).unwrap();
    }

    let output = ipcgan(folder.path(), &["frames", "--video", "--to", "51+"]);

    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && stderr.contains("faces: 1, frames: 8"), "{stderr}");
    for frame in 0..8 {
        assert!(folder.path().join(format!("aged/{frame:03}-51+.png")).is_file(), "{frame}");
    }
}

#[test]
fn quiet_prints_only_files_and_verbose_prints_steps_with_times() {
    let folder = tempfile::tempdir().unwrap();
    portrait("eileen-collins.jpg").save(folder.path().join("one.png")).unwrap();
    let stderr = |amount: &str| {
        let output = ipcgan(folder.path(), &["one.png", "--to", "51+", amount]);
        assert!(output.status.success());
        assert!(String::from_utf8_lossy(&output.stdout).starts_with("aged/one-51+.png\n"));
        String::from_utf8(output.stderr).unwrap()
    };

    assert_eq!(stderr("--quiet"), "");
    let verbose = stderr("-v");
    assert!(verbose.contains(" s] searched for faces: 1"), "{verbose}");
}
