//! Query parameters of `/api/age`.

use ipcgan::data::Residual;
use ipcgan::photo::PhotoFormat;
use ipcgan::{AgeBlend, AgeGroups};
use serde::Deserialize;

use super::api_error::ApiError;
use crate::age::{Age, FaceSelection, strength};

/// The formats of the aged photo, by name.
pub(super) const FORMATS: [(&str, PhotoFormat); 4] =
    [("png", PhotoFormat::Png), ("jpg", PhotoFormat::Jpeg), ("jpeg", PhotoFormat::Jpeg), ("webp", PhotoFormat::WebP)];

/// Unchecked parameters.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AgeQuery {
    age: String,
    face: Option<String>,
    strength: Option<String>,
    format: Option<String>,
}

/// Checked parameters.
#[derive(Debug)]
pub(super) struct AgeParameters {
    pub(super) age: AgeBlend,
    pub(super) faces: FaceSelection,
    pub(super) strength: f32,
    pub(super) format: PhotoFormat,
}

impl AgeQuery {
    /// Checks the parameters, for networks with `groups`.
    ///
    /// # Errors
    /// A parameter is invalid.
    pub(super) fn checked(&self, groups: &AgeGroups) -> Result<AgeParameters, ApiError> {
        let refused = |name: &'static str| move |reason| ApiError::bad_request(format!("{name}: {reason}"));
        let age = Age::parse(&self.age, groups).map_err(refused("age"))?.blend;
        let faces = self.face.as_deref().unwrap_or("all").parse().map_err(refused("face"))?;
        let strength = self.strength.as_deref().map_or(Ok(Residual::DEFAULT_STRENGTH), strength);
        let strength = strength.map_err(refused("strength"))?;
        let format = self.format.as_deref().unwrap_or(PhotoFormat::default().name());
        let found = FORMATS.iter().find(|(name, _)| *name == format);
        let (_, format) = found.ok_or_else(|| {
            let names = FORMATS.map(|(name, _)| name).join(", ");
            ApiError::bad_request(format!("format must be one of {names}"))
        })?;
        Ok(AgeParameters { age, faces, strength, format: *format })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(age: &str, face: &str, strength: &str, format: &str) -> Result<AgeParameters, ApiError> {
        let [face, strength, format] = [face, strength, format].map(|text| Some(text.to_string()));
        AgeQuery { age: age.into(), face, strength, format }.checked(&AgeGroups::default())
    }

    #[test]
    fn an_age_is_a_group_or_years() {
        for age in ["51+", "11-20", "11", "45", "120"] {
            assert!(checked(age, "all", "1", "png").is_ok(), "{age}");
        }
        for age in ["", "old", "0", "5", "10", "121", "-1", "+45", "4.5", "256"] {
            assert!(checked(age, "all", "1", "png").unwrap_err().reason.contains("from 11 to 120"), "{age}");
        }
    }

    #[test]
    fn an_invalid_parameter_is_an_error_with_its_name() {
        assert!(checked("45", "largest", "3", "jpeg").is_ok());
        for (face, strength, format, word) in [
            ("left", "1", "png", "face"),
            ("0", "1", "png", "face"),
            ("all", "3.00000001", "png", "strength"),
            ("all", "NaN", "png", "strength"),
            ("all", "", "png", "strength"),
            ("all", "1", "PNG", "format"),
            ("all", "1", "gif", "format"),
        ] {
            let error = checked("45", face, strength, format).unwrap_err();

            assert!(error.reason.starts_with(word), "{error:?}");
        }
    }
}
