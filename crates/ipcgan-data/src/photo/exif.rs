//! EXIF metadata without embedded thumbnails and previews.
//!
//! If an output kept the thumbnail of its input, file managers would show the original face.
//!
//! Source: CIPA DC-008, "Exchangeable image file format"; TIFF 6.0 for its directories.

use std::ops::Range;

use super::jpeg;

/// Maximum number of thumbnail directories; camera files have one.
const MAX_DIRECTORIES: usize = 8;
/// Pairs of tags with offsets and lengths of image data: strips, tiles, and a JPEG.
const IMAGE_DATA: [(u16, u16); 3] = [(0x0111, 0x0117), (0x0144, 0x0145), (0x0201, 0x0202)];

/// Removes every image from EXIF metadata: the thumbnail with its directory, and previews in maker notes.
///
/// Other data keep their place, so that offsets in maker notes stay valid.
pub(super) fn remove_previews(exif: &mut Vec<u8>) {
    let mut blanked = Vec::new();
    if let Some(directories) = Directories::of(exif) {
        directories.detach_thumbnails(exif, &mut blanked);
    }
    blanked.extend(embedded_jpegs(exif));
    for range in &blanked {
        exif[range.clone()].fill(0);
    }
    // The thumbnail is usually at the end.
    while let Some(range) = blanked.iter().find(|range| range.end == exif.len() && !range.is_empty()) {
        exif.truncate(range.start);
    }
}

/// Ranges of embedded JPEG images in `exif`.
fn embedded_jpegs(exif: &[u8]) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(place) =
        exif.get(at..).and_then(|rest| rest.windows(3).position(|three| three == [0xff, 0xd8, 0xff]))
    {
        let start = at + place;
        match jpeg::length(&exif[start..]) {
            Some(length) => {
                found.push(start..start + length);
                at = start + length;
            }
            None => at = start + 2,
        }
    }
    found
}

/// The image file directories (IFD) of EXIF metadata, in the structure of TIFF.
struct Directories {
    /// Base of all offsets.
    start: usize,
    little_endian: bool,
}

impl Directories {
    fn of(exif: &[u8]) -> Option<Self> {
        let start = if exif.starts_with(b"Exif\0\0") { 6 } else { 0 };
        let little_endian = match exif.get(start..start + 4)? {
            b"II*\0" => true,
            b"MM\0*" => false,
            _ => return None,
        };
        Some(Self { start, little_endian })
    }

    fn u16(&self, exif: &[u8], at: usize) -> Option<u16> {
        let bytes = *exif.get(at..)?.first_chunk()?;
        Some(if self.little_endian { u16::from_le_bytes(bytes) } else { u16::from_be_bytes(bytes) })
    }

    fn u32(&self, exif: &[u8], at: usize) -> Option<usize> {
        let bytes = *exif.get(at..)?.first_chunk()?;
        let value = if self.little_endian { u32::from_le_bytes(bytes) } else { u32::from_be_bytes(bytes) };
        usize::try_from(value).ok()
    }

    /// Range of the entries of the directory at `at`, and the position of the offset of the next directory.
    fn entries(&self, exif: &[u8], at: usize) -> Option<(Range<usize>, usize)> {
        let first = at.checked_add(2)?;
        let end = first + 12 * usize::from(self.u16(exif, at)?);
        (end + 4 <= exif.len()).then_some((first..end, end))
    }

    /// Ends the directory chain after the first one, and adds the ranges of the others and of their images to
    /// `blanked`.
    fn detach_thumbnails(&self, exif: &mut [u8], blanked: &mut Vec<Range<usize>>) -> Option<()> {
        let (_, mut link) = self.entries(exif, self.start.checked_add(self.u32(exif, self.start + 4)?)?)?;
        let first_link = link;
        for _ in 0..MAX_DIRECTORIES {
            let offset = self.u32(exif, link)?;
            exif[first_link..first_link + 4].fill(0);
            if offset == 0 {
                break;
            }
            let (entries, next) = self.entries(exif, self.start.checked_add(offset)?)?;
            for (place, length) in IMAGE_DATA {
                let places = self.values(exif, &entries, place);
                let lengths = self.values(exif, &entries, length);
                for (place, length) in places.into_iter().zip(lengths) {
                    let start = self.start.saturating_add(place).min(exif.len());
                    blanked.push(start..start.saturating_add(length).min(exif.len()));
                }
            }
            blanked.push(entries.start - 2..next + 4);
            link = next;
        }
        Some(())
    }

