//! From a file's bytes to a picture.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Cursor, Read, Seek};
use std::path::Path;

use image::{ImageDecoder, ImageError, ImageFormat, ImageReader, Limits};

use super::content::{self, Content};
use super::ending::{self, End};
use super::jpeg;
use super::{Original, PictureKind};
use crate::DataError;

/// The least width and height of a picture, in pixels.
const MIN_SIDE: u32 = 8;
/// The most pixels of a picture; the largest cameras have 150 million.
pub(super) const MAX_PIXELS: u64 = 200_000_000;
/// The most memory that a decoder may take, in bytes: `MAX_PIXELS` at 16 bits a channel.
const MAX_MEMORY: u64 = 8 * MAX_PIXELS;
/// The longest file that is read into memory, in bytes.
const MAX_FILE: u64 = 1 << 30;

/// What a picture is read from.
pub(super) trait Source: BufRead + Seek {}

impl<S: BufRead + Seek> Source for S {}

/// Opens a file. What is no plain file, such as a pipe, is read into memory.
pub(super) fn open(path: &Path) -> Result<Box<dyn Source>, DataError> {
    // Opening a pipe waits for its writer, which is what is wanted.
    let kind = fs::metadata(path).map_err(DataError::reading(path))?;
    if kind.is_dir() {
        return Err(DataError::PictureIsFolder { path: path.into() });
    }
    let file = File::open(path).map_err(DataError::reading(path))?;
    match kind.is_file() {
        true => Ok(Box::new(BufReader::new(file))),
        false => Ok(Box::new(Cursor::new(all(file, path)?))),
    }
}

/// All bytes of `reader`, unless they are too many.
pub(super) fn all(reader: impl Read, path: &Path) -> Result<Vec<u8>, DataError> {
    let mut bytes = Vec::new();
    reader.take(MAX_FILE + 1).read_to_end(&mut bytes).map_err(DataError::reading(path))?;
    match bytes.len() as u64 > MAX_FILE {
        true => Err(DataError::TooLong { path: path.into(), limit: MAX_FILE }),
        false => Ok(bytes),
    }
}

/// What `file` holds, decoded.
pub(super) fn original<'a>(mut file: impl Source + 'a, path: &Path) -> Result<Original, DataError> {
    let decode_error = |source| DataError::Decode { path: path.into(), source };
    let kind = kind_of(&mut file, path)?;
    let format = match kind {
        PictureKind::Jpeg => return original_jpeg(all(file, path)?, path),
        kind => format_of(kind, path)?,
    };
    let end = ending::of(kind, &mut file).map_err(|error| match error.kind() {
        io::ErrorKind::InvalidData => DataError::CutShort { path: path.into() },
        _ => DataError::reading(path)(error),
    })?;
    file.rewind().map_err(DataError::reading(path))?;
    let file: Box<dyn Source + 'a> = match (kind, end) {
        (PictureKind::Png, End::Unmarked) => Box::new(Cursor::new(ending::with_png_end(all(file, path)?))),
        _ => Box::new(file),
    };
    let decoder = reader(file, format).into_decoder().map_err(decode_error)?;
    check_size(decoder.dimensions(), path)?;
    Original::decoded(decoder, kind, end).map_err(|source| match &source {
        ImageError::IoError(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            DataError::CutShort { path: path.into() }
        }
        _ => decode_error(source),
    })
}

fn original_jpeg(bytes: Vec<u8>, path: &Path) -> Result<Original, DataError> {
    let decode_error = |source| DataError::Decode { path: path.into(), source };
    let decoder = reader(Cursor::new(&bytes), ImageFormat::Jpeg).into_decoder().map_err(|source| {
        // Without a frame there is nothing to say but this.
        match jpeg::length(&bytes) {
            None => DataError::CutShort { path: path.into() },
            Some(_) => decode_error(source),
        }
    })?;
    check_size(decoder.dimensions(), path)?;
    let end = jpeg::end(&bytes).map_err(|fault| match fault {
        jpeg::Fault::CutShort => DataError::CutShort { path: path.into() },
        jpeg::Fault::Damaged => DataError::Damaged { path: path.into() },
    })?;
    Original::decoded(decoder, PictureKind::Jpeg, end).map_err(decode_error)
}

/// Width times height of the picture in `file`, which is not decoded.
pub(super) fn pixels(mut file: impl Source, path: &Path) -> Result<u64, DataError> {
    let decode_error = |source| DataError::Decode { path: path.into(), source };
    let kind = kind_of(&mut file, path)?;
    let (width, height) = reader(file, format_of(kind, path)?).into_dimensions().map_err(decode_error)?;
    Ok(u64::from(width) * u64::from(height))
}

/// What `file` holds by its content, at whose beginning it is left; an error if it cannot be read.
fn kind_of(file: &mut impl Source, path: &Path) -> Result<PictureKind, DataError> {
    let mut start = Vec::new();
    file.take(content::START as u64).read_to_end(&mut start).map_err(DataError::reading(path))?;
    file.rewind().map_err(DataError::reading(path))?;
    if start.is_empty() {
        return Err(DataError::EmptyPicture { path: path.into() });
    }
    match Content::of(&start, PictureKind::of_path(path)) {
        Content::Picture(kind) if kind.is_readable() => Ok(kind),
        Content::Picture(kind) => Err(DataError::UnreadableKind { path: path.into(), kind }),
        Content::Other(what, advice) => Err(DataError::NoPicture { path: path.into(), what, advice }),
        Content::Unknown => Err(DataError::UnknownFormat { path: path.into() }),
    }
}

fn format_of(kind: PictureKind, path: &Path) -> Result<ImageFormat, DataError> {
    match kind {
        PictureKind::Png => Ok(ImageFormat::Png),
        PictureKind::Jpeg => Ok(ImageFormat::Jpeg),
        PictureKind::WebP => Ok(ImageFormat::WebP),
        PictureKind::Bmp => Ok(ImageFormat::Bmp),
        PictureKind::Gif => Ok(ImageFormat::Gif),
        kind => Err(DataError::UnreadableKind { path: path.into(), kind }),
    }
}

fn reader<S: Source>(file: S, format: ImageFormat) -> ImageReader<S> {
    let mut reader = ImageReader::with_format(file, format);
    let mut limits = Limits::default();
    limits.max_alloc = Some(MAX_MEMORY);
    reader.limits(limits);
    reader
}

fn check_size((width, height): (u32, u32), path: &Path) -> Result<(), DataError> {
    if width < MIN_SIDE || height < MIN_SIDE {
        return Err(DataError::TooSmall { path: path.into(), width, height, least: MIN_SIDE });
    }
    if u64::from(width) * u64::from(height) > MAX_PIXELS {
        return Err(DataError::TooLarge { path: path.into(), width, height, limit: MAX_PIXELS });
    }
    Ok(())
}
