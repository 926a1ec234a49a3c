//! Invalid input is reported in one line with the file and the reason, and nothing is written.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use image::{ImageFormat, Rgb, RgbImage};

const FAILED: i32 = 1;
const MISUSED: i32 = 2;

fn ipcgan(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ipcgan")).args(arguments).current_dir(folder).output().unwrap()
}

/// The error message, a single line.
fn failure(folder: &Path, arguments: &[&str], code: i32) -> String {
    let output = ipcgan(folder, arguments);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {text}");
    assert!(!text.contains("panicked"), "{text}");
    let errors: Vec<&str> = text.lines().filter(|line| line.starts_with("error:")).collect();
    assert_eq!(errors.len(), 1, "{text}");
    errors[0].to_string()
}

/// `ipcgan age` fails on `name` with an error that contains each of `words`, and writes nothing.
fn age_fails(folder: &Path, name: &str, words: &[&str]) {
    let error = failure(folder, &["age", name, "--aligned", "--device", "cpu", "--out", "out"], FAILED);

    for word in words.iter().chain(&[name]) {
        assert!(error.contains(word), "no `{word}` in: {error}");
    }
    let written = fs::read_dir(folder.join("out")).map_or(0, Iterator::count);
    assert_eq!(written, 0, "something was written");
}

fn face() -> RgbImage {
    RgbImage::from_fn(32, 32, |x, y| Rgb([(x * 8) as u8, (y * 8) as u8, 90]))
}

#[test]
fn a_missing_photo_is_an_error() {
    let folder = tempfile::tempdir().unwrap();

    age_fails(folder.path(), "nobody.jpg", &["No such file"]);
}

#[test]
fn a_photo_without_a_face_is_an_error_with_advice() {
    let folder = tempfile::tempdir().unwrap();
    face().save(folder.path().join("wall.png")).unwrap();

    let error = failure(folder.path(), &["age", "wall.png", "--device", "cpu", "--out", "out"], FAILED);

    assert!(error.contains("no face found in wall.png") && error.contains("--aligned"), "{error}");
    assert_eq!(fs::read_dir(folder.path().join("out")).unwrap().count(), 0, "something was written");
}

#[test]
fn a_text_file_with_an_image_extension_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("text.jpg"), "not an image").unwrap();

    age_fails(folder.path(), "text.jpg", &[]);
}

#[test]
fn a_truncated_image_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let whole = folder.path().join("cut.png");
    face().save_with_format(&whole, ImageFormat::Png).unwrap();
    let bytes = fs::read(&whole).unwrap();
    fs::write(&whole, &bytes[..bytes.len() / 2]).unwrap();

    age_fails(folder.path(), "cut.png", &[]);
}

#[test]
fn an_image_of_one_pixel_is_an_error_with_its_size() {
    let folder = tempfile::tempdir().unwrap();
    RgbImage::new(1, 1).save(folder.path().join("dot.png")).unwrap();

    age_fails(folder.path(), "dot.png", &["1 x 1"]);
}

#[test]
fn a_folder_with_an_image_extension_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("folder.jpg")).unwrap();

    age_fails(folder.path(), "folder.jpg", &[]);
}

#[test]
fn an_unknown_age_group_is_rejected_with_the_existing_ones() {
    let folder = tempfile::tempdir().unwrap();
    face().save(folder.path().join("face.png")).unwrap();

    let error = failure(folder.path(), &["age", "face.png", "--to", "61-70", "--device", "cpu"], MISUSED);

    assert!(error.contains("61-70") && error.contains("51+"), "{error}");
}

#[test]
fn weights_that_are_missing_truncated_or_of_another_network_are_an_error() {
    let folder = tempfile::tempdir().unwrap();
    face().save(folder.path().join("face.png")).unwrap();
    let reference = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/reference");
    let whole = fs::read(reference.join("pytorch_generator.safetensors")).unwrap();
    fs::write(folder.path().join("truncated"), &whole[..whole.len() / 2]).unwrap();
    fs::copy(reference.join("fill.safetensors"), folder.path().join("other")).unwrap();

    for (name, reason) in [
        ("missing", "no such file"),
        ("truncated", "not a valid safetensors file"),
        ("other", "not a weights file of this program"),
    ] {
        let error = failure(folder.path(), &["age", "face.png", "--weights", name, "--device", "cpu"], FAILED);

        assert!(error.contains(name) && error.contains(reason), "{error}");
    }
}

#[test]
fn an_unknown_device_is_misuse_and_one_that_is_not_compiled_in_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let device = |name, code| failure(folder.path(), &["age", "face.png", "--device", name], code);

    assert!(device("gpu", MISUSED).contains("gpu"));
    if !cfg!(feature = "cuda") {
        assert!(device("cuda", FAILED).contains("--features cuda"));
    }
}

