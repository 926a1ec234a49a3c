//! Requests: what a command does, from its arguments, complete and checked before any work begins.
//!
//! Each command has one type of request; `--verbose` prints it as JSON.

use std::fmt::Display;
use std::path::{Path, PathBuf};

use ipcgan::system::JsonPath;
use log::debug;
use serde::{Serialize, Serializer};

/// Prints `request` as debug output, and returns it.
pub(crate) fn logged<R: Serialize>(request: R) -> R {
    debug!("request: {}", serde_json::to_string(&request).expect("plain data turn into JSON"));
    request
}

/// Serializes a path, also one that is not UTF-8.
pub(crate) fn path<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    JsonPath::from(path).serialize(serializer)
}

/// Serializes paths, as [`path`] does.
pub(crate) fn paths<S: Serializer>(paths: &[PathBuf], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(paths.iter().map(JsonPath::from))
}

/// Serializes a path, as [`path`] does, or null.
pub(crate) fn optional_path<S: Serializer>(path: &Option<PathBuf>, serializer: S) -> Result<S::Ok, S::Error> {
    path.as_ref().map(JsonPath::from).serialize(serializer)
}

/// Serializes a value as its text.
pub(crate) fn text<S: Serializer>(value: &impl Display, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

/// Serializes values as their texts.
pub(crate) fn texts<S: Serializer>(values: &[impl Display], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(values.iter().map(ToString::to_string))
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use super::*;

    #[derive(Serialize)]
    struct Request {
        #[serde(serialize_with = "path")]
        out: PathBuf,
        #[serde(serialize_with = "optional_path")]
        weights: Option<PathBuf>,
        #[serde(serialize_with = "texts")]
        steps: Vec<u8>,
    }

    #[cfg(unix)]
    #[test]
    fn a_request_with_a_path_that_is_not_utf_8_is_printed() {
        use std::os::unix::ffi::OsStrExt;

        let out = OsStr::from_bytes(b"r\xe9sultat").into();

        let json = serde_json::to_value(Request { out, weights: None, steps: vec![3] }).unwrap();

        assert_eq!(json["out"]["bytes"], "72e973756c746174");
        assert!(json["weights"].is_null() && json["steps"][0] == "3", "{json}");
    }
}
