//! The description of the interface in the words of OpenAPI.

use serde_json::{Value, json};

use super::age_query::{FORMATS, MAX_STRENGTH, MAX_YEARS};

/// The description for networks that know the age groups of these names.
pub(super) fn description(groups: &[String]) -> Value {
    let mut description: Value = serde_json::from_str(include_str!("openapi.json")).expect("the file is JSON");
    description["info"]["version"] = json!(env!("CARGO_PKG_VERSION"));
    let schemas = &mut description["components"]["schemas"];
    schemas["AgeGroup"]["enum"] = json!(groups);
    schemas["Years"]["maximum"] = json!(MAX_YEARS);
    schemas["Strength"]["maximum"] = json!(MAX_STRENGTH);
    schemas["Format"]["enum"] = json!(FORMATS.map(|(name, _)| name));
    description
}
