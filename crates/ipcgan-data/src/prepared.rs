//! A [`FaceSet`] that reads a prepared folder: images and a `metadata.csv` (the image-folder convention).

use std::collections::HashSet;
use std::path::{Component, Path, PathBuf};

use image::RgbImage;
use ipcgan_model::AgeGroups;

use crate::excluded::{Excluded, Fault};
use crate::metadata::{self, Columns, Row};
use crate::preparation::check_age_groups;
use crate::{DataError, FaceLabel, FaceSet, photo};

/// A folder of aligned faces with a `metadata.csv` beside or above them.
///
/// Columns, in any order: `file_name` (relative to the folder; the only required one), `age` (years, or a range such as
/// `40-49` or `70+`), `group` (index of the age group; determined by the age if empty, and a fault if the age
/// contradicts it), `identity`, `split` (`train`, `valid` or `test`) and `gender` (`female` or `male`). Other columns
/// are ignored.
#[derive(Clone, Debug)]
pub struct PreparedFolder {
    folder: PathBuf,
    faces: Vec<Face>,
}

#[derive(Clone, Debug)]
struct Face {
    file_name: String,
    label: FaceLabel,
}

impl PreparedFolder {
    /// Opens the prepared folder `folder`; returns its usable faces and the excluded rows.
    ///
    /// A face without age and group is kept, without a group. Images are not opened: see
    /// [`check_images`](crate::check_images).
    ///
    /// # Errors
    /// The folder, its `metadata.csv` or the column `file_name` is missing, no row is usable, or the folder was
    /// prepared for other age groups.
    pub fn open(folder: &Path, groups: &AgeGroups) -> Result<(Self, Vec<Excluded>), DataError> {
        if !folder.is_dir() {
            return Err(DataError::MissingFolder { path: folder.into() });
        }
        check_age_groups(folder, groups)?;
        let table = folder.join("metadata.csv");
        if !table.exists() {
            return Err(DataError::MissingMetadata { path: table });
        }
        let mut seen = HashSet::new();
        let mut faces = Vec::new();
        let mut excluded = Vec::new();
        for Row { line, file_name, label } in metadata::read(&table, &Columns::default(), groups)?.rows {
            let path = if file_name.is_empty() { table.clone() } else { folder.join(&file_name) };
            let label = label.and_then(|label| {
                check_path(&file_name, &path)?;
                if !seen.insert(file_name.clone()) {
                    return Err(Fault::label("is named by an earlier line already"));
                }
                Ok(label)
            });
            match label {
                Ok(label) => faces.push(Face { file_name, label }),
                Err(fault) => excluded.push(Excluded { path, line: Some(line), fault }),
            }
        }
        if faces.is_empty() {
            let reason = excluded.first().map_or("it has no rows".into(), ToString::to_string);
            return Err(DataError::NoFaces { path: table, reason });
        }
        Ok((Self { folder: folder.into(), faces }, excluded))
    }
}

impl FaceSet for PreparedFolder {
    fn len(&self) -> usize {
        self.faces.len()
    }

    fn label(&self, index: usize) -> &FaceLabel {
        &self.faces[index].label
    }

    fn name(&self, index: usize) -> String {
        self.faces[index].file_name.clone()
    }

    fn image(&self, index: usize) -> Result<RgbImage, DataError> {
        photo::read(&self.folder.join(&self.faces[index].file_name))
    }
}

fn check_path(file_name: &str, path: &Path) -> Result<(), Fault> {
    let inside = |part| matches!(part, Component::Normal(_) | Component::CurDir);
    if !Path::new(file_name).components().all(inside) {
        return Err(Fault::image("lies outside of the prepared folder"));
    }
    if !path.is_file() {
        return Err(Fault::image("there is no such file"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use image::Rgb;
    use tempfile::TempDir;

    use super::*;
    use crate::Split;

    fn folder(table: &str, images: &[&str]) -> TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("metadata.csv"), table).unwrap();
        for name in images {
            photo::write_png(&folder.path().join(name), &RgbImage::from_pixel(8, 8, Rgb([9; 3]))).unwrap();
        }
        folder
    }

    fn open(folder: &TempDir) -> Result<(PreparedFolder, Vec<Excluded>), DataError> {
        PreparedFolder::open(folder.path(), &AgeGroups::default())
    }

    #[test]
    fn columns_are_known_by_their_names_and_others_are_ignored() {
        let folder = folder("shoe,split,age,file_name,identity\n42,valid,33,a.png,ann\n", &["a.png"]);

        let (faces, excluded) = open(&folder).unwrap();

        let expected = FaceLabel {
            group: Some(2),
            age: Some(33),
            identity: Some("ann".into()),
            split: Some(Split::Valid),
            gender: None,
        };
        assert_eq!(*faces.label(0), expected);
        assert_eq!(faces.name(0), "a.png");
        assert_eq!(faces.image(0).unwrap().dimensions(), (8, 8));
        assert!(excluded.is_empty());
    }

    #[test]
    fn a_row_that_cannot_be_used_is_left_out_with_its_line_and_reason() {
        let table = "file_name,split\na.png,train\nb.png,train\n../a.png,train\n/a.png,train\na.png,train\n,train\n";
        let folder = folder(table, &["a.png"]);

        let (faces, excluded) = open(&folder).unwrap();

        assert_eq!(faces.len(), 1);
        let reasons: Vec<_> = excluded.iter().map(|row| (row.line.unwrap(), row.fault.reason.as_str())).collect();
        let expected = [
            (3, "there is no such file"),
            (4, "lies outside of the prepared folder"),
            (5, "lies outside of the prepared folder"),
            (6, "is named by an earlier line already"),
            (7, "names no image"),
        ];
        assert_eq!(reasons, expected);
        let line = format!("line 3: {}: there is no such file", folder.path().join("b.png").display());
        assert_eq!(excluded[0].to_string(), line);
    }

    #[test]
    fn a_folder_that_cannot_be_used_is_rejected_with_what_to_change() {
        let missing = PreparedFolder::open(Path::new("/missing"), &AgeGroups::default()).unwrap_err();
        assert!(missing.to_string().starts_with("there is no folder /missing"));

        let empty = tempfile::tempdir().unwrap();
        assert!(matches!(open(&empty).unwrap_err(), DataError::MissingMetadata { .. }));

        let nameless = folder("file,age\na.png,20\n", &["a.png"]);
        assert!(
            open(&nameless)
                .unwrap_err()
                .to_string()
                .ends_with("`file_name`; its columns are: file, age (did you mean `file`?)")
        );

        let useless = folder("file_name\nb.png\n", &[]);
        assert!(open(&useless).unwrap_err().to_string().contains("there is no such file"));
    }
}
