//! A photo with all that its file holds, to be written again.

use std::fmt;
use std::io::{Cursor, Write};
use std::path::Path;
use std::str::FromStr;

use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::PngEncoder;
use image::codecs::webp::WebPEncoder;
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageEncoder, ImageResult, RgbImage};
use ipcgan_model::write_whole;

use crate::DataError;

/// Quality of a JPEG that is written, of 100.
const JPEG_QUALITY: u8 = 95;

/// A photo that stands upright, with every bit of its pixels, its transparency, its colour profile and its notes (EXIF).
#[derive(Clone, Debug)]
pub struct Original {
    /// Its pixels.
    pub picture: DynamicImage,
    colour_profile: Option<Vec<u8>>,
    notes: Option<Vec<u8>>,
}

/// A kind of picture file that can be written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PhotoFormat {
    /// Without loss: pixels that nothing changed stay as they were.
    #[default]
    Png,
    /// Small, with a slight loss everywhere; transparency and more than eight bits are lost.
    Jpeg,
    /// Without loss, smaller and slower than PNG; eight bits.
    WebP,
}

impl Original {
    /// Of a decoder that has not begun.
    pub(super) fn decoded(mut decoder: impl ImageDecoder) -> ImageResult<Self> {
        let orientation = decoder.orientation()?;
        // A photo is worth more than what is said about it.
        let colour_profile = decoder.icc_profile().ok().flatten();
        let mut notes = decoder.exif_metadata().ok().flatten();
        if let Some(notes) = &mut notes {
            // It is turned now, and nobody is to turn it again.
            let _ = Orientation::remove_from_exif_chunk(notes);
        }
        let mut picture = DynamicImage::from_decoder(decoder)?;
        picture.apply_orientation(orientation);
        let grey = !picture.color().has_color();
        let colour_profile = colour_profile.filter(|profile| is_of(profile, grey));
        Ok(Self { picture, colour_profile, notes })
    }

    /// As the networks see it: 8-bit RGB, transparent parts white.
    pub fn rgb(&self) -> RgbImage {
        match self.picture.color().has_alpha() {
            true => super::over_white(self.picture.to_rgba8()),
            false => self.picture.to_rgb8(),
        }
    }

    /// As [`Original::rgb`], without a copy where the pixels are already so.
    pub fn into_rgb(self) -> RgbImage {
        match self.picture.color().has_alpha() {
            true => self.rgb(),
            false => self.picture.into_rgb8(),
        }
    }

    /// The bytes of a file of the kind `format`.
    ///
    /// # Errors
    /// The picture has more pixels than the format allows: JPEG 65,535 a side, WebP 16,384.
    pub fn encoded(&self, format: PhotoFormat) -> ImageResult<Vec<u8>> {
        let mut bytes = Cursor::new(Vec::new());
        match format {
            PhotoFormat::Png => self.write_with(PngEncoder::new(&mut bytes), &self.picture),
            PhotoFormat::Jpeg => {
                let encoder = JpegEncoder::new_with_quality(&mut bytes, JPEG_QUALITY);
                match self.picture.color().has_color() {
                    true => self.write_with(encoder, &self.rgb().into()),
                    false => self.write_with(encoder, &self.picture.to_luma8().into()),
                }
            }
            PhotoFormat::WebP => {
                let picture = match self.picture.color().has_alpha() {
                    true => self.picture.to_rgba8().into(),
                    false => self.picture.to_rgb8().into(),
                };
                self.write_with(WebPEncoder::new_lossless(&mut bytes), &picture)
            }
        }?;
        bytes.flush()?;
        Ok(bytes.into_inner())
    }

    /// Writes it to a file of the kind `format`, whole or not at all.
    ///
    /// # Errors
    /// As [`Original::encoded`]; or the folder does not exist, is full or is not ours to write.
    pub fn write(&self, path: &Path, format: PhotoFormat) -> Result<(), DataError> {
        let bytes = self.encoded(format).map_err(|source| DataError::Encode { path: path.into(), source })?;
        write_whole(path, &bytes).map_err(DataError::writing(path))
    }

    fn write_with(&self, mut encoder: impl ImageEncoder, picture: &DynamicImage) -> ImageResult<()> {
        if let Some(profile) =
            self.colour_profile.clone().filter(|profile| is_of(profile, !picture.color().has_color()))
        {
            encoder.set_icc_profile(profile).map_err(image::ImageError::Unsupported)?;
        }
        if let Some(notes) = self.notes.clone() {
            encoder.set_exif_metadata(notes).map_err(image::ImageError::Unsupported)?;
        }
        picture.write_with_encoder(encoder)
    }
}

