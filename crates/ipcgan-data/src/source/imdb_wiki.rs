//! IMDB-WIKI: names hold identity, date of birth and year of the photo, as in
//! `nm0000001_rm124825600_1899-5-10_1968.jpg` and `10000217_1981-05-05_2009.jpg`; `imdb.mat` and `wiki.mat` list the
//! images in which a face was detected.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use ipcgan_model::AgeGroups;

use super::file_name::{FileNameLabels, number, stem};
use super::matlab::{self, LabelColumns, Value};
use super::names::{NameSource, labelled};
use super::{Evidence, Listing, Source, SourceImage, Table, TableNote, TableUse, Tree};
use crate::calendar::Date;
use crate::excluded::{Cause, Fault};
use crate::{DataError, FaceLabel, Gender};

/// The variables with the labels, each in a `.mat` file of that name.
pub(super) const VARIABLES: [&str; 2] = ["imdb", "wiki"];

pub(super) struct ImdbWiki;

pub(super) const IMDB_WIKI: ImdbWiki = ImdbWiki;

const NAMES: NameSource = NameSource {
    name: "imdb-wiki",
    description: "IMDB-WIKI: names PERSON_BIRTH_YEAR.jpg; imdb.mat and wiki.mat are used if they are there",
    form: "PERSON_YYYY-MM-DD_YYYY.jpg",
    read,
};

impl Source for ImdbWiki {
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

    /// An image that no `.mat` file names is labelled from its name.
    fn images(&self, tree: &Tree, table: &Table, groups: &AgeGroups) -> Result<Listing, DataError> {
        let files: Vec<PathBuf> = match &table.path {
            Some(path) => vec![path.clone()],
            None => mat_files(tree),
        };
        let mut known = HashMap::new();
        for file in &files {
            known.extend(labels(file)?);
        }
        let mut by_name = 0;
        let mut images = Vec::new();
        for file in tree.images() {
            // `01/nm0000001_....jpg`, as in the table.
            let start = file.rmatch_indices('/').nth(1).map_or(0, |(slash, _)| slash + 1);
            let label = match known.get(&file[start..]) {
                Some(Labels { face_score, .. }) if *face_score == f64::NEG_INFINITY => {
                    Err(Fault::new(Cause::NoFace, "the data set's table says that no face was found"))
                }
                Some(Labels { named: FileNameLabels { age: Some(age), identity, gender }, .. }) => {
                    let label = labelled(Some(*age), identity.clone(), groups);
                    label.map(|label| FaceLabel { gender: *gender, ..label })
                }
                _ => {
                    by_name += 1;
                    let unknown = |fault| if is_of_form(file) { Fault::label("its dates make no age") } else { fault };
                    NAMES.label(file, groups).map_err(|fault| match fault.cause {
                        Cause::Label => unknown(fault),
                        _ => fault,
                    })
                }
            };
            images.push(SourceImage::of_file(file, label));
        }
        let mut notes = Vec::new();
        if files.is_empty() {
            notes.push(TableNote::MissingTable {
                table: "imdb.mat or wiki.mat",
                consequence: "images without a face are known only by looking",
            });
        } else if by_name > 0 {
            notes.push(TableNote::ReadByName { images: by_name });
        }
        Ok(Listing { images, notes })
    }
}

/// Labels of an image in a table.
struct Labels {
    named: FileNameLabels,
    /// Score of the data set's face detector; minus infinity where it detected no face.
    face_score: f64,
}

fn mat_files(tree: &Tree) -> Vec<PathBuf> {
    let named = VARIABLES.iter().flat_map(|name| tree.named(&format!("{name}.mat")));
    named.map(|file| tree.folder().join(file)).collect()
}

/// The labels of each image in the `.mat` file `path`, by its path relative to the file.
fn labels(path: &Path) -> Result<HashMap<String, Labels>, DataError> {
    let variables = matlab::read(path)?;
    let columns = LabelColumns::of(path, &variables, &VARIABLES)?;
    let paths = columns.texts("full_path")?;
    let [births, years, scores] =
        [columns.numbers("dob")?, columns.numbers("photo_taken")?, columns.numbers("face_score")?];
    let genders = columns.optional_numbers("gender")?;
    let lengths = [births, years, scores].into_iter().chain(genders).map(<[f64]>::len);
    columns.check_lengths(&lengths.chain([paths.len()]).collect::<Vec<_>>())?;
    let labels = paths.iter().enumerate().filter_map(|(index, path)| {
        let Value::Text(path) = path else { return None };
        let birth = Date::of_matlab(births[index] as i64);
        let age = age(birth.year, birth.month, years[index] as i64);
        let gender = genders.and_then(|genders| gender(genders[index]));
        let named = FileNameLabels { age, identity: person(stem(path)).map(String::from), gender };
        Some((path.clone(), Labels { named, face_score: scores[index] }))
    });
    Ok(labels.collect())
}

