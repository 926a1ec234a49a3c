//! `ipcgan completions` and `ipcgan manual`: shell completions and manual pages, generated from the arguments.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use clap::CommandFactory;
use clap_complete::Shell;

use crate::arguments::Arguments;
use crate::output::print_bytes;
use crate::print_path;

pub(crate) fn completions(shell: Shell) -> Result<()> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "ipcgan", &mut text);
    print_bytes(&text);
    Ok(())
}

/// Writes `ipcgan.1`, and one page per command, such as `ipcgan-age.1`.
pub(crate) fn pages(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("cannot make the folder {}", folder.display()))?;
    clap_mangen::generate_to(Arguments::command(), folder)
        .with_context(|| format!("cannot write to {}", folder.display()))?;
    print_path(&folder.join("ipcgan.1"));
    Ok(())
}