impl From<RgbImage> for Original {
    fn from(picture: RgbImage) -> Self {
        Self { picture: picture.into(), colour_profile: None, notes: None }
    }
}

/// Whether a colour profile is for grey pictures, or for those with red, green and blue. A photo for printing is neither, and
/// its profile says nothing of the RGB that was made of it.
fn is_of(profile: &[u8], grey: bool) -> bool {
    profile.get(16..20) == Some(if grey { b"GRAY" } else { b"RGB " })
}

impl PhotoFormat {
    /// All kinds.
    pub const ALL: [Self; 3] = [Self::Png, Self::Jpeg, Self::WebP];

    /// Its name, which is also the usual end of a file's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Png => "png",
            Self::Jpeg => "jpg",
            Self::WebP => "webp",
        }
    }
}

impl fmt::Display for PhotoFormat {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for PhotoFormat {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|format| format.name() == name);
        found.ok_or_else(|| format!("pictures can be written as png, jpg and webp, not as `{name}`"))
    }
}

#[cfg(test)]
mod tests {
    use image::{Luma, Rgb, Rgba};

    use super::*;
    use crate::photo::original;

    /// Little-endian TIFF header and two entries: orientation 6 (turn right by 90 degrees), and a name of the camera.
    const NOTES: &[u8] =
        b"II*\0\x08\0\0\0\x02\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\x10\x01\x02\0\x04\0\0\0cam\0\0\0\0\0";

    fn profile(kind: &[u8; 4]) -> Vec<u8> {
        let mut profile = vec![0; 132];
        profile[16..20].copy_from_slice(kind);
        profile
    }

    fn photo(picture: impl Into<DynamicImage>) -> Original {
        let picture = picture.into();
        let kind = if picture.color().has_color() { b"RGB " } else { b"GRAY" };
        Original { picture, colour_profile: Some(profile(kind)), notes: Some(NOTES.to_vec()) }
    }

    fn colourful() -> RgbImage {
        RgbImage::from_fn(20, 12, |x, y| Rgb([(12 * x) as u8, (20 * y) as u8, (x * y) as u8]))
    }

    fn again(photo: &Original, format: PhotoFormat) -> Original {
        original(&photo.encoded(format).unwrap(), "photo".as_ref()).unwrap()
    }

    #[test]
    fn what_a_photo_says_of_itself_is_kept_but_not_how_it_must_be_turned() {
        for format in PhotoFormat::ALL {
            let turned = again(&photo(colourful()), format);

            assert_eq!(turned.colour_profile, Some(profile(b"RGB ")), "{format}");
            assert_eq!((turned.picture.width(), turned.picture.height()), (12, 20), "{format}");
            let once_more = again(&turned, format);
            assert_eq!((once_more.picture.width(), once_more.picture.height()), (12, 20), "{format}");
            let notes = once_more.notes.unwrap();
            assert!(notes.windows(3).any(|bytes| bytes == b"cam"), "{format}");
        }
    }

    #[test]
    fn png_keeps_every_bit() {
        let deep = image::ImageBuffer::from_fn(9, 9, |x, y| Rgba([(7001 * x) as u16, (7003 * y) as u16, 5, 40_000u16]));
        let grey = image::ImageBuffer::from_fn(9, 9, |x, y| Luma([(20 * x + y) as u8]));
        for picture in [DynamicImage::ImageRgba16(deep), DynamicImage::ImageLuma8(grey)] {
            let photo = Original { notes: None, ..photo(picture) };

            let read = again(&photo, PhotoFormat::Png);

            assert_eq!(read.picture, photo.picture);
            assert_eq!(read.colour_profile, photo.colour_profile);
        }
    }

    #[test]
    fn webp_keeps_eight_bits_and_jpeg_nearly() {
        let before = Original { notes: None, ..photo(colourful()) };

        let [webp, jpeg] = [PhotoFormat::WebP, PhotoFormat::Jpeg].map(|format| again(&before, format).rgb());

        assert_eq!(webp, before.rgb());
        let mean = jpeg.as_raw().iter().zip(before.rgb().as_raw()).map(|(a, b)| f64::from(a.abs_diff(*b))).sum::<f64>();
        assert!(mean / (jpeg.as_raw().len() as f64) < 6.0, "{mean}");
    }

    #[test]
    fn a_profile_of_another_kind_of_colours_is_left_out() {
        let grey = Original { notes: None, ..photo(DynamicImage::from(colourful()).to_luma8()) };

        // There is no grey WebP.
        assert_eq!(again(&grey, PhotoFormat::WebP).colour_profile, None);
        assert!(!is_of(&profile(b"CMYK"), false));
    }
}
