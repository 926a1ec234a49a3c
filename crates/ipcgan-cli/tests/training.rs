//! `ipcgan train` from nothing to an aged face, on the smallest networks.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

/// Networks and runs as small as they can be.
const SMALL: [&str; 20] = [
    "--set",
    "synthetic.identities=12",
    "--set",
    "synthetic.faces_per_group=1",
    "--set",
    "synthetic.size=32",
    "--set",
    "generator.image_size=32",
    "--set",
    "generator.width=2",
    "--set",
    "discriminator.width=2",
    "--set",
    "alexnet.input_size=67",
    "--set",
    "alexnet.width=2",
    "--set",
    "valid_share=0.4",
    "--set",
    "validations=1",
];

fn train(folder: &Path, extra: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ipcgan"));
    command.current_dir(folder).args(["train", "--device", "cpu"]).args(SMALL);
    for stage in ["identity", "age", "aging"] {
        command.args(["--set", &format!("{stage}.batch_size=4")]);
    }
    command.args(["--set", "identity.steps=4", "--set", "age.steps=4"]).args(extra);
    command.output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn succeeded(output: Output) -> (String, String) {
    let (answer, report) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{report}");
    (answer, report)
}

/// Values of all weights: files differ in the order of their metadata, weights must not.
fn weights(folder: &Path, run: &str, network: &str) -> Vec<u8> {
    let bytes = fs::read(folder.join(run).join("weights").join(format!("{network}.safetensors"))).unwrap();
    let header = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    bytes[8 + header..].to_vec()
}

#[test]
fn training_on_drawn_faces_ends_with_weights_that_age_a_photo() {
    let folder = tempfile::tempdir().unwrap();

    let (answer, report) = succeeded(train(folder.path(), &["--set", "aging.steps=4"]));

    assert!(answer.contains("000004.png"), "names no sample grid: {answer}");
    assert!(answer.contains("age PHOTO --aligned --weights"), "names no next command: {answer}");
    for line in ["identity  after step 4", "age  after step 4", "aging  after step 4"] {
        assert!(report.contains(line), "no `{line}` in {report}");
    }
    let run = folder.path().join("run");
    let grid = image::open(run.join("samples/000004.png")).unwrap();
    assert!(grid.width() > 6 * 32, "a source and five groups in a row");
    let config: serde_json::Value = serde_json::from_slice(&fs::read(run.join("config.json")).unwrap()).unwrap();
    assert_eq!(config["generator"]["width"], 2);

    fs::copy(run.join("samples/000004.png"), folder.path().join("photo.png")).unwrap();
    let weights = run.join("weights/generator.safetensors");
    let output = Command::new(env!("CARGO_BIN_EXE_ipcgan"))
        .current_dir(folder.path())
        .args(["age", "photo.png", "--aligned", "--device", "cpu", "--weights", weights.to_str().unwrap()])
        .output()
        .unwrap();
    succeeded(output);
    for group in ["11-20", "21-30", "31-40", "41-50", "51+", "strip"] {
        assert!(folder.path().join(format!("aged/photo-{group}.png")).exists(), "no picture for {group}");
    }
}

#[test]
fn a_run_that_goes_on_ends_with_the_weights_of_an_unbroken_one() {
    let folder = tempfile::tempdir().unwrap();
    succeeded(train(folder.path(), &["--run", "unbroken", "--set", "aging.steps=6"]));

    let first = ["--run", "broken", "--set", "aging.steps=6", "--set", "checkpoint_every=3"];
    succeeded(train(folder.path(), &first));
    // As after a crash between step 3 and the end.
    fs::remove_dir_all(folder.path().join("broken/checkpoints/aging/000006")).unwrap();
    fs::remove_file(folder.path().join("broken/log/aging/summary.json")).unwrap();
    fs::remove_file(folder.path().join("broken/weights/generator.safetensors")).unwrap();
    succeeded(resume(folder.path(), &["--run", "broken"]));

    assert_same_networks(folder.path(), "unbroken", "broken");
}

/// `--resume` alone: the settings are those that the run began with.
fn resume(folder: &Path, extra: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ipcgan"));
    command.current_dir(folder).args(["train", "--device", "cpu", "--resume"]).args(extra).output().unwrap()
}

fn assert_same_networks(folder: &Path, one: &str, other: &str) {
    for network in ["alexnet", "generator", "discriminator"] {
        assert!(weights(folder, one, network) == weights(folder, other, network), "the {network} differs");
    }
}

#[test]
fn a_damaged_checkpoint_is_told_and_the_one_before_serves() {
    let folder = tempfile::tempdir().unwrap();
    let first = ["--run", "broken", "--set", "aging.steps=6", "--set", "checkpoint_every=3"];
    succeeded(train(folder.path(), &first));
    let run = folder.path().join("broken");
    let [generator, unbroken] = [run.join("weights/generator.safetensors"), folder.path().join("unbroken/weights")];
    fs::create_dir_all(&unbroken).unwrap();
    for name in ["alexnet", "generator", "discriminator"] {
        let file = format!("{name}.safetensors");
        fs::copy(run.join("weights").join(&file), unbroken.join(&file)).unwrap();
    }
    fs::remove_file(&generator).unwrap();
    fs::remove_file(run.join("log/aging/summary.json")).unwrap();
    let model = run.join("checkpoints/aging/000006/model.bpk");
    let mut bytes = fs::read(&model).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&model, bytes).unwrap();

    let (_, report) = succeeded(resume(folder.path(), &["--run", "broken"]));

    assert!(report.contains("000006: model.bpk is damaged") && report.contains("going on from step 3"), "{report}");
    assert_same_networks(folder.path(), "unbroken", "broken");
}

