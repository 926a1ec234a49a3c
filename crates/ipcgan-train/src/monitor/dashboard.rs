//! Burn's dashboard, with a working Ctrl-C.
//!
//! The dashboard puts the terminal in raw mode, in which Ctrl-C is an ordinary key that it ignores. This module
//! re-enables the signal.

use burn::train::Interrupter;
use burn::train::renderer::MetricsRenderer;
use burn::train::renderer::tui::TuiMetricsRendererWrapper;
use crossterm::cursor::{MoveTo, RestorePosition, SavePosition, Show};
use crossterm::event::DisableMouseCapture;
use crossterm::execute;
use crossterm::style::{Attribute, Print, SetAttribute};
use crossterm::terminal::{LeaveAlternateScreen, disable_raw_mode, is_raw_mode_enabled};
use std::io::{StdoutLock, stdout};

/// The dashboard; its key `q` stops the training through `interrupter`.
pub(crate) fn dashboard(interrupter: Interrupter) -> Box<dyn MetricsRenderer> {
    #[cfg(unix)]
    signals::survive_lost_terminal();
    let dashboard = TuiMetricsRendererWrapper::new(interrupter, None);
    #[cfg(unix)]
    signals::keep_interrupt();
    Box::new(dashboard)
}

/// Redirects each standard stream that is a closed terminal to the null device, if a dashboard is shown: a failed write
/// makes ratatui end the process, and a read makes crossterm spin forever.
pub fn forget_lost_terminal() {
    #[cfg(unix)]
    if is_raw_mode_enabled().unwrap_or(false) {
        signals::forget_lost_terminal();
    }
}

/// Restores the terminal if a dashboard is shown, for a process that exits immediately.
///
/// Nothing else is written to standard output while the caller holds the lock.
pub fn leave_dashboard() -> Option<StdoutLock<'static>> {
    if !is_raw_mode_enabled().unwrap_or(false) {
        return None;
    }
    let mut terminal = stdout().lock();
    // A closed terminal cannot be restored.
    let _ = disable_raw_mode();
    let _ = execute!(terminal, DisableMouseCapture, LeaveAlternateScreen, Show);
    Some(terminal)
}

/// Prints `line` above the dashboard if one is shown; returns whether it is.
pub fn show_above_dashboard(line: &str) -> bool {
    if !is_raw_mode_enabled().unwrap_or(false) {
        return false;
    }
    let shown = (SetAttribute(Attribute::Reverse), Print(format!(" {line} ")), SetAttribute(Attribute::Reset));
    let _ = execute!(stdout().lock(), SavePosition, MoveTo(0, 0), shown.0, shown.1, shown.2, RestorePosition);
    true
}

#[cfg(unix)]
mod signals {
    use std::fs::File;
    use std::io::{stderr, stdin, stdout};
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixStream;
    use std::panic::{set_hook, take_hook};
    use std::sync::Once;
    use std::time::{Duration, Instant};

    use crossterm::terminal::is_raw_mode_enabled;
    use rustix::io::Errno;
    use rustix::stdio::{dup2_stderr, dup2_stdin, dup2_stdout};
    use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, isatty, tcgetattr, tcsetattr};

    /// Value of a control character that is disabled.
    const DISABLED: u8 = if cfg!(any(target_os = "linux", target_os = "android")) { 0 } else { 0xff };
    /// Maximum time to wait for the dashboard to start.
    const PATIENCE: Duration = Duration::from_secs(2);
    /// Interval between checks that the terminal still exists; equal to the dashboard's refresh interval.
    const BETWEEN_LOOKS: Duration = Duration::from_millis(100);

    /// Waits until the dashboard has the terminal in raw mode, and re-enables the signal of Ctrl-C. Ctrl-Z and Ctrl-\
    /// stay keys: a process that they stop would leave the terminal in raw mode.
    pub(super) fn keep_interrupt() {
        let input = stdin();
        // The input device of the dashboard.
        match File::open("/dev/tty") {
            _ if isatty(&input) => set(&input),
            Ok(terminal) => set(&terminal),
            Err(_) => (),
        }
    }

    pub(super) fn forget_lost_terminal() {
        if is_lost(stdin())
            && let Ok((silent, other)) = UnixStream::pair()
            && silent.set_nonblocking(true).is_ok()
            && dup2_stdin(&silent).is_ok()
        {
            // While the other end is open, reads return neither a key nor end of file.
            std::mem::forget(other);
        }
        let nowhere = || File::options().write(true).open("/dev/null");
        if is_lost(stdout())
            && let Ok(nowhere) = nowhere()
        {
            let _ = dup2_stdout(&nowhere);
        }
        if is_lost(stderr())
            && let Ok(nowhere) = nowhere()
        {
            let _ = dup2_stderr(&nowhere);
        }
    }

    /// Whether `stream` is a terminal that was closed; a file or a pipe is not a terminal.
    fn is_lost(stream: impl AsFd) -> bool {
        tcgetattr(stream).is_err_and(|error| error != Errno::NOTTY)
    }

    /// Keeps the process running when the dashboard's terminal is closed, even without a signal.
    ///
    /// A dashboard that cannot draw panics because it cannot restore the terminal. During unwinding, ratatui's terminal
    /// is dropped; it reports the failure on standard error and panics again if that fails too, which would abort the
    /// process. The panic hook runs before that. A dashboard that waits for a key is released by the thread.
    pub(super) fn survive_lost_terminal() {
        static HOOK: Once = Once::new();
        HOOK.call_once(|| {
            let usual = take_hook();
            set_hook(Box::new(move |panic| {
                forget_lost_terminal();
                usual(panic);
            }));
            std::thread::spawn(|| {
                loop {
                    std::thread::sleep(BETWEEN_LOOKS);
                    forget_lost_terminal();
                }
            });
        });
    }

    fn set(terminal: &impl AsFd) {
        let start = Instant::now();
        while !is_raw_mode_enabled().unwrap_or(false) {
            if start.elapsed() > PATIENCE {
                return;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        let Ok(mut modes) = tcgetattr(terminal) else { return };
        modes.local_modes |= LocalModes::ISIG;
        modes.special_codes[SpecialCodeIndex::VQUIT] = DISABLED;
        modes.special_codes[SpecialCodeIndex::VSUSP] = DISABLED;
        let _ = tcsetattr(terminal, OptionalActions::Now, &modes);
    }
}
