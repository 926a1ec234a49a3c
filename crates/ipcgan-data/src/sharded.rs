//! Prepared faces in Parquet shards: the bytes of each image, and its columns.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use csv::StringRecord;
use image::RgbImage;
use ipcgan_model::AgeGroups;
use ipcgan_system::catch_panic;
use parquet::basic::Type as PhysicalType;
use parquet::column::reader::{get_column_reader, get_typed_column_reader};
use parquet::data_type::{ByteArray, ByteArrayType};
use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetMetaData;
use parquet::file::reader::{FileReader, Length, SerializedFileReader};
use parquet::file::serialized_reader::SerializedPageReader;
use parquet::record::Field;
use parquet::schema::types::{ColumnDescPtr, Type};

use crate::excluded::{Excluded, Fault};
use crate::metadata::{ColumnIndices, Columns};
use crate::shard_file::ShardFile;
use crate::{DataError, FaceLabel, FaceSet, Split, photo};

/// The column with the bytes of the images' files.
const BYTES: &str = "image.bytes";

/// The faces in the `*.parquet` files of a folder, files in alphabetical order.
///
/// Each file has a column `image` of records with `bytes` (an image file of any readable kind) and, optionally, `path`;
/// and the columns of a `metadata.csv` (`age`, `group`, `identity`, `split`), as text or numbers. Without a column
/// `split`, the file's name determines it: `train-00000-of-00002.parquet`. Labels are kept in memory, images are not.
#[derive(Debug)]
pub(crate) struct ShardedFaces {
    shards: Vec<Shard>,
    faces: Vec<Face>,
}

#[derive(Debug)]
struct Shard {
    path: PathBuf,
    metadata: Arc<ParquetMetaData>,
    /// Index of the column [`BYTES`].
    column: usize,
}

#[derive(Debug)]
struct Face {
    shard: usize,
    /// Row in the shard.
    row: usize,
    label: FaceLabel,
}

impl ShardedFaces {
    /// Whether `folder` holds shards.
    pub(crate) fn are_in(folder: &Path) -> bool {
        paths(folder).is_ok_and(|paths| !paths.is_empty())
    }

    /// Opens the shards in `folder`; returns the usable faces and the excluded rows.
    ///
    /// # Errors
    /// A shard cannot be read, is not a Parquet file or has no column `image.bytes`, or no row is usable.
    pub(crate) fn open(folder: &Path, groups: &AgeGroups) -> Result<(Self, Vec<Excluded>), DataError> {
        let mut all = Self { shards: Vec::new(), faces: Vec::new() };
        let mut excluded = Vec::new();
        for path in paths(folder)? {
            excluded.extend(all.add(path, groups)?);
        }
        if all.faces.is_empty() {
            let reason = excluded.first().map_or("its shards have no rows".into(), ToString::to_string);
            return Err(DataError::NoFaces { path: folder.into(), reason });
        }
        Ok((all, excluded))
    }

    fn add(&mut self, path: PathBuf, groups: &AgeGroups) -> Result<Vec<Excluded>, DataError> {
        // The reader panics on some damaged files.
        let opened = catch_panic(|| Shard::open(&path, groups));
        let (shard, labels) = opened.map_err(|reason| unusable(&path, &ParquetError::General(reason)))??;
        let mut excluded = Vec::new();
        for (row, label) in labels.into_iter().enumerate() {
            match label {
                Ok(label) => self.faces.push(Face { shard: self.shards.len(), row, label }),
                Err(fault) => excluded.push(Excluded { path: path.clone(), line: Some(row as u64 + 1), fault }),
            }
        }
        self.shards.push(shard);
        Ok(excluded)
    }
}

impl FaceSet for ShardedFaces {
    fn len(&self) -> usize {
        self.faces.len()
    }

    fn label(&self, index: usize) -> &FaceLabel {
        &self.faces[index].label
    }

    fn name(&self, index: usize) -> String {
        let Face { shard, row, .. } = &self.faces[index];
        let file = self.shards[*shard].path.file_name().unwrap_or_default();
        format!("{}/{row}", file.to_string_lossy())
    }

    fn image(&self, index: usize) -> Result<RgbImage, DataError> {
        let Face { shard, row, .. } = &self.faces[index];
        let Shard { path, .. } = &self.shards[*shard];
        let bytes = self.shards[*shard].bytes(*row)?;
        photo::from_bytes(&bytes, &path.join(row.to_string()))
    }
}

