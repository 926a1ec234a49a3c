//! Overrides of the configuration by `key=value`, where the key is a path such as `aging.weights.age`.

use serde_json::{Map, Value};

use super::fault::SettingFault;
use crate::{TrainingConfig, TrainingError};

/// The setting that is taken from the data.
pub(crate) const IDENTITIES: &str = "alexnet.identities";
/// The setting that names what all others start from.
const PRESET: &str = "preset";
/// Minimum Jaro-Winkler similarity of a suggested name.
const MIN_SIMILARITY: f64 = 0.8;

impl TrainingConfig {
    /// The configuration with each `key=value` of `settings` applied.
    ///
    /// A key is a path of field names joined by dots; a value is JSON, or text without quotes.
    ///
    /// # Errors
    /// An unknown key, a value of the wrong type, or one outside its valid range.
    pub fn with_settings(self, settings: &[String]) -> Result<Self, TrainingError> {
        let config = settings.iter().try_fold(self, |config, setting| {
            config.with_setting(setting).map_err(|reason| TrainingError::Setting { setting: setting.clone(), reason })
        })?;
        config.check()?;
        Ok(config)
    }

    fn with_setting(self, setting: &str) -> Result<Self, SettingFault> {
        let (key, text) = setting.split_once('=').ok_or(SettingFault::NoValue)?;
        match key {
            IDENTITIES => return Err(SettingFault::Derived),
            PRESET => return Err(SettingFault::Preset),
            _ => (),
        }
        let mut whole = serde_json::to_value(&self).expect("plain data turn into JSON");
        let value = match (serde_json::from_str(text), place_of(&mut whole, key)?) {
            (Ok(value), _) => value,
            // A list without brackets.
            (Err(_), Value::Array(_)) => {
                serde_json::from_str(&format!("[{text}]")).unwrap_or_else(|_| Value::String(text.into()))
            }
            (Err(_), _) => Value::String(text.into()),
        };
        self.with_value(key, value)
    }

    /// The configuration with the setting `key` at `value`; an empty object leaves a group of settings as it is.
    pub(crate) fn with_value(self, key: &str, value: Value) -> Result<Self, SettingFault> {
        let mut whole = serde_json::to_value(&self).expect("plain data turn into JSON");
        let place = place_of(&mut whole, key)?;
        if place.is_object() && value == Value::Object(Map::new()) {
            return Ok(self);
        }
        *place = value;
        serde_json::from_value(whole).map_err(SettingFault::Type)
    }
}

/// Where the setting `key` is in the configuration `whole`.
fn place_of<'a>(whole: &'a mut Value, key: &str) -> Result<&'a mut Value, SettingFault> {
    let mut parent = "";
    key.split('.').try_fold(whole, |place, name| {
        let names = names_in(place);
        let field = match place {
            Value::Object(fields) => fields.get_mut(name),
            _ => None,
        };
        let field = field.ok_or_else(|| unknown_name(parent, name, names))?;
        parent = name;
        Ok(field)
    })
}

fn names_in(place: &Value) -> Vec<String> {
    match place {
        Value::Object(fields) => fields.keys().cloned().collect(),
        _ => Vec::new(),
    }
}

/// The fault of the field `name` of `parent`, whose fields are `names`.
fn unknown_name(parent: &str, name: &str, names: Vec<String>) -> SettingFault {
    if names.is_empty() {
        return SettingFault::NoFields { parent: parent.into(), name: name.into() };
    }
    let similarity = |other: &&String| strsim::jaro_winkler(name, other);
    let nearest = names.iter().max_by(|one, other| similarity(one).total_cmp(&similarity(other)));
    let similar = nearest.filter(|nearest| similarity(nearest) >= MIN_SIMILARITY).cloned();
    SettingFault::Unknown { name: name.into(), similar, valid: names }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Preset;

    fn set(setting: &str) -> Result<TrainingConfig, String> {
        TrainingConfig::of(Preset::Tiny).with_settings(&[setting.into()]).map_err(|error| error.to_string())
    }

    #[test]
    fn a_list_may_come_without_brackets() {
        assert_eq!(set("age_groups=10,20,30").unwrap().age_groups, set("age_groups=[10,20,30]").unwrap().age_groups);
        assert!(set("age_groups=ten,20").is_err());
    }

    #[test]
    fn a_setting_changes_the_field_that_its_path_names() {
        assert_eq!(set("aging.weights.age=12.5").unwrap().aging.weights.age, 12.5);
        assert_eq!(set("seed=7").unwrap().seed, 7);
        assert_eq!(set("age_groups=[0,18,60]").unwrap().age_groups.count(), 3);
    }

    #[test]
    fn an_unknown_key_is_an_error_with_a_suggestion() {
        let error = set("aging.stepz=3").unwrap_err();

        assert!(error.contains("unknown setting `stepz`; did you mean `steps`?"), "{error}");
    }

    #[test]
    fn an_unknown_key_without_a_similar_one_lists_all() {
        let error = set("aging.qqq=3").unwrap_err();

        assert!(error.contains("unknown setting `qqq`; valid are"), "{error}");
    }

    #[test]
    fn a_value_of_the_wrong_type_is_an_error() {
        assert!(set("aging.steps=many").is_err());
        assert!(set("aging.steps").is_err());
        assert!(set("age_groups=[30,20]").is_err());
    }

    #[test]
    fn age_groups_that_no_face_can_be_aged_to_are_an_error() {
        let error = set("age_groups=20,121").unwrap_err();

        assert!(error.contains("age_groups") && error.contains("at most 120 years: [20, 121]"), "{error}");
    }

    #[test]
    fn a_derived_setting_cannot_be_set() {
        assert!(set("alexnet.identities=5").unwrap_err().contains("number of identities in the data"));
        assert!(set("preset=compact").unwrap_err().contains("when a run is created"));
    }

    #[test]
    fn a_field_of_a_single_value_is_an_error_that_names_both() {
        let error = set("aging.steps.many=3").unwrap_err();

        assert!(error.contains("`steps` has no fields; leave out `.many`"), "{error}");
    }
}
