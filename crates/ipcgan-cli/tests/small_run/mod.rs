//! `ipcgan train` with networks and stages as small as they can be.

use std::path::Path;
use std::process::{Command, Output};

/// Settings of the smallest networks and stages.
const SMALL: [&str; 15] = [
    "synthetic.identities=12",
    "synthetic.faces_per_group=1",
    "synthetic.size=32",
    "generator.image_size=32",
    "generator.width=2",
    "discriminator.width=2",
    "alexnet.input_size=67",
    "alexnet.width=2",
    "valid_share=0.4",
    "validations=1",
    "identity.batch_size=4",
    "age.batch_size=4",
    "aging.batch_size=4",
    "identity.steps=4",
    "age.steps=4",
];

/// `ipcgan train` in `folder` with the settings of the smallest run, which `arguments` may change.
pub(crate) fn small_run(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = train(folder, &[]);
    for setting in SMALL.iter().chain(&["aging.steps=2"]) {
        command.args(["--set", setting]);
    }
    command.args(arguments);
    command
}

/// `ipcgan train` in `folder` with `arguments` alone.
pub(crate) fn train(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ipcgan"));
    command.current_dir(folder).args(["train", "--device", "cpu"]).args(arguments);
    command
}

/// What the command said beside its results; it ended with `code`.
pub(crate) fn ended(command: &mut Command, code: i32) -> String {
    let Output { status, stderr, .. } = command.output().expect("the program is there");
    let report = String::from_utf8_lossy(&stderr).into_owned();
    assert_eq!(status.code(), Some(code), "{report}");
    assert!(!report.contains("panicked"), "{report}");
    report
}
