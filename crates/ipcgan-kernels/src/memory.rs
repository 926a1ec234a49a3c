//! Alignment of large allocations, and retention of freed memory.

use std::alloc::{GlobalAlloc, Layout, System};
use std::ptr::null_mut;

/// Size of a cache line, and of the widest vectors, in bytes.
const LINE: usize = 64;

/// Minimum size of an aligned allocation, in bytes: below it, alignment does not pay.
const LARGE: usize = 1 << 12;

/// The system's allocator, with large allocations aligned to cache lines.
///
/// The C library places them 16 bytes past a cache line, so that every load of a whole vector touches two lines:
/// kernels run 5 to 20% slower. A program uses this allocator with `#[global_allocator]`.
#[derive(Clone, Copy, Debug)]
pub struct CacheAlignedAllocator;

/// Whether memory of this layout is aligned here: it starts at a cache line, after a pointer to the system's memory.
///
/// Requesting the alignment from the system instead would leave fragments too small for other allocations, and in the
/// end use half again as much memory.
fn is_placed(layout: Layout) -> bool {
    layout.size() >= LARGE && layout.align() <= LINE
}

/// Layout requested from the system for aligned memory: one cache line larger; `None` if that is more than a layout can
/// have. The allocator then returns null, as the system does for memory that it does not have: the caller decides whether
/// that is an error (`try_reserve`) or the end of the process.
fn with_room(layout: Layout) -> Option<Layout> {
    Layout::from_size_align(layout.size().checked_add(LINE)?, align_of::<u128>()).ok()
}

/// The first cache line after `system`, with a pointer to `system` before it; null if `system` is null.
///
/// # Safety
/// `system` is null, or writable memory of at least a cache line that is aligned as a `u128`.
#[allow(unsafe_code, reason = "see there")]
unsafe fn placed(system: *mut u8) -> *mut u8 {
    if system.is_null() {
        return system;
    }
    let offset = LINE - system.addr() % LINE;
    // SAFETY: the offset is at most a line, and at least the alignment of a `u128`, which a pointer fits into.
    unsafe {
        let pointer = system.add(offset);
        pointer.cast::<*mut u8>().sub(1).write(system);
        pointer
    }
}

/// The system's pointer for the aligned memory at `pointer`.
///
/// # Safety
/// `pointer` was returned by [`placed`] and is not null.
#[allow(unsafe_code, reason = "see there")]
unsafe fn system_pointer(pointer: *mut u8) -> *mut u8 {
    // SAFETY: `placed` wrote it there.
    unsafe { pointer.cast::<*mut u8>().sub(1).read() }
}

// SAFETY: memory is returned to the system with the layout that it was requested with, because `is_placed` and
// `with_room` depend on the layout only. Aligned memory begins at most one cache line into memory that is one line
// larger than requested, so it is large enough; `is_placed` ensures that a cache line is a sufficient alignment.
#[allow(unsafe_code, reason = "see above")]
unsafe impl GlobalAlloc for CacheAlignedAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        match is_placed(layout) {
            true => with_room(layout).map_or(null_mut(), |room| unsafe { placed(System.alloc(room)) }),
            false => unsafe { System.alloc(layout) },
        }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        match is_placed(layout) {
            true => with_room(layout).map_or(null_mut(), |room| unsafe { placed(System.alloc_zeroed(room)) }),
            false => unsafe { System.alloc_zeroed(layout) },
        }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        match is_placed(layout) {
            true => {
                // There is room, because the memory was allocated.
                if let Some(room) = with_room(layout) {
                    unsafe { System.dealloc(system_pointer(pointer), room) }
                }
            }
            false => unsafe { System.dealloc(pointer, layout) },
        }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller promises a size that does not overflow when rounded up to the alignment.
        let new = unsafe { Layout::from_size_align_unchecked(size, layout.align()) };
        match (is_placed(layout), is_placed(new)) {
            (false, false) => unsafe { System.realloc(pointer, layout, size) },
            (true, true) => unsafe {
                let (Some(room), Some(new_room)) = (with_room(layout), with_room(new)) else { return null_mut() };
                let system = system_pointer(pointer);
                let offset = pointer.addr() - system.addr();
                let moved = System.realloc(system, room, new_room.size());
                if !moved.is_null() {
                    // After the move, the distance to the next cache line may differ.
                    let to = moved.add(LINE - moved.addr() % LINE);
                    to.copy_from(moved.add(offset), layout.size().min(size));
                }
                placed(moved)
            },
            _ => unsafe {
                let moved = self.alloc(new);
                if !moved.is_null() {
                    moved.copy_from_nonoverlapping(pointer, layout.size().min(size));
                    self.dealloc(pointer, layout);
                }
                moved
            },
        }
    }
}

