//! MATLAB `.mat` files of versions 5 to 7, limited to what label tables need: numbers, text, cells and structs.
//!
//! Source: MathWorks, MAT-File Format, "Level 5 MAT-File Format".

use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use flate2::read::ZlibDecoder;

use crate::{DataError, file_bytes};

/// Maximum size of a file and of its decompressed data, in bytes: CACD has 30 million, IMDB-WIKI 200 million.
const MAX_BYTES: u64 = 1 << 29;
/// Maximum nesting depth of cells and structs.
const MAX_DEPTH: usize = 8;

/// A variable, or an element of one.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    /// A numeric matrix in column-major order.
    Numbers(Vec<f64>),
    /// A character matrix.
    Text(String),
    /// A cell array in column-major order.
    Cells(Vec<Value>),
    /// A struct, by field name.
    Record(HashMap<String, Value>),
    /// An unused type.
    Other,
}

/// A label table: a struct whose fields are its columns.
pub(super) struct LabelColumns<'a> {
    path: &'a Path,
    fields: &'a HashMap<String, Value>,
}

impl<'a> LabelColumns<'a> {
    /// The first of the variables `names` that the file `path` has; `variables` are the contents of the file.
    pub(super) fn of(path: &'a Path, variables: &'a HashMap<String, Value>, names: &[&str]) -> Result<Self, DataError> {
        match names.iter().find_map(|name| variables.get(*name)) {
            Some(Value::Record(fields)) => Ok(Self { path, fields }),
            _ => Err(DataError::unusable(path, format!("has no labels, which would be called {}", names.join(" or ")))),
        }
    }

    /// The numeric column `name`.
    pub(super) fn numbers(&self, name: &str) -> Result<&'a [f64], DataError> {
        match self.fields.get(name) {
            Some(Value::Numbers(numbers)) => Ok(numbers),
            other => Err(self.unusable(name, "numbers", other)),
        }
    }

    /// The numeric column `name`, if the table has it.
    pub(super) fn optional_numbers(&self, name: &str) -> Result<Option<&'a [f64]>, DataError> {
        self.fields.contains_key(name).then(|| self.numbers(name)).transpose()
    }

    /// The text column `name`.
    pub(super) fn texts(&self, name: &str) -> Result<&'a [Value], DataError> {
        match self.fields.get(name) {
            Some(Value::Cells(cells)) => Ok(cells),
            other => Err(self.unusable(name, "texts", other)),
        }
    }

    /// Rejects columns of different lengths.
    pub(super) fn check_lengths(&self, lengths: &[usize]) -> Result<(), DataError> {
        match lengths.windows(2).all(|pair| pair[0] == pair[1]) {
            true => Ok(()),
            false => Err(DataError::unusable(self.path, "has columns of different lengths")),
        }
    }

    fn unusable(&self, name: &str, kind: &str, found: Option<&Value>) -> DataError {
        let reason = match found {
            Some(_) => format!("has a column {name} that does not hold {kind}"),
            None => format!("has no column {name}"),
        };
        DataError::unusable(self.path, reason)
    }
}

/// Whether the file `path` has a MATLAB header.
pub(super) fn is_in(path: &Path) -> Result<bool, DataError> {
    const START: &[u8] = b"MATLAB ";
    let mut start = Vec::new();
    let file = File::open(path).map_err(DataError::reading(path))?;
    file.take(START.len() as u64).read_to_end(&mut start).map_err(DataError::reading(path))?;
    Ok(start == START)
}

/// The variables in the file `path`, by name.
pub(super) fn read(path: &Path) -> Result<HashMap<String, Value>, DataError> {
    let bytes = file_bytes::of_file(path, MAX_BYTES)?;
    variables(&bytes).map_err(|reason| DataError::unusable(path, reason))
}

