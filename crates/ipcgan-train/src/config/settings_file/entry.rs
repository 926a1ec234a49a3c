//! JSON in which a key may occur twice.

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// JSON whose objects keep all entries, so that a setting that is given twice is found.
pub(super) enum Entry {
    Group(Vec<(String, Entry)>),
    Value(Value),
}

impl Entry {
    /// Adds its settings, with their paths below `path`, to `values`. An empty group remains, so that its name is checked.
    pub(super) fn flatten(self, path: String, values: &mut Vec<(String, Value)>) {
        match self {
            Self::Group(entries) if entries.is_empty() && !path.is_empty() => {
                values.push((path, Value::Object(Map::new())))
            }
            Self::Group(entries) => {
                for (name, entry) in entries {
                    entry.flatten(if path.is_empty() { name } else { format!("{path}.{name}") }, values);
                }
            }
            Self::Value(value) => values.push((path, value)),
        }
    }
}

impl<'de> Deserialize<'de> for Entry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct EntryVisitor;

        impl<'de> Visitor<'de> for EntryVisitor {
            type Value = Entry;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("settings")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entry, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Entry::Group(entries))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Entry, A::Error> {
                let mut values: Vec<Value> = Vec::new();
                while let Some(value) = list.next_element()? {
                    values.push(value);
                }
                Ok(Entry::Value(values.into()))
            }

            fn visit_bool<E: Error>(self, value: bool) -> Result<Entry, E> {
                Ok(Entry::Value(value.into()))
            }

            fn visit_i64<E: Error>(self, value: i64) -> Result<Entry, E> {
                Ok(Entry::Value(value.into()))
            }

            fn visit_u64<E: Error>(self, value: u64) -> Result<Entry, E> {
                Ok(Entry::Value(value.into()))
            }

            fn visit_f64<E: Error>(self, value: f64) -> Result<Entry, E> {
                Ok(Entry::Value(value.into()))
            }

            fn visit_str<E: Error>(self, value: &str) -> Result<Entry, E> {
                Ok(Entry::Value(value.into()))
            }

            fn visit_unit<E: Error>(self) -> Result<Entry, E> {
                Ok(Entry::Value(Value::Null))
            }
        }

        deserializer.deserialize_any(EntryVisitor)
    }
}
