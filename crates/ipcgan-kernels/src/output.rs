//! Output vectors that are filled by parallel tasks.

use std::mem::MaybeUninit;

use rayon::prelude::*;

/// Elements of a task: few enough that a second pass over them hits the cache.
pub(crate) const TASK_VALUES: usize = 1 << 14;

/// Replaces the contents of `values` by `length` values; `task(index, chunk)` writes each chunk of `chunk` values.
///
/// A chunk is zero before its task. The thread of the task clears it right before the task, so that it is in that
/// thread's cache. The memory of `values` is reused.
pub(crate) fn fill_in_chunks(
    values: &mut Vec<f32>,
    length: usize,
    chunk: usize,
    task: impl Fn(usize, &mut [f32]) + Sync,
) {
    values.clear();
    values.reserve_exact(length);
    let room = &mut values.spare_capacity_mut()[..length];
    room.par_chunks_mut(chunk.max(1)).enumerate().for_each(|(index, chunk)| task(index, zeroed(chunk)));
    // SAFETY: the chunks cover the first `length` elements, and each was written by `zeroed`.
    #[allow(unsafe_code, reason = "see above")]
    unsafe {
        values.set_len(length);
    }
}

/// A new vector, filled by [`fill_in_chunks`].
pub(crate) fn in_chunks(length: usize, chunk: usize, task: impl Fn(usize, &mut [f32]) + Sync) -> Vec<f32> {
    let mut values = Vec::new();
    fill_in_chunks(&mut values, length, chunk, task);
    values
}

fn zeroed(room: &mut [MaybeUninit<f32>]) -> &mut [f32] {
    for element in room.iter_mut() {
        element.write(0.0);
    }
    // SAFETY: every element was just written, and `MaybeUninit<f32>` lies in memory as `f32` does.
    #[allow(unsafe_code, reason = "see above")]
    unsafe {
        &mut *(std::ptr::from_mut(room) as *mut [f32])
    }
}
