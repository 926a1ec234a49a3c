//! Images listed in a text table with configurable column names.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use ipcgan_model::AgeGroups;

use super::{Evidence, Listing, Source, SourceImage, Table, TableNote, TableUse, Tree, cacd, ffhq, imdb_wiki, matlab};
use crate::DataError;
use crate::excluded::Fault;
use crate::metadata::{self, Columns, Row, Rows};
use crate::table_file::TableFile;

/// File name of a table in our own format.
const OURS: &str = "metadata.csv";
/// File name extensions of tables.
const EXTENSIONS: [&str; 2] = ["csv", "tsv"];
/// Number of rows that are looked up in the folder to determine the base of relative names.
const TRIED_ROWS: usize = 100;

pub(super) struct CsvTable;

pub(super) const TABLE: CsvTable = CsvTable;

impl Source for CsvTable {
    fn name(&self) -> &'static str {
        "csv"
    }

    fn description(&self) -> &'static str {
        "any images with a table (metadata.csv) of file_name, age, identity, split"
    }

    fn table_use(&self) -> TableUse {
        TableUse::Columns
    }

    fn unknown_age_reason(&self) -> &'static str {
        "the table has no column of ages, or its cells are empty"
    }

    fn evidence(&self, tree: &Tree) -> Evidence {
        match (&tree.named(OURS)[..], &tables(tree)[..]) {
            ([ours], _) => Evidence::Table(format!("{ours} is there")),
            ([first, ..], _) => Evidence::Doubtful(format!("{first} is there, and another {OURS}")),
            ([], [first, ..]) => Evidence::Doubtful(format!("{first} may be its table")),
            ([], []) => Evidence::None,
        }
    }

    fn images(&self, tree: &Tree, table: &Table, groups: &AgeGroups) -> Result<Listing, DataError> {
        let path = table.path.clone().map_or_else(|| only_table(tree), Ok)?;
        rows(tree, &path, &table.columns, groups)
    }
}

/// The source that reads the table in the file `path`, detected by its contents.
///
/// # Errors
/// The file cannot be read, or its table format is unknown.
pub fn source_of_table(path: &Path) -> Result<&'static dyn Source, DataError> {
    if matlab::is_in(path)? {
        let variables = matlab::read(path)?;
        let holds = |names: &[&str]| names.iter().any(|name| variables.contains_key(*name));
        return match (holds(&[cacd::VARIABLE]), holds(&imdb_wiki::VARIABLES)) {
            (true, _) => Ok(&cacd::CACD),
            (false, true) => Ok(&imdb_wiki::IMDB_WIKI),
            (false, false) => Err(DataError::unusable(path, "holds the labels of no data set that is known")),
        };
    }
    let table = TableFile::read(path, &[Columns::default().file_name(), ffhq::NUMBER])?;
    let holds = |name: &str| matches!(table.column(name), Ok(Some(_)));
    let is_of_ffhq = holds(ffhq::NUMBER) && holds(ffhq::AGE) && !holds(Columns::default().file_name());
    Ok(if is_of_ffhq { &ffhq::FFHQ } else { &TABLE })
}

/// The images listed in the table `path`, relative to the data set's folder or to one folder in it.
pub(super) fn rows(tree: &Tree, path: &Path, columns: &Columns, groups: &AgeGroups) -> Result<Listing, DataError> {
    let table = metadata::read(path, columns, groups)?;
    let names = table.rows.iter().map(|row| inside(tree, &row.file_name)).filter(|name| !name.is_empty());
    let (folder, others) = folders(tree, names.take(TRIED_ROWS));
    let mut listing = listing(tree, path, table, |name| format!("{folder}{name}"));
    let others = other_versions(tree, &listing.images, &folder, &others);
    listing.images.extend(others);
    Ok(listing)
}

/// Like [`rows`]; `place` maps a name in the table to the path of the image.
pub(super) fn rows_at(
    tree: &Tree,
    path: &Path,
    columns: &Columns,
    groups: &AgeGroups,
    place: impl Fn(&str) -> String,
) -> Result<Listing, DataError> {
    Ok(listing(tree, path, metadata::read(path, columns, groups)?, place))
}

fn listing(tree: &Tree, path: &Path, table: Rows, place: impl Fn(&str) -> String) -> Listing {
    let notes = notes(path, &table);
    let image = |Row { line, file_name, label }: Row| {
        let file_name = inside(tree, &file_name);
        let file_name = if file_name.is_empty() { file_name } else { place(&file_name) };
        let label = label.and_then(|label| match tree.contains(&file_name) {
            true => Ok(label),
            false => Err(Fault::image("there is no such file in the data set's folder")),
        });
        SourceImage { file_name, line: Some(line), label }
    };
    Listing { images: table.rows.into_iter().map(image).collect(), notes }
}

/// Notes on the table in the file `path`.
fn notes(path: &Path, table: &Rows) -> Vec<TableNote> {
    let name = || path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let format = table.format.iter().map(|format| TableNote::Format { table: name(), format: format.clone() });
    // The age determines the group of a row without one.
    let ageless = ["age", "group"].iter().all(|ours| table.missing.iter().any(|(missing, _)| missing == ours));
    let noted = table.missing.iter().filter(|(ours, similar)| similar.is_some() || (*ours == "age" && ageless));
    let missing = noted.map(|(ours, similar)| {
        let (similar, found) = (similar.clone(), table.header.clone());
        TableNote::MissingColumn { table: name(), ours, similar, found }
    });
    format.chain(missing).collect()
}

