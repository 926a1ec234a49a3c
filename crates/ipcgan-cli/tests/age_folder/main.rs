//! `ipcgan age` on folders: names, duplicates, earlier results, and files that are not photos.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod errors;
mod formats;
mod results;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use image::RgbImage;
use image::imageops::{FilterType, resize, rotate90, rotate180, rotate270};
use serde_json::Value;
use tempfile::TempDir;

fn asset(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../assets/photos").join(name)
}

/// A small portrait, which is aged quickly.
fn portrait(name: &str) -> RgbImage {
    resize(&image::open(asset(name)).unwrap().into_rgb8(), 256, 300, FilterType::Triangle)
}

/// A folder with the files `names`, each a portrait.
fn folder(names: &[&str]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in names {
        save(&folder.path().join(name), "grace-hopper.jpg");
    }
    folder
}

fn save(path: &Path, person: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    portrait(person).save(path).unwrap();
}

fn ipcgan(folder: &Path, arguments: &[&str]) -> Output {
    let arguments = ["age", "--device", "CPU"].iter().chain(arguments);
    Command::new(env!("CARGO_BIN_EXE_ipcgan")).current_dir(folder).args(arguments).output().unwrap()
}

/// Standard output and standard error of a command that must exit with `code`.
fn ended(code: i32, output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (results, diagnostics) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{results}{diagnostics}");
    assert!(!diagnostics.contains("panicked"), "{diagnostics}");
    (results, diagnostics)
}

fn age(code: i32, folder: &Path, arguments: &[&str]) -> (String, String) {
    ended(code, &ipcgan(folder, arguments))
}
