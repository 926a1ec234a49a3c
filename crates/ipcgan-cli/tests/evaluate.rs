//! `ipcgan evaluate`: what it measures, and what it refuses.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

const JUDGES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../assets/judges");

fn ipcgan(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ipcgan")).current_dir(folder).args(arguments).output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A folder with `faces`, ten drawn people.
fn with_faces() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let drawn = ["prepare", "--source", "synthetic", "--people", "10", "--size", "64", "--out", "faces"];
    let output = ipcgan(folder.path(), &[&drawn[..], &["--test-share", "0.3"]].concat());
    assert!(output.status.success(), "{}", said(&output));
    folder
}

#[test]
fn the_report_has_numbers_of_the_generator_and_of_simpler_ways() {
    let folder = with_faces();
    let evaluate = ["evaluate", "--data", "faces", "--faces", "10", "--judges", JUDGES, "--device", "cpu"];

    let output = ipcgan(folder.path(), &evaluate);

    assert!(output.status.success(), "{}", said(&output));
    assert!(String::from_utf8_lossy(&output.stdout).contains("report/index.html"));
    let page = fs::read_to_string(folder.path().join("report/index.html")).unwrap();
    assert!(page.contains("data:image/jpeg;base64,") && !page.contains("http://") && !page.contains("https://"));
    // In a drawing, what is not closed swallows what follows.
    for tag in ["line", "polyline"] {
        let opened = page.matches(&format!("<{tag} ")).count();
        assert!(opened > 0 && opened == page.matches(&format!("</{tag}>")).count(), "{tag}");
    }
    let metrics = fs::read(folder.path().join("report/metrics.json")).unwrap();
    let metrics: serde_json::Value = serde_json::from_slice(&metrics).unwrap();
    assert_eq!(metrics["faces"], 10);
    // Of 45 pairs, 20 are of one person.
    assert_eq!(metrics["real"]["impostor_pairs"], 25);
    let [generator, unchanged, blended] = [0, 1, 2].map(|method| &metrics["methods"][method]);
    assert_eq!(generator["name"], "generator");
    // What is not changed is the same person, as sharp as before, and of no other age.
    assert!(unchanged["verified"][0].is_null(), "of 25 pairs none can be a hundredth");
    assert!(unchanged["distance_by_gap"][4].as_f64().unwrap() < 1e-3);
    assert_eq!(unchanged["sharpness"]["value"], 1.0);
    assert!(unchanged["smoothness"].is_null() && unchanged["cycle"].is_null());
    // A mean face has less detail, and another background.
    assert!(blended["sharpness"]["value"].as_f64().unwrap() < 0.9);
    assert!(blended["background"]["value"].as_f64().unwrap() > 1.0);
    assert!(blended["own_group_perceptual"]["value"].as_f64().unwrap() > 1e-3);
    assert_eq!(unchanged["own_group_perceptual"]["value"], 0.0);
    assert!(generator["cycle"]["change"]["value"].as_f64().unwrap() > 0.0);
    // A row of the confusion is all faces but those that look younger than the first group; each pair of groups has two, and its error is that of its years at least.
    for shares in generator["confusion"].as_array().unwrap() {
        let sum: f64 = shares.as_array().unwrap().iter().map(|share| share.as_f64().unwrap()).sum();
        assert!(0.0 < sum && sum <= 1.0 + 1e-9, "{shares}");
    }
    let pair = &generator["pairs"][0][4];
    let off = pair["years"].as_f64().unwrap() - metrics["real"]["years"][4]["value"].as_f64().unwrap();
    assert!(pair["faces"] == 2 && pair["error"].as_f64().unwrap() >= off.abs() - 1e-9, "{pair}");
    assert!(generator["distribution"]["frechet_distance"].is_null(), "five faces have no covariance of 128 numbers");
    assert!(metrics["teachers"].is_null(), "no network is known that the embedded generator learned from");
}

#[test]
fn the_networks_of_a_run_are_measured_beside_its_generator() {
    let folder = with_faces();
    let short = ["identity.steps=1", "age.steps=1", "aging.steps=1", "validations=1", "aging.statistics_batches=0"];
    let settings = short.iter().flat_map(|setting| ["--set", setting]);
    let train = ["train", "--data", "faces", "--run", "run", "--preset", "tiny", "--plain", "--device", "cpu"];
    let output = ipcgan(folder.path(), &train.into_iter().chain(settings).collect::<Vec<_>>());
    assert!(output.status.success(), "{}", said(&output));

    let output = ipcgan(folder.path(), &["evaluate", "run", "--data", "faces", "--judges", JUDGES, "--device", "cpu"]);

    assert!(output.status.success(), "{}", said(&output));
    let metrics = fs::read(folder.path().join("report/metrics.json")).unwrap();
    let metrics: serde_json::Value = serde_json::from_slice(&metrics).unwrap();
    let teachers = &metrics["teachers"];
    let within = teachers["age_within_one"]["value"].as_f64().unwrap();
    assert!((teachers["age_accuracy"]["value"].as_f64().unwrap()..=1.0).contains(&within), "{teachers}");
    // Drawn people have several pictures each.
    assert!((0.0..=1.0).contains(&teachers["verification"].as_f64().unwrap()), "{teachers}");
}

#[test]
fn faces_that_were_learned_from_are_not_measured() {
    let folder = with_faces();
    let table = folder.path().join("faces/metadata.csv");
    let text = fs::read_to_string(&table).unwrap();
    fs::write(&table, text.replace(",test", ",train").replace(",valid", ",train")).unwrap();

    let output = ipcgan(folder.path(), &["evaluate", "--data", "faces", "--judges", JUDGES, "--device", "cpu"]);

    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("split test or valid"), "{}", said(&output));
}

#[test]
fn judges_that_are_missing_are_named() {
    let folder = tempfile::tempdir().unwrap();

    let output = ipcgan(folder.path(), &["evaluate", "--data", "faces", "--device", "cpu"]);

    assert_eq!(output.status.code(), Some(1));
    let said = said(&output);
    assert!(said.contains("--judges") && said.contains("assets/judges/recogniser.safetensors"), "{said}");
}
