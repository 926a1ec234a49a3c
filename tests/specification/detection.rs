//! Faces are found in photos as they are.

use std::path::Path;

use image::imageops::{flip_horizontal, replace};
use image::{Rgb, RgbImage};
use ipcgan::data::alignment::{TEMPLATE, aligned};
use ipcgan::data::detection::{DetectedFace, FaceDetector, MtcnnSettings};
use ipcgan::{face_detector, photo};

use crate::reference::device;

/// What the Python package `mtcnn` 1.0.0 finds with the same weights, in whole pixels.
const EXPECTED: [(&str, [[f32; 2]; 5]); 2] = [
    ("eileen-collins.jpg", [[204.0, 100.0], [246.0, 103.0], [225.0, 127.0], [201.0, 138.0], [245.0, 141.0]]),
    ("grace-hopper.jpg", [[220.0, 190.0], [308.0, 186.0], [268.0, 237.0], [232.0, 277.0], [304.0, 273.0]]),
];

fn read(name: &str) -> RgbImage {
    photo::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/photos").join(name)).unwrap()
}

fn detect(photo: &RgbImage) -> Vec<DetectedFace> {
    face_detector(MtcnnSettings::default(), &device()).detect(photo)
}

fn assert_near(found: &[[f32; 2]; 5], expected: &[[f32; 2]; 5], most: f32) {
    for (found, expected) in found.iter().zip(expected) {
        let distance = (found[0] - expected[0]).hypot(found[1] - expected[1]);
        assert!(distance <= most, "{found:?} instead of {expected:?}");
    }
}

#[test]
fn landmarks_are_where_the_public_implementation_finds_them() {
    // It looks at the photo in all sizes.
    let settings = MtcnnSettings { least_share: 0.0, ..MtcnnSettings::default() };
    let detector = face_detector(settings, &device());
    for (name, landmarks) in EXPECTED {
        let faces = detector.detect(&read(name));

        assert_eq!(faces.len(), 1, "{name}");
        assert_near(&faces[0].landmarks, &landmarks, 2.0);
        assert!(faces[0].score > 0.98, "{name}");
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
fn an_aligned_face_has_its_landmarks_at_the_template() {
    let photo = read("grace-hopper.jpg");
    let face = aligned(&photo, &detect(&photo)[0].landmarks, 256).unwrap();

    let again = detect(&face.picture);

    // A face is rarely of the template's proportions.
    assert_eq!(again.len(), 1);
    assert_near(&again[0].landmarks, &TEMPLATE.map(|place| place.map(|share| 256.0 * share)), 0.06 * 256.0);
}
