//! A pool of scratch buffers.

use std::ops::{Deref, DerefMut};
use std::sync::{Mutex, PoisonError};

/// Maximum number of pooled buffers: those of one kernel on many threads.
const MAX_POOLED: usize = 64;

/// Buffers for the next kernel, because newly allocated memory costs a page fault for every 4 KiB.
static POOL: Mutex<Vec<Vec<f32>>> = Mutex::new(Vec::new());

/// Frees the pooled buffers.
pub(crate) fn clear() {
    POOL.lock().unwrap_or_else(PoisonError::into_inner).clear();
}

/// A buffer with unspecified values (zeros, or those of an earlier kernel).
#[derive(Debug)]
pub(crate) struct Scratch {
    buffer: Vec<f32>,
    length: usize,
}

impl Scratch {
    pub(crate) fn new(length: usize) -> Self {
        let mut buffer = Self::pooled(length).unwrap_or_default();
        if buffer.len() < length {
            buffer = vec![0.0; length];
        }
        Self { buffer, length }
    }

    /// A copy outside of the pool.
    pub(crate) fn owned(&self) -> Self {
        Self { buffer: self.to_vec(), length: self.length }
    }

    /// The smallest pooled buffer that is large enough; otherwise the largest, which the caller replaces by a larger
    /// one.
    fn pooled(length: usize) -> Option<Vec<f32>> {
        let mut pool = POOL.lock().unwrap_or_else(PoisonError::into_inner);
        let enough =
            (0..pool.len()).filter(|&index| pool[index].len() >= length).min_by_key(|&index| pool[index].len());
        let best = enough.or_else(|| (0..pool.len()).max_by_key(|&index| pool[index].len()))?;
        Some(pool.swap_remove(best))
    }
}

impl Deref for Scratch {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        &self.buffer[..self.length]
    }
}

impl DerefMut for Scratch {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.buffer[..self.length]
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let mut pool = POOL.lock().unwrap_or_else(PoisonError::into_inner);
        if pool.len() < MAX_POOLED {
            pool.push(std::mem::take(&mut self.buffer));
        }
    }
}
