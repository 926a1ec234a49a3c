//! Locates the weights of the face recogniser, which the projected discriminator needs in training.

use std::env;
use std::path::{Path, PathBuf};

/// Environment variable with the file.
const VARIABLE: &str = "IPCGAN_RECOGNISER";
/// Name of the file.
const FILE: &str = "recogniser.safetensors";
/// Its folder in a clone of the repository.
const IN_CLONE: &str = "assets/recogniser";

/// The file `named`; else that of the variable `IPCGAN_RECOGNISER`; else the first that exists: beside the program, where
/// packages install it, in the working directory, or in the clone that the program was built from.
pub(crate) fn find(named: Option<&Path>) -> Option<PathBuf> {
    let variable = env::var_os(VARIABLE).filter(|value| !value.is_empty()).map(PathBuf::from);
    named.map(Path::to_path_buf).or(variable).or_else(|| candidates().into_iter().find(|file| file.is_file()))
}

/// Advice if it was not found.
pub(crate) fn advice() -> String {
    format!(
        "{FILE} is in {IN_CLONE} of the source code: pass it with --recogniser or {VARIABLE}, copy it beside the program, \
         or train with --set discriminator.projected=false --set aging.weights.projected=0"
    )
}

fn candidates() -> Vec<PathBuf> {
    search_folders("", IN_CLONE).into_iter().map(|folder| folder.join(FILE)).collect()
}

/// Folders of an asset, in the order of the search: `beside` the program, where packages install it, and `in_clone` of the
/// working directory and of the clone that the program was built from.
pub(crate) fn search_folders(beside: &str, in_clone: &str) -> Vec<PathBuf> {
    let program = env::current_exe().and_then(|path| path.canonicalize()).unwrap_or_default();
    let mut folders = Vec::new();
    if let Some(folder) = program.parent() {
        folders.push(folder.join(beside));
        folders.push(folder.join("../share/ipcgan").join(beside));
    }
    folders.push(in_clone.into());
    // `target/release/ipcgan` of a clone.
    folders.extend(program.ancestors().skip(2).map(|folder| folder.join(in_clone)));
    folders
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_named_file_is_taken_whether_it_exists_or_not_and_the_clone_has_one() {
        assert_eq!(find(Some("missing.safetensors".as_ref())), Some("missing.safetensors".into()));
        assert!(find(None).is_some_and(|file| file.is_file()));
    }
}
