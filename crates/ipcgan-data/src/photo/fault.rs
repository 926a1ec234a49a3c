//! Why the data of a readable format cannot be decoded, in user terms; shared by all formats.
//!
//! Decoders report their internal state. A user needs to know whether the file is broken or of an unsupported variant,
//! and what to do; the decoder's error stays the `source`.

use std::io;

use image::ImageError;
use image::error::UnsupportedErrorKind;

use super::ImageKind;
use super::feature::Feature;

/// Why the data of an image file cannot be decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DecodeFault {
    /// The data end early.
    Truncated,
    /// The data violate their format.
    Damaged,
    /// A valid variant of the format that is not supported.
    Unsupported {
        /// The unsupported feature, such as `a colour palette`.
        feature: String,
        /// Advice to the user.
        advice: &'static str,
    },
    /// Decoding exceeds the memory limit.
    TooMuchMemory,
}

impl DecodeFault {
    /// Classifies an error of the decoder of `kind`, for a file with an unsupported `feature`; `None` if reading from
    /// the device failed.
    pub(super) fn of(error: &ImageError, kind: ImageKind, feature: Option<Feature>) -> Option<Self> {
        let unsupported = |Feature { name, advice }| Self::Unsupported { feature: name, advice };
        match error {
            ImageError::IoError(error) if error.raw_os_error().is_some() => None,
            ImageError::IoError(error) if error.kind() == io::ErrorKind::UnexpectedEof => Some(Self::Truncated),
            ImageError::Limits(_) => Some(Self::TooMuchMemory),
            ImageError::Unsupported(error) => {
                Some(unsupported(feature.unwrap_or_else(|| match (kind, error.kind()) {
                    // Our own code calls these decoders and names the feature.
                    (ImageKind::Avif | ImageKind::Heic, UnsupportedErrorKind::GenericFeature(name)) => {
                        Feature::new(name)
                    }
                    _ => Feature::new("an unusual layout"),
                })))
            }
            _ => Some(feature.map_or(Self::Damaged, unsupported)),
        }
    }

    /// Description and advice for a file of `kind` with this fault: `a damaged PNG; copy or download it again`.
    pub(crate) fn describe(&self, kind: ImageKind) -> String {
        let article = kind.article();
        match self {
            Self::Truncated => format!("{article} {kind} that is cut short; {COPY_AGAIN}"),
            Self::Damaged => format!("a damaged {kind}; {COPY_AGAIN}"),
            Self::Unsupported { feature, advice } => {
                format!("{article} {kind} with {feature}, which cannot be read; {advice}")
            }
            Self::TooMuchMemory => format!("{article} {kind} that takes too much memory to decode; make it smaller"),
        }
    }
}

