//! Progress bars.

use std::io::{IsTerminal, stderr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{HumanDuration, ProgressBar, ProgressStyle};
use log::info;

use crate::output::{set_progress_bar, shows_progress};

/// Interval between lines without a terminal.
const BETWEEN_LINES: Duration = Duration::from_secs(30);

/// A progress bar with the remaining time; without a terminal, a line at intervals.
pub(crate) struct Progress {
    what: &'static str,
    bar: ProgressBar,
    start: Instant,
    /// Time of the last line.
    last_line: Mutex<Instant>,
}

impl Progress {
    /// Progress of `what`, such as `reading faces`.
    pub(crate) fn new(what: &'static str) -> Self {
        let style = ProgressStyle::with_template("{msg} {bar:40} {pos}/{len} {eta} left")
            .expect("the template is fixed and valid");
        let bar = if shows_progress() { ProgressBar::new(0) } else { ProgressBar::hidden() };
        let bar = bar.with_style(style).with_message(what);
        bar.enable_steady_tick(Duration::from_millis(200));
        set_progress_bar(Some(bar.clone()));
        Self { what, bar, start: Instant::now(), last_line: Mutex::new(Instant::now()) }
    }

    /// Shows that `done` of `all` are done.
    pub(crate) fn show(&self, done: usize, all: usize) {
        if stderr().is_terminal() {
            self.bar.set_length(all as u64);
            self.bar.set_position(done as u64);
            return;
        }
        let mut last_line = self.last_line.lock().unwrap_or_else(PoisonError::into_inner);
        if last_line.elapsed() >= BETWEEN_LINES {
            *last_line = Instant::now();
            let left = self.start.elapsed().mul_f64(all.saturating_sub(done) as f64 / done.max(1) as f64);
            info!("{}: {done} of {all}, {} left", self.what, HumanDuration(left));
        }
    }

    /// Removes the bar.
    pub(crate) fn finish(&self) {
        set_progress_bar(None);
        self.bar.finish_and_clear();
    }
}

impl Drop for Progress {
    /// Also removes the bar after an error.
    fn drop(&mut self) {
        self.finish();
    }
}