/// Makes the allocator retain memory that tensors free, and reuse it for the next tensors.
///
/// Training allocates and frees the same large tensors in every step. By default, the GNU C library returns each of
/// them to the system at once and requests new pages for the next, which the system has to clear. It also keeps an
/// arena for each thread, whose freed memory other threads cannot use; with this setting, all threads share one arena,
/// because few threads allocate tensors. With other C libraries this does nothing. Call it once, before the first
/// tensor.
pub fn retain_freed_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        /// Memory that is requested from the system at a time, in bytes.
        const GROWTH: libc::c_int = 64 << 20;
        let settings = [
            (libc::M_MMAP_MAX, 0),
            (libc::M_TRIM_THRESHOLD, libc::c_int::MAX),
            (libc::M_TOP_PAD, GROWTH),
            (libc::M_ARENA_MAX, 1),
        ];
        for (setting, value) in settings {
            // SAFETY: the settings are numbers for the allocator's policy; no pointer is involved, and a setting that
            // is refused changes nothing.
            #[allow(unsafe_code, reason = "see above")]
            unsafe {
                libc::mallopt(setting, value);
            }
        }
    }
}

/// Releases freed memory to the system (`malloc_trim`), including the kernels' scratch buffers.
///
/// Long-lived allocations made between steps (a file's buffer, a plot) fill holes between the tensors of a step, and
/// the tensors of the next step then need new memory elsewhere. Without this function, a process with
/// [`retain_freed_memory`] grows by a few megabytes each time. It costs some milliseconds, and one page fault for each
/// released page when it is used again: call it in pauses, not in every step. With other C libraries than GNU's, only
/// the scratch buffers are freed, and the library decides whether the system gets them.
pub fn release_freed_memory() {
    crate::scratch::clear();
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: only pages without memory in use are released.
    #[allow(unsafe_code, reason = "see above")]
    unsafe {
        libc::malloc_trim(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[allow(unsafe_code, reason = "an allocator is called with memory that it gave")]
    fn a_large_allocation_is_aligned_to_a_cache_line_and_keeps_its_bytes_when_resized() {
        let layout = |size: usize| Layout::from_size_align(size, 4).expect("a valid layout");
        let mut size = 100;
        // SAFETY: the memory is used within its size, and given back with the layout that it has.
        unsafe {
            let mut pointer = CacheAlignedAllocator.alloc(layout(size));
            pointer.write_bytes(7, 100);
            for next in [5000, 1 << 20, 4096, 4095, 200] {
                pointer = CacheAlignedAllocator.realloc(pointer, layout(size), next);
                size = next;
                assert!((0..100).all(|index| pointer.add(index).read() == 7));
                assert!(size < LARGE || pointer.addr().is_multiple_of(LINE));
            }
            CacheAlignedAllocator.dealloc(pointer, layout(size));
            let zeros = CacheAlignedAllocator.alloc_zeroed(layout(8192));
            assert!((0..8192).all(|index| zeros.add(index).read() == 0));
            CacheAlignedAllocator.dealloc(zeros, layout(8192));
        }
    }

    #[test]
    #[allow(unsafe_code, reason = "an allocator is called with memory that it gave")]
    fn memory_beyond_the_largest_layout_is_null_as_from_the_system() {
        let (small, huge) = (8192, isize::MAX as usize - 3);
        let [small, huge] = [small, huge].map(|size| Layout::from_size_align(size, 4).expect("a valid layout"));
        // SAFETY: as above; memory that is null is not used.
        unsafe {
            assert!(CacheAlignedAllocator.alloc(huge).is_null());
            assert!(CacheAlignedAllocator.alloc_zeroed(huge).is_null());
            let pointer = CacheAlignedAllocator.alloc(small);
            assert!(CacheAlignedAllocator.realloc(pointer, small, huge.size()).is_null());
            CacheAlignedAllocator.dealloc(pointer, small);
        }
    }
}
