//! Training on remote devices, here two other processes.
//!
//! Requires a separate build: `cargo test --release --workspace --features remote,ndarray --test remote`. Remote devices
//! compute by Burn's kernels, as `ndarray` does on this machine, so losses are compared on that device.

#![cfg(all(feature = "remote", feature = "ndarray"))]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod small_run;

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use small_run::{recorded, small_run_on, text};

/// A worker process that serves a device; killed on drop.
struct Lender {
    process: Child,
    device: String,
}

impl Lender {
    fn new(device: &str) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ipcgan"));
        command
            .args(["worker", "--device", device, "--listen", "127.0.0.1:0"])
            .stderr(Stdio::piped())
            .stdout(Stdio::null());
        let mut process = command.spawn().unwrap();
        let mut lines = BufReader::new(process.stderr.take().unwrap()).lines().map(Result::unwrap);
        let line = lines.find(|line| line.contains("remote:ws://")).unwrap();
        let device = line.split_whitespace().find(|word| word.starts_with("remote:")).unwrap();
        let device = device.trim_end_matches(';').to_string();
        // The pipe must not fill up.
        std::thread::spawn(move || lines.for_each(drop));
        Self { process, device }
    }
}

impl Drop for Lender {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

fn train(folder: &Path, run: &str, devices: &str, steps: usize) -> Command {
    let steps = format!("aging.steps={steps}");
    let mut command = small_run_on(folder, devices, &["--run", run, "--set", &steps]);
    // Panics are reported in one sentence unless this is set.
    command.env_remove("RUST_BACKTRACE");
    command
}

/// Losses of the ageing stage.
fn losses(folder: &Path, run: &str) -> Vec<(f64, f64)> {
    let loss = |line: &serde_json::Value| (line["discriminator"].as_f64().unwrap(), line["identity"].as_f64().unwrap());
    recorded(folder, run, "aging/train.jsonl").iter().map(loss).collect()
}

#[test]
fn two_remote_devices_have_the_losses_of_two_local_ones() {
    let folder = tempfile::tempdir().unwrap();
    let lenders = [(); 2].map(|()| Lender::new("ndarray"));
    let devices = lenders.each_ref().map(|lender| lender.device.as_str()).join(",");

    for (run, devices) in [("here", "ndarray,ndarray"), ("there", devices.as_str())] {
        let output = train(folder.path(), run, devices, 3).output().unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
    }

    let [here, there] = ["here", "there"].map(|run| losses(folder.path(), run));
    assert_eq!(here.len(), 3);
    for (here, there) in here.iter().zip(&there) {
        assert!(
            (here.0 - there.0).abs() <= 1e-4 * here.0 && (here.1 - there.1).abs() <= 1e-4 * here.1,
            "{here:?} {there:?}"
        );
    }
}

#[test]
fn a_lost_device_ends_in_a_checkpoint_and_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let lender = Lender::new("cpu");
    let devices = format!("cpu,{}", lender.device);
    let mut command = train(folder.path(), "run", &devices, 1_000_000);
    let mut process = command.args(["--set", "checkpoint_every=1000000"]).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(process.stderr.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.by_ref().any(|line| line.starts_with("aging  step")));

    drop(lender);

    let rest: Vec<String> = lines.collect();
    assert_eq!(process.wait().unwrap().code(), Some(1));
    assert!(!rest.iter().any(|line| line.contains("panicked")), "{rest:?}");
    let error = rest.last().unwrap();
    assert!(error.starts_with("error: a device failed at step") && error.contains("device 2 of 2"), "{error}");
    let checkpoints: Vec<_> = fs::read_dir(folder.path().join("run/checkpoints/aging")).unwrap().collect();
    assert_eq!(checkpoints.len(), 1);

    let mut resume = train(folder.path(), "run", "cpu,cpu", 1_000_000);
    let step: usize = checkpoints[0].as_ref().unwrap().file_name().to_str().unwrap().parse().unwrap();
    let resumed = resume.args(["--resume", "--set", &format!("aging.steps={}", step + 2)]).output().unwrap();
    assert!(resumed.status.success(), "{}", text(&resumed.stderr));
}