/// The gender that the tables code as a number; unknown ones are not a number (NaN).
fn gender(code: f64) -> Option<Gender> {
    if code == 0.0 {
        Some(Gender::Female)
    } else if code == 1.0 {
        Some(Gender::Male)
    } else {
        None
    }
}

fn read(file_name: &str) -> Option<FileNameLabels> {
    let [year, month, _, taken] = dates(stem(file_name))?;
    let identity = person(stem(file_name))?;
    Some(FileNameLabels {
        age: Some(age(year.into(), month, taken.into())?),
        identity: Some(identity.into()),
        gender: None,
    })
}

fn is_of_form(file_name: &str) -> bool {
    dates(stem(file_name)).is_some() && person(stem(file_name)).is_some()
}

/// `nm0000001` of IMDb, or the page number in Wikipedia.
fn person(stem: &str) -> Option<&str> {
    let person = stem.split('_').next()?;
    let digits = person.strip_prefix("nm").unwrap_or(person);
    number(digits)?;
    Some(person)
}

/// Year, month and day of birth, and year of the photo.
fn dates(stem: &str) -> Option<[u32; 4]> {
    let (rest, taken) = stem.rsplit_once('_')?;
    let (_, birth) = rest.rsplit_once('_')?;
    let mut parts = birth.split('-').map(number);
    let [year, month, day] = [parts.next()??, parts.next()??, parts.next()??];
    (parts.next().is_none() && taken.len() == 4).then_some([year, month, day, number(taken)?])
}

/// The age in a year of unknown month, taken in the middle of the year, as in the data set's own scripts.
fn age(year: i64, month: u32, taken: i64) -> Option<u32> {
    let before_birthday = month > 6;
    let age = taken - year - i64::from(before_birthday);
    // An unknown date of birth is coded as year 0.
    (year > 1000).then(|| u32::try_from(age).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::testing::{described, genders, listing, tree};

    #[test]
    fn the_age_follows_from_the_dates_in_the_name() {
        let named = |age, identity: &str| {
            Some(FileNameLabels { age: Some(age), identity: Some(identity.into()), gender: None })
        };

        assert_eq!(read("imdb_crop/01/nm0000001_rm124825600_1899-5-10_1968.jpg"), named(69, "nm0000001"));
        assert_eq!(read("wiki_crop/17/10000217_1981-05-05_2009.jpg"), named(28, "10000217"));
        assert_eq!(read("17/10000217_1981-12-05_2009.jpg"), named(27, "10000217"));
        assert_eq!(read("17/10000217_0-0-0_2009.jpg"), None);
        assert_eq!(read("17/10000217_1981-05_2009.jpg"), None);
        assert_eq!(read("26_1_1_20170104023102422.jpg"), None);
    }

    #[test]
    fn dates_that_give_no_age_are_reported() {
        let files = [("wiki_crop/17/10000217_1981-05-05_1970.jpg", ""), ("x.jpg", "")];

        let expected = [
            "wiki_crop/17/10000217_1981-05-05_1970.jpg: its dates make no age",
            "x.jpg: is not called PERSON_YYYY-MM-DD_YYYY.jpg",
        ];
        assert_eq!(described(&listing("imdb-wiki", &files)), expected);
    }

    #[test]
    fn the_mat_file_has_dates_genders_and_images_without_faces() {
        let (folder, _) = tree(&[
            "wiki_crop/17/10000217_1981-05-05_2009.jpg",
            "wiki_crop/48/10000548_1925-04-04_1964.jpg",
            "wiki_crop/48/1_1925-04-04_1964.jpg",
        ]);
        let mat = include_bytes!("../../tests/data/wiki.mat");
        std::fs::write(folder.path().join("wiki_crop/wiki.mat"), mat).unwrap();
        let tree = Tree::read(folder.path(), None).unwrap();

        let listing = IMDB_WIKI.images(&tree, &Table::default(), &AgeGroups::default()).unwrap();

        let expected = [
            "wiki_crop/17/10000217_1981-05-05_2009.jpg: 28 10000217 ?",
            "wiki_crop/48/10000548_1925-04-04_1964.jpg: the data set's table says that no face was found",
            "wiki_crop/48/1_1925-04-04_1964.jpg: 39 1 ?",
        ];
        let mut described = described(&listing);
        described.sort();
        assert_eq!(described, [expected[0], expected[1], expected[2]].map(String::from));
        let mut genders = genders(&listing);
        genders.sort_by_key(Option::is_none);
        assert_eq!(genders, [Some(Gender::Male), None]);
        assert_eq!([0.0, 1.0, f64::NAN].map(gender), [Some(Gender::Female), Some(Gender::Male), None]);
        assert_eq!(listing.notes, [TableNote::ReadByName { images: 1 }]);
        assert_eq!(listing.notes[0].to_string(), "1 image is in no table, and read by name");
    }
}
