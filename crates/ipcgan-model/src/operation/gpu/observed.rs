//! Observation of kernel launches.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};

use cubecl::dry_run::DryRun;
use cubecl::logging::{LaunchObservation, LaunchObserver};

/// Number of launches of each kernel by `run` in this thread.
pub(in super::super) fn observed_launches(run: impl FnOnce()) -> BTreeMap<&'static str, usize> {
    // CubeCL has one observer for the whole process.
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _turn: MutexGuard<()> = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let counts = Arc::new(Counts { thread: thread::current().id(), of_kernels: Mutex::default() });
    let observation = LaunchObservation::new(counts.clone());
    run();
    drop(observation);
    std::mem::take(&mut *counts.of_kernels())
}

/// `run`, during which kernels are compiled, but not executed.
pub(in super::super) fn without_executing<R>(run: impl FnOnce() -> R) -> R {
    let _dry_run = DryRun::new();
    run()
}

struct Counts {
    thread: ThreadId,
    of_kernels: Mutex<BTreeMap<&'static str, usize>>,
}

impl Counts {
    fn of_kernels(&self) -> MutexGuard<'_, BTreeMap<&'static str, usize>> {
        self.of_kernels.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LaunchObserver for Counts {
    fn launched(&self, kernel: &'static str) {
        if thread::current().id() == self.thread {
            *self.of_kernels().entry(kernel).or_default() += 1;
        }
    }
}