const COPY_AGAIN: &str = "copy or download it again";

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use image::{ImageFormat, Rgb, RgbImage};

    use super::*;
    use crate::DataError;
    use crate::photo::original;

    fn fault(bytes: &[u8]) -> DecodeFault {
        match original(bytes, "photo".as_ref()).map(|_| ()) {
            Err(DataError::Decode { fault, .. }) => fault,
            other => panic!("{other:?}"),
        }
    }

    fn message(bytes: &[u8]) -> String {
        original(bytes, "photo".as_ref()).unwrap_err().to_string()
    }

    fn encoded(format: ImageFormat) -> Vec<u8> {
        let image = RgbImage::from_fn(64, 48, |x, y| Rgb([(x * y) as u8, (x * 31) as u8, (y * 17 + x) as u8]));
        let mut bytes = Cursor::new(Vec::new());
        image.write_to(&mut bytes, format).unwrap();
        bytes.into_inner()
    }

    /// A TIFF of 8 x 8 zero pixels with these additional tags, each one short.
    fn tiff(tags: &[(u16, u16)]) -> Vec<u8> {
        let mut all =
            vec![(256, 8), (257, 8), (258, 8), (259, 1), (262, 1), (273, 300), (277, 1), (278, 8), (279, 192)];
        for tag in tags {
            all.retain(|(name, _)| *name != tag.0);
            all.push(*tag);
        }
        all.sort_unstable();
        let mut bytes = b"II*\0\x08\0\0\0".to_vec();
        bytes.extend((all.len() as u16).to_le_bytes());
        for (tag, value) in all {
            bytes.extend([tag.to_le_bytes(), 3u16.to_le_bytes()].concat());
            bytes.extend([1u32.to_le_bytes(), u32::from(value).to_le_bytes()].concat());
        }
        bytes.resize(300 + 192, 0);
        bytes
    }

    #[test]
    fn a_tiff_with_an_unsupported_feature_is_reported_with_the_feature() {
        assert!(original(&tiff(&[]), "photo".as_ref()).is_ok());
        for (tags, feature) in [
            (&[(262, 3)][..], "a colour palette"),
            (&[(262, 8), (277, 3)], "CIELab colours"),
            (&[(262, 6), (277, 3)], "YCbCr colours"),
            (&[(259, 50000)], "ZSTD compression"),
            (&[(259, 34925)], "LZMA compression"),
            (&[(259, 34712)], "JPEG 2000 compression"),
            (&[(258, 4)], "4 bits a sample"),
            (&[(258, 64), (339, 3)], "64 bits a sample"),
        ] {
            let message = message(&tiff(tags));

            let expected = format!("photo is a TIFF with {feature}, which cannot be read; save it ");
            assert!(message.starts_with(&expected), "{feature}: {message}");
        }
    }

    #[test]
    fn unsupported_jpegs_and_pngs_are_distinguished_from_damaged_ones() {
        let mut arithmetic = encoded(ImageFormat::Jpeg);
        let frame = arithmetic.windows(2).position(|marker| marker == [0xff, 0xc0]).unwrap();
        arithmetic[frame + 1] = 0xc9;
        assert!(message(&arithmetic).contains("a JPEG with arithmetic coding, which cannot be read; save it"));
        let mut deep = encoded(ImageFormat::Jpeg);
        deep[frame + 4] = 12;
        assert!(message(&deep).contains("a JPEG with 12 bits a sample, which cannot be read; save it"));

        let mut apple = encoded(ImageFormat::Png);
        apple.splice(8..8, *b"\0\0\0\x04CgBI\x50\0\x20\x02\x2b\xd5\xb3\x7f");
        assert!(message(&apple).contains("a PNG with Apple's CgBI extension, which cannot be read"));
    }

    #[test]
    fn damage_anywhere_is_described_for_every_format() {
        let fixtures = [
            include_bytes!("../../tests/data/lzw.tif").as_slice(),
            include_bytes!("../../tests/data/deep.tif"),
            include_bytes!("../../tests/data/fax.tif"),
            include_bytes!("../../tests/data/jpeg.tif"),
            include_bytes!("../../tests/data/clear.avif"),
            include_bytes!("../../tests/data/ten-bits.avif"),
            include_bytes!("../../tests/data/progressive.jpg"),
        ];
        use ImageFormat::{Bmp, Gif, Jpeg, Png, Tiff, WebP};
        let files = [Png, Jpeg, WebP, Gif, Bmp, Tiff].map(encoded).into_iter();
        let (mut failed, mut explained) = (0, 0);
        for file in files.chain(fixtures.map(<[u8]>::to_vec)) {
            for at in (0..file.len()).step_by(file.len() / 40 + 1) {
                let mut damaged = file.clone();
                let end = (at + 16).min(file.len());
                damaged[at..end].iter_mut().for_each(|byte| *byte ^= 0xa5);
                let Err(error) = original(&damaged, "photo".as_ref()) else { continue };
                failed += 1;
                explained += usize::from(matches!(error, DataError::Decode { .. }));
                let text = error.to_string();
                assert!(text.starts_with("photo is ") || text.starts_with("photo has "), "{text}");
                assert!(text.contains("; "), "nothing to do in: {text}");
            }
        }
        assert!(failed > 200 && explained > 150, "{failed} {explained}");
    }

    #[test]
    fn the_error_of_the_decoder_is_the_source() {
        let mut png = encoded(ImageFormat::Png);
        let data = png.windows(4).position(|kind| kind == b"IDAT").unwrap();
        png[data + 40..data + 60].fill(0xff);
        let error = original(&png, "photo".as_ref()).unwrap_err();

        assert_eq!(error.to_string(), "photo is a damaged PNG; copy or download it again");
        assert!(std::error::Error::source(&error).is_some());
        assert_eq!(fault(&png), DecodeFault::Damaged);
        assert_eq!(fault(&encoded(ImageFormat::Bmp)[..2000]), DecodeFault::Truncated);
    }
}
