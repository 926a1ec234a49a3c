//! Published split lists, by image or identity.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use crate::source::SourceImage;
use crate::table_file::TableFile;
use crate::{DataError, Split};

/// Splits by the name of an image or an identity.
#[derive(Debug)]
pub struct PublishedSplit {
    path: PathBuf,
    by_file_name: HashMap<String, Split>,
    by_identity: HashMap<String, Split>,
}

/// Result of applying a [`PublishedSplit`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AppliedSplit {
    /// Usable images that the list assigns to a split.
    pub listed: usize,
    /// Usable images that the list does not name.
    pub unlisted: usize,
    /// Entries of the list that match no usable image and no identity.
    pub unused_entries: usize,
}

impl PublishedSplit {
    /// Reads the table `path`: columns `file_name` or `identity`, and `split`.
    ///
    /// # Errors
    /// It cannot be read, has other columns, or names a split other than `train`, `valid` and `test`.
    pub fn read(path: &Path) -> Result<Self, DataError> {
        const COLUMNS: [&str; 3] = ["file_name", "identity", "split"];
        let unusable = |reason: String| DataError::unusable(path, reason);
        let table = TableFile::read(path, &COLUMNS)?;
        let mut places = [None; 3];
        for (place, name) in places.iter_mut().zip(COLUMNS) {
            *place = table.column(name).map_err(unusable)?;
        }
        let [file_name, identity, split] = places;
        let (true, Some(split)) = (file_name.is_some() || identity.is_some(), split) else {
            let found: Vec<&str> = table.header.iter().collect();
            let found = found.join(", ");
            return Err(unusable(format!(
                "needs columns `file_name` or `identity`, and `split`; its columns are: {found}"
            )));
        };
        let mut list = Self { path: path.into(), by_file_name: HashMap::new(), by_identity: HashMap::new() };
        for row in table.rows {
            let line = row.line;
            let cells = row.cells.map_err(|fault| unusable(format!("has a line {line} that {}", fault.reason)))?;
            let cell = |column: Option<usize>| cells.get(column?).filter(|text| !text.is_empty()).map(String::from);
            let name = cell(Some(split)).unwrap_or_default();
            let other =
                || unusable(format!("names split `{name}` in line {line}, which is not one of train, valid, test"));
            let assigned = Split::by_name(&name).ok_or_else(other)?;
            if let Some(name) = cell(file_name) {
                list.by_file_name.insert(name, assigned);
            } else if let Some(name) = cell(identity) {
                list.by_identity.insert(name, assigned);
            }
        }
        Ok(list)
    }

    /// Sets the split of each image from the list; images that the list does not name get none.
    ///
    /// # Errors
    /// It names none of the images.
    pub fn apply(&self, images: &mut [SourceImage]) -> Result<AppliedSplit, DataError> {
        let mut used: HashSet<&str> = HashSet::new();
        let [mut listed, mut unlisted] = [0, 0];
        for image in images {
            let Ok(label) = &mut image.label else { continue };
            let of_image = self.by_file_name.get_key_value(&image.file_name);
            let of_identity = label.identity.as_ref().and_then(|name| self.by_identity.get_key_value(name));
            used.extend([of_image, of_identity].into_iter().flatten().map(|(name, _)| name.as_str()));
            label.split = of_image.or(of_identity).map(|(_, split)| *split);
            *if label.split.is_some() { &mut listed } else { &mut unlisted } += 1;
        }
        if listed == 0 {
            return Err(DataError::unusable(&self.path, "names no image and no identity of the data set"));
        }
        let entries = self.by_file_name.len() + self.by_identity.len();
        Ok(AppliedSplit { listed, unlisted, unused_entries: entries.saturating_sub(used.len()) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FaceLabel;

    fn list(table: &str) -> Result<PublishedSplit, DataError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("split.csv");
        std::fs::write(&path, table).unwrap();
        PublishedSplit::read(&path)
    }

    fn image(file_name: &str, identity: Option<&str>) -> SourceImage {
        let label =
            FaceLabel { identity: identity.map(String::from), split: Some(Split::Train), ..FaceLabel::default() };
        SourceImage { file_name: file_name.into(), line: None, label: Ok(label) }
    }

    #[test]
    fn a_split_table_names_images_or_identities_and_overrides_the_data_set() {
        let list = list("file_name;identity;split\na.jpg;;test\n;bob;val\nz.jpg;;train\n").unwrap();
        let mut images = [image("a.jpg", Some("bob")), image("b.jpg", Some("bob")), image("c.jpg", None)];

        let applied = list.apply(&mut images).unwrap();

        assert_eq!(applied, AppliedSplit { listed: 2, unlisted: 1, unused_entries: 1 });
        let splits = images.map(|image| image.label.unwrap().split);
        assert_eq!(splits, [Some(Split::Test), Some(Split::Valid), None]);
    }

    #[test]
    fn a_table_without_splits_is_rejected() {
        let message = |table| list(table).unwrap_err().to_string();

        assert!(message("file_name,side\na.jpg,test\n").contains("needs columns"));
        assert!(message("file_name,split\na.jpg,best\n").contains("names split `best`"));
        let none = list("file_name,split\nx.jpg,test\n").unwrap().apply(&mut [image("a.jpg", None)]).unwrap_err();
        assert!(none.to_string().contains("names no image and no identity"));
    }
}
