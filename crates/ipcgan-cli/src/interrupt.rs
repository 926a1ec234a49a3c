//! Ctrl-C and termination signals while a run is trained or a clip is aged.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use ipcgan::train::{Interrupter, forget_lost_terminal, leave_dashboard, show_above_dashboard};
use log::info;

/// Exit code after Ctrl-C, as in shells.
const INTERRUPTED: i32 = 130;
/// Time in which a second signal counts as the same: a terminal that is closed sends a signal, and so does the shell
/// in it.
const REPEAT_WINDOW: Duration = Duration::from_millis(500);

/// The first Ctrl-C (or SIGTERM, or SIGHUP) stops in order and prints how, such as `stopping after this step with a
/// checkpoint`; the second exits immediately, after restoring the terminal.
pub(crate) fn on_signals(stopping: &'static str) -> Result<Interrupter> {
    let interrupter = Interrupter::new();
    let stop = interrupter.clone();
    let mut first: Option<Instant> = None;
    ctrlc::set_handler(move || match first {
        None => {
            first = Some(Instant::now());
            forget_lost_terminal();
            stop.stop(Some("interrupted"));
            let text = format!("{stopping}; press Ctrl-C again to exit immediately");
            if !show_above_dashboard(&text) {
                info!("{text}");
            }
        }
        Some(first) if first.elapsed() < REPEAT_WINDOW => (),
        Some(_) => {
            // Nothing else draws until the process ends.
            let _terminal = leave_dashboard();
            std::process::exit(INTERRUPTED);
        }
    })
    .context("cannot listen for Ctrl-C")?;
    Ok(interrupter)
}
