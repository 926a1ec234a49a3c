//! `ipcgan age` on folders: names, duplicates, earlier results, and files that are not photos.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../age_command/mod.rs"]
mod age_command;
mod errors;
mod formats;
mod results;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use image::RgbImage;
use image::imageops::{FilterType, resize, rotate90, rotate180, rotate270};
use serde_json::Value;
use tempfile::TempDir;

use age_command::{age, asset, ended};

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
