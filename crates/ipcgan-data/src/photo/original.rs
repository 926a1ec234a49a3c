//! A photo with its metadata, for writing it back.

use std::io::{Cursor, Write};
use std::path::Path;

use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::PngEncoder;
use image::codecs::webp::WebPEncoder;
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageEncoder, ImageResult, Rgb, RgbImage, RgbaImage};
use ipcgan_system::write_atomic;

use super::end_marker::EndMarker;
use super::limits::check_size;
use super::{ImageKind, PhotoFormat, PhotoWarning, exif};
use crate::DataError;

/// JPEG quality of written files, of 100; without chroma subsampling (4:4:4).
const JPEG_QUALITY: u8 = 95;

/// An upright photo at full bit depth, with its transparency, colour profile and EXIF metadata.
#[derive(Clone, Debug)]
pub struct Original {
    /// Its pixels.
    pub image: DynamicImage,
    kind: Option<ImageKind>,
    warning: Option<PhotoWarning>,
    colour_profile: Option<Vec<u8>>,
    exif: Option<Vec<u8>>,
}

impl Original {
    /// Decodes a file of `kind` and turns the image upright; keeps its colour profile and metadata.
    pub(super) fn decoded(mut decoder: impl ImageDecoder, kind: ImageKind, end: EndMarker) -> ImageResult<Self> {
        // Unreadable metadata must not make the photo unreadable.
        let mut orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
        let colour_profile = decoder.icc_profile().ok().flatten();
        let mut exif = decoder.exif_metadata().ok().flatten();
        if let Some(exif) = &mut exif {
            // Some programs write the EXIF header of JPEG into other formats too.
            if exif.starts_with(b"Exif\0\0") {
                exif.drain(..6);
                orientation = Orientation::from_exif_chunk(exif).unwrap_or(orientation);
            }
        }
        let mut image = DynamicImage::from_decoder(decoder)?;
        image.apply_orientation(orientation);
        if kind == ImageKind::Gif && image.to_rgba8().pixels().all(|pixel| pixel.0[3] == 255) {
            image = image.into_rgb8().into();
        }
        Ok(Self::of(image, kind, end, colour_profile, exif))
    }

    /// From an upright image and the metadata of its file.
    pub(super) fn of(
        image: DynamicImage,
        kind: ImageKind,
        end: EndMarker,
        colour_profile: Option<Vec<u8>>,
        mut exif: Option<Vec<u8>>,
    ) -> Self {
        if let Some(exif) = &mut exif {
            // The image is upright now: viewers must not rotate it again.
            let _ = Orientation::remove_from_exif_chunk(exif);
            exif::remove_previews(exif);
        }
        let space = ColourSpace::of(&image);
        let colour_profile = colour_profile.filter(|profile| describes(profile, space));
        let warning = (end == EndMarker::Missing).then_some(PhotoWarning::EndMissing);
        Self { image, kind: Some(kind), warning, colour_profile, exif }
    }

    /// From an upright image that is in no file; `origin` names it in errors.
    ///
    /// # Errors
    /// It is smaller than 8 x 8 or larger than 200 million pixels.
    pub fn from_image(image: DynamicImage, origin: &Path) -> Result<Self, DataError> {
        check_size((image.width(), image.height()), origin)?;
        Ok(Self { image, kind: None, warning: None, colour_profile: None, exif: None })
    }

    /// Its ICC colour profile.
    pub fn colour_profile(&self) -> Option<&[u8]> {
        self.colour_profile.as_deref()
    }

    /// Its EXIF metadata, from the TIFF header on; without orientation and previews.
    pub fn exif(&self) -> Option<&[u8]> {
        self.exif.as_deref()
    }

    /// The format of the file that it was read from; `None` if it was not read from a file.
    pub fn kind(&self) -> Option<ImageKind> {
        self.kind
    }

    /// The warning about its file.
    pub fn warning(&self) -> Option<PhotoWarning> {
        self.warning
    }

