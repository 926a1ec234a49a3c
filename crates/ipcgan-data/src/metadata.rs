//! Tables of faces: the `metadata.csv` of a prepared folder, and others with columns of other names.

use std::fs::File;
use std::path::Path;

use csv::{ErrorKind, ReaderBuilder, StringRecord, Trim, Writer};
use ipcgan_model::AgeGroups;

use crate::left_out::{Cause, Fault};
use crate::{DataError, FaceLabel, Split};

/// The oldest person on record died at 122.
pub(crate) const OLDEST: u32 = 125;

/// What a table calls its columns. Only the column of file names must be there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Columns {
    /// The picture, relative to the folder. Default: `file_name`.
    pub file_name: String,
    /// Years, or a range such as `40-49` or `70+`. Default: `age`.
    pub age: String,
    /// Index of the age group, where there is no age, or to choose among the groups of a range of ages. Default: `group`.
    pub group: String,
    /// Whose face it is. Default: `identity`.
    pub identity: String,
    /// `train`, `valid` or `test`. Default: `split`.
    pub split: String,
}

impl Default for Columns {
    fn default() -> Self {
        let [file_name, age, group, identity, split] = Self::NAMES.map(String::from);
        Self { file_name, age, group, identity, split }
    }
}

impl Columns {
    /// What we call the columns.
    pub(crate) const NAMES: [&str; 5] = ["file_name", "age", "group", "identity", "split"];

    /// Says that the table calls our column `ours` `theirs`.
    ///
    /// # Errors
    /// We have no column `ours`.
    pub fn rename(&mut self, ours: &str, theirs: &str) -> Result<(), String> {
        let name = match ours {
            "file_name" => &mut self.file_name,
            "age" => &mut self.age,
            "group" => &mut self.group,
            "identity" => &mut self.identity,
            "split" => &mut self.split,
            _ => return Err(format!("there is no column `{ours}`, only {}", Self::NAMES.join(", "))),
        };
        *name = theirs.into();
        Ok(())
    }
}

/// One row: where it stands, which picture it names, and what it says of the face or why it cannot be used.
pub(crate) struct Row {
    pub(crate) line: u64,
    pub(crate) file_name: String,
    pub(crate) label: Result<FaceLabel, Fault>,
}

/// Reads all rows of the table `path`.
pub(crate) fn read(path: &Path, columns: &Columns, groups: &AgeGroups) -> Result<Vec<Row>, DataError> {
    let file = File::open(path).map_err(DataError::reading(path))?;
    let table_error = |source| DataError::Metadata { path: path.into(), source };
    // A row with too few or too many cells is that row's fault, not the table's.
    let mut table = ReaderBuilder::new().flexible(true).trim(Trim::All).from_reader(file);
    let places = Places::of(table.headers().map_err(table_error)?, columns, path)?;
    let mut rows = Vec::new();
    let mut record = StringRecord::new();
    loop {
        match table.read_record(&mut record) {
            Ok(false) => return Ok(rows),
            Ok(true) => rows.push(places.row(&record, groups)),
            Err(error) => match error.kind() {
                ErrorKind::Utf8 { pos, .. } => rows.push(Row {
                    line: pos.as_ref().map_or(0, csv::Position::line),
                    file_name: String::new(),
                    label: Err(Fault::label("is not written in UTF-8")),
                }),
                _ => return Err(table_error(error)),
            },
        }
    }
}

/// A table with this header and these rows, as the bytes of the file `path`.
pub(crate) fn written<const N: usize>(
    path: &Path,
    header: [&str; N],
    rows: impl Iterator<Item = [String; N]>,
) -> Result<Vec<u8>, DataError> {
    let table_error = |source| DataError::Metadata { path: path.into(), source };
    let mut table = Writer::from_writer(Vec::new());
    table.write_record(header).map_err(table_error)?;
    for row in rows {
        table.write_record(row).map_err(table_error)?;
    }
    table.into_inner().map_err(|error| DataError::Write { path: path.into(), source: error.into_error() })
}

