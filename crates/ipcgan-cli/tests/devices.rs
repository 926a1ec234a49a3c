//! `ipcgan devices` tests each device in its own process and prints each result as soon as it is known.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::process::{Command, Output};

fn devices(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ipcgan")).arg("devices").args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into()
}

#[test]
fn a_device_is_announced_before_its_test_and_reported_after_it() {
    let output = devices(&["cpu"]);

    assert!(output.status.success());
    assert!(text(&output.stderr).contains("testing cpu (at most 60 s)"), "{}", text(&output.stderr));
    assert!(text(&output.stdout).starts_with("cpu            works: the CPU"), "{}", text(&output.stdout));
}

#[test]
fn a_test_that_takes_too_long_is_ended_and_the_next_device_is_tested() {
    // The throughput measurement alone takes two seconds.
    let output = devices(&["cpu", "cpu", "--timeout", "1"]);

    assert_eq!(output.status.code(), Some(1));
    let lines = text(&output.stdout);
    assert_eq!(lines.matches("no result within 1 s").count(), 2, "{lines}");
    assert!(text(&output.stderr).contains("2 of 2 devices do not work: cpu, cpu"));
}

#[test]
fn a_device_that_is_not_compiled_in_is_an_error_with_the_feature_to_build_with() {
    let missing = if cfg!(feature = "cuda") { return } else { "cuda" };

    let output = devices(&[missing]);

    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stdout).contains("--features cuda"), "{}", text(&output.stdout));
}
