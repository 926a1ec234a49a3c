//! Decoding of image files.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Cursor, Read, Seek};
use std::path::Path;

use image::error::{DecodingError, ImageFormatHint};
use image::{ImageDecoder, ImageError, ImageFormat, ImageReader, Limits};
use ipcgan_system::catch_panic;

use super::content::{self, Content};
use super::end_marker::{self, EndMarker};
use super::feature::Feature;
use super::jpeg;
use super::limits::{MAX_FILE_BYTES, MAX_PIXELS, check_size};
use super::{DecodeFault, ImageKind, Original};
use crate::{DataError, file_bytes};

/// Maximum memory of a decoder in bytes: `MAX_PIXELS` at 16 bits a channel.
const MAX_MEMORY: u64 = 8 * MAX_PIXELS;

/// Input of a decoder.
pub(super) trait Source: BufRead + Seek {}

impl<S: BufRead + Seek> Source for S {}

/// Opens a file. Anything but a regular file, such as a pipe, is read into memory.
pub(super) fn open(path: &Path) -> Result<Box<dyn Source>, DataError> {
    // Opening a pipe blocks until its writer opens it, as intended.
    let kind = fs::metadata(path).map_err(DataError::reading(path))?;
    if kind.is_dir() {
        return Err(DataError::ImageIsFolder { path: path.into() });
    }
    let file = File::open(path).map_err(DataError::reading(path))?;
    match kind.is_file() {
        true => Ok(Box::new(BufReader::new(file))),
        false => Ok(Box::new(Cursor::new(all(file, path)?))),
    }
}

fn all(reader: impl Read, path: &Path) -> Result<Vec<u8>, DataError> {
    file_bytes::of_reader(reader, path, MAX_FILE_BYTES)
}

/// Decodes `file`.
pub(super) fn original<'a>(mut file: impl Source + 'a, path: &Path) -> Result<Original, DataError> {
    let errors = Errors::of(&mut file, path)?;
    errors.catch_panic(|| decoded(file, &errors))
}

fn decoded<'a>(mut file: impl Source + 'a, errors: &Errors<'_>) -> Result<Original, DataError> {
    let (path, kind) = (errors.path, errors.kind);
    let format = match kind {
        ImageKind::Jpeg => return original_jpeg(all(file, path)?, errors),
        #[cfg(feature = "avif")]
        ImageKind::Avif => {
            let bytes = all(file, path)?;
            let avif = super::avif::Avif::parsed(&bytes).map_err(|error| errors.decode(error))?;
            check_size(avif.dimensions().map_err(|error| errors.decode(error))?, path)?;
            return avif.original().map_err(|error| errors.decode(error));
        }
        #[cfg(feature = "heic")]
        ImageKind::Heic => {
            let bytes = all(file, path)?;
            let heic = super::heic::Heic::parsed(&bytes).map_err(|error| errors.decode(error))?;
            check_size(heic.dimensions(), path)?;
            return heic.original().map_err(|error| errors.decode(error));
        }
        kind => format_of(kind, path)?,
    };
    let end = end_marker::of(kind, &mut file).map_err(|error| match error.kind() {
        io::ErrorKind::InvalidData => errors.fault(DecodeFault::Truncated),
        _ => DataError::reading(path)(error),
    })?;
    file.rewind().map_err(DataError::reading(path))?;
    let file: Box<dyn Source + 'a> = match (kind, end) {
        (ImageKind::Png, EndMarker::Missing) => Box::new(Cursor::new(end_marker::with_png_end(all(file, path)?))),
        _ => Box::new(file),
    };
    let decoder = reader(file, format).into_decoder().map_err(|error| errors.decode_with_end(error, end))?;
    check_size(decoder.dimensions(), path)?;
    Original::decoded(decoder, kind, end).map_err(|error| errors.decode_with_end(error, end))
}

fn original_jpeg(bytes: Vec<u8>, errors: &Errors<'_>) -> Result<Original, DataError> {
    let decoder = reader(Cursor::new(&bytes), ImageFormat::Jpeg).into_decoder().map_err(|error| {
        // Without a frame there is no better error.
        match jpeg::length(&bytes) {
            None => errors.fault(DecodeFault::Truncated),
            Some(_) => errors.decode(error),
        }
    })?;
    check_size(decoder.dimensions(), errors.path)?;
    let end = jpeg::check_complete(&bytes).map_err(|fault| match fault {
        jpeg::Fault::Truncated => errors.fault(DecodeFault::Truncated),
        jpeg::Fault::Damaged => errors.fault(DecodeFault::Damaged),
    })?;
    Original::decoded(decoder, ImageKind::Jpeg, end).map_err(|error| errors.decode(error))
}

/// Width times height of the image in `file`, without decoding it.
pub(super) fn pixels(mut file: impl Source, path: &Path) -> Result<u64, DataError> {
    let errors = Errors::of(&mut file, path)?;
    let (width, height) = errors.catch_panic(|| dimensions(file, &errors))?;
    Ok(u64::from(width) * u64::from(height))
}

