//! Bytes of whole files, limited in size.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::DataError;

/// The bytes of the file `path`, of at most `limit`.
///
/// # Errors
/// The file cannot be read, or is larger.
pub(crate) fn of_file(path: &Path, limit: u64) -> Result<Vec<u8>, DataError> {
    of_reader(File::open(path).map_err(DataError::reading(path))?, path, limit)
}

/// All bytes of `reader`, at most `limit`; `path` names it in errors.
///
/// # Errors
/// It cannot be read, or has more bytes.
pub(crate) fn of_reader(reader: impl Read, path: &Path, limit: u64) -> Result<Vec<u8>, DataError> {
    let mut bytes = Vec::new();
    reader.take(limit.saturating_add(1)).read_to_end(&mut bytes).map_err(DataError::reading(path))?;
    match bytes.len() as u64 > limit {
        true => Err(DataError::TooLong { path: path.into(), limit }),
        false => Ok(bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_above_the_limit_is_rejected_with_the_limit_and_not_cut() {
        let file = [7; 3];

        assert_eq!(of_reader(&file[..], Path::new("labels.mat"), 3).unwrap(), file);
        let error = of_reader(&file[..], Path::new("labels.mat"), 2).unwrap_err().to_string();
        assert!(error.contains("labels.mat is larger than"), "{error}");
    }
}
