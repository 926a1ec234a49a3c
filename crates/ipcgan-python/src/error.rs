//! Conversion of errors to Python exceptions.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::OnceLock;

use ipcgan::data::DataError;
use ipcgan::system::{catch_device_panic, with_causes};
use ipcgan::train::TrainingError;
use ipcgan::{DeviceError, ModelError};
use pyo3::exceptions::{
    PyException, PyFileNotFoundError, PyIsADirectoryError, PyNotADirectoryError, PyOSError, PyPermissionError,
    PyValueError,
};
use pyo3::{PyErr, PyResult, Python, create_exception};

create_exception!(ipcgan, Error, PyException, "A photo, weights file or device cannot be used.");
create_exception!(ipcgan, NoFaceError, Error, "No face is found in an image.");

/// An error of this module, by the Python exception that it becomes.
pub(crate) enum Failure {
    /// A file cannot be accessed: an `OSError`.
    Access { path: PathBuf, source: io::Error },
    /// An argument is invalid: a `ValueError`.
    Argument(String),
    /// No face is found in an image: a `NoFaceError`.
    NoFace(String),
    /// Anything else: an `Error`.
    Other(String),
}

/// The process in which this module first computed.
static PROCESS: OnceLock<u32> = OnceLock::new();

/// Runs `work` without Python's lock (GIL); a panic becomes an exception.
pub(crate) fn computed<T: Send>(py: Python<'_>, work: impl FnOnce() -> Result<T, Failure> + Send) -> PyResult<T> {
    if *PROCESS.get_or_init(process::id) != process::id() {
        return Err(Error::new_err(
            "a forked process has none of the threads that compute: use ipcgan only after the fork, or start processes with \
             multiprocessing.get_context(\"spawn\")",
        ));
    }
    let result = py.detach(|| catch_device_panic(work));
    result.unwrap_or_else(|reason| Err(Failure::of_panic(&reason))).map_err(PyErr::from)
}

impl Failure {
    pub(crate) fn access(path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Access { path: path.into(), source }
    }

    fn of_panic(reason: &str) -> Self {
        Self::Other(format!(
            "{reason}; this is a bug in the device, its driver or ipcgan: try device=\"cpu\", and set RUST_BACKTRACE=1 for a \
             backtrace"
        ))
    }
}

impl From<DataError> for Failure {
    fn from(error: DataError) -> Self {
        match error {
            DataError::Read { path, source } => Self::Access { path, source },
            DataError::ImageIsFolder { path } => Self::Access { path, source: ErrorKind::IsADirectory.into() },
            error => Self::Other(error.user_message()),
        }
    }
}

impl From<ModelError> for Failure {
    fn from(error: ModelError) -> Self {
        match error {
            ModelError::Access { path, source } => Self::Access { path, source },
            error => Self::Other(with_causes(&error)),
        }
    }
}

impl From<TrainingError> for Failure {
    fn from(error: TrainingError) -> Self {
        match error {
            TrainingError::Data(error) => error.into(),
            TrainingError::Model(error) => error.into(),
            TrainingError::Access { path, source } => Self::Access { path, source },
            error => Self::Other(with_causes(&error)),
        }
    }
}

impl From<DeviceError> for Failure {
    fn from(error: DeviceError) -> Self {
        match error {
            DeviceError::Unknown(_) | DeviceError::InvalidSelector { .. } => Self::Argument(error.to_string()),
            DeviceError::NotCompiled(feature) => Self::Other(format!(
                "this package was built without the feature `{feature}`; build it with `maturin build --release --features \
                 {feature}`"
            )),
            error => Self::Other(with_causes(&error)),
        }
    }
}

impl From<Failure> for PyErr {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Access { path, source } => os_error(path, &source),
            Failure::Argument(message) => PyValueError::new_err(message),
            Failure::NoFace(message) => NoFaceError::new_err(message),
            Failure::Other(message) => Error::new_err(message),
        }
    }
}

/// An `OSError` like those of Python's own functions: its kind is the class, and the file name an attribute.
fn os_error(path: PathBuf, source: &io::Error) -> PyErr {
    /// `errno` of `IsADirectoryError`, for errors that we detect ourselves.
    const IS_A_DIRECTORY: i32 = 21;
    let reason = source.to_string();
    let reason = reason.split_once(" (os error").map_or(reason.as_str(), |(reason, _)| reason).to_owned();
    // A `str`, where a path would become a `pathlib.Path`.
    let file = path.clone().into_os_string();
    let arguments = |number| (source.raw_os_error().unwrap_or(number), reason.clone(), file.clone());
    match source.kind() {
        ErrorKind::NotFound => PyFileNotFoundError::new_err(arguments(2)),
        ErrorKind::PermissionDenied => PyPermissionError::new_err(arguments(13)),
        ErrorKind::NotADirectory => PyNotADirectoryError::new_err(arguments(20)),
        ErrorKind::IsADirectory => PyIsADirectoryError::new_err(arguments(IS_A_DIRECTORY)),
        // The name contains a null character.
        ErrorKind::InvalidInput => PyValueError::new_err(format!("{}: {reason}", path.display())),
        _ if source.raw_os_error().is_some() => PyOSError::new_err(arguments(0)),
        _ => Error::new_err(format!("cannot read {}: {source}", path.display())),
    }
}
