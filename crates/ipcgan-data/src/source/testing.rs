//! Small data set folders for tests.

use std::fs;

use ipcgan_model::AgeGroups;
use tempfile::TempDir;

use super::{Listing, Table, Tree, by_name};
use crate::Gender;

/// A folder with these files and their contents.
pub(super) fn tree_with(files: &[(&str, &str)]) -> (TempDir, Tree) {
    let folder = tempfile::tempdir().unwrap();
    for (file, text) in files {
        let path = folder.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let tree = Tree::read(folder.path(), None).unwrap();
    (folder, tree)
}

/// A folder with these empty files.
pub(super) fn tree(files: &[&str]) -> (TempDir, Tree) {
    tree_with(&files.iter().map(|file| (*file, "")).collect::<Vec<_>>())
}

/// The listing of source `name` for a folder with these files.
pub(super) fn listing(name: &str, files: &[(&str, &str)]) -> Listing {
    let (_folder, tree) = tree_with(files);
    by_name(name).unwrap().images(&tree, &Table::default(), &AgeGroups::default()).unwrap()
}

/// File name, age, identity and split of each image, or the reason for its exclusion.
pub(super) fn described(listing: &Listing) -> Vec<String> {
    let text = |image: &super::SourceImage| match &image.label {
        Ok(label) => {
            let age = label.age.map_or("?".into(), |age| age.to_string());
            let identity = label.identity.as_deref().unwrap_or("?");
            let split = label.split.map_or("?".into(), |split| split.to_string());
            format!("{}: {age} {identity} {split}", image.file_name)
        }
        Err(fault) => format!("{}: {}", image.file_name, fault.reason),
    };
    listing.images.iter().map(text).collect()
}

/// The gender of each image that has a label.
pub(super) fn genders(listing: &Listing) -> Vec<Option<Gender>> {
    listing.images.iter().filter_map(|image| image.label.as_ref().ok()).map(|label| label.gender).collect()
}
