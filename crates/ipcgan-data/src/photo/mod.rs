//! Photos in and out of files, upright and in RGB, or with all that the file holds ([`Original`]).

mod kind;
mod original;

pub use kind::PictureKind;
pub use original::{Original, PhotoFormat};

use std::fs::File;
use std::io::{BufRead, BufReader, Cursor, Read, Seek, SeekFrom};
use std::path::Path;

use image::{ImageDecoder, ImageFormat, ImageReader, Limits, Rgb, RgbImage, RgbaImage};

use ipcgan_model::write_whole;

use crate::DataError;
use crate::resample::{self, Region};

/// How the names of files end that may hold a photo, in lower case.
pub const ENDINGS: [&str; 5] = ["bmp", "jpeg", "jpg", "png", "webp"];
/// The least width and height of a picture, in pixels.
const LEAST_SIDE: u32 = 8;
/// The most pixels of a picture; the largest cameras have 150 million.
const MOST_PIXELS: u64 = 200_000_000;
/// The most memory that a decoder may take, in bytes: `MOST_PIXELS` at 16 bits a channel.
const MOST_MEMORY: u64 = 8 * MOST_PIXELS;

/// Reads a photo from a PNG, JPEG, WebP or BMP file, which is known by its content, not by its name.
///
/// The photo stands upright (EXIF orientation is applied) and is 8-bit RGB, whatever the file holds; transparent
/// parts are white.
///
/// # Errors
/// A file that is missing, a folder, no picture, damaged, cut short, below 8 x 8 or above 200 million pixels.
pub fn read(path: &Path) -> Result<RgbImage, DataError> {
    Ok(read_original(path)?.into_rgb())
}

/// The photo in the bytes of a file, as [`read`] gives it; `origin` names it in errors.
///
/// # Errors
/// No picture, damaged, cut short, below 8 x 8 or above 200 million pixels.
pub fn from_bytes(bytes: &[u8], origin: &Path) -> Result<RgbImage, DataError> {
    Ok(original(bytes, origin)?.into_rgb())
}

/// As [`read`], with all that the file holds.
///
/// # Errors
/// As [`read`].
pub fn read_original(path: &Path) -> Result<Original, DataError> {
    decoded(open(path)?, path)
}

/// As [`from_bytes`], with all that the file holds.
///
/// # Errors
/// As [`from_bytes`].
pub fn original(bytes: &[u8], origin: &Path) -> Result<Original, DataError> {
    decoded(Cursor::new(bytes), origin)
}

fn decoded(file: impl BufRead + Seek, path: &Path) -> Result<Original, DataError> {
    let decode_error = |source| DataError::Decode { path: path.into(), source };
    let decoder = reader(file, path)?.into_decoder().map_err(decode_error)?;
    let (width, height) = decoder.dimensions();
    if width < LEAST_SIDE || height < LEAST_SIDE {
        return Err(DataError::TooSmall { path: path.into(), width, height, least: LEAST_SIDE });
    }
    if u64::from(width) * u64::from(height) > MOST_PIXELS {
        return Err(DataError::TooLarge { path: path.into(), width, height, limit: MOST_PIXELS });
    }
    Original::decoded(decoder).map_err(decode_error)
}

/// As [`pixels_of`], of a file.
pub(crate) fn pixels(path: &Path) -> Result<u64, DataError> {
    let decode_error = |source| DataError::Decode { path: path.into(), source };
    let (width, height) = reader(open(path)?, path)?.into_dimensions().map_err(decode_error)?;
    Ok(u64::from(width) * u64::from(height))
}

/// Width times height of the picture in the bytes of a file, which is not decoded; `origin` names it in errors.
///
/// # Errors
/// As [`read`], but for damage behind the file's head.
pub fn pixels_of(bytes: &[u8], origin: &Path) -> Result<u64, DataError> {
    let decode_error = |source| DataError::Decode { path: origin.into(), source };
    let (width, height) = reader(Cursor::new(bytes), origin)?.into_dimensions().map_err(decode_error)?;
    Ok(u64::from(width) * u64::from(height))
}

/// Writes a picture as PNG, whole or not at all (see [`write_whole`]).
///
/// # Errors
/// [`DataError::Write`] if the folder does not exist, is full or is not ours to write.
pub fn write_png(path: &Path, picture: &RgbImage) -> Result<(), DataError> {
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, ImageFormat::Png).map_err(|source| DataError::Encode { path: path.into(), source })?;
    write_whole(path, bytes.get_ref()).map_err(DataError::writing(path))
}