/// Width and height of the image in `file`, without decoding it.
fn dimensions(file: impl Source, errors: &Errors<'_>) -> Result<(u32, u32), DataError> {
    let path = errors.path;
    match errors.kind {
        #[cfg(feature = "avif")]
        ImageKind::Avif => {
            let bytes = all(file, path)?;
            let dimensions = super::avif::Avif::parsed(&bytes).and_then(|avif| avif.dimensions());
            dimensions.map_err(|error| errors.decode(error))
        }
        #[cfg(feature = "heic")]
        ImageKind::Heic => {
            Ok(super::heic::Heic::parsed(&all(file, path)?).map_err(|error| errors.decode(error))?.dimensions())
        }
        kind => reader(file, format_of(kind, path)?).into_dimensions().map_err(|error| errors.decode(error)),
    }
}

/// Builds the errors of a file whose first bytes belong to a readable format.
struct Errors<'a> {
    path: &'a Path,
    kind: ImageKind,
    feature: Option<Feature>,
}

impl<'a> Errors<'a> {
    /// Detects the format of `file` and rewinds it.
    ///
    /// # Errors
    /// The file is not an image, or its format cannot be decoded.
    fn of(file: &mut impl Source, path: &'a Path) -> Result<Self, DataError> {
        let kind = kind_of(file, path)?;
        Ok(Self { path, kind, feature: Feature::of(kind, file) })
    }

    fn fault(&self, fault: DecodeFault) -> DataError {
        DataError::Decode { path: self.path.into(), kind: self.kind, fault, source: None }
    }

    /// The result of `decode`, which uses the decoder; a panic of the decoder, as on some damaged files, is an error.
    fn catch_panic<T>(&self, decode: impl FnOnce() -> Result<T, DataError>) -> Result<T, DataError> {
        catch_panic(decode).unwrap_or_else(|reason| {
            let hint = ImageFormatHint::Name(self.kind.to_string());
            Err(self.decode(ImageError::Decoding(DecodingError::new(hint, reason))))
        })
    }

    /// Converts an error of the decoder.
    fn decode(&self, source: ImageError) -> DataError {
        let path = self.path.into();
        match (DecodeFault::of(&source, self.kind, self.feature.clone()), source) {
            (None, ImageError::IoError(source)) => DataError::Read { path, source },
            (fault, source) => {
                let fault = fault.unwrap_or(DecodeFault::Damaged);
                DataError::Decode { path, kind: self.kind, fault, source: Some(Box::new(source)) }
            }
        }
    }

    /// Like [`Errors::decode`], with a known end marker: a damaged file without its end marker is truncated.
    fn decode_with_end(&self, source: ImageError, end: EndMarker) -> DataError {
        match (self.decode(source), end) {
            (DataError::Decode { path, kind, fault: DecodeFault::Damaged, source }, EndMarker::Missing) => {
                DataError::Decode { path, kind, fault: DecodeFault::Truncated, source }
            }
            (error, _) => error,
        }
    }
}

/// Format of `file` by its content; rewinds it. An error if the format cannot be decoded.
fn kind_of(file: &mut impl Source, path: &Path) -> Result<ImageKind, DataError> {
    let mut start = Vec::new();
    file.take(content::START as u64).read_to_end(&mut start).map_err(DataError::reading(path))?;
    file.rewind().map_err(DataError::reading(path))?;
    if start.is_empty() {
        return Err(DataError::EmptyFile { path: path.into() });
    }
    match Content::of(&start, ImageKind::of_path(path)) {
        Content::Image(kind) if kind.is_readable() => Ok(kind),
        Content::Image(kind) => Err(DataError::UnreadableKind { path: path.into(), kind }),
        Content::Other(what, advice) => Err(DataError::NotAnImage { path: path.into(), what, advice }),
        Content::Unknown => Err(DataError::UnknownFormat { path: path.into() }),
    }
}

