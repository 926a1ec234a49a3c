//! Ctrl-C and termination signals while `ipcgan train` shows its dashboard.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test may panic")]
#![allow(unsafe_code, reason = "pseudo-terminals are had from the system")]

mod small_run;

use std::ffi::CStr;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use small_run::{ended, small_run, train};

const INTERRUPTED: i32 = 130;
const CTRL_C: &[u8] = b"\x03";
/// Escape sequence that leaves the alternate screen.
const LEAVES_SCREEN: &str = "\x1b[?1049l";

/// Generous timeout for a slow, busy machine.
const PATIENCE: Duration = Duration::from_secs(120);
/// Polling interval; unread keys fill the terminal's queue, after which sending another one blocks.
const BETWEEN_LOOKS: Duration = Duration::from_millis(50);

/// A pseudo-terminal in which a program runs.
struct Terminal {
    keys: File,
    /// The terminal side, to inspect its modes.
    screen: File,
    shown: Arc<Mutex<String>>,
    closed: Arc<AtomicBool>,
    reader: JoinHandle<()>,
}

impl Terminal {
    /// Starts `command` in its own terminal, which sends it signals.
    fn of(command: &mut Command) -> (Self, Child) {
        // SAFETY: the call may be made between fork and exec.
        Self::with(command, || unsafe { libc::ioctl(0, libc::TIOCSCTTY as _, 0) })
    }

    /// Starts `command` in a terminal that sends no signals, not even when it is closed.
    fn without_signals(command: &mut Command) -> (Self, Child) {
        Self::with(command, || 0)
    }

    fn with(command: &mut Command, take: fn() -> i32) -> (Self, Child) {
        let (keys, screen) = pair();
        let end = || screen.try_clone().unwrap();
        command.env("TERM", "xterm").stdin(end()).stdout(end()).stderr(end());
        // SAFETY: the calls may be made between fork and exec.
        unsafe {
            command.pre_exec(move || {
                let taken = libc::setsid() >= 0 && take() >= 0;
                if taken { Ok(()) } else { Err(std::io::Error::last_os_error()) }
            });
        }
        let child = command.spawn().unwrap();
        let shown = Arc::<Mutex<String>>::default();
        let (mut reader, all) = (keys.try_clone().unwrap(), shown.clone());
        let closed = Arc::<AtomicBool>::default();
        let ends = closed.clone();
        let reader = std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let (false, Ok(count)) = (ends.load(Ordering::Relaxed), reader.read(&mut bytes)) {
                all.lock().unwrap().push_str(&String::from_utf8_lossy(&bytes[..count]));
            }
        });
        (Self { keys, screen, shown, closed, reader }, child)
    }

    /// Hangs up, as a terminal window that is closed.
    fn hang_up(self) {
        self.closed.store(true, Ordering::Relaxed);
        // Progress is printed continuously, so the reader has input.
        self.reader.join().unwrap();
    }

    fn press(&mut self, keys: &[u8]) {
        self.keys.write_all(keys).unwrap();
    }

    fn shows(&self, text: &str) -> bool {
        self.shown.lock().unwrap().contains(text)
    }

    /// Whether line editing, echo and the signal of Ctrl-C are enabled.
    fn is_as_before(&self) -> bool {
        let mut modes = std::mem::MaybeUninit::uninit();
        // SAFETY: the call fills in the modes, and is given an open terminal.
        let modes: libc::termios = unsafe {
            assert_eq!(libc::tcgetattr(self.screen.as_raw_fd(), modes.as_mut_ptr()), 0);
            modes.assume_init()
        };
        let all = libc::ICANON | libc::ECHO | libc::ISIG;
        modes.c_lflag & all == all
    }
}

/// Both ends of a new pseudo-terminal, which other child processes do not inherit.
fn pair() -> (File, File) {
    /// The terminal's name is returned in a shared static buffer.
    static NAME: Mutex<()> = Mutex::new(());
    let _name = NAME.lock().unwrap();
    // SAFETY: the calls are given a terminal that was just opened and that nothing else owns, and live values.
    let (ours, name) = unsafe {
        let ours = OwnedFd::from_raw_fd(libc::posix_openpt(libc::O_RDWR | libc::O_NOCTTY | libc::O_CLOEXEC));
        let end = ours.as_raw_fd();
        assert!(libc::grantpt(end) == 0 && libc::unlockpt(end) == 0);
        let size = libc::winsize { ws_row: 40, ws_col: 120, ws_xpixel: 0, ws_ypixel: 0 };
        assert_eq!(libc::ioctl(end, libc::TIOCSWINSZ, &raw const size), 0);
        (ours, CStr::from_ptr(libc::ptsname(end)).to_str().unwrap().to_string())
    };
    let theirs = File::options().read(true).write(true).custom_flags(libc::O_NOCTTY).open(name).unwrap();
    (File::from(ours), theirs)
}

/// A training run with the dashboard that only ends when it is stopped.
fn endless(folder: &Path, more: &[&str]) -> (Terminal, Child) {
    let endless = ["--stage", "identity", "--set", "identity.steps=1000000", "--set", "checkpoint_every=1000000"];
    let (terminal, mut child) = Terminal::of(&mut small_run(folder, &[&endless[..], more].concat()));
    wait_for(&mut child, || terminal.shows("identity  step") || terminal.shows("Progress"));
    (terminal, child)
}

