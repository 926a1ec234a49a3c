//! What the command says: results on standard output, all else on standard error, as much of it as is wanted.

use std::fmt::Display;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::Instant;

use indicatif::ProgressBar;

/// How much is said beside results.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Amount {
    /// Errors and warnings.
    Quiet,
    /// Progress and what is worth knowing, too.
    Usual,
    /// What is done when, too.
    Verbose,
}

static AMOUNT: AtomicU8 = AtomicU8::new(Amount::Usual as u8);
static BEGUN: LazyLock<Instant> = LazyLock::new(Instant::now);

impl Amount {
    /// Makes everything that is said from now on be of this amount.
    pub(crate) fn choose(self) {
        LazyLock::force(&BEGUN);
        AMOUNT.store(self as u8, Ordering::Relaxed);
    }
}

/// Whether progress is shown.
pub(crate) fn shows_progress() -> bool {
    says(Amount::Usual)
}

fn says(least: Amount) -> bool {
    AMOUNT.load(Ordering::Relaxed) >= least as u8
}

/// The bar that stands at the end of the terminal, if there is one.
static BAR: Mutex<Option<ProgressBar>> = Mutex::new(None);

/// Makes lines stand above `bar`; without one, at the end.
pub(crate) fn lines_above(bar: Option<ProgressBar>) {
    *BAR.lock().unwrap_or_else(PoisonError::into_inner) = bar;
}

fn write_above_the_bar(write: impl FnOnce()) {
    // Not while it is locked: what writes may say something itself.
    let bar = BAR.lock().unwrap_or_else(PoisonError::into_inner).clone();
    match bar {
        Some(bar) => bar.suspend(write),
        None => write(),
    }
}

/// Says a result; a reader that went away is no error.
pub(crate) fn answer(line: &str) {
    use std::io::Write;
    write_above_the_bar(|| drop(writeln!(std::io::stdout(), "{line}")));
}

/// Says what went wrong, or may; a terminal that went away is no reason to lose what is being done.
pub(crate) fn complain(line: &str) {
    use std::io::Write;
    write_above_the_bar(|| drop(writeln!(std::io::stderr(), "{line}")));
}

/// Says how far the work is, or what is worth knowing.
pub(crate) fn report(line: &str) {
    if says(Amount::Usual) {
        complain(line);
    }
}

/// Says what was just done, with the seconds since the program began, to who wants to know all.
pub(crate) fn detail(what: impl Display) {
    if says(Amount::Verbose) {
        complain(&format!("[{:8.3} s] {what}", BEGUN.elapsed().as_secs_f64()));
    }
}
