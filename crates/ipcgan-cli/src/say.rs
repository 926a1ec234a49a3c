//! What the command says: results on standard output, all else on standard error, as much of it as is wanted.
//!
//! This is the one place that prints. Nothing here panics: a full or closed output is an error at the end.

use std::fmt::Display;
use std::io::{self, Write};
use std::path::Path;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::Instant;

use anyhow::Result;
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

/// Why standard output took no more, once it did not.
static OUTPUT_ERROR: Mutex<Option<io::Error>> = Mutex::new(None);

/// Says a result; whether it could be written is known at the end, by [`check_output`].
pub(crate) fn answer(line: &str) {
    write_output(&[line.as_bytes(), b"\n"]);
}

/// Says a path as a result, byte by byte: it need not be text.
pub(crate) fn answer_path(path: &Path) {
    write_output(&[path.as_os_str().as_encoded_bytes(), b"\n"]);
}

/// Writes a whole text to standard output, as it is.
pub(crate) fn answer_text(text: &[u8]) {
    write_output(&[text]);
}

fn write_output(parts: &[&[u8]]) {
    let mut failed = OUTPUT_ERROR.lock().unwrap_or_else(PoisonError::into_inner);
    if failed.is_some() {
        return;
    }
    write_above_the_bar(|| {
        let mut output = io::stdout().lock();
        let written = parts.iter().try_for_each(|part| output.write_all(part)).and_then(|()| output.flush());
        *failed = written.err();
    });
}

/// Whether all results could be written. A reader that went away, as `head` does, has what it wanted.
///
/// # Errors
/// Standard output is full or broken.
pub(crate) fn check_output() -> Result<()> {
    match OUTPUT_ERROR.lock().unwrap_or_else(PoisonError::into_inner).take() {
        Some(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(anyhow::Error::new(error).context("cannot write to standard output"))
        }
        _ => Ok(()),
    }
}

/// Says what clap has to say, help or an error of the arguments, in its colours.
pub(crate) fn clap_message(message: &clap::Error) {
    let printed = message.print().and_then(|()| io::stdout().flush());
    if !message.use_stderr() {
        *OUTPUT_ERROR.lock().unwrap_or_else(PoisonError::into_inner) = printed.err();
    }
}

/// Says what went wrong, or may. Where nobody can be told (standard error is closed, the terminal is gone), the work goes on:
/// `eprintln!` would panic.
pub(crate) fn complain(line: &str) {
    write_above_the_bar(|| drop(io::stderr().lock().write_all(format!("{line}\n").as_bytes())));
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
