//! Fuzzes `metadata.csv`.
#![no_main]

use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;

use image::RgbImage;
use ipcgan::data::{FaceSet, open_faces};
use ipcgan::model::AgeGroups;
use libfuzzer_sys::fuzz_target;

static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| {
    let folder = tempfile::tempdir().expect("a temporary folder").keep();
    for name in ["a.png", "b.png"] {
        RgbImage::new(8, 8).save(folder.join(name)).expect("a face is written");
    }
    folder
});

fuzz_target!(|bytes: &[u8]| {
    fs::write(FOLDER.join("metadata.csv"), bytes).expect("the table is written");
    let Ok((faces, _)) = open_faces(&FOLDER, &AgeGroups::default()) else { return };
    for index in 0..faces.len() {
        let _ = (faces.label(index), faces.image(index));
    }
});