#[test]
fn an_output_folder_that_cannot_be_created_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    face().save(folder.path().join("face.png")).unwrap();
    fs::write(folder.path().join("file"), "").unwrap();

    let error = failure(folder.path(), &["age", "face.png", "--out", "file/out", "--device", "cpu"], FAILED);
    assert!(error.contains("file/out"), "{error}");

    let error = failure(folder.path(), &["train", "--run", "file/run", "--device", "cpu"], FAILED);
    assert!(error.contains("file/run"), "{error}");
}

fn train_fails(folder: &Path, words: &[&str]) {
    let error = failure(folder, &["train", "--data", "data", "--run", "run", "--device", "cpu"], FAILED);
    for word in words {
        assert!(error.contains(word), "no `{word}` in: {error}");
    }
    assert!(!folder.join("run/weights/generator.safetensors").exists());
}

fn with_table(table: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("data")).unwrap();
    fs::write(folder.path().join("data/metadata.csv"), table).unwrap();
    face().save(folder.path().join("data/face.png")).unwrap();
    folder
}

#[test]
fn a_missing_or_empty_data_folder_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    train_fails(folder.path(), &["data"]);

    fs::create_dir(folder.path().join("data")).unwrap();
    train_fails(folder.path(), &["metadata.csv"]);
}

#[test]
fn a_table_without_a_required_column_is_an_error_with_its_columns() {
    let folder = with_table("image,age\nface.png,30\n");

    train_fails(folder.path(), &["metadata.csv", "file_name", "image"]);
}

#[test]
fn a_table_with_only_impossible_ages_is_an_error() {
    let folder = with_table("file_name,age\nface.png,-3\n");

    train_fails(folder.path(), &["metadata.csv", "-3"]);
}

#[test]
fn a_data_set_of_one_identity_is_an_error_in_training() {
    let folder = with_table("file_name,age,identity\nface.png,30,ann\n");

    train_fails(folder.path(), &["ident"]);
}

#[test]
fn an_unknown_setting_is_rejected_with_a_similar_one() {
    let folder = tempfile::tempdir().unwrap();

    let error = failure(folder.path(), &["train", "--set", "aging.stepz=1", "--device", "cpu"], MISUSED);

    assert!(error.contains("aging.stepz=1") && error.contains("steps"), "{error}");
}

#[test]
fn invalid_arguments_exit_with_the_code_of_misuse() {
    let folder = tempfile::tempdir().unwrap();
    face().save(folder.path().join("face.png")).unwrap();
    fs::create_dir(folder.path().join("faces")).unwrap();
    face().save(folder.path().join("faces/face.png")).unwrap();

    for (arguments, word) in [
        (&["age", "face.png", "--aligned", "--to", "old", "--device", "cpu"][..], "`old`"),
        (&["age", "face.png", "--to", "200", "--device", "cpu"], "from 11 to 120"),
        (&["age", "face.png", "--to", "5", "--device", "cpu"], "from 11 to 120"),
        (&["age", "face.png", "--to", "-5", "--device", "cpu"], "`-5`"),
        (&["age", "face.png", "--strength", "-1"], "from 0 (no change) to 3"),
        (&["age", "face.png", "--strength", "-0.5"], "from 0 (no change) to 3"),
        (&["age", "face.png", "--face", "-1"], "all, largest, or a number"),
        (&["convert", "a", "b", "--strength", "-1"], "from 0 (no change) to 3"),
        (&["prepare", "faces", "--out", "out", "--size", "-1"], "16..=1024"),
        (&["prepare", "faces", "--out", "out", "--valid-fraction", "-0.1"], "must be at least 0 and below 1"),
        (&["prepare", "faces", "--out", "out", "--age-groups", "11,old"], "a whole number of years"),
        (&["serve", "--max-upload-mb", "-1"], "1..=4096"),
        (&["age", "face.png", "--format", "heic"], "png"),
        (&["age", "faces", "--out", "faces", "--device", "cpu"], "contains the photos"),
        (&["age", "faces", "--video", "--reprocess"], "--reprocess"),
        (&["prepare", "--out", "out"], "FOLDER"),
        (&["prepare", "faces", "--out", "faces"], "itself"),
        (&["prepare", "faces", "--out", "out", "--threads", "1000000"], "1024"),
        (&["prepare", "faces", "--out", "out", "--valid-fraction", "0.5", "--test-fraction", "0.5"], "no identities"),
        (&["prepare", "faces", "--out", "out", "--source", "csv", "--column", "age"], "OURS=THEIRS"),
        (&["train", "--set", "aging.stepps=5", "--device", "cpu"], "stepps"),
        (&["serve", "--concurrency", "0"], "concurrency"),
    ] {
        let error = failure(folder.path(), arguments, MISUSED);
        assert!(error.contains(word), "no `{word}` in: {error}");
    }
}

#[test]
fn a_missing_table_is_named_as_it_was_given() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("faces")).unwrap();
    face().save(folder.path().join("faces/face.png")).unwrap();

    let arguments = ["prepare", "faces", "--table", "labels.csv", "--out", "out", "--device", "cpu"];
    let error = failure(folder.path(), &arguments, FAILED);

    assert!(error.contains("cannot read labels.csv") && !error.contains("prepare the folder"), "{error}");
}
