//! Tables in text files: separated by commas, semicolons, tabs or bars, in UTF-8, UTF-16 or Windows-1252.

use std::borrow::Cow;
use std::path::Path;

use csv::{ByteRecord, ReaderBuilder, StringRecord, Trim};
use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

use crate::excluded::Fault;
use crate::{DataError, file_bytes};

/// Maximum size of a table in bytes: ten million rows.
const MAX_BYTES: u64 = 1 << 30;
/// Possible separators of cells; the first one is the default.
const SEPARATORS: [u8; 4] = [b',', b';', b'\t', b'|'];
/// Signatures of files that are not text, with advice.
const OTHER_FORMATS: [(&[u8], &str); 5] = [
    (b"PK\x03\x04", "is a spreadsheet or an archive; save the table as CSV"),
    (b"\xd0\xcf\x11\xe0", "is a spreadsheet; save the table as CSV"),
    (b"PAR1", "is a Parquet file; write its columns as CSV"),
    (b"MATLAB ", "is a MATLAB file, which only the data sets that come with one read"),
    (b"\x89HDF", "is an HDF5 file; write the labels as CSV"),
];

/// A table with a header.
pub(crate) struct TableFile {
    pub(crate) header: StringRecord,
    pub(crate) rows: Vec<TableRow>,
    /// Its encoding and separator, if they are not UTF-8 and commas: `windows-1252, separated by semicolons`.
    pub(crate) format: Option<String>,
}

/// One row.
pub(crate) struct TableRow {
    /// Line number in the file, from 1.
    pub(crate) line: u64,
    /// Its cells, or why they are unusable.
    pub(crate) cells: Result<StringRecord, Fault>,
}

impl TableFile {
    /// Reads the table `path`; its separator is the one that yields the `expected` columns.
    ///
    /// # Errors
    /// The file cannot be read or is not a text table, or a quote is not closed.
    pub(crate) fn read(path: &Path, expected: &[&str]) -> Result<Self, DataError> {
        let bytes = file_bytes::of_file(path, MAX_BYTES)?;
        Self::of_bytes(&bytes, expected).map_err(|reason| DataError::unusable(path, reason))
    }

    fn of_bytes(bytes: &[u8], expected: &[&str]) -> Result<Self, String> {
        let (text, encoding) = decoded(bytes)?;
        if text.trim_ascii_start().starts_with(b"{") || text.trim_ascii_start().starts_with(b"[") {
            return Err("is JSON; write it as a table with a header (CSV)".into());
        }
        let (text, lines_before, separator) = match separator_line(&text) {
            Some((separator, rest)) => (rest, 1, separator),
            None => (&text[..], 0, separator(&text, expected)),
        };
        let mut reader = reader(text, separator);
        let header = reader.headers().map_err(|error| format!("has no header that can be read: {error}"))?.clone();
        if header.iter().all(str::is_empty) {
            return Err("is empty; a table begins with a line that names its columns".into());
        }
        let mut rows = Vec::new();
        let mut record = ByteRecord::new();
        let mut lines = Lines { text, byte: 0, line: 1 + lines_before };
        while reader.read_byte_record(&mut record).map_err(|error| format!("cannot be read as a table: {error}"))? {
            let line = lines.at(record.position().map_or(0, csv::Position::byte));
            rows.push(TableRow { line, cells: cells(&record, &header) });
        }
        check_quotes(&record_end(&rows), text)?;
        let format = format(encoding, separator);
        Ok(Self { header, rows, format })
    }

    /// Index of the column `name`, ignoring case.
    ///
    /// # Errors
    /// There are several such columns.
    pub(crate) fn column(&self, name: &str) -> Result<Option<usize>, String> {
        column(&self.header, name)
    }

    /// As [`TableFile::column`], for a table that was read from `path`.
    ///
    /// # Errors
    /// There are several such columns.
    pub(crate) fn optional_column(&self, path: &Path, name: &str) -> Result<Option<usize>, DataError> {
        self.column(name).map_err(|reason| DataError::unusable(path, reason))
    }

