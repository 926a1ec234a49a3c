//! The file of a shard as input of the Parquet reader.

use std::fs::File;
use std::io::{self, BufReader, ErrorKind, Read, Seek, SeekFrom};

use bytes::Bytes;
use parquet::errors::{ParquetError, Result};
use parquet::file::reader::{ChunkReader, Length};

/// A file that reports reads beyond its end as errors.
///
/// The implementation of the `parquet` crate for [`File`] allocates the size that a damaged file claims before it
/// reads, and skips missing data entry by entry.
pub(crate) struct ShardFile {
    file: File,
    length: u64,
}

impl ShardFile {
    pub(crate) fn new(file: File) -> io::Result<Self> {
        let length = file.metadata()?.len();
        Ok(Self { file, length })
    }

    fn from(&self, start: u64) -> Result<BufReader<File>> {
        let mut file = self.file.try_clone()?;
        file.seek(SeekFrom::Start(start))?;
        Ok(BufReader::new(file))
    }
}

impl Length for ShardFile {
    fn len(&self) -> u64 {
        self.length
    }
}

impl ChunkReader for ShardFile {
    type T = WithoutEnd;

    fn get_read(&self, start: u64) -> Result<WithoutEnd> {
        Ok(WithoutEnd(self.from(start)?))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes> {
        let inside = start.checked_add(length as u64).is_some_and(|end| end <= self.length);
        if !inside {
            return Err(ParquetError::EOF(format!("{length} bytes from {start} on, of {} in all", self.length)));
        }
        let mut bytes = vec![0; length];
        self.from(start)?.read_exact(&mut bytes)?;
        Ok(bytes.into())
    }
}

/// A reader for which the end of the file is an error.
pub(crate) struct WithoutEnd(BufReader<File>);

impl Read for WithoutEnd {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        match self.0.read(to)? {
            0 if !to.is_empty() => Err(io::Error::new(ErrorKind::UnexpectedEof, "the file ends before")),
            read => Ok(read),
        }
    }
}
