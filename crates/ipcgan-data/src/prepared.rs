//! Prepared folders: pictures and a `metadata.csv` (the image-folder convention).

use std::collections::HashSet;
use std::fmt;
use std::fs;
use std::path::{Component, Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use image::RgbImage;
use ipcgan_model::{AgeGroups, write_whole};
use rayon::prelude::*;

use crate::metadata::{self, Row};
use crate::{DataError, FaceLabel, FaceSet, photo};

/// A folder of aligned faces with a `metadata.csv` beside or above them.
///
/// Columns, in any order: `file_name` (relative to the folder; the only one that must be there), `age` (years, or a
/// range such as `40-49` or `70+`), `group` (index of the age group; decided by the age if empty), `identity`
/// and `split` (`train`, `valid` or `test`). Other columns are ignored.
#[derive(Clone, Debug)]
pub struct PreparedFolder {
    folder: PathBuf,
    faces: Vec<Face>,
}

#[derive(Clone, Debug)]
struct Face {
    file_name: String,
    line: u64,
    label: FaceLabel,
}

/// A face that was left out of a data set, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// The picture, or the `metadata.csv` if its row names none.
    pub path: PathBuf,
    /// Line in `metadata.csv`, from 1.
    pub line: u64,
    /// Why, in words.
    pub reason: String,
}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}: {}", self.line, self.path.display(), self.reason)
    }
}

impl PreparedFolder {
    /// Opens the prepared folder `folder`; gives its usable faces, and the rows that are not usable.
    ///
    /// A face without age and group stays, without a group. Pictures are not opened: see
    /// [`PreparedFolder::check_pictures`].
    ///
    /// # Errors
    /// No folder, no `metadata.csv`, no column `file_name`, or no usable row.
    pub fn open(folder: &Path, groups: &AgeGroups) -> Result<(Self, Vec<LeftOut>), DataError> {
        if !folder.is_dir() {
            return Err(DataError::MissingFolder { path: folder.into() });
        }
        let table = folder.join("metadata.csv");
        let mut seen = HashSet::new();
        let mut faces = Vec::new();
        let mut left_out = Vec::new();
        for Row { line, file_name, label } in metadata::read(&table, groups)? {
            let path = if file_name.is_empty() { table.clone() } else { folder.join(&file_name) };
            let label = label.and_then(|label| {
                check_place(&file_name, &path)?;
                if !seen.insert(file_name.clone()) {
                    return Err("is named by an earlier line already".into());
                }
                Ok(label)
            });
            match label {
                Ok(label) => faces.push(Face { file_name, line, label }),
                Err(reason) => left_out.push(LeftOut { path, line, reason }),
            }
        }
        if faces.is_empty() {
            let reason = left_out.first().map_or("it has no rows".into(), ToString::to_string);
            return Err(DataError::NoFaces { path: table, reason });
        }
        Ok((Self { folder: folder.into(), faces }, left_out))
    }

    /// Decodes every picture, on all processors; gives the faces whose picture can be read, and the others.
    ///
    /// `progress` is told how many pictures are done, of how many, in no particular order.
    pub fn check_pictures(&self, progress: &(dyn Fn(usize, usize) + Sync)) -> (Self, Vec<LeftOut>) {
        let done = AtomicUsize::new(0);
        let faults: Vec<Option<String>> = self
            .faces
            .par_iter()
            .map(|face| {
                let fault = photo::read(&self.folder.join(&face.file_name)).err().map(|error| in_one_line(&error));
                progress(done.fetch_add(1, Ordering::Relaxed) + 1, self.faces.len());
                fault
            })
            .collect();
        let mut faces = Vec::new();
        let mut left_out = Vec::new();
        for (face, fault) in self.faces.iter().zip(faults) {
            match fault {
                None => faces.push(face.clone()),
                Some(reason) => {
                    let path = self.folder.join(&face.file_name);
                    left_out.push(LeftOut { path, line: face.line, reason });
                }
            }
        }
        (Self { folder: self.folder.clone(), faces }, left_out)
    }