fn variables(bytes: &[u8]) -> Result<HashMap<String, Value>, String> {
    const HEADER: usize = 128;
    if bytes.get(126..HEADER) != Some(b"IM") || bytes.starts_with(b"MATLAB 7.3") {
        return Err("is not a MATLAB file of version 5 to 7 (save it in MATLAB with '-v7')".into());
    }
    let mut rest = Bytes(&bytes[HEADER..]);
    let mut variables = HashMap::new();
    let mut room = MAX_BYTES;
    while !rest.0.is_empty() {
        let element = rest.element()?;
        let inflated;
        let matrix = match element.kind {
            Kind::COMPRESSED => {
                inflated = inflate(element.bytes, room)?;
                room -= inflated.len() as u64;
                Bytes(&inflated).element()?
            }
            _ => element,
        };
        let (name, value) = matrix.matrix(0)?;
        variables.insert(name, value);
    }
    Ok(variables)
}

/// Decompresses `bytes`, to at most `room` bytes.
fn inflate(bytes: &[u8], room: u64) -> Result<Vec<u8>, String> {
    let mut inflated = Vec::new();
    let read = ZlibDecoder::new(bytes).take(room + 1).read_to_end(&mut inflated);
    read.map_err(|error| format!("cannot be decompressed: {error}"))?;
    match inflated.len() as u64 > room {
        true => Err(format!("holds more than {MAX_BYTES} bytes when it is decompressed")),
        false => Ok(inflated),
    }
}

/// Data element types.
struct Kind;

impl Kind {
    const INT8: u32 = 1;
    const UINT8: u32 = 2;
    const INT16: u32 = 3;
    const UINT16: u32 = 4;
    const INT32: u32 = 5;
    const UINT32: u32 = 6;
    const SINGLE: u32 = 7;
    const DOUBLE: u32 = 9;
    const INT64: u32 = 12;
    const UINT64: u32 = 13;
    const MATRIX: u32 = 14;
    const COMPRESSED: u32 = 15;
    const UTF8: u32 = 16;
    const UTF16: u32 = 17;
    const UTF32: u32 = 18;
}

/// Unread input.
struct Bytes<'a>(&'a [u8]);

/// A data element: its type and its bytes.
#[derive(Clone, Copy)]
struct Element<'a> {
    kind: u32,
    bytes: &'a [u8],
}

impl<'a> Bytes<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], String> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or("is truncated")?;
        self.0 = rest;
        Ok(taken)
    }

    fn word(&mut self) -> Result<u32, String> {
        self.take(4).map(|bytes| u32::from_le_bytes(bytes.try_into().expect("four bytes were taken")))
    }

    /// Reads the next element with its padding to eight bytes.
    fn element(&mut self) -> Result<Element<'a>, String> {
        let first = self.word()?;
        // Small data element format: up to four bytes next to the type.
        if first >> 16 != 0 {
            let bytes = self.take(4)?.get(..(first >> 16) as usize).ok_or("has an element of impossible size")?;
            return Ok(Element { kind: first & 0xffff, bytes });
        }
        let size = self.word()? as usize;
        let bytes = self.take(size)?;
        if first != Kind::COMPRESSED {
            let padding = size.next_multiple_of(8) - size;
            self.0 = self.0.get(padding..).unwrap_or_default();
        }
        Ok(Element { kind: first, bytes })
    }
}

