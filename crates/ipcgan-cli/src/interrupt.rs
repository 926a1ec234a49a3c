//! Ctrl-C, and the signals by which systems end programs, while something is trained.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use ipcgan::train::{Interrupter, forget_lost_terminal, leave_dashboard, show_above_dashboard};

use crate::info;

/// Exit code of a program that Ctrl-C ended, as shells give it.
const INTERRUPTED: i32 = 130;
/// Time in which a second signal is the same wish: a terminal that is closed sends its signal, and so does the shell in it.
const REPEAT_WINDOW: Duration = Duration::from_millis(500);

/// Stops at the first Ctrl-C (or SIGTERM, or SIGHUP) with a checkpoint; the second one ends the program at once, with the terminal
/// as it was.
pub(crate) fn on_signals() -> Result<Interrupter> {
    let interrupter = Interrupter::new();
    let stop = interrupter.clone();
    let mut first: Option<Instant> = None;
    ctrlc::set_handler(move || match first {
        None => {
            first = Some(Instant::now());
            forget_lost_terminal();
            stop.stop(Some("interrupted"));
            let text = "stopping after this step, with a checkpoint; Ctrl-C once more to stop at once";
            if !show_above_dashboard(text) {
                info(text);
            }
        }
        Some(first) if first.elapsed() < REPEAT_WINDOW => (),
        Some(_) => {
            // Until the end nobody else draws.
            let _terminal = leave_dashboard();
            std::process::exit(INTERRUPTED);
        }
    })
    .context("cannot listen for Ctrl-C")?;
    Ok(interrupter)
}
