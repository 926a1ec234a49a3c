//! Reading and writing of photos: upright RGB, or with all of their metadata ([`Original`]).

#[cfg(feature = "avif")]
mod avif;
mod content;
mod decode;
mod end_marker;
mod exif;
mod fault;
mod feature;
mod format;
#[cfg(feature = "heic")]
mod heic;
mod jpeg;
mod kind;
mod limits;
mod original;
mod warning;
#[cfg(feature = "avif")]
mod yuv;

pub use fault::DecodeFault;
pub use format::PhotoFormat;
pub use kind::ImageKind;
pub use limits::MAX_FILE_BYTES;
pub use original::Original;
pub use warning::PhotoWarning;

use std::io::Cursor;
use std::path::Path;

use image::{ImageFormat, RgbImage};

use ipcgan_system::write_atomic;

use crate::DataError;
use crate::resample::{self, Region};

/// Reads a photo from a file of any readable format ([`ImageKind::readable`]), detected by content, not by name.
///
/// The result is upright (the EXIF orientation is applied) and 8-bit RGB, whatever the file holds; transparent parts
/// are white. If a file holds several images, the first is read.
///
/// # Errors
/// The file is missing, empty, a folder, not an image, damaged, truncated, smaller than 8 x 8 or larger than 200
/// million pixels; or it has a [`PhotoWarning`], which [`read_original`] accepts.
pub fn read(path: &Path) -> Result<RgbImage, DataError> {
    without_warning(read_original(path)?, path)
}

/// Decodes a photo from the bytes of a file, like [`read`]; `origin` names it in errors.
///
/// # Errors
/// As [`read`].
pub fn from_bytes(bytes: &[u8], origin: &Path) -> Result<RgbImage, DataError> {
    without_warning(original(bytes, origin)?, origin)
}

/// Like [`read`], but keeps everything in the file; a file with complete image data gets a [`PhotoWarning`] instead of
/// an error.
///
/// # Errors
/// As [`read`], except for files that get a warning.
pub fn read_original(path: &Path) -> Result<Original, DataError> {
    decode::original(decode::open(path)?, path)
}

/// Like [`read_original`], from the bytes of a file; `origin` names it in errors.
///
/// # Errors
/// As [`read_original`].
pub fn original(bytes: &[u8], origin: &Path) -> Result<Original, DataError> {
    decode::original(Cursor::new(bytes), origin)
}

fn without_warning(original: Original, path: &Path) -> Result<RgbImage, DataError> {
    match original.warning() {
        None => Ok(original.into_rgb()),
        Some(warning) => Err(DataError::PhotoWarning { path: path.into(), warning }),
    }
}

/// Like [`pixels_of`], from a file.
pub(crate) fn pixels(path: &Path) -> Result<u64, DataError> {
    decode::pixels(decode::open(path)?, path)
}

/// Width times height of the image in the bytes of a file, without decoding it; `origin` names it in errors.
///
/// # Errors
/// As [`read`], except for damage after the file's header.
pub fn pixels_of(bytes: &[u8], origin: &Path) -> Result<u64, DataError> {
    decode::pixels(Cursor::new(bytes), origin)
}

/// Writes an image as PNG, atomically (see [`write_atomic`]).
///
/// # Errors
/// [`DataError::Write`] if the folder does not exist, is full or is not writable.
pub fn write_png(path: &Path, image: &RgbImage) -> Result<(), DataError> {
    let mut bytes = Cursor::new(Vec::new());
    image.write_to(&mut bytes, ImageFormat::Png).map_err(|source| DataError::Encode { path: path.into(), source })?;
    write_atomic(path, bytes.get_ref()).map_err(DataError::writing(path))
}

/// The largest centred square of an image.
pub fn centred_square(image: &RgbImage) -> RgbImage {
    let square = Region::centred_square(image);
    let [left, top, side] = [square.left, square.top, square.width].map(|length| length as u32);
    image::imageops::crop_imm(image, left, top, side, side).to_image()
}

