//! Files and processes, for all packages of IPCGAN: atomic file writes, paths in JSON, panics as errors, and errors on
//! one line.
//!
//! ```
//! use ipcgan_system::{catch_device_panic, write_atomic};
//!
//! let folder = tempfile::tempdir()?;
//! let path = folder.path().join("settings.json");
//! write_atomic(&path, b"{}")?;
//!
//! let failed = catch_device_panic(|| -> u8 { panic!("the device is gone") });
//!
//! assert_eq!(std::fs::read(path)?, b"{}");
//! assert_eq!(failed, Err("the device is gone".into()));
//! # Ok::<(), std::io::Error>(())
//! ```

mod atomic_file;
mod json_path;
mod one_line;
mod panic_guard;

pub use atomic_file::{TemporaryFile, remove_stale_temporary_files, write_atomic, write_new};
pub use json_path::JsonPath;
pub use one_line::{with_causes, with_causes_until, without_line_breaks};
pub use panic_guard::{catch_device_panic, catch_panic, try_catch_device_panic};
