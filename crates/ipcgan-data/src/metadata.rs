//! The table `metadata.csv` of a prepared folder.

use std::fs::File;
use std::io;
use std::path::Path;

use csv::{ErrorKind, ReaderBuilder, StringRecord, Trim, Writer};
use ipcgan_model::AgeGroups;

use crate::{DataError, FaceLabel, Split};

/// The oldest person on record died at 122.
const OLDEST: u32 = 125;

/// One row: where it stands, which picture it names, and what it says of the face or why it cannot be used.
pub(crate) struct Row {
    pub(crate) line: u64,
    pub(crate) file_name: String,
    pub(crate) label: Result<FaceLabel, String>,
}

/// Reads all rows of the table `path`.
pub(crate) fn read(path: &Path, groups: &AgeGroups) -> Result<Vec<Row>, DataError> {
    let file = File::open(path).map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => DataError::MissingMetadata { path: path.into() },
        _ => DataError::Read { path: path.into(), source },
    })?;
    let table_error = |source| DataError::Metadata { path: path.into(), source };
    // A row with too few or too many cells is that row's fault, not the table's.
    let mut table = ReaderBuilder::new().flexible(true).trim(Trim::All).from_reader(file);
    let columns = Columns::of(table.headers().map_err(table_error)?, path)?;
    let mut rows = Vec::new();
    let mut record = StringRecord::new();
    loop {
        match table.read_record(&mut record) {
            Ok(false) => return Ok(rows),
            Ok(true) => rows.push(columns.row(&record, groups)),
            Err(error) => match error.kind() {
                ErrorKind::Utf8 { pos, .. } => rows.push(Row {
                    line: pos.as_ref().map_or(0, csv::Position::line),
                    file_name: String::new(),
                    label: Err("is not written in UTF-8".into()),
                }),
                _ => return Err(table_error(error)),
            },
        }
    }
}

/// The table of these faces, as the bytes of the file `path`.
pub(crate) fn written<'a>(
    path: &Path,
    rows: impl Iterator<Item = (String, &'a FaceLabel)>,
) -> Result<Vec<u8>, DataError> {
    let table_error = |source| DataError::Metadata { path: path.into(), source };
    let mut table = Writer::from_writer(Vec::new());
    table.write_record(["file_name", "age", "group", "identity", "split"]).map_err(table_error)?;
    for (file_name, label) in rows {
        let age = label.age.map(|age| age.to_string()).unwrap_or_default();
        let group = label.group.map(|group| group.to_string()).unwrap_or_default();
        let identity = label.identity.clone().unwrap_or_default();
        let split = label.split.map(|split| split.to_string()).unwrap_or_default();
        table.write_record([file_name, age, group, identity, split]).map_err(table_error)?;
    }
    table.into_inner().map_err(|error| DataError::Write { path: path.into(), source: error.into_error() })
}

/// Where the columns are; those that may be missing are none.
struct Columns {
    file_name: usize,
    age: Option<usize>,
    group: Option<usize>,
    identity: Option<usize>,
    split: Option<usize>,
}

impl Columns {
    fn of(header: &StringRecord, path: &Path) -> Result<Self, DataError> {
        let column = |name: &str| header.iter().position(|column| column == name);
        let Some(file_name) = column("file_name") else {
            let found = header.iter().map(String::from).collect();
            return Err(DataError::MissingFileNames { path: path.into(), found });
        };
        Ok(Self {
            file_name,
            age: column("age"),
            group: column("group"),
            identity: column("identity"),
            split: column("split"),
        })
    }

    fn row(&self, record: &StringRecord, groups: &AgeGroups) -> Row {
        Row {
            line: record.position().map_or(0, csv::Position::line),
            file_name: record.get(self.file_name).unwrap_or_default().into(),
            label: self.label(record, groups),
        }
    }

