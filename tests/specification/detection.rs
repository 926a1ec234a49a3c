//! Face detection on real photos.

use std::path::Path;

use image::imageops::{FilterType, flip_horizontal, replace, resize};
use image::{Rgb, RgbImage};
use ipcgan::data::alignment::{TEMPLATE, aligned};
use ipcgan::data::detection::{DetectedFace, FaceDetector, LandmarkSource, YunetConfig};
use ipcgan::{face_detector, photo};
use serde::Deserialize;

use crate::reference::device;

/// What OpenCV's `FaceDetectorYN` finds; a photo a line.
const OPENCV: &str = include_str!("../reference/detection.jsonl");

#[derive(Deserialize)]
struct Expected {
    photo: String,
    faces: Vec<ExpectedFace>,
}

#[derive(Deserialize)]
struct ExpectedFace {
    bounds: [f32; 4],
    landmarks: [[f32; 2]; 5],
    score: f32,
}

fn read(name: &str) -> RgbImage {
    photo::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/photos").join(name)).unwrap()
}

fn detect(photo: &RgbImage) -> Vec<DetectedFace> {
    face_detector(YunetConfig::default(), &device()).detect(photo)
}

fn assert_near<const N: usize>(found: &[[f32; 2]; N], expected: &[[f32; 2]; N], tolerance: f32) {
    for (found, expected) in found.iter().zip(expected) {
        let distance = (found[0] - expected[0]).hypot(found[1] - expected[1]);
        assert!(distance <= tolerance, "{found:?} instead of {expected:?}");
    }
}

/// The photo `name` in one pass, as OpenCV saw it: at half its size where it is large.
fn detect_in_one_pass(name: &str) -> Vec<DetectedFace> {
    let photo = read(name);
    let min_face = if photo.width().min(photo.height()) > 320 { 48.0 } else { 24.0 };
    face_detector(YunetConfig { min_face, landmarks: LandmarkSource::Detection, ..YunetConfig::default() }, &device())
        .detect(&photo)
}

#[test]
fn faces_and_landmarks_are_where_opencv_finds_them() {
    for line in OPENCV.lines() {
        let expected: Expected = serde_json::from_str(line).unwrap();

        let faces = detect_in_one_pass(&expected.photo);

        assert_eq!(faces.len(), expected.faces.len(), "{}", expected.photo);
        for (found, expected) in faces.iter().zip(&expected.faces) {
            let [left, top, right, bottom] = expected.bounds;
            assert_near(&[[found.bounds.left, found.bounds.top]], &[[left, top]], 1.0);
            assert_near(&[[found.bounds.right, found.bounds.bottom]], &[[right, bottom]], 1.0);
            assert_near(&found.landmarks, &expected.landmarks, 1.0);
            assert!((found.score - expected.score).abs() < 0.01, "{}", found.score);
        }
    }
}

#[test]
fn every_face_of_a_photo_is_found_also_the_mirrored_one() {
    let face = read("grace-hopper.jpg");
    let mut both = RgbImage::from_pixel(2 * face.width(), face.height(), Rgb([90, 100, 110]));
    replace(&mut both, &face, 0, 0);
    replace(&mut both, &flip_horizontal(&face), i64::from(face.width()), 0);

    let mut faces = detect(&both);

    faces.sort_by(|a, b| a.bounds.left.total_cmp(&b.bounds.left));
    assert_eq!(faces.len(), 2);
    let width = both.width() as f32;
    let [left, right, nose, mouth_left, mouth_right] = faces[1].landmarks.map(|[x, y]| [width - x, y]);
    assert_near(&[right, left, nose, mouth_right, mouth_left], &faces[0].landmarks, 4.0);
}

#[test]
fn where_there_is_no_face_none_is_found() {
    let gradient = RgbImage::from_fn(200, 150, |x, y| Rgb([x as u8, y as u8, (x + y) as u8]));

    assert_eq!(detect(&gradient), []);
    assert_eq!(detect(&RgbImage::new(8, 300)), [], "smaller than the smallest window");
}

#[test]
fn a_face_that_fills_a_large_photo_is_found_once() {
    let face = read("grace-hopper-face.png");
    let large = resize(&face, 2048, 2048, FilterType::CatmullRom);

    let faces = detect(&large);

    assert_eq!(faces.len(), 1);
    assert_near(&faces[0].landmarks, &detect(&face)[0].landmarks.map(|place| place.map(|value| 8.0 * value)), 60.0);
}

#[test]
fn small_faces_of_a_crowd_are_all_found() {
    let face = resize(&read("eileen-collins-face.png"), 28, 28, FilterType::Triangle);
    let mut crowd = RgbImage::from_pixel(400, 300, Rgb([90, 100, 110]));
    for index in 0..12 {
        replace(&mut crowd, &face, 30 + 90 * (index % 4), 40 + 80 * (index / 4));
    }

    assert_eq!(detect(&crowd).len(), 12);
}

#[test]
fn a_rolled_face_has_its_landmarks_as_exactly_as_an_upright_one() {
    let photo = read("grace-hopper.jpg");
    let upright = detect(&photo)[0].landmarks;
    // By 36.87 degrees, about the middle.
    let turned = |[x, y]: [f32; 2]| {
        [0.8 * (x - 256.0) - 0.6 * (y - 300.0) + 420.0, 0.6 * (x - 256.0) + 0.8 * (y - 300.0) + 420.0]
    };
    let rolled = RgbImage::from_fn(840, 840, |x, y| {
        let [x, y] = [x as f32 - 420.0, y as f32 - 420.0];
        let (x, y) = (0.8 * x + 0.6 * y + 256.0, 0.8 * y - 0.6 * x + 300.0);
        let inside = (0.0..512.0).contains(&x) && (0.0..600.0).contains(&y);
        if inside { *photo.get_pixel(x as u32, y as u32) } else { Rgb([0; 3]) }
    });

    let faces = detect(&rolled);

    // A tenth of the distance of the eyes.
    assert_eq!(faces.len(), 1);
    assert_near(&faces[0].landmarks, &upright.map(turned), 8.0);
}

#[test]
fn an_aligned_face_has_its_landmarks_at_the_template() {
    let photo = read("grace-hopper.jpg");
    let face = aligned(&photo, &detect(&photo)[0].landmarks, 256).unwrap();

    let again = detect(&face.image);

    // A face is rarely of the template's proportions.
    assert_eq!(again.len(), 1);
    assert_near(&again[0].landmarks, &TEMPLATE.map(|place| place.map(|share| 256.0 * share)), 0.06 * 256.0);
}
