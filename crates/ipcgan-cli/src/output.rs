//! Output: results on standard output; messages, through the `log` crate, on standard error.
//!
//! The only place that prints. Nothing here panics: a full or closed standard output is reported at the end.

use std::borrow::Cow;
use std::error::Error;
use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::Instant;

use anyhow::Result;
use indicatif::ProgressBar;
use ipcgan::data::DataError;
use ipcgan::system::with_causes_until;
use ipcgan::train::show_above_dashboard;
use log::{Level, LevelFilter, Log, Metadata, Record, debug, error};

use crate::advice::{advice, reported};

/// Which messages are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verbosity {
    /// Errors and warnings.
    Quiet,
    /// Also progress and information.
    Normal,
    /// Also debug output, and messages of Burn and GPU drivers.
    Verbose,
}

/// Prefix of the targets of our own messages. Errors and warnings among them get their level; messages of libraries get
/// their level and target.
const OWN_TARGETS: &str = "ipcgan";

/// Our own messages that were shown above the dashboard, which covers them again.
static COVERED: Mutex<Vec<String>> = Mutex::new(Vec::new());

static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Prints the messages of the `log` crate to standard error.
struct Logger;

static LOGGER: Logger = Logger;

/// Starts to print messages, with normal verbosity.
pub(crate) fn start_log() {
    LazyLock::force(&START);
    // It fails only if there is a logger already, which there is not.
    drop(log::set_logger(&LOGGER));
    Verbosity::Normal.set();
}

impl Verbosity {
    /// Sets the verbosity of the process.
    pub(crate) fn set(self) {
        log::set_max_level(match self {
            Self::Quiet => LevelFilter::Warn,
            Self::Normal => LevelFilter::Info,
            Self::Verbose => LevelFilter::Debug,
        });
    }
}

impl Log for Logger {
    /// Messages of libraries (Burn, wgpu) are for debugging, without their own debug output, which describes each
    /// kernel.
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        match metadata.target().starts_with(OWN_TARGETS) {
            true => metadata.level() <= log::max_level(),
            false => metadata.level() <= Level::Info && log::max_level() >= LevelFilter::Debug,
        }
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let (message, seconds) = (record.args(), START.elapsed().as_secs_f64());
        let (level, target) = (record.level().as_str().to_ascii_lowercase(), record.target());
        let own = target.starts_with(OWN_TARGETS);
        let line = match (own, record.level()) {
            (true, Level::Error) => format!("error: {message}"),
            (true, Level::Warn) => format!("warning: {message}"),
            (true, Level::Info) => message.to_string(),
            (true, _) => format!("[{seconds:8.3} s] {message}"),
            (false, _) => format!("[{seconds:8.3} s] {level} of {target}: {message}"),
        };
        if !show_above_dashboard(&escaped(&line)) {
            print_message(&line);
        } else if own && record.level() <= Level::Info {
            COVERED.lock().unwrap_or_else(PoisonError::into_inner).push(line);
        }
    }

    fn flush(&self) {}
}

/// Prints the messages that were shown above the dashboard again, after it is closed.
pub(crate) fn print_covered_messages() {
    let covered = std::mem::take(&mut *COVERED.lock().unwrap_or_else(PoisonError::into_inner));
    covered.iter().for_each(|line| print_message(line));
}

/// Whether progress is shown.
pub(crate) fn shows_progress() -> bool {
    log::max_level() >= LevelFilter::Info
}

/// The progress bar at the end of the terminal, if there is one.
static BAR: Mutex<Option<ProgressBar>> = Mutex::new(None);

/// Prints further lines above `bar`.
pub(crate) fn set_progress_bar(bar: Option<ProgressBar>) {
    *BAR.lock().unwrap_or_else(PoisonError::into_inner) = bar;
}

fn write_above_the_bar(write: impl FnOnce()) {
    // Not while holding the lock: `write` may print as well.
    let bar = BAR.lock().unwrap_or_else(PoisonError::into_inner).clone();
    match bar {
        Some(bar) => bar.suspend(write),
        None => write(),
    }
}

/// First error of standard output.
static OUTPUT_ERROR: Mutex<Option<io::Error>> = Mutex::new(None);

/// Prints a line to standard output; [`check_output`] returns errors.
pub(crate) fn print_line(line: &str) {
    write_output(&[escaped(line).as_bytes(), b"\n"]);
}

/// Prints a path to standard output: with control characters escaped on a terminal, byte for byte elsewhere, because it
/// need not be UTF-8.
pub(crate) fn print_path(path: &Path) {
    match io::stdout().is_terminal() {
        true => print_line(&path.to_string_lossy()),
        false => write_output(&[path.as_os_str().as_encoded_bytes(), b"\n"]),
    }
}