    /// Indices of the columns `names` of the table, which was read from `path`.
    ///
    /// # Errors
    /// A column is missing or occurs several times.
    pub(crate) fn columns<const N: usize>(
        &self,
        path: &Path,
        names: [&'static str; N],
    ) -> Result<[usize; N], DataError> {
        let mut places = [0; N];
        for (place, name) in places.iter_mut().zip(names) {
            let missing = || DataError::MissingColumn {
                path: path.into(),
                ours: name,
                name: name.into(),
                found: self.header.iter().map(String::from).collect(),
                similar: None,
            };
            *place = self.optional_column(path, name)?.ok_or_else(missing)?;
        }
        Ok(places)
    }
}

/// Index of the column `name` of `header`; an exact match takes precedence over one that differs in case.
pub(crate) fn column(header: &StringRecord, name: &str) -> Result<Option<usize>, String> {
    let places = |same: &dyn Fn(&str) -> bool| -> Vec<usize> {
        header.iter().enumerate().filter(|(_, column)| same(column)).map(|(place, _)| place).collect()
    };
    let exact = places(&|column| column == name);
    let found = if exact.is_empty() { places(&|column| column.to_lowercase() == name.to_lowercase()) } else { exact };
    match found[..] {
        [] => Ok(None),
        [place] => Ok(Some(place)),
        _ => Err(format!("has {} columns `{name}`; rename or remove all but one", found.len())),
    }
}

/// The text in `bytes` as UTF-8, except for single damaged rows, and its encoding.
fn decoded(bytes: &[u8]) -> Result<(Cow<'_, [u8]>, &'static Encoding), String> {
    if let Some((_, reason)) = OTHER_FORMATS.iter().find(|(start, _)| bytes.starts_with(start)) {
        return Err((*reason).into());
    }
    let (encoding, text) = match Encoding::for_bom(bytes) {
        Some((encoding, length)) => (encoding, &bytes[length..]),
        None => (encoding_without_mark(bytes)?, bytes),
    };
    if encoding == UTF_8 {
        return Ok((text.into(), encoding));
    }
    match encoding.decode_without_bom_handling(text) {
        (_, true) => Err(format!("is not complete {} text; save it as UTF-8", encoding.name())),
        (text, false) => Ok((text.into_owned().into_bytes().into(), encoding)),
    }
}

/// The encoding of a text without a byte order mark.
fn encoding_without_mark(bytes: &[u8]) -> Result<&'static Encoding, String> {
    let zeros = |first: usize| bytes.iter().skip(first).step_by(2).take(2048).filter(|byte| **byte == 0).count();
    match (zeros(0), zeros(1)) {
        (0, 0) => (),
        (even, odd) if odd > 8 * even => return Ok(UTF_16LE),
        (even, odd) if even > 8 * odd => return Ok(UTF_16BE),
        _ => return Err("is not text; a table of labels is a text file, such as CSV".into()),
    }
    // A damaged row among rows with valid non-ASCII letters does not mean another encoding.
    let other_letters = bytes.utf8_chunks().any(|chunk| !chunk.valid().is_ascii());
    let is_utf8 = std::str::from_utf8(bytes).is_ok();
    Ok(if is_utf8 || other_letters { UTF_8 } else { WINDOWS_1252 })
}

/// The separator in a first line `sep=;`, as spreadsheets write it, and the text after that line.
fn separator_line(text: &[u8]) -> Option<(u8, &[u8])> {
    let rest = text.strip_prefix(b"sep=")?;
    let (separator, rest) = rest.split_first()?;
    let rest = rest.strip_prefix(b"\r").unwrap_or(rest);
    Some((*separator, rest.strip_prefix(b"\n")?))
}

/// The separator that yields an expected column in the header, else the one that yields the most columns.
fn separator(text: &[u8], expected: &[&str]) -> u8 {
    let score = |separator: u8| {
        let mut reader = reader(text, separator);
        let header = reader.headers().cloned().unwrap_or_default();
        let known = expected.iter().filter(|name| matches!(column(&header, name), Ok(Some(_)))).count();
        (known, header.len())
    };
    // The first of equal ones.
    let best = SEPARATORS.into_iter().rev().max_by_key(|separator| score(*separator));
    best.expect("there are separators")
}

