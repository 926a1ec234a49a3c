//! Alignment of large allocations, and what happens to freed memory.

use std::alloc::{GlobalAlloc, Layout, System, handle_alloc_error};

/// Bytes of a line of the cache, and of the widest vectors.
const LINE: usize = 64;

/// Bytes of an allocation from which on it is worth while.
const LARGE: usize = 1 << 12;

/// The system's allocator, with large allocations aligned to cache lines.
///
/// The C library puts them 16 bytes past a line, so that every load of a whole vector touches two: kernels run 5 to 20%
/// slower. A program takes it with `#[global_allocator]`.
#[derive(Clone, Copy, Debug)]
pub struct CacheAlignedAllocator;

/// Whether memory of this layout is placed by us: at the first line after a pointer to where the system put it.
///
/// Asking the system for the alignment instead would leave slivers that fit nothing, and in the end half again as much
/// memory.
fn is_placed(layout: Layout) -> bool {
    layout.size() >= LARGE && layout.align() <= LINE
}

/// Layout requested from the system for aligned memory: one cache line more.
fn with_room(layout: Layout) -> Layout {
    let sized = Layout::from_size_align(layout.size().saturating_add(LINE), align_of::<u128>());
    sized.unwrap_or_else(|_| handle_alloc_error(layout))
}

/// The first line after `system`, with a pointer to `system` before it; none if there is none.
///
/// # Safety
/// `system` is none or memory of at least a line, aligned as a `u128`, to write to.
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

/// Where the system put memory that begins at `pointer`.
///
/// # Safety
/// `pointer` is one that [`placed`] gave, and not none.
#[allow(unsafe_code, reason = "see there")]
unsafe fn system_pointer(pointer: *mut u8) -> *mut u8 {
    // SAFETY: `placed` wrote it there.
    unsafe { pointer.cast::<*mut u8>().sub(1).read() }
}

// SAFETY: memory goes back to the system as it was taken from it, because `is_placed` and `with_room` give the same for
// the same layout. What is placed begins at most a line into memory that is a line larger than asked for, so it is as
// large as asked for, and aligned to a line, which `is_placed` made sure is enough.
#[allow(unsafe_code, reason = "see above")]
unsafe impl GlobalAlloc for CacheAlignedAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        match is_placed(layout) {
            true => unsafe { placed(System.alloc(with_room(layout))) },
            false => unsafe { System.alloc(layout) },
        }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        match is_placed(layout) {
            true => unsafe { placed(System.alloc_zeroed(with_room(layout))) },
            false => unsafe { System.alloc_zeroed(layout) },
        }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        match is_placed(layout) {
            true => unsafe { System.dealloc(system_pointer(pointer), with_room(layout)) },
            false => unsafe { System.dealloc(pointer, layout) },
        }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller promises a size that does not overflow when rounded up to the alignment.
        let new = unsafe { Layout::from_size_align_unchecked(size, layout.align()) };
        match (is_placed(layout), is_placed(new)) {
            (false, false) => unsafe { System.realloc(pointer, layout, size) },
            (true, true) => unsafe {
                let system = system_pointer(pointer);
                let offset = pointer.addr() - system.addr();
                let moved = System.realloc(system, with_room(layout), with_room(new).size());
                if !moved.is_null() {
                    // Where the system moved it, its distance from a line may be another.
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

/// Makes the allocator retain memory that tensors free, for the next ones.
///
/// Training makes and drops the same large tensors in every step. The GNU C library gives each of them back to the
/// system at once and takes fresh pages for the next, which have to be cleared. It also keeps a store for each thread, and
/// what one thread freed is no use to another; here all share one, as few threads make tensors. Elsewhere this does
/// nothing. Call it once, before the first tensor.
pub fn retain_freed_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        /// Memory that is taken from the system at a time, in bytes.
        const GROWTH: libc::c_int = 64 << 20;
        let settings = [
            (libc::M_MMAP_MAX, 0),
            (libc::M_TRIM_THRESHOLD, libc::c_int::MAX),
            (libc::M_TOP_PAD, GROWTH),
            (libc::M_ARENA_MAX, 1),
        ];
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

/// Releases freed memory to the system (`malloc_trim`), including the kernels' scratch buffers.
///
/// What lives long and is made late (a file's buffer, a plot) lands in holes between the tensors of a step, and those
/// take fresh memory elsewhere in the next; without this, [`retain_freed_memory`] lets a process grow by a few megabytes
/// with each such time. Costs some milliseconds, and as many page faults as are given back: for
/// pauses, not for steps. With other C libraries than GNU's, what kernels keep is freed, and the library decides.
pub fn release_freed_memory() {
    crate::scratch::clear();
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: only pages without memory in use are given back.
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
}
