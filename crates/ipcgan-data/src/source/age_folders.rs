//! Folders named by age: `20-29`, `20s`, `60+`, `25`, `age_25`.

use std::collections::BTreeSet;

use ipcgan_model::AgeGroups;

use super::file_name::{number, parent, split_of_folders};
use super::names::labelled;
use super::{Evidence, Listing, Source, SourceImage, Table, Tree};
use crate::DataError;
use crate::age_text::{MAX_LABEL_AGE, open_range, range};
use crate::excluded::Fault;

/// Folder numbers from this value on are unlikely to be indices of identities or classes.
const MIN_AGE_ALONE: u32 = 10;
/// Minimum number of distinct numbers to take folder names for ages.
const MIN_DIFFERENT: usize = 3;

pub(super) struct AgeFolders;

pub(super) const AGE_FOLDERS: AgeFolders = AgeFolders;

impl Source for AgeFolders {
    fn name(&self) -> &'static str {
        "age-folders"
    }

    fn description(&self) -> &'static str {
        "folders named by ages, as 20-29, 20s, 60+ or 25; below folders train, valid and test if there are any"
    }

    /// Ranges are ages; plain numbers may be identities or classes, unless they start at adult ages.
    fn evidence(&self, tree: &Tree) -> Evidence {
        let mut all = 0;
        let mut folders: BTreeSet<&str> = BTreeSet::new();
        let [mut ranges, mut numbers] = [0, 0];
        let mut values = BTreeSet::new();
        for file in tree.images() {
            all += 1;
            match named_by_age(file).last() {
                Some((folder, FolderAge::Certain(_))) => {
                    ranges += 1;
                    folders.insert(*folder);
                }
                Some((folder, FolderAge::Number(years))) => {
                    numbers += 1;
                    folders.insert(*folder);
                    values.insert(*years);
                }
                None => (),
            }
        }
        let names: Vec<&str> = folders.iter().take(4).copied().collect();
        let seen = format!("{} of {all} images are in folders such as {}", ranges + numbers, names.join(", "));
        let may_count = values.first().is_some_and(|first| *first < MIN_AGE_ALONE) || values.len() < MIN_DIFFERENT;
        match ranges + numbers {
            0 => Evidence::None,
            matching if 3 * matching < all => Evidence::None,
            matching if 10 * matching < 9 * all => Evidence::Doubtful(seen),
            _ if numbers > ranges && may_count => {
                Evidence::Doubtful(format!("{seen}, which may be ages or the numbers of people or classes"))
            }
            _ => Evidence::Names(seen),
        }
    }

    fn images(&self, tree: &Tree, _: &Table, groups: &AgeGroups) -> Result<Listing, DataError> {
        let image = |file: &str| {
            let label = age(file).and_then(|age| labelled(Some(age), None, groups)).map(|mut label| {
                label.split = split_of_folders(file);
                label
            });
            SourceImage::of_file(file, label)
        };
        Ok(tree.images().map(image).collect::<Vec<_>>().into())
    }
}

/// The age in the folder names of `file`; none or two different ages are a fault.
fn age(file: &str) -> Result<u32, Fault> {
    let found = named_by_age(file);
    let ages: BTreeSet<u32> = found.iter().map(|(_, age)| age.years()).collect();
    match (ages.first(), ages.len()) {
        (Some(age), 1) => Ok(*age),
        (None, _) => Err(Fault::label("is in no folder that is named by an age, such as 20-29, 20s or 25")),
        _ => {
            let folders: Vec<&str> = found.iter().map(|(folder, _)| *folder).collect();
            Err(Fault::label(format!("is in folders of different ages: {}", folders.join(", "))))
        }
    }
}

/// Age in the name of a folder.
enum FolderAge {
    /// A range of ages, or a number marked as an age.
    Certain(u32),
    /// A plain number.
    Number(u32),
}

impl FolderAge {
    fn years(&self) -> u32 {
        let (Self::Certain(years) | Self::Number(years)) = self;
        *years
    }
}

/// The folders of `file` that are named by an age, the innermost last.
fn named_by_age(file: &str) -> Vec<(&str, FolderAge)> {
    parent(file).split('/').filter_map(|folder| Some((folder, folder_age(folder)?))).collect()
}

fn folder_age(folder: &str) -> Option<FolderAge> {
    let name = folder.to_lowercase().replace('_', "-");
    let name = name.trim();
    let is_called_age = name.starts_with("age");
    let name = name.strip_prefix("ages").or_else(|| name.strip_prefix("age")).unwrap_or(name);
    let name = name.trim_start_matches(['-', ' ', '=']);
    let without_years = [" years old", "-years-old", " years", "-years", "years", "yo"].iter();
    let is_called_years = without_years.clone().any(|end| name.ends_with(*end));
    let name = without_years.fold(name, |name, end| name.strip_suffix(*end).unwrap_or(name)).trim();
    let with_spaces = name.replace('-', " ");
    if let Some(ages) = range(name).or_else(|| open_range(name)).or_else(|| open_range(&with_spaces)) {
        return Some(FolderAge::Certain(ages.middle()));
    }
    let years = number(name).filter(|years| name.len() <= 3 && !name.is_empty() && *years <= MAX_LABEL_AGE)?;
    Some(if is_called_age || is_called_years { FolderAge::Certain(years) } else { FolderAge::Number(years) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::testing::{described, listing};

    #[test]
    fn a_folder_is_named_by_an_age_or_a_range() {
        for (folder, years) in [
            ("20-29", 24),
            ("20_29", 24),
            ("20s", 24),
            ("60+", 60),
            ("more than 70", 70),
            ("more_than_70", 70),
            ("25", 25),
            ("025", 25),
            ("age_25", 25),
            ("Age 20-29", 24),
            ("25 years old", 25),
            ("(25, 32)", 28),
        ] {
            assert_eq!(folder_age(folder).map(|age| age.years()), Some(years), "{folder}");
        }
        for folder in ["", "train", "00025", "999", "2019-10", "ann", "s", "age", "n000001", "1000-2000"] {
            assert!(folder_age(folder).is_none(), "{folder}");
        }
    }

    #[test]
    fn age_and_split_come_from_the_folders() {
        let files = ["train/20s/1.jpg", "test/60+/ann/2.jpg", "20-29/30-39/3.jpg", "25/4.jpg", "5.jpg", "3/6.jpg"];

        let expected = [
            "20-29/30-39/3.jpg: is in folders of different ages: 20-29, 30-39",
            "25/4.jpg: 25 ? ?",
            "3/6.jpg: age 3 is below the first age group 11-20",
            "5.jpg: is in no folder that is named by an age, such as 20-29, 20s or 25",
            "test/60+/ann/2.jpg: 60 ? test",
            "train/20s/1.jpg: 24 ? train",
        ];
        assert_eq!(described(&listing("age-folders", &files.map(|file| (file, "")))), expected);
    }
}
