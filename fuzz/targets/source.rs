//! Fuzzes downloaded data sets: file names, one per line, and after an empty line the table of labels.
#![no_main]

use std::fs;

use ipcgan::data::source::{SOURCES, Table, Tree, detect_source};
use ipcgan::model::AgeGroups;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let (names, table) = text.split_once("\n\n").unwrap_or((text, ""));
    let folder = tempfile::tempdir().expect("a temporary folder");
    for name in names.lines().take(8) {
        let inside = !name.split('/').any(|part| part.is_empty() || part.starts_with('.') || part.contains('\0'));
        let path = folder.path().join(name);
        if inside && let Some(parent) = path.parent() && fs::create_dir_all(parent).is_ok() {
            let _ = fs::write(path, table);
        }
    }
    let beside = tempfile::tempdir().expect("a temporary folder");
    let path = beside.path().join("table.csv");
    fs::write(&path, table).expect("the table is written");
    let tree = Tree::read(folder.path(), None).expect("the folder is read");
    let groups = AgeGroups::default();
    let _ = detect_source(&tree).map(|(source, _)| source.images(&tree, &Table::default(), &groups));
    for source in SOURCES {
        let _ = source.images(&tree, &Table { path: Some(path.clone()), ..Table::default() }, &groups);
    }
});