impl Shard {
    /// Opens the shard `path`; returns the label of each row as well.
    fn open(path: &Path, groups: &AgeGroups) -> Result<(Self, Vec<Result<FaceLabel, Fault>>), DataError> {
        let unusable = |error: ParquetError| unusable(path, &error);
        let file = File::open(path).and_then(ShardFile::new).map_err(DataError::reading(path))?;
        let bytes = file.len();
        let reader = SerializedFileReader::new(file).map_err(unusable)?;
        if !rows_can_be(reader.metadata(), bytes) {
            return Err(unusable(ParquetError::General("it cannot have so many rows".into())));
        }
        let columns = reader.metadata().file_metadata().schema_descr().columns();
        let of_bytes = |column: &ColumnDescPtr| {
            let one_value = column.physical_type() == PhysicalType::BYTE_ARRAY && column.max_rep_level() == 0;
            column.path().string() == BYTES && one_value
        };
        let Some(column) = columns.iter().position(of_bytes) else {
            let found: Vec<String> = columns.iter().map(|column| column.path().string()).collect();
            let reason = format!("has no column `{BYTES}` of bytes; its columns are: {}", found.join(", "));
            return Err(DataError::unusable(path, reason));
        };
        let labels = labels(&reader, path, groups)?;
        let metadata = Arc::new(reader.metadata().clone());
        Ok((Self { path: path.into(), metadata, column }, labels))
    }

    /// The bytes of the image in row `row`.
    fn bytes(&self, mut row: usize) -> Result<Vec<u8>, DataError> {
        let mut groups = self.metadata.row_groups().iter();
        let group = groups
            .find(|group| {
                let rows = group.num_rows() as usize;
                let here = row < rows;
                row -= if here { 0 } else { rows };
                here
            })
            .ok_or_else(|| unusable(&self.path, &ParquetError::General("it has fewer rows than labels".into())))?;
        // Its own handle, because threads share the position of a handle.
        let file = File::open(&self.path).and_then(ShardFile::new).map_err(DataError::reading(&self.path))?;
        let read = || -> Result<Vec<ByteArray>, ParquetError> {
            let column = group.column(self.column);
            let pages = SerializedPageReader::new(Arc::new(file), column, group.num_rows() as usize, None)?;
            let reader = get_column_reader(column.column_descr_ptr(), Box::new(pages));
            let mut reader = get_typed_column_reader::<ByteArrayType>(reader);
            reader.skip_records(row)?;
            let (mut present, mut values) = (Vec::new(), Vec::new());
            reader.read_records(1, Some(&mut present), None, &mut values)?;
            Ok(values)
        };
        let values = catch_panic(read).unwrap_or_else(|reason| Err(ParquetError::General(reason)));
        let values = values.map_err(|error| unusable(&self.path, &error))?;
        // The decoder rejects an empty file.
        Ok(values.first().map(|bytes| bytes.data().to_vec()).unwrap_or_default())
    }
}

/// Whether a file of `bytes` can have as many rows as it claims: an image has at least one byte.
fn rows_can_be(metadata: &ParquetMetaData, bytes: u64) -> bool {
    let mut groups = metadata.row_groups().iter().map(|group| u64::try_from(group.num_rows()));
    let sum = groups.try_fold(0u64, |sum, rows| sum.checked_add(rows.ok()?));
    sum.is_some_and(|sum| sum <= bytes && i64::try_from(sum) == Ok(metadata.file_metadata().num_rows()))
}

/// The label of each row.
fn labels(
    reader: &SerializedFileReader<ShardFile>,
    path: &Path,
    groups: &AgeGroups,
) -> Result<Vec<Result<FaceLabel, Fault>>, DataError> {
    let unusable = |error: ParquetError| unusable(path, &error);
    let schema = reader.metadata().file_metadata().schema();
    let of_labels = |field: &&Arc<Type>| field.is_primitive() && Columns::NAMES[1..].contains(&field.name());
    let fields: Vec<_> = schema.get_fields().iter().filter(of_labels).cloned().collect();
    // Every row has an image, and therefore a name.
    let header: StringRecord = std::iter::once("file_name").chain(fields.iter().map(|field| field.name())).collect();
    let (places, _) = ColumnIndices::of(&header, &Columns::default(), path)?;
    let by_name = split_of_file(path);
    let in_columns = fields.iter().any(|field| field.name() == "split");
    let label = |cells: StringRecord| {
        let mut label = places.label(&cells, groups)?;
        label.split = if in_columns { label.split } else { by_name };
        Ok(label)
    };
    if fields.is_empty() {
        let rows = reader.metadata().file_metadata().num_rows();
        return Ok((0..rows).map(|_| label(StringRecord::from(vec!["row"]))).collect());
    }
    let projection = Type::group_type_builder(schema.name()).with_fields(fields).build().map_err(unusable)?;
    let rows = reader.get_row_iter(Some(projection)).map_err(unusable)?;
    rows.map(|row| {
        let row = row.map_err(unusable)?;
        let cells = row.get_column_iter().map(|(_, field)| text(field));
        Ok(label(std::iter::once("row".into()).chain(cells).collect()))
    })
    .collect()
}

