//! Configuration of a preparation (`prepare.json`).

use std::fs;
use std::io;
use std::path::Path;

use burn::config::Config;
use ipcgan_model::AgeGroups;
use ipcgan_system::write_atomic;
use serde_json::Value;

use super::journal::NAME as JOURNAL;
use crate::DataError;

/// File name in a prepared folder.
pub(super) const NAME: &str = "prepare.json";

/// How faces are prepared; saved as `prepare.json` in the prepared folder.
#[derive(Config, Debug)]
pub struct PreparationConfig {
    /// Kind of data set that the faces come from, such as `utkface`.
    pub source: String,
    /// Width and height of a face in pixels, at least 8. Default: 128, as the published networks.
    #[config(default = 128)]
    pub size: u32,
    /// Whether the images are aligned faces already, so that detection is skipped. Default: no.
    #[config(default = false)]
    pub aligned: bool,
    /// Minimum side of the square around a face, in pixels of its image. Default: 64.
    #[config(default = 64)]
    pub min_face: u32,
    /// Minimum sharpness of an aligned face: variance of the Laplacian of its luminance. Default: none.
    pub min_sharpness: Option<f64>,
    /// Maximum yaw: 0 is frontal, 1 has the nose below an eye. Default: none.
    pub max_yaw: Option<f64>,
    /// Whether near-duplicate images are detected; synthetic faces are too similar for it. Default: yes.
    #[config(default = true)]
    pub find_duplicates: bool,
    /// The age groups. Default: the paper's.
    #[config(default = "AgeGroups::default()")]
    pub age_groups: AgeGroups,
    /// Seed of the assignment of identities to splits. Default: 0.
    #[config(default = 0)]
    pub seed: u64,
    /// Fraction of identities held out for validation, 0 to 1; with that of the test below 1. Default: 0.1.
    #[config(default = 0.1)]
    pub valid_fraction: f64,
    /// Fraction of identities held out for the test, 0 to 1. Default: 0.1.
    #[config(default = 0.1)]
    pub test_fraction: f64,
}

/// Settings that determine the face crops: existing crops must have been made with the same values.
const OF_IMAGES: [&str; 6] = ["source", "size", "aligned", "min_face", "min_sharpness", "max_yaw"];

impl PreparationConfig {
    /// Rejects `folder` if it was prepared with other settings, so that it does not mix two kinds of faces.
    ///
    /// # Errors
    /// It was prepared with other settings.
    pub(super) fn check(&self, folder: &Path) -> Result<(), DataError> {
        let path = folder.join(NAME);
        let Some(was) = read(&path)? else { return Ok(()) };
        let now = self.json();
        let differences: Vec<String> =
            OF_IMAGES.into_iter().filter_map(|setting| difference(setting, &was[setting], &now[setting])).collect();
        match differences.is_empty() {
            true => Ok(()),
            false => Err(DataError::PreparedDifferently { path, differences }),
        }
    }

    /// Writes it into `folder`.
    pub(super) fn write(&self, folder: &Path) -> Result<(), DataError> {
        let path = folder.join(NAME);
        let now = self.json();
        // Remove a table made with other settings first: it would be wrong if the preparation stopped before writing a
        // new one.
        if read(&path)?.is_some_and(|was| was != now) {
            remove_table(folder)?;
        }
        let text = format!("{now:#}\n");
        write_atomic(&path, text.as_bytes()).map_err(DataError::writing(path))
    }

    fn json(&self) -> Value {
        serde_json::to_value(self).expect("a config is made of numbers and texts")
    }
}

/// A message such as `size was 64 and is 128 now`, if the values differ.
fn difference(setting: &str, was: &Value, now: &Value) -> Option<String> {
    (was != now).then(|| format!("{setting} was {was} and is {now} now"))
}

/// Whether `folder` holds prepared faces, complete or not.
pub(crate) fn is_prepared(folder: &Path) -> bool {
    folder.join(NAME).is_file() && folder.join(JOURNAL).is_file()
}

fn remove_table(folder: &Path) -> Result<(), DataError> {
    let table = folder.join("metadata.csv");
    match fs::remove_file(&table) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(DataError::writing(table)(error)),
        _ => Ok(()),
    }
}

/// Rejects a folder that was prepared for other age groups than `groups`: its group indices mean other ages.
pub(crate) fn check_age_groups(folder: &Path, groups: &AgeGroups) -> Result<(), DataError> {
    let path = folder.join(NAME);
    let was = read(&path)?.map(|config| config["age_groups"].clone()).unwrap_or_default();
    let now = serde_json::to_value(groups).expect("age groups are numbers");
    let differences = if was.is_null() { None } else { difference("age_groups", &was, &now) };
    match differences {
        Some(difference) => Err(DataError::PreparedDifferently { path, differences: vec![difference] }),
        None => Ok(()),
    }
}

fn read(path: &Path) -> Result<Option<Value>, DataError> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(DataError::Read { path: path.into(), source }),
    };
    serde_json::from_str(&text)
        .map(Some)
        .map_err(|error| DataError::unusable(path, format!("is not valid JSON: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_of_other_settings_is_removed_and_one_of_equal_settings_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let table = folder.path().join("metadata.csv");
        let config = PreparationConfig::new("synthetic".into());
        config.write(folder.path()).unwrap();
        fs::write(&table, "file_name").unwrap();

        config.write(folder.path()).unwrap();
        assert!(table.exists());

        config.with_valid_fraction(0.3).write(folder.path()).unwrap();
        assert!(!table.exists());
    }

    #[test]
    fn all_settings_that_differ_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let config = PreparationConfig::new("csv".into());
        config.write(folder.path()).unwrap();

        let error = config.with_size(64).with_min_face(32).check(folder.path()).unwrap_err().to_string();

        assert!(error.contains("size was 128 and is 64 now, min_face was 64 and is 32 now; prepare into"), "{error}");
    }
}
