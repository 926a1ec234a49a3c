//! What a weights file says of itself.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Network;
use crate::{AgeGroups, ModelError};

/// Metadata of a weights file.
pub(super) struct Metadata<'a> {
    origin: &'a Path,
    entries: BTreeMap<String, String>,
}

/// What a file with a network of kind `N` says, by key.
pub(super) fn entries_of<N: Network>(config: &N::Config, age_groups: &AgeGroups) -> [(&'static str, String); 3] {
    let json = |value: serde_json::Result<String>| value.expect("plain data turn into JSON");
    [
        ("network", N::KIND.into()),
        ("config", json(serde_json::to_string(config))),
        ("age_groups", json(serde_json::to_string(age_groups))),
    ]
}

impl<'a> Metadata<'a> {
    pub(super) fn new(origin: &'a Path, entries: BTreeMap<String, String>) -> Self {
        Self { origin, entries }
    }

    pub(super) fn error(&self, key: &'static str, reason: String) -> ModelError {
        ModelError::Metadata { path: self.origin.into(), key, reason }
    }

    pub(super) fn entry(&self, key: &'static str) -> Result<&str, ModelError> {
        let entry = self.entries.get(key).map(String::as_str);
        entry.ok_or_else(|| {
            self.error(key, "is missing, so these are not weights of ours; `ipcgan convert --like` takes others".into())
        })
    }

    pub(super) fn check_kind(&self, expected: &'static str) -> Result<(), ModelError> {
        match self.entry("network")? {
            found if found == expected => Ok(()),
            found => Err(ModelError::OtherNetwork { path: self.origin.into(), expected, found: found.into() }),
        }
    }

    /// The configuration in the file laid over `published`.
    pub(super) fn config<T: Serialize + DeserializeOwned>(&self, published: &T) -> Result<T, ModelError> {
        let mut config = serde_json::to_value(published).expect("plain data turn into JSON");
        let named: serde_json::Map<String, serde_json::Value> = self.json("config")?;
        for (name, value) in named {
            config[name] = value;
        }
        serde_json::from_value(config).map_err(|error| self.error("config", format!("cannot be read: {error}")))
    }

    pub(super) fn json<T: DeserializeOwned>(&self, key: &'static str) -> Result<T, ModelError> {
        serde_json::from_str(self.entry(key)?).map_err(|error| self.error(key, format!("cannot be read: {error}")))
    }
}
