//! Panic guard: panics of failing devices, and of libraries on damaged files, as errors.

use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::{Mutex, Once};
use std::thread;

/// Prefix of the names of the threads that run Burn's devices.
const DEVICE_THREAD: &str = "DSD-";

thread_local! {
    /// Whether [`catch_panic`] turns panics of this thread into errors, so that they need no message of their own.
    static GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// First panic message of a device thread: it names the cause, whereas the panic of a thread that waits for the device
/// only reports that the device is gone.
static CAUSE: Mutex<Option<String>> = Mutex::new(None);

/// Runs `work` and returns its result, or the message of its panic: Burn's devices report failures by panics, and some
/// file readers panic on damaged files.
///
/// With `RUST_BACKTRACE` in the environment, the usual panic message is printed as well.
///
/// # Errors
/// The panic message of a device thread; if no device thread panicked, that of `work`.
pub fn catch_panic<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let default_hook = take_hook();
        let shown = std::env::var_os("RUST_BACKTRACE").is_some();
        set_hook(Box::new(move |panic| {
            let of_device = thread::current().name().is_some_and(|name| name.starts_with(DEVICE_THREAD));
            if of_device && let Ok(mut cause) = CAUSE.lock() {
                cause.get_or_insert_with(|| message(panic.payload()));
            }
            if shown || !(of_device || GUARDED.get()) {
                default_hook(panic);
            }
        }));
    });
    let before = GUARDED.replace(true);
    let result = catch_unwind(AssertUnwindSafe(work));
    GUARDED.set(before);
    result.map_err(|panic| cause_of(message(&*panic)))
}

/// As [`catch_panic`], for work that may return an error itself.
///
/// # Errors
/// As [`catch_panic`], and those of `work`.
pub fn try_catch_panic<T>(work: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    catch_panic(work)?.map_err(|error| cause_of(one_line(&error)))
}

/// The panic message of the device thread, which caused `message`; `message` itself if no device thread panicked.
fn cause_of(message: String) -> String {
    CAUSE.lock().ok().and_then(|mut cause| cause.take()).unwrap_or(message)
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("it failed without a message");
    one_line(text)
}

fn one_line(text: &str) -> String {
    text.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    // One test, because the message of a device thread is stored for the whole process.
    #[test]
    fn a_panic_becomes_an_error_with_the_message_of_the_device_thread_first() {
        assert_eq!(catch_panic(|| 7), Ok(7));
        assert_eq!(catch_panic(|| -> u8 { panic!("the {} is gone", "device") }), Err("the device is gone".into()));
        assert_eq!(catch_panic(|| -> u8 { panic!("gone:\n  no answer\n") }), Err("gone: no answer".into()));

        let failed = catch_panic(|| {
            let device = thread::Builder::new().name(format!("{DEVICE_THREAD}0"));
            let device = device.spawn(|| panic!("out of memory")).unwrap();
            device.join().expect("no answer");
        });

        assert_eq!(failed, Err("out of memory".into()));
        let error = try_catch_panic(|| -> Result<u8, String> { Err("no\n answer".into()) });
        assert_eq!(error, Err("no answer".into()), "the message of the device thread is reported once");
    }
}
