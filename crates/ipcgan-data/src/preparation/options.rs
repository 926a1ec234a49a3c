//! Options of a preparation.

use std::sync::atomic::AtomicBool;
use std::thread;

/// Options of [`prepare`](super::prepare).
pub struct PrepareOptions<'a> {
    /// Receives the number of faces done and the total, in no particular order.
    pub progress: &'a (dyn Fn(usize, usize) + Sync),
    /// Stops the preparation when true; the same call resumes it.
    pub stop: &'a AtomicBool,
    /// Number of worker threads, at least 1.
    pub threads: usize,
}

impl Default for PrepareOptions<'_> {
    /// No progress, no stop, and one thread per processor.
    fn default() -> Self {
        static NEVER: AtomicBool = AtomicBool::new(false);
        let threads = thread::available_parallelism().map_or(1, Into::into);
        Self { progress: &|_, _| (), stop: &NEVER, threads }
    }
}
