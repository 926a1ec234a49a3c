//! CACD2000: `AGE_Name_NNNN.jpg`, and `celebrity2000_meta.mat`, which numbers the identities.

use std::collections::HashMap;
use std::path::Path;

use ipcgan_model::AgeGroups;

use super::file_name::{FileNameLabels, number, stem};
use super::matlab::{self, LabelColumns, Value};
use super::names::{NameSource, labelled};
use super::{Evidence, Listing, Source, SourceImage, Table, TableUse, Tree};
use crate::DataError;

/// The variable with the labels in the `.mat` file.
pub(super) const VARIABLE: &str = "celebrityImageData";

pub(super) struct Cacd;

pub(super) const CACD: Cacd = Cacd;

const NAMES: NameSource = NameSource {
    name: "cacd",
    description: "CACD2000: names AGE_Name_NNNN.jpg; celebrity2000_meta.mat is used if it is there",
    form: "AGE_Name_NNNN.jpg",
    read,
};

impl Source for Cacd {
    fn name(&self) -> &'static str {
        NAMES.name
    }

    fn description(&self) -> &'static str {
        NAMES.description
    }

    fn table_use(&self) -> TableUse {
        TableUse::File
    }

    fn evidence(&self, tree: &Tree) -> Evidence {
        NAMES.evidence(tree)
    }

    /// An image that the `.mat` file does not name (its accents may have been garbled) is labelled from its name.
    fn images(&self, tree: &Tree, table: &Table, groups: &AgeGroups) -> Result<Listing, DataError> {
        let in_tree = || {
            let found = tree.with_extension("mat").find(|file| stem(file).ends_with("_meta"));
            found.map(|file| tree.folder().join(file))
        };
        let Some(path) = table.path.clone().or_else(in_tree) else {
            return NAMES.images(tree, table, groups);
        };
        let known = known(&path)?;
        // An identity that the table spells differently must not become two.
        let persons: HashMap<String, &str> =
            known.iter().filter_map(|(name, face)| Some((read(name)?.identity?, face.identity.as_deref()?))).collect();
        let image = |file_name: &str| {
            let name = file_name.rsplit('/').next().unwrap_or(file_name);
            let label = match known.get(name) {
                Some(FileNameLabels { age, identity, .. }) => labelled(*age, identity.clone(), groups),
                None => NAMES.label(file_name, groups).map(|mut label| {
                    label.identity =
                        label.identity.map(|name| persons.get(&name).map_or(name, |number| (*number).into()));
                    label
                }),
            };
            SourceImage::of_file(file_name, label)
        };
        Ok(tree.images().map(image).collect::<Vec<_>>().into())
    }
}

/// `41_Robert_De_Niro_0012.jpg` is Robert_De_Niro at age 41.
fn read(file_name: &str) -> Option<FileNameLabels> {
    let (age, rest) = stem(file_name).split_once('_')?;
    let (name, shot) = rest.rsplit_once('_')?;
    number(shot).filter(|_| shot.len() == 4)?;
    let has_letters = name.chars().any(char::is_alphabetic);
    has_letters.then_some(FileNameLabels { age: Some(number(age)?), identity: Some(name.into()), gender: None })
}

/// Age and identity of each image in the `.mat` file `path`.
fn known(path: &Path) -> Result<HashMap<String, FileNameLabels>, DataError> {
    let variables = matlab::read(path)?;
    let columns = LabelColumns::of(path, &variables, &[VARIABLE])?;
    let names = columns.texts("name")?;
    let [ages, people] = [columns.numbers("age")?, columns.numbers("identity")?];
    columns.check_lengths(&[names.len(), ages.len(), people.len()])?;
    let faces = names.iter().zip(ages.iter().zip(people)).filter_map(|(name, (age, person))| {
        let Value::Text(name) = name else { return None };
        Some((
            name.clone(),
            FileNameLabels { age: Some(*age as u32), identity: Some(format!("{person:04}")), gender: None },
        ))
    });
    Ok(faces.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_is_age_person_and_shot() {
        let named =
            |age, name: &str| Some(FileNameLabels { age: Some(age), identity: Some(name.into()), gender: None });

        assert_eq!(read("CACD2000/14_Alex_D._Linz_0001.jpg"), named(14, "Alex_D._Linz"));
        assert_eq!(read("62_Penélope_Cruz_0001.jpg"), named(62, "Penélope_Cruz"));
        assert_eq!(read("26_1_1_2017.jpg"), None);
        assert_eq!(read("14_Alex.jpg"), None);
    }

    #[test]
    fn the_mat_file_gives_identity_numbers_despite_other_spellings() {
        let folder = tempfile::tempdir().unwrap();
        for name in [
            "14_Ann_Lee_0001.jpg",
            "41_Pen\u{e9}lope_Cruz_0001.jpg",
            "62_Pen\u{e9}lope_Cruz_0099.jpg",
            "62_Bob_0001.jpg",
        ] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        let mat = include_bytes!("../../tests/data/celebrity2000_meta.mat");
        std::fs::write(folder.path().join("celebrity2000_meta.mat"), mat).unwrap();
        let tree = Tree::read(folder.path(), None).unwrap();

        let images = CACD.images(&tree, &Table::default(), &AgeGroups::default()).unwrap().images;

        let people: Vec<_> =
            images.iter().map(|image| image.label.as_ref().unwrap().identity.as_deref().unwrap()).collect();
        assert_eq!(people, ["0001", "0300", "Bob", "0300"]);
    }
}
