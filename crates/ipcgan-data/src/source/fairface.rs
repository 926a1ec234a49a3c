//! FairFace: images in `train` and `val`, ages as ranges in two tables.

use ipcgan_model::AgeGroups;

use super::file_name::{number, parent, stem};
use super::{Evidence, Listing, Source, Table, TableNote, Tree, table};
use crate::metadata::Columns;
use crate::{DataError, Split};

/// Its tables, with the split of each.
const TABLES: [(&str, Split); 2] =
    [("fairface_label_train.csv", Split::Train), ("fairface_label_val.csv", Split::Valid)];

pub(super) struct FairFace;

pub(super) const FAIRFACE: FairFace = FairFace;

impl Source for FairFace {
    fn name(&self) -> &'static str {
        "fairface"
    }

    fn description(&self) -> &'static str {
        "FairFace: fairface_label_train.csv and fairface_label_val.csv beside train and val; ages are ranges"
    }

    fn evidence(&self, tree: &Tree) -> Evidence {
        if let Some((table, _)) = tables(tree).first() {
            return Evidence::Table(format!("{table} is there"));
        }
        let [mut numbered, mut all] = [0, 0];
        let mut folders = std::collections::HashSet::new();
        for file in tree.images() {
            all += 1;
            let folder = parent(file).rsplit('/').next().unwrap_or_default();
            let is_number = number(stem(file)).is_some() && !stem(file).starts_with('0');
            if is_number && matches!(folder, "train" | "val") {
                numbered += 1;
                folders.insert(folder);
            }
        }
        match 10 * numbered >= 9 * all && folders.len() == 2 {
            true => Evidence::Doubtful(format!("its images are numbered in train and val, but {}", missing())),
            false => Evidence::None,
        }
    }

    fn images(&self, tree: &Tree, _: &Table, groups: &AgeGroups) -> Result<Listing, DataError> {
        let mut listing = Listing::default();
        for (name, split) in tables(tree) {
            let columns = Columns::default().with("file_name", "file");
            let rows = table::rows(tree, &tree.folder().join(name), &columns, groups)?;
            for mut image in rows.images {
                if let Ok(label) = &mut image.label {
                    label.split = Some(split);
                }
                listing.images.push(image);
            }
            // Missing identities and splits are a known property of FairFace.
            let notes = rows.notes.into_iter();
            listing.notes.extend(notes.filter(|note| !matches!(note, TableNote::MissingColumn { .. })));
        }
        if listing.images.is_empty() {
            return Err(DataError::unusable(tree.folder(), format!("cannot be read as FairFace: {}", missing())));
        }
        Ok(listing)
    }
}

/// The reason if no table exists.
fn missing() -> String {
    format!(
        "the tables {} and {}, which say the ages, are missing; download them into this folder",
        TABLES[0].0, TABLES[1].0
    )
}

/// The tables that exist.
fn tables(tree: &Tree) -> Vec<(&str, Split)> {
    TABLES.into_iter().filter_map(|(name, split)| Some((*tree.named(name).first()?, split))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::testing::{described, listing};

    const TRAIN: &str = "file,age,gender,race,service_test\ntrain/1.jpg,50-59,Male,White,True\ntrain/2.jpg,3-9,,,\n";
    const VAL: &str = "file,age,gender,race,service_test\nval/1.jpg,more than 70,Male,White,True\n";

    #[test]
    fn ranges_of_ages_and_both_tables_are_read() {
        let files = [
            (TABLES[0].0, TRAIN),
            (TABLES[1].0, VAL),
            ("margin025/train/1.jpg", ""),
            ("margin025/train/2.jpg", ""),
            ("margin025/val/1.jpg", ""),
        ];

        let expected = [
            "margin025/train/1.jpg: 54 ? train",
            "margin025/train/2.jpg: age 6 is below the first age group 11-20",
            "margin025/val/1.jpg: 70 ? valid",
        ];
        assert_eq!(described(&listing("fairface", &files)), expected);
    }

    #[test]
    fn of_two_margins_one_is_used_and_the_other_is_named() {
        let files = [
            (TABLES[1].0, VAL),
            ("fairface-img-margin025-trainval/val/1.jpg", ""),
            ("fairface-img-margin125-trainval/val/1.jpg", ""),
        ];

        let expected = [
            "fairface-img-margin025-trainval/val/1.jpg: 70 ? valid",
            "fairface-img-margin125-trainval/val/1.jpg: fairface-img-margin025-trainval/val/1.jpg is another version of it, and used",
        ];
        assert_eq!(described(&listing("fairface", &files)), expected);
    }
}