#[test]
fn a_crash_after_the_last_checkpoint_loses_no_weights() {
    let folder = tempfile::tempdir().unwrap();
    succeeded(train(folder.path(), &["--set", "aging.steps=2"]));
    let before = ["alexnet", "generator", "discriminator"].map(|network| weights(folder.path(), "run", network));
    for file in ["weights/generator.safetensors", "weights/discriminator.safetensors", "log/aging/summary.json"] {
        fs::remove_file(folder.path().join("run").join(file)).unwrap();
    }

    succeeded(resume(folder.path(), &[]));

    let after = ["alexnet", "generator", "discriminator"].map(|network| weights(folder.path(), "run", network));
    assert!(before == after);
    let summary = fs::read(folder.path().join("run/log/age/summary.json")).unwrap();
    let summary: serde_json::Value = serde_json::from_slice(&summary).unwrap();
    assert_eq!(summary["steps"], 4);
    assert!(summary["held_out"]["within one group"].is_number(), "{summary}");
}

#[test]
fn a_run_goes_on_only_with_what_it_began_with_unless_told_otherwise() {
    let folder = tempfile::tempdir().unwrap();
    succeeded(train(folder.path(), &["--set", "aging.steps=2"]));

    let longer = resume(folder.path(), &["--set", "aging.steps=3"]);
    succeeded(longer);
    assert!(folder.path().join("run/checkpoints/aging/000003").exists());

    let other = resume(folder.path(), &["--preset", "compact"]);
    assert!(text(&other.stderr).contains("began with --preset tiny"), "{}", text(&other.stderr));

    let fewer = resume(folder.path(), &["--set", "aging.steps=4", "--set", "synthetic.identities=11"]);
    assert!(text(&fewer.stderr).contains("faces to learn from and now there are"), "{}", text(&fewer.stderr));
}

#[test]
fn a_loss_that_is_no_number_ends_the_run_with_what_to_go_on_from() {
    let folder = tempfile::tempdir().unwrap();

    let wild = ["--set", "aging.steps=50", "--set", "aging.weights.age=1e60", "--set", "checkpoint_every=1"];
    let output = train(folder.path(), &wild);

    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    let error = said.lines().find(|line| line.starts_with("error:")).unwrap();
    assert!(error.contains("after step") && error.contains("lower rates"), "{error}");
    assert!(!folder.path().join("run/weights/generator.safetensors").exists());
}

#[test]
fn a_run_is_not_written_over() {
    let folder = tempfile::tempdir().unwrap();
    succeeded(train(folder.path(), &["--stage", "identity"]));

    let begun = fs::read(folder.path().join("run/data.json")).unwrap();

    let output = train(folder.path(), &["--stage", "identity"]);

    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("--resume"), "{}", text(&output.stderr));

    let drawn = ["prepare", "--source", "synthetic", "--people", "12", "--size", "32", "--out", "faces"];
    let prepared = Command::new(env!("CARGO_BIN_EXE_ipcgan")).current_dir(folder.path()).args(drawn).output().unwrap();
    succeeded(prepared);
    let output = train(folder.path(), &["--stage", "identity", "--data", "faces"]);
    assert!(text(&output.stderr).contains("--resume"), "{}", text(&output.stderr));
    assert!(fs::read(folder.path().join("run/data.json")).unwrap() == begun, "the run forgot its data");
}

#[test]
fn a_stage_without_the_one_before_it_says_what_is_missing() {
    let folder = tempfile::tempdir().unwrap();

    let output = train(folder.path(), &["--stage", "age"]);

    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("alexnet.safetensors"), "{}", text(&output.stderr));
}

/// Ctrl-C, sent as a terminal does.
#[cfg(unix)]
#[test]
fn control_c_ends_cleanly_with_a_checkpoint_to_go_on_from() {
    use std::io::{BufRead, BufReader};
    use std::process::Stdio;

    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_ipcgan"));
    command.current_dir(folder.path()).args(["train", "--device", "cpu", "--stage", "identity"]).args(SMALL);
    command.args(["--set", "identity.batch_size=4", "--set", "identity.steps=1000000"]);
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let begun = lines.by_ref().any(|line| line.unwrap().contains("step"));
    assert!(begun);

    let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(sent.success());

    assert!(child.wait().unwrap().success());
    let rest: Vec<String> = lines.map(Result::unwrap).collect();
    assert!(rest.iter().any(|line| line.contains("--resume")), "{rest:?}");
    let checkpoints: Vec<_> = fs::read_dir(folder.path().join("run/checkpoints/identity")).unwrap().collect();
    assert_eq!(checkpoints.len(), 1);
}
