//! `ipcgan evaluate`: metrics, report and errors.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use ipcgan::Device;
use ipcgan::model::{AgeGroups, GeneratorConfig, weights};

const JUDGES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../assets/judges");

fn ipcgan(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ipcgan")).current_dir(folder).args(arguments).output().unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A folder with `faces`, ten synthetic identities.
fn with_faces() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let synthetic = ["prepare", "--source", "synthetic", "--identities", "10", "--size", "64", "--out", "faces"];
    let output = ipcgan(folder.path(), &[&synthetic[..], &["--test-fraction", "0.3"]].concat());
    assert!(output.status.success(), "{}", stderr(&output));
    folder
}

#[test]
fn the_report_has_metrics_of_the_generator_and_of_baselines() {
    let folder = with_faces();
    let evaluate = ["evaluate", "--data", "faces", "--max-faces", "10", "--judges", JUDGES, "--device", "cpu"];

    let output = ipcgan(folder.path(), &evaluate);

    assert!(output.status.success(), "{}", stderr(&output));
    assert!(String::from_utf8_lossy(&output.stdout).contains("report/index.html"));
    let page = fs::read_to_string(folder.path().join("report/index.html")).unwrap();
    assert!(page.contains("data:image/jpeg;base64,") && !page.contains("http://") && !page.contains("https://"));
    // The verdict, faces, tables.
    let at = |text: &str| page.find(text).unwrap_or_else(|| panic!("no `{text}`"));
    assert!(at("<strong>") < at("<img") && at("<img") < at("<table"));
    assert!(at("hese weights") < at("<img"));
    for name in ["mean age error (years)", "verification rate", "Laplacian variance ratio"] {
        assert!(page.contains(name) && stderr(&output).contains(name), "{name}");
    }
    assert!(stderr(&output).contains("not defined: the verification rate, because 25 pairs"), "{}", stderr(&output));
    // In SVG, an unclosed element hides everything after it.
    for tag in ["line", "polyline"] {
        let opened = page.matches(&format!("<{tag} ")).count();
        assert!(opened > 0 && opened == page.matches(&format!("</{tag}>")).count(), "{tag}");
    }
    let metrics = fs::read(folder.path().join("report/metrics.json")).unwrap();
    let metrics: serde_json::Value = serde_json::from_slice(&metrics).unwrap();
    assert_eq!(metrics["faces"], 10);
    // 20 of 45 pairs are genuine.
    assert_eq!(metrics["real"]["impostor_pairs"], 25);
    let [generator, unchanged, mean_difference] = [0, 1, 2].map(|method| &metrics["methods"][method]);
    assert_eq!(generator["name"], "generator");
    // The unchanged face has the same identity, sharpness and age.
    assert!(unchanged["verification_rate"][0].is_null(), "of 25 pairs none can be a hundredth");
    assert!(unchanged["distance_by_gap"][4].as_f64().unwrap() < 1e-3);
    assert_eq!(unchanged["laplacian_variance_ratio"]["value"], 1.0);
    assert!(unchanged["age_correlation"].is_null() && unchanged["cycle"].is_null());
    // The mean difference is zero for the face's own group, and not for others.
    assert_eq!(mean_difference["name"], "mean difference x 2.5");
    assert_eq!(mean_difference["own_group_change"]["value"], 0.0);
    assert!(mean_difference["distance_by_gap"][4].as_f64().unwrap() > 1e-3);
    // Two identities with an image in each group: half of them are aged.
    assert!(unchanged["realism"][4].is_null(), "{}", unchanged["realism"]);
    assert_eq!(unchanged["own_group_perceptual_distance"]["value"], 0.0);
    assert!(generator["cycle"]["change"]["value"].as_f64().unwrap() > 0.0);
    // A row of the confusion matrix covers all faces except those estimated to be younger than the first group. Each
    // pair of groups has two faces; their mean age error is at least the difference of the mean ages.
    for fractions in generator["confusion"].as_array().unwrap() {
        let sum: f64 = fractions.as_array().unwrap().iter().map(|share| share.as_f64().unwrap()).sum();
        assert!(0.0 < sum && sum <= 1.0 + 1e-9, "{fractions}");
    }
    let pair = &generator["pairs"][0][4];
    let off = pair["years"].as_f64().unwrap() - metrics["real"]["years"][4]["value"].as_f64().unwrap();
    assert!(pair["faces"] == 2 && pair["error"].as_f64().unwrap() >= off.abs() - 1e-9, "{pair}");
    assert!(generator["distribution"]["frechet_distance"].is_null(), "five faces have no covariance of 1,024 numbers");
    assert!(metrics["teachers"].is_null(), "no network is known that the embedded generator learned from");
}