/// The cells of a face in a table, in the order of [`Columns::NAMES`].
pub(crate) fn cells(file_name: String, label: &FaceLabel) -> [String; 5] {
    let age = label.age.map(|age| age.to_string()).unwrap_or_default();
    let group = label.group.map(|group| group.to_string()).unwrap_or_default();
    let identity = label.identity.clone().unwrap_or_default();
    let split = label.split.map(|split| split.to_string()).unwrap_or_default();
    [file_name, age, group, identity, split]
}

/// Where the columns are; those that may be missing are none.
pub(crate) struct Places {
    file_name: usize,
    age: Option<usize>,
    group: Option<usize>,
    identity: Option<usize>,
    split: Option<usize>,
}

impl Places {
    pub(crate) fn of(header: &StringRecord, columns: &Columns, path: &Path) -> Result<Self, DataError> {
        let place = |name: &str| header.iter().position(|column| column == name);
        let Some(file_name) = place(&columns.file_name) else {
            let found = header.iter().map(String::from).collect();
            return Err(DataError::MissingFileNames { path: path.into(), name: columns.file_name.clone(), found });
        };
        Ok(Self {
            file_name,
            age: place(&columns.age),
            group: place(&columns.group),
            identity: place(&columns.identity),
            split: place(&columns.split),
        })
    }

    fn row(&self, record: &StringRecord, groups: &AgeGroups) -> Row {
        Row {
            line: record.position().map_or(0, csv::Position::line),
            file_name: record.get(self.file_name).unwrap_or_default().into(),
            label: self.label(record, groups),
        }
    }

    pub(crate) fn label(&self, record: &StringRecord, groups: &AgeGroups) -> Result<FaceLabel, Fault> {
        let cell = |column: Option<usize>| record.get(column?).filter(|text| !text.is_empty());
        cell(Some(self.file_name)).ok_or_else(|| Fault::label("names no picture"))?;
        let years = cell(self.age).map(years).transpose()?;
        let age = years.map(Years::middle);
        let group = match (cell(self.group), years) {
            (Some(text), years) => {
                let group = group(text, groups)?;
                years.map(|years| check_contradiction(years, group, groups)).transpose()?;
                Some(group)
            }
            (None, years) => years.map(|years| group_of(years.middle(), groups)).transpose()?,
        };
        let split = cell(self.split)
            .map(|name| {
                let fault = || Fault::label(format!("split `{name}` is none of train, valid, test"));
                Split::by_name(name).ok_or_else(fault)
            })
            .transpose()?;
        Ok(FaceLabel { group, age, identity: cell(self.identity).map(String::from), split })
    }
}

fn group(text: &str, groups: &AgeGroups) -> Result<usize, Fault> {
    let index = text.parse().ok().filter(|&index| index < groups.count());
    index.ok_or_else(|| Fault::label(format!("group `{text}` is none of the indices 0 to {}", groups.count() - 1)))
}

/// The age group of `age`.
pub(crate) fn group_of(age: u32, groups: &AgeGroups) -> Result<usize, Fault> {
    let fault =
        || Fault { cause: Cause::Age, reason: format!("age {age} is below the first age group {}", groups.name(0)) };
    groups.group_of(age).ok_or_else(fault)
}

/// What a table says of an age, in full years.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Years {
    first: u32,
    last: u32,
    /// Whether it says a first age alone, as `70+`.
    open: bool,
}

impl Years {
    /// The age to count with: the middle of a range, the start of an open one.
    fn middle(self) -> u32 {
        if self.open { self.first } else { (self.first + self.last) / 2 }
    }
}

/// Of `25` and `25.5`, of the range `40-49`, of `70+` and `more than 70`.
fn years(text: &str) -> Result<Years, Fault> {
    let number = |text: &str| {
        let years = text.trim().parse::<f64>().ok().filter(|years| (0.0..=f64::from(OLDEST)).contains(years));
        years.map(|years| years as u32)
    };
    let closed = |first, last| Years { first, last, open: false };
    let open = text.strip_suffix('+').or_else(|| text.strip_prefix("more than "));
    let years = match (number(text), open, text.split_once('-')) {
        (Some(age), ..) => Some(closed(age, age)),
        (None, Some(first), _) => number(first).map(|first| Years { first, last: OLDEST, open: true }),
        (None, None, Some((first, last))) => {
            let ends = number(first).zip(number(last)).filter(|(first, last)| first <= last);
            ends.map(|(first, last)| closed(first, last))
        }
        (None, None, None) => None,
    };
    let fault = || format!("age `{text}` is no number of years between 0 and {OLDEST} and no range of them");
    years.ok_or_else(|| Fault::label(fault()))
}

