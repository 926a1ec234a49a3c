//! File formats of results.

use std::fmt;
use std::str::FromStr;

use ipcgan::photo::{Original, PhotoFormat};
use serde::{Deserialize, Serialize};

use crate::invalid_value::InvalidValue;

/// File format of results.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OutputFormat {
    /// That of the photo, or PNG where that cannot be written.
    Same,
    Fixed(PhotoFormat),
}

impl OutputFormat {
    /// Format of the results of `photo`.
    pub(crate) fn of(self, photo: &Original) -> PhotoFormat {
        match self {
            Self::Fixed(format) => format,
            Self::Same => PhotoFormat::like(photo),
        }
    }

    /// Possible formats of results.
    pub(crate) fn possible(self) -> Vec<PhotoFormat> {
        match self {
            Self::Same => PhotoFormat::ALL.to_vec(),
            Self::Fixed(format) => vec![format],
        }
    }
}

impl fmt::Display for OutputFormat {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Same => formatter.write_str("same"),
            Self::Fixed(format) => format.fmt(formatter),
        }
    }
}

impl FromStr for OutputFormat {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        match text.trim().to_ascii_lowercase().as_str() {
            "same" => Ok(Self::Same),
            name => name
                .parse()
                .map(Self::Fixed)
                .map_err(|error| InvalidValue::new(format!("{error}; `same` keeps the format of the photo"))),
        }
    }
}

impl Serialize for OutputFormat {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for OutputFormat {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_format_is_parsed_from_its_usual_names_in_any_case() {
        for name in ["jpg", "jpeg", "JPEG", ".jpg", " Jpg"] {
            assert_eq!(name.parse(), Ok(OutputFormat::Fixed(PhotoFormat::Jpeg)), "{name}");
        }
        assert_eq!("PNG".parse(), Ok(OutputFormat::Fixed(PhotoFormat::Png)));
        assert_eq!("Same".parse(), Ok(OutputFormat::Same));
        assert!("heic".parse::<OutputFormat>().unwrap_err().to_string().contains("png"));
    }
}
