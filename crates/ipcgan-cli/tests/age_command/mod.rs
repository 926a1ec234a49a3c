//! Runs `ipcgan age` in tests.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A photo of `assets/photos`.
pub(crate) fn asset(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../assets/photos").join(name)
}

/// `ipcgan age` with `arguments`, in `folder`.
pub(crate) fn ipcgan(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ipcgan"));
    command.current_dir(folder).args(["age", "--device", "CPU"]).args(arguments);
    command
}

/// Standard output and standard error of a command that must exit with `code`.
pub(crate) fn ended(code: i32, output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (results, diagnostics) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{results}{diagnostics}");
    assert!(!diagnostics.contains("panicked"), "{diagnostics}");
    (results, diagnostics)
}

pub(crate) fn age(code: i32, folder: &Path, arguments: &[&str]) -> (String, String) {
    ended(code, &ipcgan(folder, arguments).output().unwrap())
}
