//! How faces are prepared, as `prepare.json` keeps it.

use std::fs;
use std::io;
use std::path::Path;

use burn::config::Config;
use ipcgan_model::{AgeGroups, write_whole};
use serde_json::Value;

use crate::DataError;

/// What the file in a prepared folder is called.
const NAME: &str = "prepare.json";

/// How faces are prepared; saved as `prepare.json` in the prepared folder.
#[derive(Config, Debug)]
pub struct PreparationConfig {
    /// What kind of data set the faces come from, such as `utkface`.
    pub source: String,
    /// Width and height of a face in pixels. Default: 128, as the published networks.
    #[config(default = 128)]
    pub size: u32,
    /// Whether the pictures are faces already, aligned as ours, so that none is looked for. Default: no.
    #[config(default = false)]
    pub aligned: bool,
    /// The least side of the square around a face, in pixels of its picture. Default: 64.
    #[config(default = 64)]
    pub least_face: u32,
    /// Whether the same picture under two names is looked for; drawn faces resemble one another too much. Default: yes.
    #[config(default = true)]
    pub find_same_pictures: bool,
    /// The age groups. Default: the paper's.
    #[config(default = "AgeGroups::default()")]
    pub age_groups: AgeGroups,
    /// Decides who is on which side. Default: 0.
    #[config(default = 0)]
    pub seed: u64,
    /// Share of people to watch the learning with. Default: 0.1.
    #[config(default = 0.1)]
    pub valid_share: f64,
    /// Share of people to measure the result with. Default: 0.1.
    #[config(default = 0.1)]
    pub test_share: f64,
}

/// What decides how a picture comes out: pictures that are there already must have been made by the same.
const OF_PICTURES: [&str; 4] = ["source", "size", "aligned", "least_face"];

impl PreparationConfig {
    /// Writes it into `folder`, if faces that may be there already were prepared in the same way.
    ///
    /// # Errors
    /// They were not.
    pub(super) fn settle_in(&self, folder: &Path) -> Result<(), DataError> {
        let path = folder.join(NAME);
        let now = serde_json::to_value(self).expect("a config is made of numbers and texts");
        if let Some(was) = read(&path)? {
            if let Some(setting) = OF_PICTURES.into_iter().find(|setting| was[setting] != now[setting]) {
                let [was, now] = [&was[setting], &now[setting]].map(ToString::to_string);
                return Err(DataError::PreparedOtherwise { path, setting: setting.into(), was, now });
            }
            // A table that other settings made is wrong by now, if the work is stopped before there is a new one.
            if was != now {
                remove_table(folder)?;
            }
        }
        let text = format!("{now:#}\n");
        write_whole(&path, text.as_bytes()).map_err(DataError::writing(path))
    }
}

fn remove_table(folder: &Path) -> Result<(), DataError> {
    let table = folder.join("metadata.csv");
    match fs::remove_file(&table) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(DataError::writing(table)(error)),
        _ => Ok(()),
    }
}

/// Refuses a folder that was prepared for other age groups than `groups`: its indices mean other ages.
pub(crate) fn check_age_groups(folder: &Path, groups: &AgeGroups) -> Result<(), DataError> {
    let path = folder.join(NAME);
    let was = read(&path)?.map(|config| config["age_groups"].clone()).unwrap_or_default();
    let now = serde_json::to_value(groups).expect("age groups are numbers");
    if was.is_null() || was == now {
        return Ok(());
    }
    let [was, now] = [was, now].map(|groups| groups.to_string());
    Err(DataError::PreparedOtherwise { path, setting: "age_groups".into(), was, now })
}

fn read(path: &Path) -> Result<Option<Value>, DataError> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(DataError::Read { path: path.into(), source }),
    };
    serde_json::from_str(&text).map(Some).map_err(|error| DataError::unusable(path, format!("is no JSON: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_of_other_settings_goes_and_one_of_the_same_stays() {
        let folder = tempfile::tempdir().unwrap();
        let table = folder.path().join("metadata.csv");
        let config = PreparationConfig::new("synthetic".into());
        config.settle_in(folder.path()).unwrap();
        fs::write(&table, "file_name").unwrap();

        config.settle_in(folder.path()).unwrap();
        assert!(table.exists());

        config.with_valid_share(0.3).settle_in(folder.path()).unwrap();
        assert!(!table.exists());
    }
}