    /// Writes `faces` as the prepared folder `folder`, as PNG pictures, on all processors.
    ///
    /// The `metadata.csv` comes last, so that a folder that has one is complete. `progress` is told how many
    /// pictures are done, of how many, in no particular order.
    ///
    /// # Errors
    /// A folder that is a prepared one already, a face that cannot be read, or a folder that is full or not ours.
    pub fn write(
        folder: &Path,
        faces: &dyn FaceSet,
        progress: &(dyn Fn(usize, usize) + Sync),
    ) -> Result<(), DataError> {
        let table = folder.join("metadata.csv");
        if table.exists() {
            return Err(DataError::AlreadyPrepared { path: table });
        }
        let pictures = folder.join("pictures");
        fs::create_dir_all(&pictures).map_err(|source| DataError::Write { path: pictures, source })?;
        let done = AtomicUsize::new(0);
        (0..faces.len()).into_par_iter().try_for_each(|index| {
            photo::write_png(&folder.join(file_name(index)), &faces.image(index)?)?;
            progress(done.fetch_add(1, Ordering::Relaxed) + 1, faces.len());
            Ok::<_, DataError>(())
        })?;
        let rows = (0..faces.len()).map(|index| (file_name(index), faces.label(index)));
        let contents = metadata::written(&table, rows)?;
        write_whole(&table, &contents).map_err(|source| DataError::Write { path: table, source })
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

fn file_name(index: usize) -> String {
    format!("pictures/{index:06}.png")
}

fn check_place(file_name: &str, path: &Path) -> Result<(), String> {
    let inside = |part| matches!(part, Component::Normal(_) | Component::CurDir);
    if !Path::new(file_name).components().all(inside) {
        return Err("lies outside of the prepared folder".into());
    }
    if !path.is_file() {
        return Err("there is no such file".into());
    }
    Ok(())
}

/// An error with its causes, parted by colons.
fn in_one_line(error: &DataError) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text += &format!(": {error}").replace('\n', " ");
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use image::Rgb;
    use tempfile::TempDir;

    use super::*;
    use crate::Split;
    use crate::face::PlainFaces;

    fn folder(table: &str, pictures: &[&str]) -> TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("metadata.csv"), table).unwrap();
        for name in pictures {
            photo::write_png(&folder.path().join(name), &RgbImage::from_pixel(8, 8, Rgb([9; 3]))).unwrap();
        }
        folder
    }

    fn open(folder: &TempDir) -> Result<(PreparedFolder, Vec<LeftOut>), DataError> {
        PreparedFolder::open(folder.path(), &AgeGroups::default())
    }

    #[test]
    fn columns_are_known_by_their_names_and_others_are_ignored() {
        let folder = folder("shoe,split,age,file_name,identity\n42,valid,33,a.png,ann\n", &["a.png"]);

        let (faces, left_out) = open(&folder).unwrap();

        let expected =
            FaceLabel { group: Some(2), age: Some(33), identity: Some("ann".into()), split: Some(Split::Valid) };
        assert_eq!(*faces.label(0), expected);
        assert_eq!(faces.name(0), "a.png");
        assert_eq!(faces.image(0).unwrap().dimensions(), (8, 8));
        assert!(left_out.is_empty());
    }

    #[test]
    fn a_row_that_cannot_be_used_is_left_out_with_its_line_and_reason() {
        let table = "file_name,split\na.png,train\nb.png,train\n../a.png,train\n/a.png,train\na.png,train\n,train\n";
        let folder = folder(table, &["a.png"]);

        let (faces, left_out) = open(&folder).unwrap();

        assert_eq!(faces.len(), 1);
        let reasons: Vec<_> = left_out.iter().map(|row| (row.line, row.reason.as_str())).collect();
        let expected = [
            (3, "there is no such file"),
            (4, "lies outside of the prepared folder"),
            (5, "lies outside of the prepared folder"),
            (6, "is named by an earlier line already"),
            (7, "column `file_name` is empty"),
        ];
        assert_eq!(reasons, expected);
        let line = format!("line 3: {}: there is no such file", folder.path().join("b.png").display());
        assert_eq!(left_out[0].to_string(), line);
    }

    #[test]
    fn a_folder_that_cannot_be_used_is_refused_with_what_to_change() {
        let missing = PreparedFolder::open(Path::new("/missing"), &AgeGroups::default()).unwrap_err();
        assert!(missing.to_string().starts_with("there is no folder /missing"));

        let empty = tempfile::tempdir().unwrap();
        assert!(matches!(open(&empty).unwrap_err(), DataError::MissingMetadata { .. }));

        let nameless = folder("file,age\na.png,20\n", &["a.png"]);
        assert!(
            open(&nameless).unwrap_err().to_string().ends_with("no column `file_name`; its columns are: file, age")
        );

        let useless = folder("file_name\nb.png\n", &[]);
        assert!(open(&useless).unwrap_err().to_string().contains("there is no such file"));
    }

    #[test]
    fn pictures_that_cannot_be_read_are_found_before_training_meets_them() {
        let folder = folder("file_name\na.png\nb.png\nc.png\n", &["a.png", "b.png", "c.png"]);
        let cut = fs::read(folder.path().join("b.png")).unwrap();
        fs::write(folder.path().join("b.png"), &cut[..cut.len() / 2]).unwrap();
        let told = AtomicUsize::new(0);

        let (faces, left_out) = open(&folder).unwrap().0.check_pictures(&|done, total| {
            assert!(done <= total);
            told.fetch_add(1, Ordering::Relaxed);
        });

        let names: Vec<_> = (0..faces.len()).map(|index| faces.name(index)).collect();
        assert_eq!(names, ["a.png", "c.png"]);
        assert_eq!((left_out.len(), left_out[0].line), (1, 3));
        assert_eq!(told.into_inner(), 3);
    }

    #[test]
    fn a_written_folder_opens_as_the_same_faces() {
        let folder = tempfile::tempdir().unwrap();
        let mut faces = PlainFaces::of_groups(&[4, 0]);
        faces.0[0].age = Some(60);
        faces.0[0].identity = Some("o'neill, \"ann\"".into());
        faces.0[1].split = Some(Split::Test);

        PreparedFolder::write(folder.path(), &faces, &|_, _| ()).unwrap();

        let (back, left_out) = open(&folder).unwrap();
        assert!(left_out.is_empty());
        for index in 0..2 {
            assert_eq!(back.label(index), faces.label(index));
            assert_eq!(back.image(index).unwrap(), faces.image(index).unwrap());
        }
        let again = PreparedFolder::write(folder.path(), &faces, &|_, _| ()).unwrap_err();
        assert!(matches!(again, DataError::AlreadyPrepared { .. }));
    }
}