    /// What a file of `format` cannot store of this photo, as text: transparency, more than eight bits a channel.
    ///
    /// The slight changes of lossy compression do not count.
    fn lost_in(&self, format: PhotoFormat) -> Vec<&'static str> {
        let colour = self.image.color();
        let deep = colour.bits_per_pixel() > 8 * u16::from(colour.channel_count());
        let mut lost = Vec::new();
        if colour.has_alpha() && format == PhotoFormat::Jpeg {
            lost.push("transparency");
        }
        if deep && format != PhotoFormat::Png {
            lost.push("16 bits a channel");
        }
        lost
    }

    /// The input of the networks: 8-bit RGB, transparent parts white.
    pub fn rgb(&self) -> RgbImage {
        match self.image.color().has_alpha() {
            true => over_white(self.image.to_rgba8()),
            false => self.image.to_rgb8(),
        }
    }

    /// Like [`Original::rgb`], without a copy if the pixels already are 8-bit RGB.
    pub(super) fn into_rgb(self) -> RgbImage {
        match self.image.color().has_alpha() {
            true => self.rgb(),
            false => self.image.into_rgb8(),
        }
    }

    /// Encodes it as a file of `format`.
    ///
    /// # Errors
    /// The image exceeds the maximum side of the format: 65,535 pixels for JPEG, 16,384 for WebP.
    pub fn encoded(&self, format: PhotoFormat) -> ImageResult<Vec<u8>> {
        let mut bytes = Cursor::new(Vec::new());
        match format {
            PhotoFormat::Png => self.write_with(PngEncoder::new(&mut bytes), &self.image),
            PhotoFormat::Jpeg => {
                let encoder = JpegEncoder::new_with_quality(&mut bytes, JPEG_QUALITY);
                match self.image.color().has_color() {
                    true => self.write_with(encoder, &self.rgb().into()),
                    false => self.write_with(encoder, &self.image.to_luma8().into()),
                }
            }
            PhotoFormat::WebP => {
                let image = match self.image.color().has_alpha() {
                    true => self.image.to_rgba8().into(),
                    false => self.image.to_rgb8().into(),
                };
                self.write_with(WebPEncoder::new_lossless(&mut bytes), &image)
            }
        }?;
        bytes.flush()?;
        Ok(bytes.into_inner())
    }

    /// Writes it to a file of `format`, atomically.
    ///
    /// # Errors
    /// As [`Original::encoded`]; or the folder does not exist, is full or is not writable.
    pub fn write(&self, path: &Path, format: PhotoFormat) -> Result<(), DataError> {
        let bytes = self.encoded(format).map_err(|source| DataError::Encode { path: path.into(), source })?;
        write_atomic(path, &bytes).map_err(DataError::writing(path))
    }

    fn write_with(&self, mut encoder: impl ImageEncoder, image: &DynamicImage) -> ImageResult<()> {
        let space = ColourSpace::of(image);
        if let Some(profile) = self.colour_profile.clone().filter(|profile| describes(profile, space)) {
            encoder.set_icc_profile(profile).map_err(image::ImageError::Unsupported)?;
        }
        if let Some(exif) = self.exif.clone() {
            encoder.set_exif_metadata(exif).map_err(image::ImageError::Unsupported)?;
        }
        image.write_with_encoder(encoder)
    }
}

impl From<RgbImage> for Original {
    fn from(image: RgbImage) -> Self {
        Self { image: image.into(), kind: None, warning: None, colour_profile: None, exif: None }
    }
}

/// The colour space of an image.
#[derive(Clone, Copy)]
enum ColourSpace {
    Grey,
    Rgb,
}

impl ColourSpace {
    fn of(image: &DynamicImage) -> Self {
        if image.color().has_color() { Self::Rgb } else { Self::Grey }
    }
}

/// Whether a colour profile describes `space`. That of a CMYK photo describes neither, because it does not apply to the
/// RGB image converted from it.
fn describes(profile: &[u8], space: ColourSpace) -> bool {
    let signature: &[u8] = match space {
        ColourSpace::Grey => b"GRAY",
        ColourSpace::Rgb => b"RGB ",
    };
    profile.get(16..20) == Some(signature)
}

impl PhotoFormat {
    /// The format that `photo` was read from, if it can be written and keeps all of the photo; PNG otherwise.
    pub fn like(photo: &Original) -> Self {
        let own = match photo.kind() {
            Some(ImageKind::Jpeg) => Self::Jpeg,
            Some(ImageKind::WebP) => Self::WebP,
            _ => Self::Png,
        };
        if photo.lost_in(own).is_empty() { own } else { Self::Png }
    }
}

/// `photo` on a white background.
fn over_white(photo: RgbaImage) -> RgbImage {
    RgbImage::from_fn(photo.width(), photo.height(), |x, y| {
        let [red, green, blue, alpha] = photo.get_pixel(x, y).0.map(u32::from);
        Rgb([red, green, blue].map(|value| ((value * alpha + 255 * (255 - alpha) + 127) / 255) as u8))
    })
}

#[cfg(test)]
mod tests {
    use image::{Luma, Rgba};

    use super::*;
    use crate::photo::original;

    #[test]
    fn an_image_in_memory_has_the_limits_of_a_file() {
        let of_size = |width, height| Original::from_image(DynamicImage::new_luma8(width, height), "the scan".as_ref());

        assert_eq!(of_size(8, 9).unwrap().image, DynamicImage::new_luma8(8, 9));
        assert_eq!(
            of_size(8, 7).unwrap_err().to_string(),
            "the scan has only 8 x 7 pixels; use an image of at least 8 x 8"
        );
    }

    /// Little-endian TIFF header and two entries: orientation 6 (rotate right by 90 degrees), and a camera name.
    const EXIF: &[u8] = b"II*\0\x08\0\0\0\x02\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\x10\x01\x02\0\x04\0\0\0cam\0\0\0\0\0";

    fn profile(kind: &[u8; 4]) -> Vec<u8> {
        let mut profile = vec![0; 132];
        profile[16..20].copy_from_slice(kind);
        profile
    }

