//! A published list that says in which split each picture, or each identity, is.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use crate::source::SourcePicture;
use crate::table_file::TableFile;
use crate::{DataError, Split};

/// Splits by the names of pictures or identities.
#[derive(Debug)]
pub struct PublishedSplit {
    path: PathBuf,
    by_file_name: HashMap<String, Split>,
    by_identity: HashMap<String, Split>,
}

/// What came of a [`PublishedSplit`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AppliedSplit {
    /// Usable pictures whose split the list says.
    pub listed: usize,
    /// Usable pictures of which it says none.
    pub unlisted: usize,
    /// Entries of the list that name no usable picture and no identity of one.
    pub unused_entries: usize,
}

impl PublishedSplit {
    /// The list in the table `path`: columns `file_name` or `identity`, and `split`.
    ///
    /// # Errors
    /// It cannot be read, has other columns, or names another split than `train`, `valid` and `test`.
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
                || unusable(format!("names split `{name}` in line {line}, which is none of train, valid, test"));
            let side = Split::by_name(&name).ok_or_else(other)?;
            if let Some(name) = cell(file_name) {
                list.by_file_name.insert(name, side);
            } else if let Some(name) = cell(identity) {
                list.by_identity.insert(name, side);
            }
        }
        Ok(list)
    }

    /// Puts each picture in the split that the list names, if it names one, and in none otherwise.
    ///
    /// # Errors
    /// It names none of them.
    pub fn apply(&self, pictures: &mut [SourcePicture]) -> Result<AppliedSplit, DataError> {
        let mut used: HashSet<&str> = HashSet::new();
        let [mut listed, mut unlisted] = [0, 0];
        for picture in pictures {
            let Ok(label) = &mut picture.label else { continue };
            let of_picture = self.by_file_name.get_key_value(&picture.file_name);
            let of_identity = label.identity.as_ref().and_then(|name| self.by_identity.get_key_value(name));
            used.extend([of_picture, of_identity].into_iter().flatten().map(|(name, _)| name.as_str()));
            label.split = of_picture.or(of_identity).map(|(_, split)| *split);
            *if label.split.is_some() { &mut listed } else { &mut unlisted } += 1;
        }
        if listed == 0 {
            return Err(DataError::unusable(&self.path, "names no picture and no identity of the data set"));
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

    fn picture(file_name: &str, identity: Option<&str>) -> SourcePicture {
        let label =
            FaceLabel { identity: identity.map(String::from), split: Some(Split::Train), ..FaceLabel::default() };
        SourcePicture { file_name: file_name.into(), line: None, label: Ok(label) }
    }

    #[test]
    fn a_list_names_pictures_or_identities_and_replaces_what_the_data_set_says() {
        let list = list("file_name;identity;split\na.jpg;;test\n;bob;val\nz.jpg;;train\n").unwrap();
        let mut pictures = [picture("a.jpg", Some("bob")), picture("b.jpg", Some("bob")), picture("c.jpg", None)];

        let applied = list.apply(&mut pictures).unwrap();

        assert_eq!(applied, AppliedSplit { listed: 2, unlisted: 1, unused_entries: 1 });
        let sides = pictures.map(|picture| picture.label.unwrap().split);
        assert_eq!(sides, [Some(Split::Test), Some(Split::Valid), None]);
    }

    #[test]
    fn a_list_of_something_else_is_refused() {
        let message = |table| list(table).unwrap_err().to_string();

        assert!(message("file_name,side\na.jpg,test\n").contains("needs columns"));
        assert!(message("file_name,split\na.jpg,best\n").contains("names split `best`"));
        let none = list("file_name,split\nx.jpg,test\n").unwrap().apply(&mut [picture("a.jpg", None)]).unwrap_err();
        assert!(none.to_string().contains("names no picture and no identity"));
    }
}