fn reader(text: &[u8], separator: u8) -> csv::Reader<&[u8]> {
    // A row with too few or too many cells does not invalidate the table.
    ReaderBuilder::new().delimiter(separator).flexible(true).trim(Trim::All).from_reader(text)
}

/// Line numbers of positions in a text. The reader's own count is wrong for lines that end in two characters.
struct Lines<'a> {
    text: &'a [u8],
    byte: usize,
    line: u64,
}

impl Lines<'_> {
    /// The line of the first row at or after `byte`; calls must be in ascending order.
    fn at(&mut self, byte: u64) -> u64 {
        let start = (byte as usize).min(self.text.len());
        let ends = self.text[start..].iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        let passed = &self.text[self.byte..start + ends];
        let is_end = |index: &usize| match passed[*index] {
            b'\n' => true,
            b'\r' => passed.get(index + 1) != Some(&b'\n'),
            _ => false,
        };
        self.line += (0..passed.len()).filter(is_end).count() as u64;
        self.byte = start + ends;
        self.line
    }
}

fn cells(record: &ByteRecord, header: &StringRecord) -> Result<StringRecord, Fault> {
    let cells = StringRecord::from_byte_record(record.clone());
    let cells = cells.map_err(|_| Fault::label("is not written in UTF-8"))?;
    let more = cells.iter().skip(header.len()).any(|cell| !cell.is_empty());
    if more {
        let reason = format!(
            "has {} cells where the header names {} columns; put a cell that holds the separator into quotes",
            cells.len(),
            header.len()
        );
        return Err(Fault::label(reason));
    }
    Ok(cells)
}

/// First line of the last row, and its last cell.
fn record_end(rows: &[TableRow]) -> Option<(u64, String)> {
    let last = rows.last()?;
    let cells = last.cells.as_ref().ok()?;
    Some((last.line, cells.iter().next_back()?.into()))
}

/// Rejects a last row with an unclosed quote, which would contain all rows after it.
fn check_quotes(end: &Option<(u64, String)>, text: &[u8]) -> Result<(), String> {
    match end {
        Some((line, cell)) if cell.contains('\n') && !text.trim_ascii_end().ends_with(b"\"") => {
            Err(format!("has a quote in line {line} that is never closed, so the rows after it cannot be read"))
        }
        _ => Ok(()),
    }
}