fn format_of(kind: ImageKind, path: &Path) -> Result<ImageFormat, DataError> {
    match kind {
        ImageKind::Png => Ok(ImageFormat::Png),
        ImageKind::Jpeg => Ok(ImageFormat::Jpeg),
        ImageKind::WebP => Ok(ImageFormat::WebP),
        ImageKind::Bmp => Ok(ImageFormat::Bmp),
        ImageKind::Gif => Ok(ImageFormat::Gif),
        ImageKind::Tiff => Ok(ImageFormat::Tiff),
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

#[cfg(test)]
mod tests {
    use image::{ColorType, DynamicImage};

    use super::*;
    use crate::photo;

    /// Each file encodes `[5 * x, 6 * y, 255 - 5 * x]` on 48 x 40 pixels; see `tests/data/make_photos.py`.
    macro_rules! file {
        ($name:literal) => {
            ($name, include_bytes!(concat!("../../tests/data/", $name)).as_slice())
        };
    }

    fn read((name, bytes): (&str, &[u8])) -> Original {
        photo::original(bytes, name.as_ref()).unwrap_or_else(|error| panic!("{name}: {error:?}"))
    }

    fn assert_shows_gradient(name: &str, image: &DynamicImage, tolerance: u8) {
        let image = image.to_rgb8();
        assert_eq!(image.dimensions(), (48, 40), "{name}");
        for (x, y, pixel) in image.enumerate_pixels() {
            let expected = [5 * x, 6 * y, 255 - 5 * x].map(|value| value as u8);
            let near = pixel.0.iter().zip(expected).all(|(a, b)| a.abs_diff(b) <= tolerance);
            assert!(near, "{name} at {x} {y}: {pixel:?} {expected:?}");
        }
    }

    #[test]
    fn tiff_is_read_with_each_usual_compression_and_depth() {
        for (file, color, tolerance) in [
            (file!("lzw.tif"), ColorType::Rgb8, 0),
            (file!("deep.tif"), ColorType::Rgb16, 0),
            (file!("cmyk.tif"), ColorType::Rgb8, 2),
            (file!("jpeg.tif"), ColorType::Rgb8, 24),
        ] {
            let photo = read(file);

            assert_eq!(photo.image.color(), color, "{}", file.0);
            assert_shows_gradient(file.0, &photo.image, tolerance);
        }
        let grey = read(file!("grey16.tif")).image;
        assert_eq!(grey.as_luma16().unwrap().get_pixel(10, 3).0, [50 * 257]);
        let fax = read(file!("fax.tif")).image.to_luma8();
        assert_eq!([fax.get_pixel(10, 5).0, fax.get_pixel(40, 5).0], [[0], [255]]);
    }

    #[cfg(feature = "avif")]
    #[test]
    fn avif_is_read_with_its_colours_depth_transparency_and_orientation() {
        let plain = read(file!("half-colours.avif"));
        assert_eq!(plain.kind(), Some(ImageKind::Avif));
        assert_shows_gradient("half-colours.avif", &plain.image, 16);
        let clear = read(file!("clear.avif")).image;
        assert_eq!(clear.color(), ColorType::Rgba8);
        assert_shows_gradient("clear.avif", &clear, 12);
        assert!(clear.as_rgba8().unwrap().get_pixel(20, 9).0[3].abs_diff(100) < 6);
        let deep = read(file!("ten-bits.avif")).image;
        assert_eq!(deep.color(), ColorType::Rgb16);
        assert_shows_gradient("ten-bits.avif", &deep, 12);
        let turned = read(file!("turned.avif")).image;
        assert_shows_gradient("turned.avif", &turned.rotate270(), 16);
    }

    #[cfg(feature = "heic")]
    #[test]
    fn heic_is_read_with_its_metadata() {
        let photo = read(file!("camera.heic"));

        assert_eq!(photo.kind(), Some(ImageKind::Heic));
        assert_shows_gradient("camera.heic", &photo.image, 24);
        let again = photo.encoded(crate::photo::PhotoFormat::Png).unwrap();
        assert!(again.windows(6).any(|bytes| bytes == b"camera"));
        assert_eq!(photo::original(&again, "again".as_ref()).unwrap().image, photo.image);
    }

    #[test]
    fn truncated_files_of_newer_formats_are_rejected() {
        let files = [file!("lzw.tif"), file!("deep.tif"), file!("fax.tif"), file!("grey16.tif"), file!("cmyk.tif")];
        let avif = [file!("half-colours.avif"), file!("clear.avif")];
        for (name, bytes) in files.into_iter().chain(avif) {
            for length in (1..bytes.len() * 9 / 10).step_by(13) {
                assert!(
                    photo::original(&bytes[..length], name.as_ref()).is_err(),
                    "{name}: {length} of {}",
                    bytes.len()
                );
            }
        }
    }

    #[test]
    fn a_panic_of_a_decoder_is_a_damaged_file_with_the_text_of_the_panic() {
        let errors = Errors { path: "face.png".as_ref(), kind: ImageKind::Png, feature: None };

        let error = errors.catch_panic(|| -> Result<(), DataError> { panic!("index out of bounds") }).unwrap_err();

        assert_eq!(error.to_string(), "face.png is a damaged PNG; copy or download it again");
        assert!(error.decoder_error().unwrap().to_string().contains("index out of bounds"));
    }

    #[test]
    fn pixels_are_counted_without_decoding() {
        for (name, bytes) in [file!("lzw.tif"), file!("fax.tif"), file!("progressive.jpg")] {
            assert_eq!(photo::pixels_of(bytes, name.as_ref()).unwrap(), 48 * 40, "{name}");
        }
        #[cfg(feature = "avif")]
        assert_eq!(photo::pixels_of(file!("clear.avif").1, "clear.avif".as_ref()).unwrap(), 48 * 40);
    }
}