/// The largest square in the middle of a picture.
pub fn centred_square(picture: &RgbImage) -> RgbImage {
    let square = Region::centred_square(picture);
    let [left, top, side] = [square.left, square.top, square.width].map(|length| length as u32);
    image::imageops::crop_imm(picture, left, top, side, side).to_image()
}

/// A picture at `size` x `size` pixels, without the patterns that skipping pixels makes.
///
/// A picture that is not square is squeezed; cut a [`centred_square`] first to keep its proportions.
pub fn resized(picture: &RgbImage, size: u32) -> RgbImage {
    if picture.dimensions() == (size, size) {
        return picture.clone();
    }
    resample::picture(&resample::resampled(picture, Region::whole(picture), size), size)
}

fn open(path: &Path) -> Result<BufReader<File>, DataError> {
    let read_error = |source| DataError::Read { path: path.into(), source };
    let file = File::open(path).map_err(read_error)?;
    match file.metadata().map_err(read_error)?.is_dir() {
        true => Err(DataError::PictureIsFolder { path: path.into() }),
        false => Ok(BufReader::new(file)),
    }
}

fn reader<R: BufRead + Seek>(mut file: R, path: &Path) -> Result<ImageReader<R>, DataError> {
    let read_error = |source| DataError::Read { path: path.into(), source };
    let mut start = Vec::new();
    file.by_ref().take(64).read_to_end(&mut start).map_err(read_error)?;
    if start.is_empty() {
        return Err(DataError::CutShort { path: path.into() });
    }
    // GIFs are written as animations; as photos they are too poor in colours.
    let readable = |format: &ImageFormat| format.reading_enabled() && *format != ImageFormat::Gif;
    let Some(format) = image::guess_format(&start).ok().filter(readable) else {
        return Err(DataError::UnknownFormat { path: path.into() });
    };
    if format == ImageFormat::Jpeg && !has_end(&mut file).map_err(read_error)? {
        return Err(DataError::CutShort { path: path.into() });
    }
    file.rewind().map_err(read_error)?;
    let mut reader = ImageReader::with_format(file, format);
    let mut limits = Limits::default();
    limits.max_alloc = Some(MOST_MEMORY);
    reader.limits(limits);
    Ok(reader)
}

/// Whether a JPEG file has an end-of-image marker near its end: the decoder fills what is missing with grey, silently.
fn has_end(file: &mut (impl Read + Seek)) -> std::io::Result<bool> {
    // Cameras and editors append notes after the marker.
    const TAIL: u64 = 256 * 1024;
    let length = file.seek(SeekFrom::End(0))?;
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL)))?;
    let mut tail = Vec::new();
    file.read_to_end(&mut tail)?;
    Ok(tail.windows(2).rev().any(|marker| marker == [0xff, 0xd9]))
}

