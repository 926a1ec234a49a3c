//! Metadata of weights files.

use std::collections::BTreeMap;
use std::path::Path;

use serde::de::DeserializeOwned;

use super::networks::Network;
use crate::{AgeGroups, ModelError};

/// Key of the configuration.
const CONFIG: &str = "config";

/// Metadata of a weights file.
pub(super) struct Metadata<'a> {
    origin: &'a Path,
    entries: &'a BTreeMap<String, String>,
}

/// Metadata entries of a network of kind `N`.
pub(super) fn entries_of<N: Network>(config: &N::Config, age_groups: &AgeGroups) -> [(&'static str, String); 3] {
    let json = |value: serde_json::Result<String>| value.expect("plain data turn into JSON");
    [
        ("network", N::KIND.into()),
        (CONFIG, json(serde_json::to_string(config))),
        ("age_groups", json(serde_json::to_string(age_groups))),
    ]
}

/// Adds the entries of `like` that `entries` lack, and the settings of its configuration that theirs lacks.
pub(super) fn complete(entries: &mut BTreeMap<String, String>, like: BTreeMap<String, String>) {
    let settings = |text: &str| serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(text).ok();
    for (key, value) in like {
        let entry = entries.entry(key.clone()).or_insert_with(|| value.clone());
        if key == CONFIG
            && let (Some(mut named), Some(like)) = (settings(entry), settings(&value))
        {
            for (name, value) in like {
                named.entry(name).or_insert(value);
            }
            *entry = serde_json::Value::Object(named).to_string();
        }
    }
}

impl<'a> Metadata<'a> {
    pub(super) fn new(origin: &'a Path, entries: &'a BTreeMap<String, String>) -> Self {
        Self { origin, entries }
    }

    pub(super) fn error(&self, key: &'static str, reason: String) -> ModelError {
        ModelError::Metadata { path: self.origin.into(), key, reason }
    }

    fn missing(&self, key: &'static str, reason: String) -> ModelError {
        ModelError::MissingMetadata { path: self.origin.into(), key, reason }
    }

    pub(super) fn entry(&self, key: &'static str) -> Result<&'a str, ModelError> {
        let entry = self.entries.get(key).map(String::as_str);
        entry.ok_or_else(|| self.missing(key, "is missing, so this is not a weights file of this program".into()))
    }

    pub(super) fn check_kind(&self, expected: &'static str) -> Result<(), ModelError> {
        match self.entry("network")? {
            found if found == expected => Ok(()),
            found => Err(ModelError::WrongNetwork { path: self.origin.into(), expected, found: found.into() }),
        }
    }

    /// The configuration in the file, which must have a value for each setting of the network and no other settings.
    pub(super) fn config<N: Network>(&self) -> Result<N::Config, ModelError> {
        let published = serde_json::to_value(N::published()).expect("plain data turn into JSON");
        let serde_json::Value::Object(published) = published else { unreachable!("a configuration has fields") };
        let mut config: serde_json::Map<String, serde_json::Value> = self.json(CONFIG)?;
        let names = |names: Vec<&String>| names.into_iter().map(String::as_str).collect::<Vec<_>>().join(", ");
        let unknown: Vec<_> = config.keys().filter(|name| !published.contains_key(*name)).collect();
        if !unknown.is_empty() {
            let ours = names(published.keys().collect());
            let reason =
                format!("names settings that {} networks do not have: {}; they have {ours}", N::KIND, names(unknown));
            return Err(self.error(CONFIG, reason));
        }
        for name in N::LATER_SETTINGS {
            config.entry(*name).or_insert_with(|| published[*name].clone());
        }
        let missing: Vec<_> = published.keys().filter(|name| !config.contains_key(*name)).collect();
        if !missing.is_empty() {
            let reason = format!("lacks settings: {}", names(missing));
            return Err(self.missing(CONFIG, reason));
        }
        serde_json::from_value(config.into()).map_err(|error| self.error(CONFIG, format!("cannot be read: {error}")))
    }

    pub(super) fn json<T: DeserializeOwned>(&self, key: &'static str) -> Result<T, ModelError> {
        serde_json::from_str(self.entry(key)?).map_err(|error| self.error(key, format!("cannot be read: {error}")))
    }
}
