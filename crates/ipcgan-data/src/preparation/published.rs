//! A published list that says which pictures, or which people, are on which side.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use csv::{ReaderBuilder, Trim};

use crate::source::SourcePicture;
use crate::{DataError, Split};

/// Sides by the names of pictures or people.
#[derive(Debug)]
pub struct PublishedSplit {
    path: PathBuf,
    by_file_name: HashMap<String, Split>,
    by_identity: HashMap<String, Split>,
}

impl PublishedSplit {
    /// The list in the CSV table `path`: columns `file_name` or `identity`, and `split`.
    ///
    /// # Errors
    /// It cannot be read, has other columns, or names another side than `train`, `valid` and `test`.
    pub fn read(path: &Path) -> Result<Self, DataError> {
        let table_error = |source| DataError::Metadata { path: path.into(), source };
        let mut table = ReaderBuilder::new().trim(Trim::All).from_path(path).map_err(table_error)?;
        let header = table.headers().map_err(table_error)?.clone();
        let place = |name: &str| header.iter().position(|column| column == name);
        let [file_name, identity, split] = ["file_name", "identity", "split"].map(place);
        let (true, Some(split)) = (file_name.is_some() || identity.is_some(), split) else {
            return Err(DataError::unusable(path, "needs columns `file_name` or `identity`, and `split`"));
        };
        let mut list = Self { path: path.into(), by_file_name: HashMap::new(), by_identity: HashMap::new() };
        for row in table.records() {
            let row = row.map_err(table_error)?;
            let side = Split::by_name(&row[split]).ok_or_else(|| {
                DataError::unusable(path, format!("names split `{}`, which is none of train, valid, test", &row[split]))
            })?;
            let cell =
                |column: Option<usize>| column.map(|column| row[column].to_string()).filter(|text| !text.is_empty());
            if let Some(name) = cell(file_name) {
                list.by_file_name.insert(name, side);
            } else if let Some(name) = cell(identity) {
                list.by_identity.insert(name, side);
            }
        }
        Ok(list)
    }

    /// Puts each picture on the side that the list names, if it names one, and on none otherwise.
    ///
    /// # Errors
    /// It names none of them.
    pub fn apply(&self, pictures: &mut [SourcePicture]) -> Result<(), DataError> {
        let mut found = false;
        for picture in pictures {
            let Ok(label) = &mut picture.label else { continue };
            let of_person = || self.by_identity.get(label.identity.as_ref()?);
            label.split = self.by_file_name.get(&picture.file_name).or_else(of_person).copied();
            found |= label.split.is_some();
        }
        let reason = "names no picture and no person of the data set";
        if found { Ok(()) } else { Err(DataError::unusable(&self.path, reason)) }
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
    fn a_list_names_pictures_or_people_and_replaces_what_the_data_set_says() {
        let list = list("file_name,identity,split\na.jpg,,test\n,bob,val\n").unwrap();
        let mut pictures = [picture("a.jpg", Some("bob")), picture("b.jpg", Some("bob")), picture("c.jpg", None)];

        list.apply(&mut pictures).unwrap();

        let sides = pictures.map(|picture| picture.label.unwrap().split);
        assert_eq!(sides, [Some(Split::Test), Some(Split::Valid), None]);
    }

    #[test]
    fn a_list_of_something_else_is_refused() {
        let message = |table| list(table).unwrap_err().to_string();

        assert!(message("file_name,side\na.jpg,test\n").contains("needs columns"));
        assert!(message("file_name,split\na.jpg,best\n").contains("names split `best`"));
        let none = list("file_name,split\nx.jpg,test\n").unwrap().apply(&mut [picture("a.jpg", None)]).unwrap_err();
        assert!(none.to_string().contains("names no picture and no person"));
    }
}