/// The folder, with a trailing `/`, to which the names of a table are relative, and other folders with the same names.
fn folders(tree: &Tree, names: impl Iterator<Item = String>) -> (String, Vec<String>) {
    for name in names {
        let found: Vec<String> = tree.folders_of(&name).into_iter().map(|below| below.folder.into()).collect();
        if let Some((first, others)) = found.split_first() {
            // Bare names may be in one of many folders, but names with folders belong to a single copy.
            let others = if name.contains('/') { others.to_vec() } else { Vec::new() };
            return (first.clone(), others);
        }
    }
    (String::new(), Vec::new())
}

/// Images below `others` with the same name as a used image below `folder`.
fn other_versions(tree: &Tree, images: &[SourceImage], folder: &str, others: &[String]) -> Vec<SourceImage> {
    if others.is_empty() {
        return Vec::new();
    }
    let used: HashSet<&str> = images.iter().map(|image| image.file_name.as_str()).collect();
    let version = |file: &str| {
        let name = others.iter().find_map(|other| file.strip_prefix(other.as_str()))?;
        let twin = format!("{folder}{name}");
        (file != twin && used.contains(twin.as_str())).then(|| SourceImage::other_version(file, &twin))
    };
    tree.images().filter(|file| !used.contains(file)).filter_map(version).collect()
}

/// Normalizes a path in a table: relative to the data set's folder, with `/`.
fn inside(tree: &Tree, file_name: &str) -> String {
    let inside = Path::new(file_name).strip_prefix(tree.folder()).ok().and_then(Path::to_str);
    let file_name = inside.unwrap_or(file_name).replace('\\', "/");
    file_name.strip_prefix("./").unwrap_or(&file_name).into()
}

/// The tables at the top of the data set.
fn tables(tree: &Tree) -> Vec<&str> {
    let all = EXTENSIONS.iter().flat_map(|extension| tree.with_extension(extension));
    all.filter(|file| !file.contains('/')).collect()
}

/// `metadata.csv`, or the one table at the top of the data set.
fn only_table(tree: &Tree) -> Result<PathBuf, DataError> {
    let ours = tree.named(OURS);
    let tables = tables(tree);
    match (&ours[..], &tables[..]) {
        (_, _) if tree.contains(OURS) => Ok(tree.folder().join(OURS)),
        ([table], _) | ([], [table]) => Ok(tree.folder().join(table)),
        (several, others) => {
            let found = [several, others].concat().into_iter().map(String::from).collect();
            Err(DataError::AmbiguousTable { path: tree.folder().into(), found })
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::source::testing::listing;

    fn images(table: &str, columns: Columns) -> Vec<SourceImage> {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("faces")).unwrap();
        fs::write(folder.path().join("faces/a.jpg"), "").unwrap();
        fs::write(folder.path().join("labels.csv"), table).unwrap();
        let tree = Tree::read(folder.path(), None).unwrap();
        TABLE.images(&tree, &Table { path: None, columns }, &AgeGroups::default()).unwrap().images
    }

    #[test]
    fn the_only_table_is_read_with_columns_of_other_names() {
        let mut columns = Columns::default();
        columns.rename("file_name", "path").unwrap();
        columns.rename("identity", "who, exactly").unwrap();

        let table = "path,age,\"who, exactly\"\n./faces\\a.jpg,33,\"O'Neill, \"\"Ann\"\"\"\nfaces/b.jpg,33,\n";
        let images = images(table, columns);

        assert_eq!((images[0].file_name.as_str(), images[0].line), ("faces/a.jpg", Some(2)));
        assert_eq!(images[0].label.as_ref().unwrap().identity.as_deref(), Some("O'Neill, \"Ann\""));
        assert_eq!(images[1].label.as_ref().unwrap_err().reason, "there is no such file in the data set's folder");
    }

    #[test]
    fn names_may_be_relative_to_a_folder_in_the_data_set() {
        let images = images("file_name\na.jpg\nb.jpg\n", Columns::default());

        assert_eq!(images[0].file_name, "faces/a.jpg");
        assert!(images[0].label.is_ok() && images[1].label.is_err());
    }

    #[test]
    fn several_tables_are_ambiguous() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["a.csv", "b.csv"] {
            fs::write(folder.path().join(name), "file_name\n").unwrap();
        }
        let tree = Tree::read(folder.path(), None).unwrap();

        let error = TABLE.images(&tree, &Table::default(), &AgeGroups::default()).unwrap_err();

        assert!(error.to_string().ends_with("holds a.csv, b.csv; name the table to read"), "{error}");
    }

    #[test]
    fn missing_columns_and_the_encoding_of_a_table_are_noted() {
        let listing = listing("csv", &[("metadata.csv", "file_name;years\na.jpg;33\n"), ("a.jpg", "")]);

        let expected = [
            "metadata.csv is read as a table in UTF-8, separated by semicolons",
            "metadata.csv has no column `age`; did you mean `years`?",
        ];
        let notes: Vec<String> = listing.notes.iter().map(ToString::to_string).collect();
        assert_eq!(notes, expected);
    }

    #[test]
    fn the_table_of_another_data_set_is_recognised_by_its_contents() {
        let folder = tempfile::tempdir().unwrap();
        let name = |file: &str, contents: &[u8]| {
            let path = folder.path().join(file);
            fs::write(&path, contents).unwrap();
            source_of_table(&path).map(|source| source.name()).map_err(|error| error.to_string())
        };

        for file in ["x.tsv", "x.CSV", "x.txt", "x"] {
            assert_eq!(name(file, b"file_name\tage\n"), Ok("csv"), "{file}");
        }
        assert_eq!(name("x.csv", b"image_number,age_group\n0,20-29\n"), Ok("ffhq"));
        let cacd = include_bytes!("../../tests/data/celebrity2000_meta.mat");
        assert_eq!(name("x.mat", cacd), Ok("cacd"));
        assert!(name("x.xlsx", b"PK\x03\x04").unwrap_err().contains("save the table as CSV"));
    }
}