fn format(encoding: &'static Encoding, separator: u8) -> Option<String> {
    let separator = match separator {
        b',' if encoding == UTF_8 => return None,
        b',' => "commas",
        b';' => "semicolons",
        b'\t' => "tabs",
        b'|' => "bars",
        _ => "what its first line says",
    };
    Some(format!("{}, separated by {separator}", encoding.name()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXPECTED: [&str; 1] = ["file_name"];

    fn rows(bytes: &[u8]) -> Vec<Vec<String>> {
        let table = TableFile::of_bytes(bytes, &EXPECTED).unwrap();
        let row = |row: TableRow| row.cells.unwrap().iter().map(String::from).collect();
        table.rows.into_iter().map(row).collect()
    }

    fn utf16(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(bytes).collect()
    }

    #[test]
    fn a_table_is_the_same_in_every_encoding() {
        let text = "file_name,age\nhöpper.jpg,33\n";
        let with_mark = format!("\u{feff}{text}");
        let latin1: Vec<u8> = text.chars().map(|letter| letter as u8).collect();

        for bytes in [
            text.as_bytes().to_vec(),
            with_mark.as_bytes().to_vec(),
            utf16(&with_mark, u16::to_le_bytes),
            utf16(&with_mark, u16::to_be_bytes),
            utf16(text, u16::to_le_bytes),
            utf16(text, u16::to_be_bytes),
            latin1,
        ] {
            assert_eq!(rows(&bytes), [["höpper.jpg", "33"]]);
        }
    }

    #[test]
    fn a_table_is_the_same_with_every_separator_and_line_ending() {
        for text in [
            "file_name,age\r\n\"a, b; c.jpg\",33\r\n",
            "file_name;age\n\"a, b; c.jpg\";33\n",
            "file_name\tage\n\"a, b; c.jpg\"\t33",
            "file_name | age\r\"a, b; c.jpg\" | 33\r",
            "sep=;\r\nfile_name;age\r\n\"a, b; c.jpg\";33\r\n",
        ] {
            assert_eq!(rows(text.as_bytes()), [["a, b; c.jpg", "33"]], "{text:?}");
        }
    }

    #[test]
    fn rows_have_the_lines_of_the_file_whatever_its_line_endings() {
        for (text, expected) in [
            ("file_name\na\n\nb\n", [2, 4]),
            ("file_name\r\na\r\n\r\nb\r\n", [2, 4]),
            ("file_name\ra\rb", [2, 3]),
            ("sep=;\r\nfile_name\r\na\r\nb\r\n", [3, 4]),
            ("file_name;x\n\"a\nb\";1\nc;2\n", [2, 4]),
        ] {
            let table = TableFile::of_bytes(text.as_bytes(), &EXPECTED).unwrap();
            let lines: Vec<u64> = table.rows.iter().map(|row| row.line).collect();
            assert_eq!(lines, expected, "{text:?}");
        }
    }

    #[test]
    fn the_separator_is_the_one_that_yields_the_expected_column() {
        assert_eq!(rows(b"file_name;a, b, c, d\nx.jpg;1\n"), [["x.jpg", "1"]]);
        assert_eq!(rows(b"file_name\nx;y.jpg\n"), [["x;y.jpg"]]);
    }

    #[test]
    fn only_rows_with_invalid_bytes_or_too_many_cells_are_excluded() {
        let table = TableFile::of_bytes(
            "file_name,age\nä.jpg,20\n?.jpg,25\nb.jpg,25,5\nc.jpg,25,\n".replace('?', "X").as_bytes(),
            &EXPECTED,
        );
        let faults: Vec<_> = table.unwrap().rows.into_iter().map(|row| row.cells.err()).collect();
        assert!(faults[2].as_ref().unwrap().reason.starts_with("has 3 cells where the header names 2 columns"));
        assert_eq!([&faults[0], &faults[1], &faults[3]], [&None; 3]);

        let table = TableFile::of_bytes(b"file_name,age\n\xc3\xa4.jpg,20\n\xff.jpg,20\n", &EXPECTED).unwrap();
        assert_eq!(table.rows[1].cells.as_ref().unwrap_err().reason, "is not written in UTF-8");
        assert!(table.rows[0].cells.is_ok());
    }

    #[test]
    fn an_unclosed_quote_is_an_error() {
        let reason = TableFile::of_bytes(b"file_name,who\na,b\nc,\"d\ne,f\ng,h\n", &EXPECTED).err().unwrap();

        assert!(reason.contains("a quote in line 3 that is never closed"), "{reason}");
        assert_eq!(rows(b"file_name,who\na,\"two\nlines\"\n").len(), 1);
    }

    #[test]
    fn a_file_that_is_no_text_table_is_reported_by_its_type() {
        let reason = |bytes: &[u8]| TableFile::of_bytes(bytes, &EXPECTED).err().unwrap();

        assert!(reason(b"PK\x03\x04\x14\0").contains("save the table as CSV"));
        assert!(reason(b"{\"a.jpg\": 25}").contains("is JSON"));
        assert!(reason(b"\0\x01\0\0\x02\0\0\0\x03\x04\0\0").contains("is not text"));
        assert!(reason(b"\n\n").contains("is empty"));
        assert!(reason(b"\xff\xfea\0b").contains("is not complete UTF-16LE text"));
    }

    #[test]
    fn column_names_are_case_insensitive_and_duplicates_are_rejected() {
        let table = TableFile::of_bytes(b"File_Name,AGE,age,x,x\n", &EXPECTED).unwrap();

        assert_eq!(table.column("file_name"), Ok(Some(0)));
        assert_eq!(table.column("age"), Ok(Some(2)));
        assert_eq!(table.column("y"), Ok(None));
        assert!(table.column("x").unwrap_err().contains("2 columns `x`"));
    }
}