/// Escapes control sequences in `text`: file names may hold control characters, which would move the cursor, forge
/// lines or write to the clipboard, and characters that change the text direction.
///
/// The escapes are those of JSON (`\u001b`), so JSON text keeps its meaning.
pub(crate) fn escaped(text: &str) -> Cow<'_, str> {
    if !text.contains(controls_terminal) {
        return text.into();
    }
    let mut escaped = String::new();
    for character in text.chars() {
        match character {
            '\n' => escaped += "\\n",
            '\r' => escaped += "\\r",
            obeyed if controls_terminal(obeyed) => escaped += &format!("\\u{:04x}", u32::from(obeyed)),
            other => escaped.push(other),
        }
    }
    escaped.into()
}

fn controls_terminal(character: char) -> bool {
    let turns =
        matches!(character, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    turns || (character.is_control() && character != '\t')
}

/// Writes bytes to standard output.
pub(crate) fn print_bytes(text: &[u8]) {
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

/// Returns the first error of standard output. A closed pipe, such as by `head`, is not an error.
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

/// Prints a message of clap (help or an error) with its colours.
pub(crate) fn clap_message(message: &clap::Error) {
    let plain = message.render().to_string();
    // It may quote an argument that is a file name.
    if plain.lines().any(|line| line.contains(controls_terminal)) {
        return plain.lines().for_each(print_message);
    }
    let printed = message.print().and_then(|()| io::stdout().flush());
    if !message.use_stderr() {
        *OUTPUT_ERROR.lock().unwrap_or_else(PoisonError::into_inner) = printed.err();
    }
}

/// Prints a message to standard error. Failures are ignored (standard error is closed, the terminal is
/// gone), where `eprintln!` would panic.
fn print_message(line: &str) {
    write_above_the_bar(|| drop(io::stderr().lock().write_all(format!("{}\n", escaped(line)).as_bytes())));
}

/// Prints an error with its causes on one line; a decoder's error is shown only as debug output.
pub(crate) fn print_error(error: &anyhow::Error) {
    error!("{}", with_causes_and_advice(error));
    if let Some(cause) = error.chain().find_map(|cause| data_error(cause)?.decoder_error()) {
        debug!("the decoder: {cause}");
    }
}

/// An error with its causes and advice on one line.
pub(crate) fn with_causes_and_advice(error: &anyhow::Error) -> String {
    let message = with_causes_until(&**error, |cause| Some(data_error(cause)?.user_message()));
    match advice(error) {
        Some(advice) => format!("{message}; {advice}"),
        None => message,
    }
}

/// The error of images or data sets that `cause` is or reports.
fn data_error<'a>(cause: &'a (dyn Error + 'static)) -> Option<&'a DataError> {
    reported(cause).downcast_ref()
}

#[cfg(test)]
mod tests {
    use image::ImageError;
    use ipcgan::photo::{DecodeFault, ImageKind};
    use ipcgan::train::TrainingError;

    use super::*;

    #[test]
    fn the_error_of_a_decoder_is_left_out_of_errors_of_data_and_of_a_training() {
        let damaged = || DataError::Decode {
            path: "face.png".into(),
            kind: ImageKind::Png,
            fault: DecodeFault::Damaged,
            source: Some(Box::new(ImageError::IoError(io::ErrorKind::InvalidData.into()))),
        };
        let of_data = anyhow::Error::new(damaged()).context("cannot prepare faces");
        let of_training = anyhow::Error::new(TrainingError::from(damaged())).context("cannot prepare faces");

        for error in [of_data, of_training] {
            let expected = "cannot prepare faces: face.png is a damaged PNG; copy or download it again";
            assert_eq!(with_causes_and_advice(&error), expected);
        }
    }

    #[test]
    fn control_characters_are_escaped_and_other_characters_unchanged() {
        assert_eq!(escaped("a\u{1b}[31m\n\u{9b}b\u{7f}\u{202e}.jpg"), r"a\u001b[31m\n\u009bb\u007f\u202e.jpg");
        for plain in ["Größe 年.jpg", "tab\there", "a\\b", "👩🏽‍🦰"] {
            assert_eq!(escaped(plain), plain);
        }
    }

    #[test]
    fn messages_of_libraries_are_printed_only_with_debug_output() {
        let printed = |target: &str, level| {
            let metadata = Metadata::builder().target(target).level(level).build();
            [Verbosity::Quiet, Verbosity::Normal, Verbosity::Verbose].map(|verbosity| {
                verbosity.set();
                Logger.enabled(&metadata)
            })
        };

        assert_eq!(printed("ipcgan::age", Level::Warn), [true, true, true]);
        assert_eq!(printed("ipcgan_train::monitor", Level::Info), [false, true, true]);
        assert_eq!(printed("ipcgan", Level::Debug), [false, false, true]);
        assert_eq!(printed("wgpu_hal::vulkan", Level::Error), [false, false, true]);
        assert_eq!(printed("burn_train", Level::Info), [false, false, true]);
        assert_eq!(printed("naga", Level::Debug), [false; 3]);
    }

    #[test]
    fn escaped_json_has_the_same_value() {
        let name = "a\u{9b}31m\u{7f}\u{2028}\n.jpg";
        let json = serde_json::json!({ "path": name }).to_string();

        let value: serde_json::Value = serde_json::from_str(&escaped(&json)).unwrap();

        assert_eq!(value["path"], name);
    }
}
