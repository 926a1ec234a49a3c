//! FFHQ: `images1024x1024/00000/00000.png`, no identities and no ages; FFHQ-Aging adds age ranges and genders in
//! `ffhq_aging_labels.csv`.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use ipcgan_model::AgeGroups;

use super::file_name::{number, parent, stem};
use super::names::labelled;
use super::{Evidence, Listing, Source, SourceImage, Table, TableUse, Tree};
use crate::age_text::age;
use crate::excluded::Fault;
use crate::table_file::TableFile;
use crate::{DataError, FaceLabel, Gender};

/// The table of FFHQ-Aging, and its columns of image numbers, age ranges and genders.
const TABLE: &str = "ffhq_aging_labels.csv";
pub(super) const NUMBER: &str = "image_number";
pub(super) const AGE: &str = "age_group";
const GENDER: &str = "gender";
/// Folders of its versions, the preferred one first.
const FOLDERS: [&str; 3] = ["images1024x1024", "in-the-wild-images", "thumbnails128x128"];
/// Number of images per folder.
const IN_A_FOLDER: u32 = 1000;

pub(super) struct Ffhq;

pub(super) const FFHQ: Ffhq = Ffhq;

impl Source for Ffhq {
    fn name(&self) -> &'static str {
        "ffhq"
    }

    fn description(&self) -> &'static str {
        "FFHQ: names NNNNN.png in folders of a thousand; ages from ffhq_aging_labels.csv of FFHQ-Aging"
    }

    fn table_use(&self) -> TableUse {
        TableUse::File
    }

    fn unknown_age_reason(&self) -> &'static str {
        "FFHQ has no ages; FFHQ-Aging has, in ffhq_aging_labels.csv, which belongs into this folder"
    }

    fn evidence(&self, tree: &Tree) -> Evidence {
        let [mut all, mut numbered, mut placed] = [0, 0, 0];
        for file in tree.images() {
            all += 1;
            numbered += usize::from(image_number(file).is_some());
            placed += usize::from(is_placed(file));
        }
        if 10 * numbered < 9 * all {
            return Evidence::None;
        }
        let seen = format!("{numbered} of {all} images are called NNNNN.png");
        match tree.named(TABLE).first() {
            Some(table) => Evidence::Table(format!("{table} is there")),
            None if 10 * placed >= 9 * all => Evidence::Names(format!("{seen} in folders of a thousand")),
            None => Evidence::Doubtful(format!("{seen}, but they are not in its folders, 00000 to 69000")),
        }
    }

    fn images(&self, tree: &Tree, table: &Table, groups: &AgeGroups) -> Result<Listing, DataError> {
        let in_tree = || tree.named(TABLE).first().map(|file| tree.folder().join(file));
        let path: Option<PathBuf> = table.path.clone().or_else(in_tree);
        let labels = path.as_deref().map(labels).transpose()?.unwrap_or_default();
        let rank = |file: &str| {
            FOLDERS
                .iter()
                .position(|folder| parent(file).split('/').any(|part| part == *folder))
                .unwrap_or(FOLDERS.len())
        };
        let mut used: HashMap<u32, &str> = HashMap::new();
        for file in tree.images() {
            let Some(number) = image_number(file) else { continue };
            let version = used.entry(number).or_insert(file);
            if rank(file) < rank(version) {
                *version = file;
            }
        }
        let image = |file: &str| {
            let Some(number) = image_number(file) else {
                return SourceImage::of_file(file, Err(Fault::label("is not called NNNNN.png")));
            };
            if used[&number] != file {
                return SourceImage::other_version(file, used[&number]);
            }
            let Labels { age, gender } = labels.get(&number).cloned().unwrap_or_default();
            let label = age.transpose().and_then(|age| labelled(age, None, groups));
            SourceImage::of_file(file, label.map(|label| FaceLabel { gender, ..label }))
        };
        Ok(tree.images().map(image).collect::<Vec<_>>().into())
    }
}

/// Labels of an image in the table.
#[derive(Clone, Default)]
struct Labels {
    /// The age, or why it cannot be read.
    age: Option<Result<u32, Fault>>,
    gender: Option<Gender>,
}

/// The labels of each image by its number, from the table `path`.
fn labels(path: &Path) -> Result<HashMap<u32, Labels>, DataError> {
    let table = TableFile::read(path, &[NUMBER, AGE])?;
    let [numbers, ages] = table.columns(path, [NUMBER, AGE])?;
    let genders = table.optional_column(path, GENDER)?;
    let rows = table.rows.into_iter().filter_map(|row| row.cells.ok());
    let row = |cells: csv::StringRecord| {
        let age = cells.get(ages).filter(|text| !text.is_empty()).map(age);
        let gender = genders.and_then(|place| cells.get(place)).and_then(Gender::by_name);
        Some((number(cells.get(numbers)?)?, Labels { age, gender }))
    };
    Ok(rows.filter_map(row).collect())
}

fn image_number(file: &str) -> Option<u32> {
    (stem(file).len() == 5).then(|| number(stem(file))).flatten()
}

/// Whether the image is in the folder of its thousand, or in a folder with FFHQ's name.
fn is_placed(file: &str) -> bool {
    let folders = parent(file);
    let thousand = image_number(file).map(|number| format!("{:05}", number / IN_A_FOLDER * IN_A_FOLDER));
    thousand.as_deref() == folders.rsplit('/').next() || folders.split('/').any(|folder| FOLDERS.contains(&folder))
}

#[cfg(test)]
mod tests {
    use crate::Gender;
    use crate::source::testing::{described, genders, listing};

    const LABELS: &str =
        "image_number,age_group,age_group_confidence,gender\n0,0-2,1.0,male\n1,20-29,0.9,female\n2,70-120,1,male\n";

    #[test]
    fn ages_and_genders_come_from_the_table_of_ffhq_aging_and_the_largest_version_is_used() {
        let files = [
            ("ffhq_aging_labels.csv", LABELS),
            ("images1024x1024/00000/00000.png", ""),
            ("images1024x1024/00000/00001.png", ""),
            ("thumbnails128x128/00000/00001.png", ""),
            ("thumbnails128x128/00000/00002.png", ""),
            ("thumbnails128x128/00000/00003.png", ""),
        ];

        let expected = [
            "images1024x1024/00000/00000.png: age 1 is below the first age group 11-20",
            "images1024x1024/00000/00001.png: 24 ? ?",
            "thumbnails128x128/00000/00001.png: images1024x1024/00000/00001.png is another version of it, and used",
            "thumbnails128x128/00000/00002.png: 95 ? ?",
            "thumbnails128x128/00000/00003.png: ? ? ?",
        ];
        let listing = listing("ffhq", &files);
        assert_eq!(described(&listing), expected);
        assert_eq!(genders(&listing), [Some(Gender::Female), Some(Gender::Male), None]);
    }
}
