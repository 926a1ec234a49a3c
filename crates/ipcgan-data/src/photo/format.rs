//! Output formats of photos.

use std::fmt;
use std::str::FromStr;

/// An output format of photos.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PhotoFormat {
    /// Lossless: unchanged pixels keep their exact values.
    #[default]
    Png,
    /// Small, lossy; without transparency and with eight bits a channel.
    Jpeg,
    /// Lossless, smaller and slower than PNG; eight bits a channel.
    WebP,
}

impl PhotoFormat {
    /// All formats.
    pub const ALL: [Self; 3] = [Self::Png, Self::Jpeg, Self::WebP];

    /// Its name, which is also the usual file extension.
    pub fn name(self) -> &'static str {
        match self {
            Self::Png => "png",
            Self::Jpeg => "jpg",
            Self::WebP => "webp",
        }
    }

    /// Maximum width and height of a file of this format, in pixels.
    pub fn max_side(self) -> u32 {
        match self {
            Self::Png => i32::MAX as u32,
            Self::Jpeg => 65_535,
            Self::WebP => 16_384,
        }
    }

    /// Its media type, such as `image/png`.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Png => "image/png",
            Self::Jpeg => "image/jpeg",
            Self::WebP => "image/webp",
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

    /// Parses a format name, case-insensitive, with or without a leading dot; `jpeg` is `jpg`.
    fn from_str(name: &str) -> Result<Self, String> {
        let plain = name.trim().trim_start_matches('.').to_ascii_lowercase();
        let found = match plain.as_str() {
            "jpeg" => Some(Self::Jpeg),
            plain => Self::ALL.into_iter().find(|format| format.name() == plain),
        };
        found.ok_or_else(|| format!("images can be written as png, jpg and webp, not as `{name}`"))
    }
}

#[cfg(test)]
mod tests {
    use image::{DynamicImage, RgbImage};

    use super::*;
    use crate::photo::{Original, original};

    #[test]
    fn a_format_is_parsed_from_every_usual_spelling() {
        for name in ["jpg", "jpeg", "JPG", "Jpeg", ".jpg", " jpg "] {
            assert_eq!(name.parse(), Ok(PhotoFormat::Jpeg), "{name}");
        }
        assert_eq!("PNG".parse(), Ok(PhotoFormat::Png));
        assert_eq!("WebP".parse(), Ok(PhotoFormat::WebP));
        for name in ["", "tiff", "heic", "pngx"] {
            assert!(name.parse::<PhotoFormat>().unwrap_err().ends_with(&format!("not as `{name}`")));
        }
    }

    fn like(image: impl Into<DynamicImage>, format: image::ImageFormat) -> PhotoFormat {
        let mut bytes = std::io::Cursor::new(Vec::new());
        image.into().write_to(&mut bytes, format).unwrap();
        PhotoFormat::like(&original(bytes.get_ref(), "photo".as_ref()).unwrap())
    }

    #[test]
    fn a_photo_keeps_its_format_if_it_can_be_written() {
        let image = RgbImage::new(9, 9);

        assert_eq!(like(image.clone(), image::ImageFormat::Jpeg), PhotoFormat::Jpeg);
        assert_eq!(like(image.clone(), image::ImageFormat::WebP), PhotoFormat::WebP);
        assert_eq!(like(image.clone(), image::ImageFormat::Png), PhotoFormat::Png);
        assert_eq!(like(image.clone(), image::ImageFormat::Bmp), PhotoFormat::Png);
        assert_eq!(like(image.clone(), image::ImageFormat::Gif), PhotoFormat::Png);
        assert_eq!(PhotoFormat::like(&image.into()), PhotoFormat::Png);
    }

    #[test]
    fn the_maximum_side_is_the_largest_that_can_be_encoded() {
        for format in [PhotoFormat::Jpeg, PhotoFormat::WebP] {
            let written = |width| Original::from(RgbImage::new(width, 1)).encoded(format);

            assert!(written(format.max_side()).is_ok(), "{format}");
            assert!(written(format.max_side() + 1).is_err(), "{format}");
        }
    }

    #[test]
    fn a_jpeg_that_became_16_bits_is_written_as_png() {
        let mut bytes = std::io::Cursor::new(Vec::new());
        RgbImage::new(9, 9).write_to(&mut bytes, image::ImageFormat::Jpeg).unwrap();
        let mut photo = original(bytes.get_ref(), "photo".as_ref()).unwrap();
        photo.image = photo.image.to_rgb16().into();

        assert_eq!(PhotoFormat::like(&photo), PhotoFormat::Png);
    }
}
