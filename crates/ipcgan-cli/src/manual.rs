//! `ipcgan completions` and `ipcgan manual`: shell completions and manual pages, generated from the arguments.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use clap::Command;
use clap_complete::Shell;

use crate::output::{print_bytes, print_path};

/// Prints the completions of `program` for `shell`.
pub(crate) fn completions(program: &mut Command, shell: Shell) -> Result<()> {
    let mut text = Vec::new();
    clap_complete::generate(shell, program, "ipcgan", &mut text);
    print_bytes(&text);
    Ok(())
}

/// Writes `ipcgan.1`, and one page per command, such as `ipcgan-age.1`.
pub(crate) fn pages(program: Command, folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("cannot create the folder {}", folder.display()))?;
    clap_mangen::generate_to(program, folder).with_context(|| format!("cannot write to {}", folder.display()))?;
    print_path(&folder.join("ipcgan.1"));
    Ok(())
}
