//! What the program does with memory that it no longer needs.

/// Makes the program keep memory that tensors free, for the next ones.
///
/// Training makes and drops the same large tensors in every step. The GNU C library gives each of them back to the
/// system at once and takes fresh pages for the next, which have to be cleared. Elsewhere this does nothing. Call it
/// once, before the first tensor.
pub fn keep_freed_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        /// Memory that is taken from the system at a time, in bytes.
        const AT_A_TIME: libc::c_int = 64 << 20;
        let settings =
            [(libc::M_MMAP_MAX, 0), (libc::M_TRIM_THRESHOLD, libc::c_int::MAX), (libc::M_TOP_PAD, AT_A_TIME)];
        for (setting, value) in settings {
            // SAFETY: these settings are numbers for the allocator's policy; no pointer is involved, and a refused one
            // changes nothing.
            #[allow(unsafe_code, reason = "see above")]
            unsafe {
                libc::mallopt(setting, value);
            }
        }
    }
}