    fn label(&self, record: &StringRecord, groups: &AgeGroups) -> Result<FaceLabel, String> {
        let cell = |column: Option<usize>| record.get(column?).filter(|text| !text.is_empty());
        cell(Some(self.file_name)).ok_or("column `file_name` is empty")?;
        let age = cell(self.age).map(age).transpose()?;
        let group = match (cell(self.group), age) {
            (Some(text), _) => Some(group(text, groups)?),
            (None, Some(age)) => Some(
                groups
                    .group_of(age)
                    .ok_or_else(|| format!("age {age} is below the first age group {}", groups.name(0)))?,
            ),
            (None, None) => None,
        };
        let split = cell(self.split)
            .map(|name| Split::by_name(name).ok_or_else(|| format!("split `{name}` is none of train, valid, test")))
            .transpose()?;
        Ok(FaceLabel { group, age, identity: cell(self.identity).map(String::from), split })
    }
}

fn group(text: &str, groups: &AgeGroups) -> Result<usize, String> {
    let index = text.parse().ok().filter(|&index| index < groups.count());
    index.ok_or_else(|| format!("group `{text}` is none of the indices 0 to {}", groups.count() - 1))
}

/// Age in full years: of `25` and `25.5`, of the middle of the range `40-49`, of the start of `70+`.
fn age(text: &str) -> Result<u32, String> {
    let years = |text: &str| {
        let years = text.trim().parse::<f64>().ok().filter(|years| (0.0..=f64::from(OLDEST)).contains(years));
        years.map(|years| years as u32)
    };
    let age = match (years(text), text.strip_suffix('+'), text.split_once('-')) {
        (Some(age), ..) => Some(age),
        (None, Some(first), _) => years(first),
        (None, None, Some((first, last))) => {
            years(first).zip(years(last)).filter(|(first, last)| first <= last).map(|(first, last)| (first + last) / 2)
        }
        (None, None, None) => None,
    };
    age.ok_or_else(|| format!("age `{text}` is no number of years between 0 and {OLDEST} and no range of them"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(table: &[u8]) -> Vec<Result<FaceLabel, String>> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metadata.csv");
        std::fs::write(&path, table).unwrap();
        read(&path, &AgeGroups::default()).unwrap().into_iter().map(|row| row.label).collect()
    }

    fn groups_of(table: &str) -> Vec<Option<usize>> {
        rows(table.as_bytes()).into_iter().map(|label| label.unwrap().group).collect()
    }

    #[test]
    fn an_age_is_a_number_of_years_or_a_range() {
        assert_eq!(age("25"), Ok(25));
        assert_eq!(age("25.9"), Ok(25));
        assert_eq!(age("40-49"), Ok(44));
        assert_eq!(age("10 - 19"), Ok(14));
        assert_eq!(age("70+"), Ok(70));
        for text in ["-3", "old", "49-40", "1985", "NaN", "+", "-"] {
            assert!(age(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_given_group_goes_before_the_age() {
        assert_eq!(groups_of("file_name,age,group\na,33,1\nb,33,\nc,,4\n"), [Some(1), Some(2), Some(4)]);
    }

    #[test]
    fn a_face_without_age_and_group_has_no_group() {
        assert_eq!(groups_of("file_name,age,group\na,,\n"), [None]);
        assert_eq!(groups_of("file_name\na\n"), [None]);
    }

    #[test]
    fn a_row_that_makes_no_sense_says_why() {
        let table = "file_name,age,group,split\na,-3,,\nb,5,,\nc,,5,\nd,,,best\n,,,\n";

        let reasons: Vec<_> = rows(table.as_bytes()).into_iter().map(|label| label.unwrap_err()).collect();

        let expected = [
            "age `-3` is no number of years between 0 and 125 and no range of them",
            "age 5 is below the first age group 11-20",
            "group `5` is none of the indices 0 to 4",
            "split `best` is none of train, valid, test",
            "column `file_name` is empty",
        ];
        assert_eq!(reasons, expected);
    }

    #[test]
    fn a_row_of_other_bytes_than_utf_8_does_not_spoil_the_table() {
        let labels = rows(b"\xef\xbb\xbffile_name,age\n\xff,20\na,20\n");

        assert!(labels[0].is_err());
        assert!(labels[1].is_ok());
    }

    #[test]
    fn short_rows_are_filled_with_nothing() {
        assert_eq!(groups_of("file_name,identity,age\na\n"), [None]);
    }
}
