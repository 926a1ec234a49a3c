//! The native module of the Python package `ipcgan`: photos, faces and weights for its public interface,
//! `python/ipcgan`.
//!
//! Pixels are passed as bytes, so only the Python code depends on `numpy` and `PIL`. Everything that computes releases
//! Python's lock (GIL), and no panic reaches Python ([`error::computed`]).

mod aging;
mod error;
mod face;
mod generator;
mod photo;

use pyo3::pymodule;

/// Cache-line-aligned allocations, as in the command: the kernels read whole vectors.
#[global_allocator]
static ALLOCATOR: ipcgan::system::CacheAlignedAllocator = ipcgan::system::CacheAlignedAllocator;

#[pymodule(name = "_native")]
mod native {
    #[pymodule_export]
    use crate::aging::Aging;
    #[pymodule_export]
    use crate::error::{Error, NoFaceError};
    #[pymodule_export]
    use crate::face::Face;
    #[pymodule_export]
    use crate::generator::{LoadedGenerator, load_generator};
    #[pymodule_export]
    use crate::photo::Photo;

    #[pymodule_export]
    const DEFAULT_STRENGTH: f64 = ipcgan::data::Residual::DEFAULT_STRENGTH as f64;
}
