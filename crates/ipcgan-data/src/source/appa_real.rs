//! APPA-REAL: photos in `train`, `valid` and `test`, a table of real ages for each; `000000.jpg_face.jpg` is the
//! labelled face, cropped from the photo `000000.jpg`. Genders are in `allcategories_train.csv` and so on, which are a
//! download of their own.

use std::collections::HashMap;

use ipcgan_model::AgeGroups;

use super::{Evidence, Listing, Source, SourceImage, Table, TableNote, Tree, table};
use crate::metadata::Columns;
use crate::table_file::{TableFile, TableRow};
use crate::{DataError, Gender, Split};

/// Its tables, with the folder and the split of each.
const TABLES: [(&str, &str, Split); 3] = [
    ("gt_avg_train.csv", "train", Split::Train),
    ("gt_avg_valid.csv", "valid", Split::Valid),
    ("gt_avg_test.csv", "test", Split::Test),
];
/// Columns of the tables of genders: the photo, and the gender of the labelled face in it.
const GENDER_COLUMNS: [&str; 2] = ["file", "gender"];
/// Suffix that the file name of a face adds to that of its photo.
const FACE: &str = "_face.jpg";

pub(super) struct AppaReal;

pub(super) const APPA_REAL: AppaReal = AppaReal;

impl Source for AppaReal {
    fn name(&self) -> &'static str {
        "appa-real"
    }

    fn description(&self) -> &'static str {
        "APPA-REAL: gt_avg_train.csv, gt_avg_valid.csv and gt_avg_test.csv beside train, valid and test; real ages"
    }

    fn evidence(&self, tree: &Tree) -> Evidence {
        if let Some((table, ..)) = tables(tree).first() {
            return Evidence::Table(format!("{table} is there"));
        }
        match tree.images().filter(|file| file.ends_with(&format!(".jpg{FACE}"))).count() {
            0 => Evidence::None,
            faces => Evidence::Doubtful(format!("{faces} images are called N.jpg{FACE}, but {}", missing())),
        }
    }

    fn images(&self, tree: &Tree, _: &Table, groups: &AgeGroups) -> Result<Listing, DataError> {
        let mut listing = Listing::default();
        for (path, folder, split) in tables(tree) {
            let genders = genders(tree, folder)?;
            // Rows name images without their folder, which has the name of the split.
            let folder = path.rsplit_once('/').map_or(format!("{folder}/"), |(above, _)| format!("{above}/{folder}/"));
            let columns = Columns::default().with("file_name", "file_name").with("age", "real_age");
            let place = |name: &str| {
                let face = format!("{folder}{name}{FACE}");
                if tree.contains(&face) { face } else { format!("{folder}{name}") }
            };
            let rows = table::rows_at(tree, &tree.folder().join(path), &columns, groups, place)?;
            let notes = rows.notes.into_iter();
            listing.notes.extend(notes.filter(|note| !matches!(note, TableNote::MissingColumn { .. })));
            for mut image in rows.images {
                if let Ok(label) = &mut image.label {
                    label.split = Some(split);
                    label.gender = genders.get(photo_name(&image.file_name)).copied();
                }
                listing.images.push(image);
            }
        }
        if listing.images.is_empty() {
            return Err(DataError::unusable(tree.folder(), format!("cannot be read as APPA-REAL: {}", missing())));
        }
        let photos = listing.images.iter().filter_map(|image| photo_of(&image.file_name, tree));
        let photos: Vec<_> = photos.collect();
        listing.images.extend(photos);
        Ok(listing)
    }
}

/// The gender of the labelled face in each photo of `folder`; empty without the table.
fn genders(tree: &Tree, folder: &str) -> Result<HashMap<String, Gender>, DataError> {
    let name = format!("allcategories_{folder}.csv");
    let Some(file) = tree.named(&name).first().copied() else { return Ok(HashMap::new()) };
    let path = tree.folder().join(file);
    let table = TableFile::read(&path, &GENDER_COLUMNS)?;
    let places = table.columns(&path, GENDER_COLUMNS)?;
    let row = |row: TableRow| {
        let cells = row.cells.ok()?;
        let [photo, gender] = places.map(|place| cells.get(place).unwrap_or_default());
        Some((photo.to_string(), Gender::by_name(gender)?))
    };
    Ok(table.rows.into_iter().filter_map(row).collect())
}