impl Element<'_> {
    /// Name and value of a matrix.
    fn matrix(&self, depth: usize) -> Result<(String, Value), String> {
        // Array classes; numeric classes range from double to uint64.
        const CELL: u8 = 1;
        const RECORD: u8 = 2;
        const TEXT: u8 = 4;
        const DOUBLE: u8 = 6;
        const UINT64: u8 = 15;
        if self.kind != Kind::MATRIX || depth > MAX_DEPTH {
            return Err("holds something else than matrices, or too many within one another".into());
        }
        if self.bytes.is_empty() {
            return Ok((String::new(), Value::Numbers(Vec::new())));
        }
        let mut rest = Bytes(self.bytes);
        let class = rest.element()?.bytes.first().copied().ok_or("has a matrix without class")?;
        let count: f64 = rest.element()?.numbers()?.iter().product();
        let name = rest.element()?.text()?;
        let value = match class {
            CELL => Value::Cells(rest.matrices(count, depth)?.into_iter().map(|(_, value)| value).collect()),
            RECORD if count == 1.0 => Value::Record(rest.fields(depth)?),
            TEXT => Value::Text(rest.element()?.text()?),
            DOUBLE..=UINT64 => Value::Numbers(rest.element()?.numbers()?),
            _ => Value::Other,
        };
        Ok((name, value))
    }

    /// Numbers of any type; 64-bit integers above 2^53 are rounded.
    fn numbers(&self) -> Result<Vec<f64>, String> {
        fn each<const N: usize>(bytes: &[u8], number: impl Fn([u8; N]) -> f64) -> Vec<f64> {
            bytes.as_chunks::<N>().0.iter().map(|bytes| number(*bytes)).collect()
        }
        let numbers = match self.kind {
            Kind::INT8 => each(self.bytes, |bytes| i8::from_le_bytes(bytes).into()),
            Kind::UINT8 => each(self.bytes, |bytes| u8::from_le_bytes(bytes).into()),
            Kind::INT16 => each(self.bytes, |bytes| i16::from_le_bytes(bytes).into()),
            Kind::UINT16 => each(self.bytes, |bytes| u16::from_le_bytes(bytes).into()),
            Kind::INT32 => each(self.bytes, |bytes| i32::from_le_bytes(bytes).into()),
            Kind::UINT32 => each(self.bytes, |bytes| u32::from_le_bytes(bytes).into()),
            Kind::SINGLE => each(self.bytes, |bytes| f32::from_le_bytes(bytes).into()),
            Kind::DOUBLE => each(self.bytes, f64::from_le_bytes),
            Kind::INT64 => each(self.bytes, |bytes| i64::from_le_bytes(bytes) as f64),
            Kind::UINT64 => each(self.bytes, |bytes| u64::from_le_bytes(bytes) as f64),
            _ if self.bytes.is_empty() => Vec::new(),
            kind => return Err(format!("has numbers of the unknown type {kind}")),
        };
        Ok(numbers)
    }

    fn text(&self) -> Result<String, String> {
        let text = match self.kind {
            Kind::UTF8 | Kind::INT8 | Kind::UINT8 => String::from_utf8_lossy(self.bytes).into_owned(),
            Kind::UTF16 | Kind::UINT16 => {
                let units: Vec<u16> = self.bytes.as_chunks().0.iter().map(|unit| u16::from_le_bytes(*unit)).collect();
                String::from_utf16_lossy(&units)
            }
            Kind::UTF32 => {
                let codes = self.bytes.as_chunks().0.iter().map(|code| u32::from_le_bytes(*code));
                codes.map(|code| char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
            }
            _ if self.bytes.is_empty() => String::new(),
            kind => return Err(format!("has text of the unknown type {kind}")),
        };
        Ok(text)
    }
}

