//! CelebA: `img_align_celeba/000001.jpg`, identities in `identity_CelebA.txt`, splits in `list_eval_partition.txt`,
//! genders in `list_attr_celeba.txt`; no ages.

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;

use ipcgan_model::AgeGroups;

use super::file_name::{number, parent, stem};
use super::names::labelled;
use super::{Evidence, Listing, Source, SourceImage, Table, TableNote, Tree};
use crate::excluded::Fault;
use crate::{DataError, FaceLabel, Gender, Split};

/// Its tables of identities and of splits, in the original and the Kaggle format.
const IDENTITIES: [&str; 2] = ["identity_CelebA.txt", "identity_CelebA.csv"];
const SPLITS: [&str; 2] = ["list_eval_partition.txt", "list_eval_partition.csv"];
/// Tables of attributes, `1` or `-1` each.
const ATTRIBUTES: [&str; 2] = ["list_attr_celeba.txt", "list_attr_celeba.csv"];
/// Folders of the aligned images and of the original ones.
const FOLDERS: [&str; 3] = ["img_align_celeba", "img_align_celeba_png", "img_celeba"];

pub(super) struct CelebA;

pub(super) const CELEBA: CelebA = CelebA;

impl Source for CelebA {
    fn name(&self) -> &'static str {
        "celeba"
    }

    fn description(&self) -> &'static str {
        "CelebA: img_align_celeba/NNNNNN.jpg, with identity_CelebA.txt and list_eval_partition.txt if they are there; no ages"
    }

    fn unknown_age_reason(&self) -> &'static str {
        "CelebA says who is young, which is not an age"
    }

    fn evidence(&self, tree: &Tree) -> Evidence {
        let [all, numbered] = [tree.images().count(), tree.images().filter(|file| is_numbered(file)).count()];
        if 10 * numbered < 9 * all {
            return Evidence::None;
        }
        let seen = format!("{numbered} of {all} images are called NNNNNN.jpg");
        let table =
            IDENTITIES.iter().chain(&SPLITS).chain(&ATTRIBUTES).find_map(|name| tree.named(name).first().copied());
        let in_folders = tree.images().all(|file| folder_rank(file).is_some());
        match table {
            Some(table) => Evidence::Table(format!("{table} is there")),
            None if in_folders => Evidence::Names(format!("{seen} in its folders")),
            None => Evidence::Doubtful(format!("{seen}, but neither in img_align_celeba nor with its tables")),
        }
    }

    fn images(&self, tree: &Tree, _: &Table, groups: &AgeGroups) -> Result<Listing, DataError> {
        let identities = pairs(tree, &IDENTITIES)?;
        let splits = pairs(tree, &SPLITS)?;
        let genders = genders(tree)?;
        let mut used: HashMap<&str, &str> = HashMap::new();
        for file in tree.images() {
            let version = used.entry(stem(file)).or_insert(file);
            if folder_rank(file).unwrap_or(FOLDERS.len()) < folder_rank(version).unwrap_or(FOLDERS.len()) {
                *version = file;
            }
        }
        let image = |file: &str| {
            if !is_numbered(file) {
                return SourceImage::of_file(file, Err(Fault::label("is not called NNNNNN.jpg")));
            }
            if used[stem(file)] != file {
                return SourceImage::other_version(file, used[stem(file)]);
            }
            let split = splits.get(stem(file)).and_then(|split| split_of(split));
            let gender = genders.get(stem(file)).copied();
            let label = labelled(None, identities.get(stem(file)).cloned(), groups);
            SourceImage::of_file(file, label.map(|label| FaceLabel { split, gender, ..label }))
        };
        let images = tree.images().map(image).collect();
        let missing = |known: &HashMap<String, String>, table, consequence| {
            known.is_empty().then_some(TableNote::MissingTable { table, consequence })
        };
        let notes = [
            missing(&identities, IDENTITIES[0], "identities are unknown"),
            missing(&splits, SPLITS[0], "the published splits are unknown"),
        ];
        Ok(Listing { images, notes: notes.into_iter().flatten().collect() })
    }
}

fn is_numbered(file: &str) -> bool {
    stem(file).len() == 6 && number(stem(file)).is_some()
}

/// Index in [`FOLDERS`] of the image's folder.
fn folder_rank(file: &str) -> Option<usize> {
    FOLDERS.iter().position(|folder| parent(file).split('/').any(|part| part == *folder))
}

/// The path and the text of the first existing table of `names`.
fn table(tree: &Tree, names: &[&str]) -> Result<Option<(PathBuf, String)>, DataError> {
    let Some(file) = names.iter().find_map(|name| tree.named(name).first().copied()) else { return Ok(None) };
    let path = tree.folder().join(file);
    let text = fs::read_to_string(&path).map_err(DataError::reading(&path))?;
    Ok(Some((path, text)))
}

