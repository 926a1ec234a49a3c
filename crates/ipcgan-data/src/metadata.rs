//! Tables of faces: the `metadata.csv` of a prepared folder, and others with columns of other names.

mod columns;

pub use columns::Columns;

use std::path::Path;

use csv::{StringRecord, Writer};
use ipcgan_model::AgeGroups;

use crate::age_text::{AgeRange, age_range};
use crate::excluded::{Cause, Fault};
use crate::table_file::{self, TableFile};
use crate::{DataError, FaceLabel, Gender, Split};

/// The rows of a table, and the columns that it lacks.
pub(crate) struct Rows {
    pub(crate) rows: Vec<Row>,
    /// Our columns that it lacks, each with a column of similar name.
    pub(crate) missing: Vec<(&'static str, Option<String>)>,
    /// Its column names.
    pub(crate) header: Vec<String>,
    /// Its encoding and separator, if they are not UTF-8 and commas: `windows-1252, separated by semicolons`.
    pub(crate) format: Option<String>,
}

/// One row: its line, its image, and the label of the face or the reason why it is unusable.
pub(crate) struct Row {
    pub(crate) line: u64,
    pub(crate) file_name: String,
    pub(crate) label: Result<FaceLabel, Fault>,
}

/// Reads all rows of the table `path`.
pub(crate) fn read(path: &Path, columns: &Columns, groups: &AgeGroups) -> Result<Rows, DataError> {
    let table = TableFile::read(path, &columns.names.each_ref().map(String::as_str))?;
    let (places, missing) = ColumnIndices::of(&table.header, columns, path)?;
    let row = |row: table_file::TableRow| match row.cells {
        Ok(cells) => Row {
            line: row.line,
            file_name: cells.get(places.file_name).unwrap_or_default().into(),
            label: places.label(&cells, groups),
        },
        Err(fault) => Row { line: row.line, file_name: String::new(), label: Err(fault) },
    };
    let rows = table.rows.into_iter().map(row).collect();
    Ok(Rows { rows, missing, header: table.header.iter().map(String::from).collect(), format: table.format })
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
pub(crate) fn cells(file_name: String, label: &FaceLabel) -> [String; 6] {
    let age = label.age.map(|age| age.to_string()).unwrap_or_default();
    let group = label.group.map(|group| group.to_string()).unwrap_or_default();
    let identity = label.identity.clone().unwrap_or_default();
    let split = label.split.map(|split| split.to_string()).unwrap_or_default();
    let gender = label.gender.map(|gender| gender.to_string()).unwrap_or_default();
    [file_name, age, group, identity, split, gender]
}

/// Indices of the columns; `None` for a missing optional one.
pub(crate) struct ColumnIndices {
    file_name: usize,
    age: Option<usize>,
    group: Option<usize>,
    identity: Option<usize>,
    split: Option<usize>,
    gender: Option<usize>,
}

/// Our columns that a table lacks, each with a similar one of the table.
type Missing = Vec<(&'static str, Option<String>)>;

impl ColumnIndices {
    /// Indices of the columns in `header`, and the missing columns.
    ///
    /// # Errors
    /// The column of file names, or a renamed column, is missing.
    pub(crate) fn of(header: &StringRecord, columns: &Columns, path: &Path) -> Result<(Self, Missing), DataError> {
        let mut missing = Missing::new();
        let mut places = [None; 6];
        for (index, name) in columns.names.iter().enumerate() {
            places[index] = table_file::column(header, name).map_err(|reason| DataError::unusable(path, reason))?;
            if places[index].is_some() {
                continue;
            }
            let similar = columns.similar(index, header);
            if index == 0 || columns.renamed[index] {
                let found = header.iter().map(String::from).collect();
                return Err(DataError::MissingColumn {
                    path: path.into(),
                    ours: Columns::NAMES[index],
                    name: name.clone(),
                    found,
                    similar,
                });
            }
            missing.push((Columns::NAMES[index], similar));
        }
        let [file_name, age, group, identity, split, gender] = places;
        let file_name = file_name.expect("a table without file names was refused");
        Ok((Self { file_name, age, group, identity, split, gender }, missing))
    }

    pub(crate) fn label(&self, record: &StringRecord, groups: &AgeGroups) -> Result<FaceLabel, Fault> {
        let cell = |column: Option<usize>| record.get(column?).filter(|text| !text.is_empty());
        cell(Some(self.file_name)).ok_or_else(|| Fault::label("names no image"))?;
        let ages = cell(self.age).map(age_range).transpose()?;
        let age = ages.map(AgeRange::middle);
        let group = match (cell(self.group), ages) {
            (Some(text), ages) => {
                let group = group(text, groups)?;
                ages.map(|ages| check_contradiction(ages, group, groups)).transpose()?;
                Some(group)
            }
            (None, ages) => ages.map(|ages| group_of(ages.middle(), groups)).transpose()?,
        };
        let split = cell(self.split)
            .map(|name| {
                let fault = || Fault::label(format!("split `{name}` is not one of train, valid, test"));
                Split::by_name(name).ok_or_else(fault)
            })
            .transpose()?;
        let gender = cell(self.gender).and_then(Gender::by_name);
        Ok(FaceLabel { group, age, identity: cell(self.identity).map(String::from), split, gender })
    }
}

fn group(text: &str, groups: &AgeGroups) -> Result<usize, Fault> {
    let index = text.parse().ok().filter(|&index| index < groups.count());
    index.ok_or_else(|| Fault::label(format!("group `{text}` is not one of the indices 0 to {}", groups.count() - 1)))
}

/// The age group of `age`.
pub(crate) fn group_of(age: u32, groups: &AgeGroups) -> Result<usize, Fault> {
    let fault =
        || Fault { cause: Cause::Age, reason: format!("age {age} is below the first age group {}", groups.name(0)) };
    groups.group_of(age).ok_or_else(fault)
}

/// Rejects a group that contradicts the age: one of the two is wrong.
fn check_contradiction(ages: AgeRange, group: usize, groups: &AgeGroups) -> Result<(), Fault> {
    let possible = groups.group_of(ages.first).unwrap_or(0)..=groups.group_of(ages.last).unwrap_or(0);
    if possible.contains(&group) && groups.group_of(ages.last).is_some() {
        return Ok(());
    }
    let name = groups.name(group);
    Err(Fault::label(format!(
        "group `{group}` ({name}) contradicts age {ages}; correct one of them, or leave the column group out"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(table: &[u8]) -> Vec<Result<FaceLabel, Fault>> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metadata.csv");
        std::fs::write(&path, table).unwrap();
        read(&path, &Columns::default(), &AgeGroups::default()).unwrap().rows.into_iter().map(|row| row.label).collect()
    }

    fn groups_of(table: &str) -> Vec<Option<usize>> {
        rows(table.as_bytes()).into_iter().map(|label| label.unwrap().group).collect()
    }

    #[test]
    fn the_group_is_the_given_one_or_that_of_the_age() {
        assert_eq!(groups_of("file_name,age,group\na,33,2\nb,33,\nc,,4\n"), [Some(2), Some(2), Some(4)]);
        // A range of ages can span several groups; the table's own group decides.
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
    fn an_unusable_row_has_a_reason() {
        let table = "file_name,age,group,split\na,-3,,\nb,5,,\nc,,5,\nd,,,best\n,,,\n";

        let reasons: Vec<_> = rows(table.as_bytes()).into_iter().map(|label| label.unwrap_err().reason).collect();

        let expected = [
            "age `-3` is not a number of years between 0 and 125 or a range of them",
            "age 5 is below the first age group 11-20",
            "group `5` is not one of the indices 0 to 4",
            "split `best` is not one of train, valid, test",
            "names no image",
        ];
        assert_eq!(reasons, expected);
    }

    #[test]
    fn a_row_that_is_not_utf_8_does_not_affect_other_rows() {
        let labels = rows(b"\xef\xbb\xbffile_name,age\n\xff,20\na,20\n");

        assert!(labels[0].is_err());
        assert!(labels[1].is_ok());
    }

    #[test]
    fn short_rows_are_padded_with_empty_cells() {
        assert_eq!(groups_of("file_name,identity,age\na\n"), [None]);
    }

    #[test]
    fn a_given_column_that_is_missing_is_rejected_with_the_existing_ones() {
        let error = |columns: Columns, header: &str| {
            let header: StringRecord = header.split(',').collect();
            ColumnIndices::of(&header, &columns, Path::new("labels.csv")).err().map(|error| error.to_string())
        };

        let years = Columns::default().with("age", "Years");
        let message = error(years.clone(), "file_name,year").unwrap();
        assert_eq!(
            message,
            "labels.csv has no column `Years`; its columns are: file_name, year (did you mean `year`?)"
        );
        assert_eq!(error(years, "file_name,years"), None);
        let message = error(Columns::default(), "filename,Age").unwrap();
        assert!(
            message.ends_with("no column `file_name`; its columns are: filename, Age (did you mean `filename`?)"),
            "{message}"
        );
        assert_eq!(
            error(Columns::default().with("age", "age"), "file_name").map(|text| text.contains("`age`")),
            Some(true)
        );
    }

    #[test]
    fn a_missing_column_is_reported_with_a_similar_one() {
        let header: StringRecord = "file_name,real_age,shoe".split(',').collect();

        let missing = ColumnIndices::of(&header, &Columns::default(), Path::new("labels.csv")).unwrap().1;

        assert_eq!(missing[0], ("age", Some("real_age".into())));
        assert_eq!(missing[2], ("identity", None));
    }
}