#[test]
fn the_networks_of_a_run_are_evaluated_with_its_generator() {
    let folder = with_faces();
    let short = ["identity.steps=1", "age.steps=1", "aging.steps=1", "validations=1", "aging.recalibration_batches=0"];
    let settings = short.iter().flat_map(|setting| ["--set", setting]);
    let train = ["train", "--data", "faces", "--run", "run", "--preset", "tiny", "--plain", "--device", "cpu"];
    let output = ipcgan(folder.path(), &train.into_iter().chain(settings).collect::<Vec<_>>());
    assert!(output.status.success(), "{}", stderr(&output));

    let output = ipcgan(folder.path(), &["evaluate", "run", "--data", "faces", "--judges", JUDGES, "--device", "cpu"]);

    assert!(output.status.success(), "{}", stderr(&output));
    let metrics = fs::read(folder.path().join("report/metrics.json")).unwrap();
    let metrics: serde_json::Value = serde_json::from_slice(&metrics).unwrap();
    let teachers = &metrics["teachers"];
    let within = teachers["age_within_one"]["value"].as_f64().unwrap();
    assert!((teachers["age_accuracy"]["value"].as_f64().unwrap()..=1.0).contains(&within), "{teachers}");
    // Synthetic identities have several images each.
    assert!((0.0..=1.0).contains(&teachers["verification_auc"].as_f64().unwrap()), "{teachers}");
}

#[test]
fn training_faces_are_not_evaluated() {
    let folder = with_faces();
    let table = folder.path().join("faces/metadata.csv");
    let text = fs::read_to_string(&table).unwrap();
    fs::write(&table, text.replace(",test", ",train").replace(",valid", ",train")).unwrap();

    let output = ipcgan(folder.path(), &["evaluate", "--data", "faces", "--judges", JUDGES, "--device", "cpu"]);

    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("in the split test or valid"), "{}", stderr(&output));
}

#[test]
fn untrained_weights_get_the_worst_verdict() {
    let folder = with_faces();
    let config = GeneratorConfig::new().with_image_size(64).with_width(2).with_residual_blocks(1);
    let groups = AgeGroups::default();
    let generator = config.init(&groups, 0, &Device::flex());
    weights::save(&generator, &config, &groups, &folder.path().join("noise.safetensors")).unwrap();

    let output = ipcgan(
        folder.path(),
        &[
            "evaluate",
            "noise.safetensors",
            "--data",
            "faces",
            "--max-faces",
            "10",
            "--judges",
            JUDGES,
            "--device",
            "cpu",
        ],
    );

    assert!(output.status.success(), "{}", stderr(&output));
    assert!(stderr(&output).contains("These weights are unusable: "), "{}", stderr(&output));
    let page = fs::read_to_string(folder.path().join("report/index.html")).unwrap();
    assert!(page.contains("<strong>These weights are unusable: "));
    let metrics = fs::read(folder.path().join("report/metrics.json")).unwrap();
    let metrics: serde_json::Value = serde_json::from_slice(&metrics).unwrap();
    assert_eq!(metrics["verdict"]["quality"], "unusable");
}

#[test]
fn missing_data_are_reported_before_any_other_work() {
    let folder = tempfile::tempdir().unwrap();

    let output = ipcgan(folder.path(), &["evaluate", "--data", "no-faces", "--device", "cpu"]);

    assert_eq!(output.status.code(), Some(1));
    let stderr = stderr(&output);
    assert!(stderr.contains("no-faces") && !stderr.contains("computing on"), "{stderr}");
}

/// The program outside of the source tree.
fn installed(folder: &Path) -> Command {
    let program = folder.join("bin").join("ipcgan");
    fs::create_dir_all(folder.join("bin")).unwrap();
    let built = env!("CARGO_BIN_EXE_ipcgan");
    if !program.exists() {
        fs::hard_link(built, &program).or_else(|_| fs::copy(built, &program).map(drop)).unwrap();
    }
    let mut command = Command::new(program);
    command.current_dir(folder).env_remove("IPCGAN_JUDGES");
    command.args(["evaluate", "--data", "faces", "--max-faces", "10", "--device", "cpu"]);
    command
}

#[cfg(not(feature = "judges"))]
#[test]
fn missing_judges_are_an_error_with_advice() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("faces")).unwrap();

    let output = installed(folder.path()).output().unwrap();

    assert_eq!(output.status.code(), Some(1));
    let stderr = stderr(&output);
    for text in ["faceres.safetensors", "assets/judges", "--judges", "IPCGAN_JUDGES", "--features judges"] {
        assert!(stderr.contains(text), "no {text} in {stderr}");
    }
}

#[test]
fn a_missing_file_of_the_judges_is_reported_by_name() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("faces")).unwrap();

    let by_option = installed(folder.path()).args(["--judges", "here"]).output().unwrap();
    let by_variable = installed(folder.path()).env("IPCGAN_JUDGES", "there").output().unwrap();

    assert!(stderr(&by_option).contains("here/faceres.safetensors does not exist"), "{}", stderr(&by_option));
    assert!(stderr(&by_variable).contains("there/faceres.safetensors does not exist"), "{}", stderr(&by_variable));
}

#[test]
fn judges_beside_the_program_are_found() {
    let folder = with_faces();
    let beside = folder.path().join("bin/judges");
    fs::create_dir_all(&beside).unwrap();
    for name in ["faceres.safetensors", "age_estimator.safetensors"] {
        fs::copy(Path::new(JUDGES).join(name), beside.join(name)).unwrap();
    }

    let output = installed(folder.path()).output().unwrap();

    assert!(output.status.success(), "{}", stderr(&output));
}