    /// The integer values of a tag.
    fn values(&self, exif: &[u8], entries: &Range<usize>, tag: u16) -> Vec<usize> {
        let entry = entries.clone().step_by(12).find(|entry| self.u16(exif, *entry) == Some(tag));
        let values = || {
            let entry = entry?;
            let size = match self.u16(exif, entry + 2)? {
                3 => 2,
                4 => 4,
                _ => return None,
            };
            // At most as many as fit into the metadata.
            let count = self.u32(exif, entry + 4)?.min(exif.len() / size);
            let first =
                if count * size <= 4 { entry + 8 } else { self.start.checked_add(self.u32(exif, entry + 8)?)? };
            let value = |at: usize| if size == 2 { self.u16(exif, at).map(usize::from) } else { self.u32(exif, at) };
            (0..count).map(|index| value(first.checked_add(index * size)?)).collect()
        };
        values().unwrap_or_default()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use image::codecs::jpeg::JpegEncoder;
    use image::{Rgb, RgbImage};

    use super::*;

    /// EXIF metadata with a camera name, a maker note with a JPEG preview, and a JPEG thumbnail, both pure red.
    pub(in crate::photo) fn with_previews() -> Vec<u8> {
        let mut preview = Vec::new();
        let red = RgbImage::from_pixel(16, 16, Rgb([255, 0, 0]));
        red.write_with_encoder(JpegEncoder::new(&mut preview)).unwrap();
        let entry = |tag: u16, kind: u16, count: usize, value: usize| {
            [&tag.to_be_bytes()[..], &kind.to_be_bytes(), &(count as u32).to_be_bytes(), &(value as u32).to_be_bytes()]
                .concat()
        };
        // Header 8, directory of two entries 30, name 8, maker note, directory of two entries 30, thumbnail.
        let note = 46;
        let second = note + 4 + preview.len() + 4;
        let thumbnail = second + 30;
        let mut exif = b"MM\0*\0\0\0\x08\0\x02".to_vec();
        exif.extend(entry(0x010f, 2, 8, 38));
        exif.extend(entry(0x927c, 7, preview.len() + 8, note));
        exif.extend((second as u32).to_be_bytes());
        exif.extend(b"camera\0\0note");
        exif.extend(&preview);
        exif.extend(b"more\0\x02");
        exif.extend(entry(0x0201, 4, 1, thumbnail));
        exif.extend(entry(0x0202, 4, 1, preview.len()));
        exif.extend([0; 4]);
        exif.extend(&preview);
        exif
    }

    fn has(exif: &[u8], text: &[u8]) -> bool {
        exif.windows(text.len()).any(|bytes| bytes == text)
    }

    #[test]
    fn thumbnail_and_preview_are_removed_and_other_metadata_keeps_its_offset() {
        let before = with_previews();
        let mut exif = before.clone();

        remove_previews(&mut exif);

        assert!(!has(&exif, &[0xff, 0xd8, 0xff]), "no image is left");
        assert_eq!(exif[34..38], [0; 4], "no second directory");
        for text in [&b"camera"[..], b"note", b"more"] {
            let place = |exif: &[u8]| exif.windows(text.len()).position(|bytes| bytes == text);
            assert_eq!(place(&exif), place(&before));
        }
        assert!(exif.len() + 300 < before.len(), "the end is cut off");
    }

    #[test]
    fn an_uncompressed_thumbnail_is_removed() {
        // One strip of 6 bytes at 38, in the second directory at 44.
        let mut exif = b"II*\0\x08\0\0\0\x01\0\x0f\x01\x02\0\x02\0\0\0C\0\0\0\x20\0\0\0".to_vec();
        exif.resize(32, 0);
        exif.extend(b"\x02\0\x11\x01\x04\0\x01\0\0\0\x3e\0\0\0\x17\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0pixels");
        assert!(has(&exif, b"pixels"));
        exif[22..26].copy_from_slice(&32u32.to_le_bytes());

        remove_previews(&mut exif);

        assert!(!has(&exif, b"pixels"));
        assert!(has(&exif, b"C\0"));
    }

    #[test]
    fn invalid_metadata_does_not_panic() {
        let whole = with_previews();
        for length in 0..whole.len() {
            let mut cut = whole[..length].to_vec();
            remove_previews(&mut cut);
        }
        for place in 0..60 {
            let mut broken = whole.clone();
            broken[place] = 0xff;
            remove_previews(&mut broken);
        }
        // A directory whose successor is itself.
        let mut circle = b"II*\0\x08\0\0\0\0\0\x08\0\0\0\0\0\0\0".to_vec();
        remove_previews(&mut circle);
        remove_previews(&mut Vec::new());
    }
}
