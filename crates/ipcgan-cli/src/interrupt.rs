//! Ctrl-C and termination signals.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use ipcgan::train::{Interrupter, forget_lost_terminal, leave_dashboard, show_above_dashboard};
use log::info;

use crate::exit_reason::INTERRUPTED;

/// Time in which a second signal counts as the same: a terminal that is closed sends a signal, and so does the shell
/// in it.
const REPEAT_WINDOW: Duration = Duration::from_millis(500);

/// An interrupter that a signal stops, as [`stop_on_signal`] describes.
pub(crate) fn interrupter_on_signal(stopping: &'static str) -> Result<Interrupter> {
    let interrupter = Interrupter::new();
    let stopped = interrupter.clone();
    stop_on_signal(stopping, move || stopped.stop(Some("interrupted")))?;
    Ok(interrupter)
}

/// A flag that a signal sets, as [`stop_on_signal`] describes.
pub(crate) fn flag_on_signal(stopping: &'static str) -> Result<Arc<AtomicBool>> {
    let flag = Arc::new(AtomicBool::new(false));
    let stopped = flag.clone();
    stop_on_signal(stopping, move || stopped.store(true, Ordering::Relaxed))?;
    Ok(flag)
}

/// The first Ctrl-C (or SIGTERM, or SIGHUP) calls `stop` and prints how the program is `stopping`, such as `stopping
/// after this step with a checkpoint`; the second exits immediately, after restoring the terminal.
fn stop_on_signal(stopping: &'static str, stop: impl Fn() + Send + 'static) -> Result<()> {
    let mut first: Option<Instant> = None;
    let handler = move || match first {
        None => {
            first = Some(Instant::now());
            forget_lost_terminal();
            stop();
            let text = format!("{stopping}; press Ctrl-C again to exit immediately");
            if !show_above_dashboard(&text) {
                info!("{text}");
            }
        }
        Some(first) if first.elapsed() < REPEAT_WINDOW => (),
        Some(_) => {
            // Nothing else draws until the process ends.
            let _terminal = leave_dashboard();
            std::process::exit(INTERRUPTED.into());
        }
    };
    ctrlc::set_handler(handler).context("cannot listen for Ctrl-C")
}
