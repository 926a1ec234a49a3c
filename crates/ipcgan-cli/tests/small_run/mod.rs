//! `ipcgan train` with minimal networks and stages.

#![allow(dead_code, reason = "a file of tests uses a part of it")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

/// Settings of the smallest networks and stages.
const SMALL: [&str; 16] = [
    "synthetic.identities=12",
    "synthetic.faces_per_group=1",
    "synthetic.size=32",
    "generator.image_size=32",
    "generator.width=2",
    "discriminator.width=2",
    "alexnet.input_size=67",
    "alexnet.width=2",
    "valid_fraction=0.4",
    "validations=1",
    "identity.batch_size=4",
    "age.batch_size=4",
    "aging.batch_size=4",
    "identity.steps=4",
    "age.steps=4",
    "aging.steps=2",
];

/// `ipcgan train` in `folder` with minimal settings, which `arguments` may override.
pub(crate) fn small_run(folder: &Path, arguments: &[&str]) -> Command {
    small_run_on(folder, "cpu", arguments)
}

/// The same on `devices`.
pub(crate) fn small_run_on(folder: &Path, devices: &str, arguments: &[&str]) -> Command {
    let mut command = train_on(folder, devices);
    for setting in SMALL {
        command.args(["--set", setting]);
    }
    command.args(arguments);
    command
}

/// `ipcgan train` in `folder` with only `arguments`.
pub(crate) fn train(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = train_on(folder, "cpu");
    command.args(arguments);
    command
}

fn train_on(folder: &Path, devices: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ipcgan"));
    command.current_dir(folder).args(["train", "--device", devices]);
    command
}

/// Output of [`small_run`].
pub(crate) fn trained(folder: &Path, arguments: &[&str]) -> Output {
    small_run(folder, arguments).output().expect("the program is there")
}

/// Output of `--resume` with only `arguments`: the settings are those saved in the run.
pub(crate) fn resumed(folder: &Path, arguments: &[&str]) -> Output {
    train(folder, &[&["--resume"], arguments].concat()).output().expect("the program is there")
}

/// Leaves the GAN stage of a complete run of `steps` as after a crash between the checkpoint before the last one and
/// the end.
pub(crate) fn remove_end_of_gan(run: &Path, steps: usize) {
    fs::remove_dir_all(run.join(format!("checkpoints/aging/{steps:06}"))).expect("the last checkpoint is there");
    for file in ["log/aging/summary.json", "weights/generator.safetensors"] {
        fs::remove_file(run.join(file)).expect("the stage is complete");
    }
}

/// Standard error of the command, which must exit with `code`.
pub(crate) fn ended(command: &mut Command, code: i32) -> String {
    let Output { status, stderr, .. } = command.output().expect("the program is there");
    let report = text(&stderr);
    assert_eq!(status.code(), Some(code), "{report}");
    assert!(!report.contains("panicked"), "{report}");
    report
}

/// Standard output and standard error of the command, which must succeed.
pub(crate) fn succeeded(output: Output) -> (String, String) {
    let (stdout, report) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{report}");
    (stdout, report)
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The whole weights file: equal runs write equal bytes.
pub(crate) fn weights(folder: &Path, run: &str, network: &str) -> Vec<u8> {
    let file = folder.join(run).join("weights").join(format!("{network}.safetensors"));
    fs::read(file).expect("the run has saved its weights")
}

pub(crate) fn assert_same_networks(folder: &Path, one: &str, other: &str) {
    for network in ["alexnet", "generator", "discriminator"] {
        assert!(weights(folder, one, network) == weights(folder, other, network), "the {network} differs");
    }
}

/// The JSON lines that a stage wrote to `file`.
pub(crate) fn recorded(folder: &Path, run: &str, file: &str) -> Vec<serde_json::Value> {
    let text = fs::read_to_string(folder.join(run).join("log").join(file)).expect("the stage has a log");
    text.lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect()
}
