//! Fuzzes MATLAB `.mat` files, which contain the labels of CACD.
#![no_main]

use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;

use ipcgan::data::source::{Table, Tree, by_name};
use ipcgan::model::AgeGroups;
use libfuzzer_sys::fuzz_target;

static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| {
    let folder = tempfile::tempdir().expect("a temporary folder").keep();
    fs::write(folder.join("14_Somebody_0001.jpg"), "").expect("an image's name");
    folder
});

fuzz_target!(|bytes: &[u8]| {
    let path = FOLDER.join("celebrity2000_meta.mat");
    fs::write(&path, bytes).expect("the labels are written");
    let tree = Tree::read(&FOLDER, None).expect("the folder is read");
    let table = Table { path: Some(path), ..Table::default() };
    let _ = by_name("cacd").expect("a source").images(&tree, &table, &AgeGroups::default());
});