/// Waits until `holds`, while the program runs.
fn wait_for(child: &mut Child, holds: impl Fn() -> bool) {
    eventually(|| {
        let reached = holds();
        assert!(reached || child.try_wait().unwrap().is_none(), "it ended too early");
        reached
    });
}

/// Polls until `holds`, without using the CPU that the program needs.
fn eventually(mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < PATIENCE, "nothing happened for {PATIENCE:?}");
        std::thread::sleep(BETWEEN_LOOKS);
    }
}

fn checkpoints(folder: &Path) -> usize {
    fs::read_dir(folder.join("run/checkpoints/identity")).map_or(0, Iterator::count)
}

#[test]
fn control_c_in_the_dashboard_stops_with_a_checkpoint_and_restores_the_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let (mut terminal, mut child) = endless(folder.path(), &[]);

    terminal.press(CTRL_C);

    assert_eq!(child.wait().unwrap().code(), Some(INTERRUPTED));
    assert_eq!(checkpoints(folder.path()), 1);
    assert!(terminal.is_as_before());
    eventually(|| terminal.shows("continue with the same command and --resume"));
    assert!(terminal.shows(LEAVES_SCREEN));
    // It can be resumed.
    let done: usize =
        fs::read_to_string(folder.path().join("run/log/identity/checkpoint.json")).unwrap().parse().unwrap();
    let longer = format!("identity.steps={}", done + 1);
    ended(&mut train(folder.path(), &["--resume", "--stage", "identity", "--set", &longer]), 0);
}

#[test]
fn a_second_control_c_exits_immediately_and_restores_the_terminal() {
    let folder = tempfile::tempdir().unwrap();
    // One step takes longer than this test.
    let (mut terminal, mut child) = endless(folder.path(), &["--set", "identity.gradient_accumulation=10000"]);

    // A second Ctrl-C counts from half a second after the first; further ones do no harm.
    eventually(|| {
        let ended = child.try_wait().unwrap().is_some();
        if !ended {
            terminal.press(CTRL_C);
        }
        ended
    });

    assert_eq!(child.wait().unwrap().code(), Some(INTERRUPTED));
    assert_eq!(checkpoints(folder.path()), 0);
    assert!(terminal.is_as_before());
    eventually(|| terminal.shows(LEAVES_SCREEN));
}

#[test]
fn the_key_of_the_dashboard_stops_with_a_checkpoint_too() {
    let folder = tempfile::tempdir().unwrap();
    let (mut terminal, mut child) = endless(folder.path(), &[]);

    terminal.press(b"q");
    wait_for(&mut child, || terminal.shows("Stop the training"));
    terminal.press(b"s");

    assert_eq!(child.wait().unwrap().code(), Some(INTERRUPTED));
    assert_eq!(checkpoints(folder.path()), 1);
    assert!(terminal.is_as_before());
}

#[test]
fn the_kill_key_restores_the_terminal_and_blames_no_device() {
    let folder = tempfile::tempdir().unwrap();
    let (mut terminal, mut child) = endless(folder.path(), &[]);

    terminal.press(b"q");
    wait_for(&mut child, || terminal.shows("Stop the training"));
    terminal.press(b"k");

    assert_eq!(child.wait().unwrap().code(), Some(INTERRUPTED));
    assert!(terminal.is_as_before() && !terminal.shows("bug in the device"));
}

#[test]
fn given_a_closed_terminal_training_stops_with_a_checkpoint() {
    for display in [&["--plain"][..], &[]] {
        let folder = tempfile::tempdir().unwrap();
        let (terminal, mut child) = endless(folder.path(), display);

        terminal.hang_up();

        let ended = child.wait().unwrap();
        assert_eq!((ended.code(), ended.signal()), (Some(INTERRUPTED), None), "{display:?}");
        assert_eq!(checkpoints(folder.path()), 1);
    }
}

#[test]
fn a_dashboard_that_can_no_longer_draw_does_not_end_the_training() {
    let folder = tempfile::tempdir().unwrap();
    let steps = ["--stage", "identity", "--set", "identity.steps=400"];
    let (terminal, mut child) = Terminal::without_signals(&mut small_run(folder.path(), &steps));
    wait_for(&mut child, || terminal.shows("Progress"));

    terminal.hang_up();

    let ended = child.wait().unwrap();
    assert_eq!((ended.code(), ended.signal()), (Some(0), None));
    assert!(folder.path().join("run/weights/alexnet.safetensors").is_file());
}

#[test]
fn given_a_termination_signal_training_stops_with_a_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let (terminal, mut child) = endless(folder.path(), &[]);

    // SAFETY: the process is a child that has not been waited for.
    unsafe { libc::kill(child.id() as i32, libc::SIGTERM) };

    assert_eq!(child.wait().unwrap().code(), Some(INTERRUPTED));
    assert_eq!(checkpoints(folder.path()), 1);
    assert!(terminal.is_as_before());
}
