//! CelebA: `img_align_celeba/000001.jpg`, identities in `identity_CelebA.txt`, splits in `list_eval_partition.txt`; no
//! ages.

use std::collections::HashMap;
use std::fs;

use ipcgan_model::AgeGroups;

use super::file_name::{number, parent, stem};
use super::names::labelled;
use super::{Evidence, Listing, Source, SourceImage, Table, Tree};
use crate::excluded::Fault;
use crate::{DataError, Split};

/// Its tables of identities and of splits, in the original and the Kaggle format.
const IDENTITIES: [&str; 2] = ["identity_CelebA.txt", "identity_CelebA.csv"];
const SPLITS: [&str; 2] = ["list_eval_partition.txt", "list_eval_partition.csv"];
/// Tables that identify the data set.
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
        "CelebA says who is young, which is no age"
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
            let label = labelled(None, identities.get(stem(file)).cloned(), groups).map(|mut label| {
                label.split = splits.get(stem(file)).and_then(|split| split_of(split));
                label
            });
            SourceImage::of_file(file, label)
        };
        let images = tree.images().map(image).collect();
        let missing = |known: &HashMap<String, String>, name: &str, what: &str| {
            known.is_empty().then(|| format!("{name} is not there, so {what} are unknown"))
        };
        let notes =
            [missing(&identities, IDENTITIES[0], "identities"), missing(&splits, SPLITS[0], "the published splits")];
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

/// The value for each image, by its number, from the first existing table of `names`.
fn pairs(tree: &Tree, names: &[&str]) -> Result<HashMap<String, String>, DataError> {
    let Some(file) = names.iter().find_map(|name| tree.named(name).first().copied()) else {
        return Ok(HashMap::new());
    };
    let path = tree.folder().join(file);
    let text = fs::read_to_string(&path).map_err(DataError::reading(&path))?;
    let pair = |line: &str| {
        let mut cells = line.split([',', ' ', '\t', ';']).filter(|cell| !cell.is_empty());
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
    use crate::source::testing::{described, listing};

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
    fn labels_that_are_unknown_without_the_tables_are_noted() {
        let listing = listing("celeba", &[("img_align_celeba/000001.jpg", "")]);

        assert_eq!(described(&listing), ["img_align_celeba/000001.jpg: ? ? ?"]);
        assert_eq!(listing.notes[0], "identity_CelebA.txt is not there, so identities are unknown");
    }
}
