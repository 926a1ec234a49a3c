//! `ipcgan convert`: the same weights in another form.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

const ASSETS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../assets");

fn convert(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ipcgan"));
    command.current_dir(folder).arg("convert").args(arguments).output().unwrap()
}

/// Header and numbers of a safetensors file; the entries of the header come in any order.
fn parts(file: &[u8]) -> (serde_json::Value, &[u8]) {
    let (length, rest) = file.split_at(8);
    let (header, numbers) = rest.split_at(u64::from_le_bytes(length.try_into().unwrap()) as usize);
    (serde_json::from_slice(header).unwrap(), numbers)
}

#[test]
fn weights_of_half_precision_come_back_as_they_were() {
    let folder = tempfile::tempdir().unwrap();
    let embedded = format!("{ASSETS}/weights/generator.safetensors");
    let steps: [&[&str]; 3] = [&[&embedded, "full.st"], &["full.st", "half.st", "--half"], &["half.st", "back.st"]];

    for arguments in steps {
        let output = convert(folder.path(), arguments);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    // The embedded ones are of half precision, so that nothing is lost on the way.
    let [full, half, back] = ["full.st", "half.st", "back.st"].map(|name| fs::read(folder.path().join(name)).unwrap());
    assert!(parts(&full) == parts(&back), "weights or metadata are others");
    assert!(half.len() < full.len() * 52 / 100, "{} of {}", half.len(), full.len());
}

#[test]
fn a_generator_of_twice_the_strength_is_another_and_half_of_that_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let embedded = format!("{ASSETS}/weights/generator.safetensors");
    let steps: [&[&str]; 3] = [
        &[&embedded, "once.st"],
        &["once.st", "twice.st", "--strength", "2"],
        &["twice.st", "again.st", "--strength", "0.5"],
    ];

    for arguments in steps {
        let output = convert(folder.path(), arguments);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    let [once, twice, again] =
        ["once.st", "twice.st", "again.st"].map(|name| fs::read(folder.path().join(name)).unwrap());
    assert!(parts(&once) == parts(&again));
    assert!(parts(&once) != parts(&twice));
}

#[test]
fn a_generator_becomes_onnx_by_its_name_and_nothing_else_does() {
    let folder = tempfile::tempdir().unwrap();
    let embedded = format!("{ASSETS}/weights/generator.safetensors");

    let output = convert(folder.path(), &[&embedded, "generator.onnx"]);

    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let file = fs::read(folder.path().join("generator.onnx")).unwrap();
    let has = |text: &str| file.windows(text.len()).any(|bytes| bytes == text.as_bytes());
    assert!(has("ConvTranspose") && has("shares") && has("11-20 21-30 31-40 41-50 51+"));
    let half = convert(folder.path(), &[&embedded, "half.onnx", "--half"]);
    assert!(String::from_utf8_lossy(&half.stderr).contains("without --half"));
    assert!(!folder.path().join("half.onnx").exists());
}

#[test]
fn networks_of_others_are_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let other = format!("{ASSETS}/judges/age_estimator.safetensors");

    let output = convert(folder.path(), &[&other, "out.st"]);

    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("age_estimator.safetensors") && said.contains("not weights of ours"), "{said}");
    assert!(!folder.path().join("out.st").exists());
}