/// Resizes an image to `size` x `size` pixels without aliasing.
///
/// The aspect ratio of an image that is not square changes; crop it with [`centred_square`] first to keep proportions.
pub fn resized(image: &RgbImage, size: u32) -> RgbImage {
    if image.dimensions() == (size, size) {
        return image.clone();
    }
    resample::to_image(&resample::resampled(image, Region::whole(image), size), size)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;

    use image::{ImageEncoder, Luma, Rgb, Rgba, RgbaImage};
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
        let image = gradient(9, 12);

        write_png(&path, &image).unwrap();

        assert_eq!(read(&path).unwrap(), image);
    }

    #[test]
    fn the_format_is_detected_by_content_and_not_by_name() {
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
    fn a_grey_image_of_16_bits_becomes_rgb() {
        let (_folder, path) = place("scan.png");
        image::ImageBuffer::<Luma<u16>, _>::from_pixel(8, 8, Luma([0x8080])).save(&path).unwrap();

        assert_eq!(*read(&path).unwrap().get_pixel(0, 0), Rgb([0x80; 3]));
    }

    #[test]
    fn a_cmyk_jpeg_becomes_rgb() {
        let (_folder, path) = place("print.jpg");
        // Made by Pillow: 16 x 16 red pixels in CMYK.
        fs::write(&path, include_bytes!("../../tests/data/cmyk.jpg")).unwrap();

        let [red, green, blue] = read(&path).unwrap().get_pixel(8, 8).0;

        assert!(red.abs_diff(200) < 4 && green.abs_diff(40) < 4 && blue.abs_diff(20) < 4, "{red} {green} {blue}");
    }

    #[test]
    fn a_file_that_is_no_image_is_rejected_with_its_type_and_advice() {
        let (folder, path) = place("notes.png");
        let refused = |bytes: &[u8]| {
            fs::write(&path, bytes).unwrap();
            message(&path).strip_prefix(&path.display().to_string()).map(str::to_owned).unwrap()
        };

        assert_eq!(refused(b""), " is an empty file; copy or download it again");
        assert_eq!(refused(b"not an image"), " is a text, not an image; download the image itself");
        assert_eq!(refused(b"%PDF-1.4"), " is a PDF document, not an image; extract the images in it");
        assert!(
            refused(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic").starts_with(" is an image in the format HEIC, which cannot")
        );
        assert!(
            refused(b"\x01\x02\x03\x04\x05\x06").starts_with(" is not an image of a supported format; use PNG, JPEG, ")
        );
        assert!(message(&folder.path().join("missing.png")).starts_with("cannot read "));
        assert!(message(folder.path()).contains("is a folder"));
    }

    #[test]
    fn the_first_frame_of_a_gif_is_read() {
        let frame = |red| image::Frame::new(RgbaImage::from_pixel(9, 8, Rgba([red, 0, 0, 255])));
        let mut bytes = Vec::new();
        image::codecs::gif::GifEncoder::new(&mut bytes).encode_frames([frame(250), frame(10)]).unwrap();

        let photo = original(&bytes, "moving.gif".as_ref()).unwrap();

        assert_eq!(photo.image.as_rgb8().expect("nothing is transparent").get_pixel(3, 3).0, [250, 0, 0]);
    }

    #[test]
    fn an_image_below_8_pixels_is_rejected() {
        let (_folder, path) = place("dot.png");
        write_png(&path, &gradient(20, 7)).unwrap();

        assert!(message(&path).ends_with("has only 20 x 7 pixels; use an image of at least 8 x 8"));
    }

    fn detailed() -> RgbImage {
        RgbImage::from_fn(40, 40, |x, y| Rgb([(x * y) as u8, (x * 31) as u8, (y * 17) as u8]))
    }

    fn file(format: ImageFormat) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        detailed().write_to(&mut bytes, format).unwrap();
        bytes.into_inner()
    }

    #[test]
    fn an_image_truncated_anywhere_is_rejected() {
        use ImageFormat::{Bmp, Gif, Jpeg, Png, WebP};
        for (format, end) in [(Png, 12), (Jpeg, 2), (WebP, 0), (Bmp, 0), (Gif, 1)] {
            let whole = file(format);
            // The end marker follows the image data: in a PNG with a checksum, in other formats one or two bytes.
            for cut in (1..whole.len() - end - 4).step_by(7) {
                let path = Path::new("face");
                assert!(original(&whole[..cut], path).is_err(), "{format:?} of {cut} of {} bytes", whole.len());
            }
        }
    }

    #[test]
    fn a_file_without_its_end_marker_is_read_with_a_warning_and_rejected_where_intact_files_are_required() {
        for (format, end) in [(ImageFormat::Png, 12), (ImageFormat::Jpeg, 2), (ImageFormat::Gif, 1)] {
            let (_folder, path) = place("face");
            let whole = file(format);
            let expected = original(&whole, &path).unwrap();
            assert_eq!(expected.warning(), None);
            fs::write(&path, &whole[..whole.len() - end]).unwrap();

            let photo = read_original(&path).unwrap();

            assert_eq!(photo.warning(), Some(PhotoWarning::EndMissing), "{format:?}");
            assert_eq!(photo.image, expected.image, "{format:?}");
            assert!(message(&path).contains("the end of the file is missing"), "{format:?}");
        }
    }

    #[test]
    fn data_after_an_image_are_ignored() {
        for format in [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::Gif] {
            let trailer = [&b"motion photo"[..], &[0; 300_000], &file(ImageFormat::Jpeg)[..900]].concat();
            let long = [file(format), trailer].concat();

            assert_eq!(original(&long, "face".as_ref()).unwrap().warning(), None, "{format:?}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_pipe_is_read_like_a_file() {
        let (_folder, path) = place("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());

        let photo = std::thread::scope(|scope| {
            scope.spawn(|| fs::write(&path, file(ImageFormat::Jpeg)).unwrap());
            read_original(&path)
        });

        assert_eq!(photo.unwrap().kind(), Some(ImageKind::Jpeg));
    }

    #[test]
    fn a_small_file_that_claims_to_be_a_huge_image_is_rejected() {
        let (_folder, path) = place("bomb.bmp");
        gradient(8, 8).save(&path).unwrap();
        let mut bytes = fs::read(&path).unwrap();
        bytes[18..22].copy_from_slice(&60_000u32.to_le_bytes());
        bytes[22..26].copy_from_slice(&60_000u32.to_le_bytes());
        fs::write(&path, bytes).unwrap();

        assert!(read(&path).is_err());
    }

    #[test]
    fn a_wide_image_is_cut_at_both_sides() {
        let square = centred_square(&gradient(14, 8));

        assert_eq!(square, image::imageops::crop_imm(&gradient(14, 8), 3, 0, 8, 8).to_image());
    }
}
