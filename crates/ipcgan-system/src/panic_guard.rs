//! Panic guard: panics of failing devices, and of libraries on damaged files, as errors.

use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::{Mutex, MutexGuard, Once, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::without_line_breaks;

/// Prefixes of the names of the threads that run Burn's devices: those that compute, and those that fuse operations.
const DEVICE_THREADS: [&str; 2] = ["DSD-", "DSU-"];
/// Time for which a device thread's panic may be the cause of another failure: devices work asynchronously, and a
/// failure shows when a result is read, which is at most a training step later.
const PANIC_LIFETIME: Duration = Duration::from_mins(1);
/// Maximum number of stored panics; later ones are mostly consequences of the first.
const MAX_STORED: usize = 16;

thread_local! {
    /// Whether [`catch_panic`] turns panics of this thread into errors, so that they need no message of their own.
    static GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// A panic of a device thread.
#[derive(Debug)]
struct DevicePanic {
    at: Instant,
    message: String,
}

/// Panics of device threads that no error has reported, oldest first. They name the cause, whereas the panic of a thread
/// that waits for the device only reports that the device is gone.
static DEVICE_PANICS: Mutex<Vec<DevicePanic>> = Mutex::new(Vec::new());

fn device_panics() -> MutexGuard<'static, Vec<DevicePanic>> {
    DEVICE_PANICS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs `work`, which uses no device, and returns its result, or the message of its panic: some file readers panic on
/// damaged files.
///
/// With `RUST_BACKTRACE` in the environment, the usual panic message is printed as well.
///
/// # Errors
/// The panic message of `work`.
pub fn catch_panic<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let default_hook = take_hook();
        let shown = std::env::var_os("RUST_BACKTRACE").is_some();
        set_hook(Box::new(move |panic| {
            let of_device = is_device_thread(thread::current().name());
            if of_device {
                store(DevicePanic { at: Instant::now(), message: message(panic.payload()) });
            }
            if shown || !(of_device || GUARDED.get()) {
                default_hook(panic);
            }
        }));
    });
    let before = GUARDED.replace(true);
    let result = catch_unwind(AssertUnwindSafe(work));
    GUARDED.set(before);
    result.map_err(|panic| message(&*panic))
}

/// As [`catch_panic`], for work on devices: Burn's devices report failures by panics.
///
/// # Errors
/// The panic message of `work`, after that of a device thread that panicked less than a minute before. An error reports
/// the panic of a device thread once.
pub fn catch_device_panic<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    catch_panic(work).map_err(with_device_panic)
}

/// As [`catch_device_panic`], for work that may return an error itself.
///
/// # Errors
/// As [`catch_device_panic`], and those of `work`.
pub fn try_catch_device_panic<T>(work: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    catch_device_panic(work)?.map_err(|error| with_device_panic(without_line_breaks(&error)))
}

fn is_device_thread(name: Option<&str>) -> bool {
    name.is_some_and(|name| DEVICE_THREADS.iter().any(|prefix| name.starts_with(prefix)))
}

fn store(panic: DevicePanic) {
    let mut panics = device_panics();
    panics.retain(|earlier| panic.at.duration_since(earlier.at) <= PANIC_LIFETIME);
    if panics.len() < MAX_STORED {
        panics.push(panic);
    }
}

/// `message` after the stored panic of a device thread that may be its cause.
fn with_device_panic(message: String) -> String {
    let panics = std::mem::take(&mut *device_panics());
    explained(&panics, message, Instant::now())
}

/// `message`, the error of work that failed at `now`, after the first of `panics` that may be its cause.
fn explained(panics: &[DevicePanic], message: String, now: Instant) -> String {
    match panics.iter().find(|panic| now.duration_since(panic.at) <= PANIC_LIFETIME) {
        Some(cause) if message.contains(&cause.message) => message,
        Some(cause) => format!("{} (then: {message})", cause.message),
        None => message,
    }
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("it failed without a message");
    without_line_breaks(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    // One test, because the panics of device threads are stored for the whole process.
    #[test]
    fn a_panic_becomes_an_error_that_names_the_failure_of_the_device_first_and_once() {
        assert_eq!(catch_panic(|| 7), Ok(7));
        assert_eq!(catch_panic(|| -> u8 { panic!("the {} is gone", "device") }), Err("the device is gone".into()));
        assert_eq!(catch_panic(|| -> u8 { panic!("gone:\n  no answer\n") }), Err("gone: no answer".into()));

        let fail = |prefix: &str| {
            let device = thread::Builder::new().name(format!("{prefix}0"));
            device.spawn(|| -> u8 { panic!("out of memory") }).unwrap().join().unwrap_err();
        };
        for prefix in DEVICE_THREADS {
            let failed = catch_device_panic(|| -> u8 {
                fail(prefix);
                panic!("no answer")
            });

            assert_eq!(failed, Err("out of memory (then: no answer)".into()));
        }
        let error = try_catch_device_panic(|| -> Result<u8, String> { Err("no\n answer".into()) });
        assert_eq!(error, Err("no answer".into()));

        fail(DEVICE_THREADS[0]);
        let file = catch_panic(|| -> u8 { panic!("the file is damaged") });
        assert_eq!(file, Err("the file is damaged".into()), "no device was used");
        let device = catch_device_panic(|| -> u8 { panic!("no answer") });
        assert_eq!(device, Err("out of memory (then: no answer)".into()));
    }

    #[test]
    fn the_panic_of_a_device_thread_is_the_cause_of_failures_within_a_minute_only() {
        let at = Instant::now();
        let panics = ["out of memory", "no such buffer"].map(|message| DevicePanic { at, message: message.into() });
        let explained = |message: &str, after: Duration| explained(&panics, message.into(), at + after);

        assert_eq!(explained("no answer", PANIC_LIFETIME), "out of memory (then: no answer)");
        assert_eq!(explained("no answer", PANIC_LIFETIME + Duration::from_secs(1)), "no answer");
        assert_eq!(explained("device 2: out of memory", PANIC_LIFETIME), "device 2: out of memory");
    }
}