/// A group that is given must be one of those that the age may be in: else one of the two is wrong, and nobody knows which.
fn check_contradiction(years: Years, group: usize, groups: &AgeGroups) -> Result<(), Fault> {
    let possible = groups.group_of(years.first).unwrap_or(0)..=groups.group_of(years.last).unwrap_or(0);
    if possible.contains(&group) && groups.group_of(years.last).is_some() {
        return Ok(());
    }
    let age = match years {
        Years { first, open: true, .. } => format!("{first}+"),
        Years { first, last, .. } if first == last => first.to_string(),
        Years { first, last, .. } => format!("{first}-{last}"),
    };
    let name = groups.name(group);
    Err(Fault::label(format!(
        "group `{group}` ({name}) contradicts age {age}; correct one of them, or leave the column group out"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(table: &[u8]) -> Vec<Result<FaceLabel, Fault>> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metadata.csv");
        std::fs::write(&path, table).unwrap();
        read(&path, &Columns::default(), &AgeGroups::default()).unwrap().into_iter().map(|row| row.label).collect()
    }

    fn groups_of(table: &str) -> Vec<Option<usize>> {
        rows(table.as_bytes()).into_iter().map(|label| label.unwrap().group).collect()
    }

    #[test]
    fn an_age_is_a_number_of_years_or_a_range() {
        let age = |text| years(text).map(Years::middle);
        assert_eq!(age("25"), Ok(25));
        assert_eq!(age("25.9"), Ok(25));
        assert_eq!(age("40-49"), Ok(44));
        assert_eq!(age("10 - 19"), Ok(14));
        assert_eq!(age("70+"), Ok(70));
        assert_eq!(age("more than 70"), Ok(70));
        for text in ["-3", "old", "49-40", "1985", "NaN", "+", "-"] {
            assert!(age(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_group_is_the_given_one_or_that_of_the_age() {
        assert_eq!(groups_of("file_name,age,group\na,33,2\nb,33,\nc,,4\n"), [Some(2), Some(2), Some(4)]);
        // A range or an open age may be of several groups, of which the table knows the right one.
        assert_eq!(groups_of("file_name,age,group\na,18-25,0\nb,18-25,1\nc,45+,4\n"), [Some(0), Some(1), Some(4)]);
    }

    #[test]
    fn a_group_that_contradicts_the_age_is_a_fault() {
        let table = "file_name,age,group\na,33,1\nb,18-25,2\nc,45+,0\nd,5,0\n";

        let reasons: Vec<_> = rows(table.as_bytes()).into_iter().map(|label| label.unwrap_err().reason).collect();

        assert_eq!(
            reasons[0],
            "group `1` (21-30) contradicts age 33; correct one of them, or leave the column group out"
        );
        assert!(reasons[1].starts_with("group `2` (31-40) contradicts age 18-25"), "{}", reasons[1]);
        assert!(reasons[2].starts_with("group `0` (11-20) contradicts age 45+"), "{}", reasons[2]);
        assert!(reasons[3].starts_with("group `0` (11-20) contradicts age 5"), "{}", reasons[3]);
    }

    #[test]
    fn a_face_without_age_and_group_has_no_group() {
        assert_eq!(groups_of("file_name,age,group\na,,\n"), [None]);
        assert_eq!(groups_of("file_name\na\n"), [None]);
    }

    #[test]
    fn a_row_that_makes_no_sense_says_why() {
        let table = "file_name,age,group,split\na,-3,,\nb,5,,\nc,,5,\nd,,,best\n,,,\n";

        let reasons: Vec<_> = rows(table.as_bytes()).into_iter().map(|label| label.unwrap_err().reason).collect();

        let expected = [
            "age `-3` is no number of years between 0 and 125 and no range of them",
            "age 5 is below the first age group 11-20",
            "group `5` is none of the indices 0 to 4",
            "split `best` is none of train, valid, test",
            "names no picture",
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