    fn photo(image: impl Into<DynamicImage>) -> Original {
        let image = image.into();
        let kind = if image.color().has_color() { b"RGB " } else { b"GRAY" };
        Original { colour_profile: Some(profile(kind)), exif: Some(EXIF.to_vec()), ..of(image) }
    }

    fn of(image: DynamicImage) -> Original {
        Original { image, kind: None, warning: None, colour_profile: None, exif: None }
    }

    fn colourful() -> RgbImage {
        RgbImage::from_fn(20, 12, |x, y| Rgb([(12 * x) as u8, (20 * y) as u8, (x * y) as u8]))
    }

    fn again(photo: &Original, format: PhotoFormat) -> Original {
        original(&photo.encoded(format).unwrap(), "photo".as_ref()).unwrap()
    }

    #[test]
    fn metadata_is_kept_except_for_the_orientation() {
        for format in PhotoFormat::ALL {
            let turned = again(&photo(colourful()), format);

            assert_eq!(turned.colour_profile, Some(profile(b"RGB ")), "{format}");
            assert_eq!((turned.image.width(), turned.image.height()), (12, 20), "{format}");
            let once_more = again(&turned, format);
            assert_eq!((once_more.image.width(), once_more.image.height()), (12, 20), "{format}");
            let exif = once_more.exif.unwrap();
            assert!(exif.windows(3).any(|bytes| bytes == b"cam"), "{format}");
        }
    }

    #[test]
    fn png_keeps_every_bit() {
        let deep = image::ImageBuffer::from_fn(9, 9, |x, y| Rgba([(7001 * x) as u16, (7003 * y) as u16, 5, 40_000u16]));
        let grey = image::ImageBuffer::from_fn(9, 9, |x, y| Luma([(20 * x + y) as u8]));
        for image in [DynamicImage::ImageRgba16(deep), DynamicImage::ImageLuma8(grey)] {
            let photo = Original { exif: None, ..photo(image) };

            let read = again(&photo, PhotoFormat::Png);

            assert_eq!(read.image, photo.image);
            assert_eq!(read.colour_profile, photo.colour_profile);
        }
    }

    #[test]
    fn webp_is_lossless_at_8_bits_and_jpeg_is_close() {
        let before = Original { exif: None, ..photo(colourful()) };

        let [webp, jpeg] = [PhotoFormat::WebP, PhotoFormat::Jpeg].map(|format| again(&before, format).rgb());

        assert_eq!(webp, before.rgb());
        let mean = jpeg.as_raw().iter().zip(before.rgb().as_raw()).map(|(a, b)| f64::from(a.abs_diff(*b))).sum::<f64>();
        assert!(mean / (jpeg.as_raw().len() as f64) < 6.0, "{mean}");
    }

    #[test]
    fn a_colour_profile_of_another_colour_space_is_left_out() {
        let grey = Original { exif: None, ..photo(DynamicImage::from(colourful()).to_luma8()) };

        // WebP has no greyscale format.
        assert_eq!(again(&grey, PhotoFormat::WebP).colour_profile, None);
        assert!(!describes(&profile(b"CMYK"), ColourSpace::Rgb));
    }

    #[test]
    fn a_result_has_no_thumbnail_of_the_original_face() {
        for format in PhotoFormat::ALL {
            let with_thumbnail = Original { exif: Some(exif::tests::with_previews()), ..of(colourful().into()) };
            let file = with_thumbnail.encoded(format).unwrap();
            assert!(contains(&file, b"camera"), "{format}");

            let result = original(&file, "photo".as_ref()).unwrap().encoded(format).unwrap();

            assert!(contains(&result, b"camera"), "{format}");
            let jpegs = result.windows(3).filter(|bytes| bytes == &[0xff, 0xd8, 0xff]).count();
            assert_eq!(jpegs, usize::from(format == PhotoFormat::Jpeg), "{format}");
        }
    }

    fn contains(bytes: &[u8], text: &[u8]) -> bool {
        bytes.windows(text.len()).any(|bytes| bytes == text)
    }

    #[test]
    fn exif_with_the_jpeg_prefix_rotates_a_webp() {
        let exif = [b"Exif\0\0", EXIF].concat();
        let file = Original { exif: Some(exif), ..of(colourful().into()) }.encoded(PhotoFormat::WebP).unwrap();

        let upright = original(&file, "photo".as_ref()).unwrap();

        assert_eq!((upright.image.width(), upright.image.height()), (12, 20));
    }

    #[test]
    fn losses_of_a_format_are_listed() {
        let image = DynamicImage::from(colourful());
        let [plain, clear] = [of(image.clone()), of(image.to_rgba16().into())];

        for format in PhotoFormat::ALL {
            assert!(plain.lost_in(format).is_empty());
        }
        assert!(clear.lost_in(PhotoFormat::Png).is_empty());
        assert_eq!(clear.lost_in(PhotoFormat::Jpeg), ["transparency", "16 bits a channel"]);
        assert_eq!(clear.lost_in(PhotoFormat::WebP), ["16 bits a channel"]);
    }
}