fn over_white(photo: RgbaImage) -> RgbImage {
    RgbImage::from_fn(photo.width(), photo.height(), |x, y| {
        let [red, green, blue, alpha] = photo.get_pixel(x, y).0.map(u32::from);
        Rgb([red, green, blue].map(|value| ((value * alpha + 255 * (255 - alpha) + 127) / 255) as u8))
    })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;

    use image::{ImageEncoder, Luma, Rgba, RgbaImage};
    use tempfile::TempDir;

    use super::*;

    fn place(name: &str) -> (TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        (folder, path)
    }

    fn gradient(width: u32, height: u32) -> RgbImage {
        RgbImage::from_fn(width, height, |x, y| Rgb([(9 * x) as u8, (9 * y) as u8, 77]))
    }

    fn message(path: &Path) -> String {
        read(path).unwrap_err().to_string()
    }

    #[test]
    fn a_png_comes_back_as_it_was_written() {
        let (_folder, path) = place("face.png");
        let picture = gradient(9, 12);

        write_png(&path, &picture).unwrap();

        assert_eq!(read(&path).unwrap(), picture);
    }

    #[test]
    fn the_content_tells_the_format_and_not_the_name() {
        let (_folder, path) = place("face.jpg");
        write_png(&path, &gradient(9, 9)).unwrap();

        assert_eq!(read(&path).unwrap(), gradient(9, 9));
    }

    #[test]
    fn a_photo_taken_sideways_is_turned_upright() {
        let (_folder, path) = place("sideways.png");
        // Little-endian TIFF header, one entry: orientation (0x112), one short, 6 = turn right by 90 degrees.
        let exif = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0";
        let lying = gradient(12, 9);
        let mut bytes = Vec::new();
        let mut encoder = image::codecs::png::PngEncoder::new(&mut bytes);
        encoder.set_exif_metadata(exif.to_vec()).unwrap();
        encoder.write_image(lying.as_raw(), 12, 9, image::ExtendedColorType::Rgb8).unwrap();
        fs::write(&path, bytes).unwrap();

        let upright = read(&path).unwrap();

        assert_eq!(upright, image::imageops::rotate90(&lying));
    }

    #[test]
    fn transparent_parts_are_white() {
        let (_folder, path) = place("logo.png");
        RgbaImage::from_pixel(8, 8, Rgba([0, 0, 0, 51])).save(&path).unwrap();

        assert_eq!(*read(&path).unwrap().get_pixel(0, 0), Rgb([204; 3]));
    }

    #[test]
    fn a_grey_picture_of_16_bits_becomes_rgb() {
        let (_folder, path) = place("scan.png");
        image::ImageBuffer::<Luma<u16>, _>::from_pixel(8, 8, Luma([0x8080])).save(&path).unwrap();

        assert_eq!(*read(&path).unwrap().get_pixel(0, 0), Rgb([0x80; 3]));
    }

    #[test]
    fn a_jpeg_for_printing_becomes_rgb() {
        let (_folder, path) = place("print.jpg");
        // Made by Pillow: 16 x 16 pixels of one red, as cyan, magenta, yellow and black.
        fs::write(&path, include_bytes!("../../tests/data/cmyk.jpg")).unwrap();

        let [red, green, blue] = read(&path).unwrap().get_pixel(8, 8).0;

        assert!(red.abs_diff(200) < 4 && green.abs_diff(40) < 4 && blue.abs_diff(20) < 4, "{red} {green} {blue}");
    }

    #[test]
    fn what_is_no_picture_is_refused_in_one_line() {
        let (folder, text) = place("notes.png");
        fs::write(&text, "not a picture").unwrap();
        let missing = folder.path().join("missing.png");
        let gif = folder.path().join("moving.gif");
        gradient(9, 9).save(&gif).unwrap();

        assert!(message(&text).ends_with("convert it to one of these"));
        assert!(message(&gif).ends_with("convert it to one of these"));
        fs::write(&text, "").unwrap();
        assert!(message(&text).ends_with("is cut short; copy or download it again"));
        assert!(message(&missing).starts_with("cannot read "));
        assert!(message(folder.path()).contains("is a folder"));
    }

    #[test]
    fn a_picture_below_8_pixels_is_refused() {
        let (_folder, path) = place("dot.png");
        write_png(&path, &gradient(20, 7)).unwrap();

        assert!(message(&path).ends_with("has only 20 x 7 pixels; use one of at least 8 x 8"));
    }

    #[test]
    fn a_picture_that_is_cut_short_is_refused() {
        for name in ["face.png", "face.jpg", "face.webp", "face.bmp"] {
            let (_folder, path) = place(name);
            RgbImage::from_fn(40, 40, |x, y| Rgb([(x * y) as u8, (x * 31) as u8, (y * 17) as u8])).save(&path).unwrap();
            let bytes = fs::read(&path).unwrap();
            fs::write(&path, &bytes[..bytes.len() * 2 / 3]).unwrap();

            assert!(read(&path).is_err(), "{name}");
        }
    }

    #[test]
    fn a_small_file_that_claims_to_be_a_huge_picture_is_refused() {
        let (_folder, path) = place("bomb.bmp");
        gradient(8, 8).save(&path).unwrap();
        let mut bytes = fs::read(&path).unwrap();
        bytes[18..22].copy_from_slice(&60_000u32.to_le_bytes());
        bytes[22..26].copy_from_slice(&60_000u32.to_le_bytes());
        fs::write(&path, bytes).unwrap();

        assert!(read(&path).is_err());
    }

    #[test]
    fn a_wide_picture_is_cut_at_both_sides() {
        let square = centred_square(&gradient(14, 8));

        assert_eq!(square, image::imageops::crop_imm(&gradient(14, 8), 3, 0, 8, 8).to_image());
    }
}
