//! The threads that the kernels share.

/// Runs `run` in a thread of the pool in which the kernels run their parallel tasks, and returns its result.
///
/// A kernel that is called from outside the pool wakes the pool's threads and blocks its caller until they finish; for
/// small kernels that costs more than the computation. While `run` waits for parallel tasks, its thread runs other tasks of the pool, so `run` must not hold a lock that those need.
pub fn in_thread_pool<R: Send>(run: impl FnOnce() -> R + Send) -> R {
    rayon::scope(|_| run())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_runs_in_a_thread_of_the_pool() {
        assert!(rayon::current_thread_index().is_none());

        assert!(in_thread_pool(rayon::current_thread_index).is_some());
    }
}