/// The name, without folders, of the photo that the image `file` is or was cropped from.
fn photo_name(file: &str) -> &str {
    let name = file.rsplit('/').next().unwrap_or(file);
    name.strip_suffix(FACE).unwrap_or(name)
}

/// The photo from which the face was cropped; it may show several people.
fn photo_of(face: &str, tree: &Tree) -> Option<SourceImage> {
    let photo = face.strip_suffix(FACE).filter(|photo| tree.contains(photo))?;
    Some(SourceImage::other_version(photo, face))
}

fn missing() -> String {
    let names = TABLES.map(|(name, ..)| name).join(", ");
    format!("the tables {names}, which say the ages, are missing")
}

/// The tables that exist.
fn tables(tree: &Tree) -> Vec<(&str, &'static str, Split)> {
    let found = |(name, folder, split)| Some((*tree.named(name).first()?, folder, split));
    TABLES.into_iter().filter_map(found).collect()
}

#[cfg(test)]
mod tests {
    use crate::Gender;
    use crate::source::testing::{described, genders, listing};

    const HEADER: &str = "file_name,num_ratings,apparent_age_avg,apparent_age_std,real_age\n";

    #[test]
    fn the_real_age_is_that_of_the_face_that_was_cut_out() {
        let train = format!("{HEADER}000000.jpg,37,5.7,0.94,24\n000001.jpg,39,69.0,5.6,69\n");
        let test = format!("{HEADER}000000.jpg,38,24.0,2.9,27\n");
        let files = [
            ("appa-real-release/gt_avg_train.csv", train.as_str()),
            ("appa-real-release/gt_avg_test.csv", test.as_str()),
            ("appa-real-release/train/000000.jpg", ""),
            ("appa-real-release/train/000000.jpg_face.jpg", ""),
            ("appa-real-release/train/000000.jpg.mat", ""),
            ("appa-real-release/train/000001.jpg", ""),
            ("appa-real-release/test/000000.jpg_face.jpg", ""),
        ]
        .map(|(file, text)| (file, text));

        let described = described(&listing("appa-real", &files));

        let expected = [
            "appa-real-release/train/000000.jpg_face.jpg: 24 ? train",
            "appa-real-release/train/000001.jpg: 69 ? train",
            "appa-real-release/test/000000.jpg_face.jpg: 27 ? test",
            "appa-real-release/train/000000.jpg: appa-real-release/train/000000.jpg_face.jpg is another version of it, and used",
        ];
        assert_eq!(described, expected);
    }

    #[test]
    fn genders_come_from_the_table_of_the_split() {
        let ages = format!("{HEADER}000000.jpg,37,5.7,0.94,24\n000001.jpg,39,69.0,5.6,69\n");
        let train = "file,gender\n000000.jpg,male\n000001.jpg,female\n";
        let test = "file,gender\n000001.jpg,male\n";
        let files = [
            ("gt_avg_train.csv", ages.as_str()),
            ("gt_avg_valid.csv", ages.as_str()),
            ("gt_avg_test.csv", ages.as_str()),
            ("allcategories_train.csv", train),
            ("categories/allcategories_test.csv", test),
            ("train/000000.jpg_face.jpg", ""),
            ("train/000001.jpg", ""),
            ("valid/000000.jpg_face.jpg", ""),
            ("test/000000.jpg_face.jpg", ""),
            ("test/000001.jpg_face.jpg", ""),
        ];

        let genders = genders(&listing("appa-real", &files));

        let [female, male] = [Some(Gender::Female), Some(Gender::Male)];
        assert_eq!(genders, [male, female, None, None, male]);
    }
}
