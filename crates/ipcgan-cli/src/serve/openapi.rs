//! OpenAPI description of the HTTP API.

use ipcgan::data::Residual;
use ipcgan::photo::PhotoFormat;
use ipcgan::{AgeBlend, AgeGroups};
use serde_json::{Value, json};

use super::age_query::FORMATS;

/// The description for networks with the age groups `groups`.
pub(super) fn description(groups: &AgeGroups) -> Value {
    let mut description: Value = serde_json::from_str(include_str!("openapi.json")).expect("the file is JSON");
    description["info"]["version"] = json!(env!("CARGO_PKG_VERSION"));
    let schemas = &mut description["components"]["schemas"];
    schemas["AgeGroup"]["enum"] = json!(groups.names());
    schemas["Years"]["minimum"] = json!(groups.ages(0).0);
    schemas["Years"]["maximum"] = json!(AgeBlend::MAX_TARGET_AGE);
    schemas["Strength"]["maximum"] = json!(Residual::MAX_STRENGTH);
    schemas["Strength"]["default"] = json!(Residual::DEFAULT_STRENGTH);
    schemas["Format"]["enum"] = json!(FORMATS.map(|(name, _)| name));
    schemas["Format"]["default"] = json!(PhotoFormat::default().name());
    description
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use ipcgan::FaceDescription;
    use ipcgan::web_api::{AgesResponse, ErrorResponse, FacesResponse, MAX_UPLOAD_MB};

    use super::*;

    /// The names of the fields of `value`.
    fn fields(value: &Value) -> BTreeSet<String> {
        value.as_object().unwrap().keys().cloned().collect()
    }

    #[test]
    fn the_responses_have_the_fields_that_the_description_lists() {
        let groups = AgeGroups::default();
        let schemas = &description(&groups)["components"]["schemas"];
        let face = FaceDescription { number: 1, bounds: [0.0; 4], score: 1.0, landmarks: [[0.0; 2]; 5] };
        let (warning, hint) = (Some("truncated".into()), Some("rotate".into()));
        let faces = FacesResponse { width: 1, height: 1, faces: vec![face], warning, hint };
        let [ages, faces] = [json!(AgesResponse::new(&groups, MAX_UPLOAD_MB)), json!(faces)];

        let group = &schemas["Ages"]["properties"]["groups"]["items"];
        for (response, schema) in [
            (&ages, &schemas["Ages"]),
            (&ages["groups"][0], group),
            (&faces, &schemas["Faces"]),
            (&faces["faces"][0], &schemas["Face"]),
            (&json!(ErrorResponse { error: "no photo".into() }), &schemas["Error"]),
        ] {
            assert_eq!(fields(response), fields(&schema["properties"]));
        }
    }
}