/// A cell as the text of a `metadata.csv`.
fn text(field: &Field) -> String {
    match field {
        Field::Null => String::new(),
        Field::Str(text) => text.trim().into(),
        Field::Float(number) if number.is_nan() => String::new(),
        Field::Double(number) if number.is_nan() => String::new(),
        field => field.to_string(),
    }
}

/// The split that a file's name begins with.
fn split_of_file(path: &Path) -> Option<Split> {
    let name = path.file_name()?.to_str()?;
    Split::by_name(name.split(|letter: char| !letter.is_ascii_alphabetic()).next()?)
}

fn paths(folder: &Path) -> Result<Vec<PathBuf>, DataError> {
    let read_error = |source| DataError::Read { path: folder.into(), source };
    let mut paths = Vec::new();
    for entry in folder.read_dir().map_err(read_error)? {
        let path = entry.map_err(read_error)?.path();
        if path.extension().is_some_and(|ending| ending == "parquet") && path.is_file() {
            paths.push(path);
        }
    }
    paths.sort_unstable();
    Ok(paths)
}

fn unusable(path: &Path, error: &ParquetError) -> DataError {
    DataError::unusable(path, format!("cannot be read as Parquet: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Shards written by PyArrow with `make_shards.py`, which is next to them.
    fn open() -> (ShardedFaces, Vec<Excluded>) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/shards");
        assert!(ShardedFaces::are_in(&folder));
        ShardedFaces::open(&folder, &AgeGroups::default()).unwrap()
    }

    #[test]
    fn rows_have_the_split_in_the_file_name() {
        let (faces, excluded) = open();

        assert_eq!(excluded[0].line, Some(3));
        assert_eq!(excluded[0].fault.reason, "age 5 is below the first age group 11-20");
        let labels: Vec<_> = (0..faces.len()).map(|index| faces.label(index).clone()).collect();
        let label = |age: Option<u32>, group, identity: Option<&str>, split| FaceLabel {
            age,
            group,
            identity: identity.map(String::from),
            split: Some(split),
            gender: None,
        };
        let expected = [
            label(Some(15), Some(0), Some("ann"), Split::Train),
            label(Some(25), Some(1), None, Split::Train),
            label(Some(35), Some(2), Some("bob"), Split::Train),
            label(Some(60), Some(4), None, Split::Valid),
            label(None, None, None, Split::Valid),
        ];
        assert_eq!(labels, expected);
        assert_eq!(faces.name(3), "validation-00000-of-00001.parquet/0");
    }

    #[test]
    fn images_are_read_in_any_order_and_on_many_threads() {
        use rayon::prelude::*;
        let (faces, _) = open();
        let reds = [Some(10), Some(20), None, Some(40), Some(50)];

        (0..200).into_par_iter().for_each(|turn| {
            let index = turn * 7 % 5;
            let red = faces.image(index).ok().map(|image| image.get_pixel(0, 0)[0]);
            assert_eq!(red, reds[index]);
        });
        // The row without an image.
        assert!(faces.image(2).unwrap_err().to_string().ends_with("is an empty file; copy or download it again"));
    }

    /// A page header in `promises-more` claims a list far longer than the file; the reader panics on `short-dictionary`.
    #[test]
    fn damaged_files_are_rejected() {
        for name in ["promises-more", "short-dictionary"] {
            let folder = tempfile::tempdir().unwrap();
            let damaged = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/data/{name}.parquet"));
            std::fs::copy(damaged, folder.path().join("train.parquet")).unwrap();

            let reason = match ShardedFaces::open(folder.path(), &AgeGroups::default()) {
                Err(error) => error.to_string(),
                Ok((faces, _)) => (0..faces.len()).find_map(|index| faces.image(index).err()).unwrap().to_string(),
            };

            assert!(reason.contains("train.parquet") && reason.contains("cannot be read as Parquet"), "{reason}");
        }
    }

    #[test]
    fn a_file_that_is_not_parquet_is_an_error_with_its_name() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("train.parquet"), "PAR1 but no more").unwrap();

        let error = ShardedFaces::open(folder.path(), &AgeGroups::default()).unwrap_err();

        assert!(error.to_string().contains("train.parquet cannot be read as Parquet"), "{error}");
    }
}
