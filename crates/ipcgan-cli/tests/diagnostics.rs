//! A closed or full output never crashes the program, and never counts as success.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod small_run;

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::pipe;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use small_run::{small_run, train};
use tempfile::TempDir;

fn ipcgan(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ipcgan"));
    command.current_dir(folder).args(arguments);
    command
}

/// A pipe without a reader.
fn closed() -> Stdio {
    let (reader, writer) = pipe().unwrap();
    drop(reader);
    writer.into()
}

fn full() -> Stdio {
    File::options().write(true).open("/dev/full").unwrap().into()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A folder with a portrait.
fn photos() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let photo = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../assets/photos/eileen-collins.jpg");
    fs::create_dir(folder.path().join("photos")).unwrap();
    fs::copy(photo, folder.path().join("photos/a.jpg")).unwrap();
    folder
}

const AGE: [&str; 6] = ["age", "photos", "--to", "51+", "--device", "cpu"];
#[test]
fn a_closed_standard_error_does_not_stop_the_command() {
    let folder = photos();
    fs::write(folder.path().join("photos/broken.jpg"), "no photo").unwrap();

    let output = ipcgan(folder.path(), &AGE).arg("-v").stderr(closed()).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "a photo is broken");
    assert!(folder.path().join("aged/a-51+.jpg").is_file());

    let output = small_run(folder.path(), &[]).stderr(closed()).output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(folder.path().join("run/weights/generator.safetensors").is_file());
    let misused = ipcgan(folder.path(), &["age"]).stderr(closed()).output().unwrap();
    assert_eq!(misused.status.code(), Some(2));
}

#[test]
fn a_full_standard_error_does_not_stop_the_command() {
    let folder = photos();

    let output = ipcgan(folder.path(), &AGE).stderr(full()).output().unwrap();

    assert_eq!(output.status.code(), Some(0));
    assert!(folder.path().join("aged/a-51+.jpg").is_file());
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_standard_output_is_an_error() {
    let folder = photos();
    for arguments in
        [&AGE[..], &[&AGE[..], &["--json", "--reprocess"]].concat(), &["completions", "zsh"], &["--help"], &["-V"]]
    {
        let output = ipcgan(folder.path(), arguments).stdout(full()).output().unwrap();

        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        let stderr = stderr(&output);
        assert!(stderr.contains("error: cannot write to standard output: No space left"), "{arguments:?}: {stderr}");
    }
}

#[test]
fn a_closed_standard_output_is_not_an_error() {
    let folder = photos();
    for arguments in [&AGE[..], &["completions", "zsh"], &["--help"]] {
        let output = ipcgan(folder.path(), arguments).stdout(closed()).output().unwrap();

        assert_eq!(output.status.code(), Some(0), "{arguments:?}");
        assert!(!stderr(&output).contains("error"), "{arguments:?}");
    }
    assert!(folder.path().join("aged/a-51+.jpg").is_file());
}

#[test]
fn a_run_folder_may_have_a_name_that_is_not_utf_8() {
    let folder = tempfile::tempdir().unwrap();
    let run = OsStr::from_bytes(b"r\xe9sultat");

    let output = small_run(folder.path(), &[]).arg("--run").arg(run).output().unwrap();

    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(folder.path().join(run).join("weights/generator.safetensors").is_file());
}

#[test]
fn a_data_folder_may_have_a_name_that_is_not_utf_8() {
    let folder = tempfile::tempdir().unwrap();
    let data = OsStr::from_bytes(b"donn\xe9es");
    let faces = ["prepare", "--source", "synthetic", "--identities", "12", "--size", "32", "--out"];
    let output = ipcgan(folder.path(), &faces).arg(data).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));

    let output = small_run(folder.path(), &[]).arg("--data").arg(data).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let resumed = train(folder.path(), &["--resume"]).output().unwrap();
    assert_eq!(resumed.status.code(), Some(0), "{}", stderr(&resumed));
}
