//! Paths in JSON, including paths that are not UTF-8.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A path that survives a round trip through JSON.
///
/// A UTF-8 path is a JSON string. Any other path (a file name in Latin-1, for example) is an object: `text` with U+FFFD
/// in place of invalid UTF-8, and `bytes` with all bytes in hexadecimal. Such an object can be read on Unix only, where
/// a path may consist of any bytes; on other systems it is an error.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct JsonPath(PathBuf);

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Encoding {
    Text(String),
    Bytes { text: String, bytes: String },
}

impl JsonPath {
    /// The path.
    pub fn as_path(&self) -> &Path {
        &self.0
    }

    /// The path.
    pub fn into_path(self) -> PathBuf {
        self.0
    }
}

impl<P: Into<PathBuf>> From<P> for JsonPath {
    fn from(path: P) -> Self {
        Self(path.into())
    }
}

impl Serialize for JsonPath {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let path = self.0.as_os_str();
        let encoding = match path.to_str() {
            Some(text) => Encoding::Text(text.into()),
            None => Encoding::Bytes {
                text: path.to_string_lossy().into_owned(),
                bytes: path.as_encoded_bytes().iter().map(|byte| format!("{byte:02x}")).collect(),
            },
        };
        encoding.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for JsonPath {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let path = match Encoding::deserialize(deserializer)? {
            Encoding::Text(text) => Some(text.into()),
            Encoding::Bytes { bytes, .. } => bytes_of(&bytes).and_then(os_string),
        };
        let path = path.ok_or_else(|| serde::de::Error::custom("these bytes are not a valid path on this system"))?;
        Ok(Self(path.into()))
    }
}

/// The bytes that `hexadecimal` encodes; `None` if it is not a hexadecimal number.
fn bytes_of(hexadecimal: &str) -> Option<Vec<u8>> {
    let digits = hexadecimal.as_bytes();
    if !digits.len().is_multiple_of(2) || !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

#[cfg(unix)]
fn os_string(bytes: Vec<u8>) -> Option<OsString> {
    Some(std::os::unix::ffi::OsStringExt::from_vec(bytes))
}

#[cfg(not(unix))]
fn os_string(_: Vec<u8>) -> Option<OsString> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_utf8_path_is_a_json_string() {
        let path = JsonPath::from("faces/ä.jpg");

        let json = serde_json::to_string(&path).unwrap();

        assert_eq!(json, r#""faces/ä.jpg""#);
        assert_eq!(serde_json::from_str::<JsonPath>(&json).unwrap(), path);
    }

    #[test]
    fn bytes_that_are_not_pairs_of_hexadecimal_digits_are_an_error() {
        for bytes in ["636", "+f", "6g", "é"] {
            let json = format!("{{\"text\":\"\",\"bytes\":\"{bytes}\"}}");
            assert!(serde_json::from_str::<JsonPath>(&json).is_err(), "{bytes}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_path_that_is_not_utf8_survives_a_round_trip_through_json() {
        use std::os::unix::ffi::OsStrExt;
        let path = JsonPath::from(std::ffi::OsStr::from_bytes(b"caf\xe9.jpg"));

        let json = serde_json::to_string(&path).unwrap();

        assert_eq!(json, "{\"text\":\"caf\u{fffd}.jpg\",\"bytes\":\"636166e92e6a7067\"}");
        assert_eq!(serde_json::from_str::<JsonPath>(&json).unwrap(), path);
    }
}