fn cells(line: &str) -> impl Iterator<Item = &str> {
    line.split([',', ' ', '\t', ';']).filter(|cell| !cell.is_empty())
}

/// The gender in each image, by its number, from the table of attributes.
fn genders(tree: &Tree) -> Result<HashMap<String, Gender>, DataError> {
    const MALE: &str = "Male";
    let Some((path, text)) = table(tree, &ATTRIBUTES)? else { return Ok(HashMap::new()) };
    let header = text.lines().map(|line| cells(line).collect::<Vec<_>>()).find(|header| header.contains(&MALE));
    let Some(header) = header else { return Err(DataError::unusable(&path, "has no column Male")) };
    let from_end = header.iter().rev().position(|name| *name == MALE);
    let row = |line: &str| {
        let cells: Vec<&str> = cells(line).collect();
        let name = stem(cells.first()?);
        // From the end, because the header of the original format does not name the first column.
        let gender = match *cells.iter().rev().nth(from_end?)? {
            "1" => Gender::Male,
            "-1" | "0" => Gender::Female,
            _ => return None,
        };
        number(name).is_some().then(|| (name.to_string(), gender))
    };
    Ok(text.lines().filter_map(row).collect())
}

/// The value for each image, by its number, from the first existing table of `names`.
fn pairs(tree: &Tree, names: &[&str]) -> Result<HashMap<String, String>, DataError> {
    let Some((path, text)) = table(tree, names)? else { return Ok(HashMap::new()) };
    let pair = |line: &str| {
        let mut cells = cells(line);
        let (name, value) = (cells.next()?, cells.next()?);
        number(stem(name)).is_some().then(|| (stem(name).to_string(), value.to_string()))
    };
    let pairs: HashMap<_, _> = text.lines().filter_map(pair).collect();
    match pairs.is_empty() {
        true => Err(DataError::unusable(&path, "has no line of the form 000001.jpg NUMBER")),
        false => Ok(pairs),
    }
}

fn split_of(number: &str) -> Option<Split> {
    number.parse::<usize>().ok().and_then(|index| Split::ALL.get(index).copied())
}

#[cfg(test)]
mod tests {
    use crate::Gender;
    use crate::source::testing::{described, genders, listing};

    #[test]
    fn identities_and_splits_come_from_the_tables() {
        let files = [
            ("Anno/identity_CelebA.txt", "000001.jpg 2880\r\n000002.jpg 2937\r\n"),
            ("list_eval_partition.csv", "image_id,partition\n000001.jpg,0\n000002.jpg,2\n"),
            ("img_align_celeba/000001.jpg", ""),
            ("img_celeba/000001.jpg", ""),
            ("img_celeba/000002.jpg", ""),
            ("cover.jpg", ""),
        ];

        let listing = listing("celeba", &files);

        let expected = [
            "cover.jpg: is not called NNNNNN.jpg",
            "img_align_celeba/000001.jpg: ? 2880 train",
            "img_celeba/000001.jpg: img_align_celeba/000001.jpg is another version of it, and used",
            "img_celeba/000002.jpg: ? 2937 test",
        ];
        assert_eq!(described(&listing), expected);
        assert!(listing.notes.is_empty());
    }

    #[test]
    fn genders_come_from_the_attributes_in_the_original_format_and_in_kaggles() {
        let original = "2\r\n5_o_Clock_Shadow Male Young \r\n000001.jpg -1  1  1\r\n000002.jpg  1 -1 -1\r\n";
        let kaggle = "image_id,5_o_Clock_Shadow,Male,Young\n000001.jpg,-1,1,1\n000002.jpg,1,-1,-1\n";
        for (name, table) in [("list_attr_celeba.txt", original), ("list_attr_celeba.csv", kaggle)] {
            let files = [(name, table), ("img_celeba/000001.jpg", ""), ("img_celeba/000002.jpg", "")];

            assert_eq!(genders(&listing("celeba", &files)), [Some(Gender::Male), Some(Gender::Female)], "{name}");
        }
    }

    #[test]
    fn labels_that_are_unknown_without_the_tables_are_noted() {
        let listing = listing("celeba", &[("img_align_celeba/000001.jpg", "")]);

        assert_eq!(described(&listing), ["img_align_celeba/000001.jpg: ? ? ?"]);
        assert_eq!(listing.notes[0].to_string(), "identity_CelebA.txt is not there, so identities are unknown");
    }
}
