//! Pictures named by a CSV table, with columns of any names.

use std::path::{Path, PathBuf};

use ipcgan_model::AgeGroups;

use super::{Source, SourcePicture, Table, Tree};
use crate::DataError;
use crate::left_out::Fault;
use crate::metadata::{self, Columns, Row};

/// What a table is called in a folder of our own form.
const OURS: &str = "metadata.csv";

pub(super) struct CsvTable;

pub(super) const TABLE: CsvTable = CsvTable;

impl Source for CsvTable {
    fn name(&self) -> &'static str {
        "csv"
    }

    fn about(&self) -> &'static str {
        "any pictures with a CSV table (metadata.csv, or --table FILE) of file_name, age, identity, split"
    }

    fn recognises(&self, tree: &Tree) -> bool {
        tree.contains(OURS)
    }

    fn pictures(&self, tree: &Tree, table: &Table, groups: &AgeGroups) -> Result<Vec<SourcePicture>, DataError> {
        let path = table.path.clone().map_or_else(|| only_table(tree), Ok)?;
        rows(tree, &path, &table.columns, groups)
    }
}

/// The pictures that the table `path` names, relative to the data set's folder or to one folder in it.
pub(super) fn rows(
    tree: &Tree,
    path: &Path,
    columns: &Columns,
    groups: &AgeGroups,
) -> Result<Vec<SourcePicture>, DataError> {
    let rows = metadata::read(path, columns, groups)?;
    let first = rows.iter().map(|row| inside(tree, &row.file_name)).find(|name| !name.is_empty());
    let folder = first.and_then(|name| tree.folder_of(&name)).unwrap_or_default();
    Ok(rows.into_iter().map(|row| picture(tree, folder, row)).collect())
}

fn picture(tree: &Tree, folder: &str, Row { line, file_name, label }: Row) -> SourcePicture {
    let file_name = format!("{folder}{}", inside(tree, &file_name));
    let label = label.and_then(|label| match tree.contains(&file_name) {
        true => Ok(label),
        false => Err(Fault::picture("there is no such file in the data set's folder")),
    });
    SourcePicture { file_name, line: Some(line), label }
}

/// A path as a table may write it, relative to the data set's folder and with `/`.
fn inside(tree: &Tree, file_name: &str) -> String {
    let inside = Path::new(file_name).strip_prefix(tree.folder()).ok().and_then(Path::to_str);
    let file_name = inside.unwrap_or(file_name).replace('\\', "/");
    file_name.strip_prefix("./").unwrap_or(&file_name).into()
}

/// `metadata.csv`, or the one table at the top of the data set.
fn only_table(tree: &Tree) -> Result<PathBuf, DataError> {
    let tables: Vec<&str> = tree.with_ending("csv").filter(|file| !file.contains('/')).collect();
    match tables[..] {
        _ if tree.contains(OURS) => Ok(tree.folder().join(OURS)),
        [table] => Ok(tree.folder().join(table)),
        _ => {
            let found = if tables.is_empty() { "no CSV table".into() } else { tables.join(", ") };
            let reason = format!("holds {found}; say which table to read with --table");
            Err(DataError::unusable(tree.folder(), reason))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn pictures(table: &str, columns: Columns) -> Vec<SourcePicture> {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("faces")).unwrap();
        fs::write(folder.path().join("faces/a.jpg"), "").unwrap();
        fs::write(folder.path().join("labels.csv"), table).unwrap();
        let tree = Tree::read(folder.path(), None).unwrap();
        TABLE.pictures(&tree, &Table { path: None, columns }, &AgeGroups::default()).unwrap()
    }

    #[test]
    fn the_only_table_is_read_with_columns_of_other_names() {
        let mut columns = Columns::default();
        columns.rename("file_name", "path").unwrap();
        columns.rename("identity", "who, exactly").unwrap();

        let table = "path,age,\"who, exactly\"\n./faces\\a.jpg,33,\"O'Neill, \"\"Ann\"\"\"\nfaces/b.jpg,33,\n";
        let pictures = pictures(table, columns);

        assert_eq!((pictures[0].file_name.as_str(), pictures[0].line), ("faces/a.jpg", Some(2)));
        assert_eq!(pictures[0].label.as_ref().unwrap().identity.as_deref(), Some("O'Neill, \"Ann\""));
        assert_eq!(pictures[1].label.as_ref().unwrap_err().reason, "there is no such file in the data set's folder");
    }

    #[test]
    fn names_may_be_relative_to_a_folder_in_the_data_set() {
        let pictures = pictures("file_name\na.jpg\nb.jpg\n", Columns::default());

        assert_eq!(pictures[0].file_name, "faces/a.jpg");
        assert!(pictures[0].label.is_ok() && pictures[1].label.is_err());
    }

    #[test]
    fn a_column_that_we_do_not_have_is_refused() {
        let error = Columns::default().rename("shoe", "size").unwrap_err();

        assert!(error.contains("`shoe`") && error.contains("file_name, age"), "{error}");
    }

    #[test]
    fn which_of_several_tables_is_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["a.csv", "b.csv"] {
            fs::write(folder.path().join(name), "file_name\n").unwrap();
        }
        let tree = Tree::read(folder.path(), None).unwrap();

        let error = TABLE.pictures(&tree, &Table::default(), &AgeGroups::default()).unwrap_err();

        assert!(error.to_string().ends_with("holds a.csv, b.csv; say which table to read with --table"));
    }
}