impl Bytes<'_> {
    /// Reads `count` matrices; each takes at least eight bytes, so a false count fails at the end of the input.
    fn matrices(&mut self, count: f64, depth: usize) -> Result<Vec<(String, Value)>, String> {
        let mut values = Vec::new();
        while (values.len() as f64) < count {
            values.push(self.element()?.matrix(depth + 1)?);
        }
        Ok(values)
    }

    /// The fields of one struct.
    fn fields(&mut self, depth: usize) -> Result<HashMap<String, Value>, String> {
        let length = self.element()?.numbers()?.first().copied().unwrap_or(0.0) as usize;
        let names = self.element()?.bytes;
        if length == 0 {
            return Err("has a record without names".into());
        }
        let name = |bytes: &[u8]| {
            let end = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
            String::from_utf8_lossy(&bytes[..end]).into_owned()
        };
        let names: Vec<String> = names.chunks(length).map(name).collect();
        let values = self.matrices(names.len() as f64, depth)?;
        Ok(names.into_iter().zip(values).map(|(name, (_, value))| (name, value)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Written by SciPy; the script is next to the file.
    const FILE: &[u8] = include_bytes!("../../tests/data/celebrity2000_meta.mat");

    #[test]
    fn numbers_texts_cells_and_records_are_read() {
        let file = variables(FILE).unwrap();

        let faces = LabelColumns::of(Path::new("meta.mat"), &file, &["celebrityImageData"]).unwrap();
        assert_eq!(faces.numbers("age").unwrap(), [14.0, 41.0, 62.0]);
        assert_eq!(faces.numbers("identity").unwrap(), [1.0, 300.0, 300.0]);
        assert_eq!(faces.texts("name").unwrap()[1], Value::Text("41_Penélope_Cruz_0001.jpg".into()));
    }

    fn element(kind: u32, bytes: &[u8]) -> Element<'_> {
        Element { kind, bytes }
    }

    #[test]
    fn integers_of_64_bits_and_texts_of_32_bits_are_read() {
        let file = variables(FILE).unwrap();

        let people = LabelColumns::of(Path::new("meta.mat"), &file, &["celebrityData"]).unwrap();
        assert_eq!(people.numbers("identity").unwrap(), [1.0, 300.0]);
        assert_eq!(element(Kind::INT64, &(-3i64).to_le_bytes()).numbers().unwrap(), [-3.0]);
        assert_eq!(element(Kind::UINT64, &300u64.to_le_bytes()).numbers().unwrap(), [300.0]);
        assert_eq!(element(Kind::UTF32, b"A\0\0\0\xe9\0\0\0").text().unwrap(), "Aé");
    }

    #[test]
    fn an_unknown_type_is_an_error_and_not_an_empty_column() {
        assert_eq!(element(99, &[1; 8]).numbers().unwrap_err(), "has numbers of the unknown type 99");
        assert_eq!(element(99, &[1; 8]).text().unwrap_err(), "has text of the unknown type 99");
        assert_eq!(element(99, &[]).numbers(), Ok(Vec::new()));
    }

    #[test]
    fn labels_that_a_file_lacks_are_named() {
        let file = variables(FILE).unwrap();
        let path = Path::new("meta.mat");
        let text = |error: DataError| error.to_string();

        let absent = LabelColumns::of(path, &file, &["imdb", "wiki"]).map(|_| ()).map_err(text);
        assert!(absent.unwrap_err().contains("meta.mat has no labels, which would be called imdb or wiki"));
        let faces = LabelColumns::of(path, &file, &["celebrityImageData"]).unwrap();
        assert!(text(faces.numbers("dob").unwrap_err()).contains("has no column dob"));
        assert!(text(faces.numbers("name").unwrap_err()).contains("has a column name that does not hold numbers"));
        assert!(text(faces.check_lengths(&[3, 3, 2]).unwrap_err()).contains("has columns of different lengths"));
    }

    #[test]
    fn a_body_that_exceeds_the_remaining_budget_is_rejected() {
        use std::io::Write;
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(&[0; 1000]).unwrap();
        let bytes = encoder.finish().unwrap();

        assert_eq!(inflate(&bytes, 1000).unwrap().len(), 1000);
        assert!(inflate(&bytes, 999).unwrap_err().contains("when it is decompressed"));
    }

    #[test]
    fn a_file_damaged_anywhere_is_an_error() {
        assert!(variables(b"MATLAB 7.3 MAT-file").unwrap_err().contains("-v7"));
        for length in 128..FILE.len() {
            // A file cut between two variables is valid, but lacks the second.
            assert!(variables(&FILE[..length]).map_or(0, |variables| variables.len()) < 2, "cut at {length}");
        }
        for place in 0..FILE.len() {
            let mut bytes = FILE.to_vec();
            bytes[place] ^= 0x55;
            // Any result is allowed, but no panic and no hang.
            let _ = variables(&bytes);
        }
    }
}
