//! Fuzzes Parquet shards.
#![no_main]

use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;

use ipcgan::data::{FaceSet, open_faces};
use ipcgan::model::AgeGroups;
use libfuzzer_sys::fuzz_target;

static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| tempfile::tempdir().expect("a temporary folder").keep());

fuzz_target!(|bytes: &[u8]| {
    fs::write(FOLDER.join("train-00000-of-00001.parquet"), bytes).expect("the shard is written");
    let Ok((faces, _)) = open_faces(&FOLDER, &AgeGroups::default()) else { return };
    for index in 0..faces.len().min(16) {
        let _ = (faces.label(index), faces.image(index));
    }
});
