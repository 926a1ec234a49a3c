//! OpenAPI description of the HTTP API.

use ipcgan::AgeGroups;
use serde_json::{Value, json};

use super::age_query::FORMATS;
use crate::age::{MAX_AGE, MAX_STRENGTH};

/// The description for networks with the age groups `groups`.
pub(super) fn description(groups: &AgeGroups) -> Value {
    let mut description: Value = serde_json::from_str(include_str!("openapi.json")).expect("the file is JSON");
    description["info"]["version"] = json!(env!("CARGO_PKG_VERSION"));
    let schemas = &mut description["components"]["schemas"];
    schemas["AgeGroup"]["enum"] = json!(groups.names());
    schemas["Years"]["minimum"] = json!(groups.ages(0).0);
    schemas["Years"]["maximum"] = json!(MAX_AGE);
    schemas["Strength"]["maximum"] = json!(MAX_STRENGTH);
    schemas["Format"]["enum"] = json!(FORMATS.map(|(name, _)| name));
    description
}
