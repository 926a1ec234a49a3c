//! FairFace: pictures in `train` and `val`, ages as ranges in two tables.

use ipcgan_model::AgeGroups;

use super::{Source, SourcePicture, Table, Tree, table};
use crate::metadata::Columns;
use crate::{DataError, Split};

/// Its tables and the side that each is for.
const TABLES: [(&str, Split); 2] =
    [("fairface_label_train.csv", Split::Train), ("fairface_label_val.csv", Split::Valid)];

pub(super) struct FairFace;

pub(super) const FAIRFACE: FairFace = FairFace;

impl Source for FairFace {
    fn name(&self) -> &'static str {
        "fairface"
    }

    fn about(&self) -> &'static str {
        "FairFace: fairface_label_train.csv and fairface_label_val.csv beside train and val; ages are ranges"
    }

    fn recognises(&self, tree: &Tree) -> bool {
        tables(tree).next().is_some()
    }

    fn pictures(&self, tree: &Tree, _: &Table, groups: &AgeGroups) -> Result<Vec<SourcePicture>, DataError> {
        let columns = Columns { file_name: "file".into(), ..Columns::default() };
        let mut pictures = Vec::new();
        for (name, split) in tables(tree) {
            for mut picture in table::rows(tree, &tree.folder().join(&name), &columns, groups)? {
                if let Ok(label) = &mut picture.label {
                    label.split = Some(split);
                }
                pictures.push(picture);
            }
        }
        if pictures.is_empty() {
            let reason = format!("holds neither {} nor {}", TABLES[0].0, TABLES[1].0);
            return Err(DataError::unusable(tree.folder(), reason));
        }
        Ok(pictures)
    }
}

/// Those that are there, relative to the data set's folder.
fn tables(tree: &Tree) -> impl Iterator<Item = (String, Split)> {
    TABLES.into_iter().filter_map(|(name, split)| Some((format!("{}{name}", tree.folder_of(name)?), split)))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn ranges_of_ages_and_both_tables_are_read() {
        let folder = tempfile::tempdir().unwrap();
        for (file, text) in [
            (TABLES[0].0, "file,age,gender,race,service_test\ntrain/1.jpg,50-59,Male,White,True\ntrain/2.jpg,3-9,,,\n"),
            (TABLES[1].0, "file,age,gender,race,service_test\nval/1.jpg,more than 70,Male,White,True\n"),
            ("margin025/train/1.jpg", ""),
            ("margin025/train/2.jpg", ""),
            ("margin025/val/1.jpg", ""),
        ] {
            fs::create_dir_all(folder.path().join(file).parent().unwrap()).unwrap();
            fs::write(folder.path().join(file), text).unwrap();
        }
        let tree = Tree::read(folder.path(), None).unwrap();
        assert!(FAIRFACE.recognises(&tree));

        let pictures = FAIRFACE.pictures(&tree, &Table::default(), &AgeGroups::default()).unwrap();

        let label = |index: usize| pictures[index].label.as_ref().map(|label| (label.age, label.group, label.split));
        assert_eq!(label(0), Ok((Some(54), Some(4), Some(Split::Train))));
        assert_eq!(label(1).unwrap_err().reason, "age 6 is below the first age group 11-20");
        assert_eq!(label(2), Ok((Some(70), Some(4), Some(Split::Valid))));
    }
}
