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
pub(super) fn remove_previews(notes: &mut Vec<u8>) {
    let mut blanked = Vec::new();
    if let Some(directories) = Directories::of(notes) {
        directories.detach_thumbnails(notes, &mut blanked);
    }
    blanked.extend(embedded_jpegs(notes));
    for range in &blanked {
        notes[range.clone()].fill(0);
    }
    // The thumbnail is usually at the end.
    while let Some(range) = blanked.iter().find(|range| range.end == notes.len() && !range.is_empty()) {
        notes.truncate(range.start);
    }
}

/// Ranges of embedded JPEG images in `notes`.
fn embedded_jpegs(notes: &[u8]) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(place) =
        notes.get(at..).and_then(|rest| rest.windows(3).position(|three| three == [0xff, 0xd8, 0xff]))
    {
        let start = at + place;
        match jpeg::length(&notes[start..]) {
            Some(length) => {
                found.push(start..start + length);
                at = start + length;
            }
            None => at = start + 2,
        }
    }
    found
}

/// The TIFF structure of EXIF metadata.
struct Directories {
    /// Base of all offsets.
    start: usize,
    little_endian: bool,
}

impl Directories {
    fn of(notes: &[u8]) -> Option<Self> {
        let start = if notes.starts_with(b"Exif\0\0") { 6 } else { 0 };
        let little_endian = match notes.get(start..start + 4)? {
            b"II*\0" => true,
            b"MM\0*" => false,
            _ => return None,
        };
        Some(Self { start, little_endian })
    }

    fn u16(&self, notes: &[u8], at: usize) -> Option<u16> {
        let bytes = *notes.get(at..)?.first_chunk()?;
        Some(if self.little_endian { u16::from_le_bytes(bytes) } else { u16::from_be_bytes(bytes) })
    }

    fn u32(&self, notes: &[u8], at: usize) -> Option<usize> {
        let bytes = *notes.get(at..)?.first_chunk()?;
        let value = if self.little_endian { u32::from_le_bytes(bytes) } else { u32::from_be_bytes(bytes) };
        usize::try_from(value).ok()
    }

    /// Range of the entries of the directory at `at`, and the position of the offset of the next directory.
    fn entries(&self, notes: &[u8], at: usize) -> Option<(Range<usize>, usize)> {
        let first = at.checked_add(2)?;
        let end = first + 12 * usize::from(self.u16(notes, at)?);
        (end + 4 <= notes.len()).then_some((first..end, end))
    }

    /// Ends the directory chain after the first one, and adds the ranges of the others and of their images to
    /// `blanked`.
    fn detach_thumbnails(&self, notes: &mut [u8], blanked: &mut Vec<Range<usize>>) -> Option<()> {
        let (_, mut link) = self.entries(notes, self.start.checked_add(self.u32(notes, self.start + 4)?)?)?;
        let first_link = link;
        for _ in 0..MAX_DIRECTORIES {
            let offset = self.u32(notes, link)?;
            notes[first_link..first_link + 4].fill(0);
            if offset == 0 {
                break;
            }
            let (entries, next) = self.entries(notes, self.start.checked_add(offset)?)?;
            for (place, length) in IMAGE_DATA {
                let places = self.values(notes, &entries, place);
                let lengths = self.values(notes, &entries, length);
                for (place, length) in places.into_iter().zip(lengths) {
                    let start = self.start.saturating_add(place).min(notes.len());
                    blanked.push(start..start.saturating_add(length).min(notes.len()));
                }
            }
            blanked.push(entries.start - 2..next + 4);
            link = next;
        }
        Some(())
    }

    /// The integer values of a tag.
    fn values(&self, notes: &[u8], entries: &Range<usize>, tag: u16) -> Vec<usize> {
        let entry = entries.clone().step_by(12).find(|entry| self.u16(notes, *entry) == Some(tag));
        let values = || {
            let entry = entry?;
            let size = match self.u16(notes, entry + 2)? {
                3 => 2,
                4 => 4,
                _ => return None,
            };
            // At most as many as fit into the metadata.
            let count = self.u32(notes, entry + 4)?.min(notes.len() / size);
            let first =
                if count * size <= 4 { entry + 8 } else { self.start.checked_add(self.u32(notes, entry + 8)?)? };
            let value = |at: usize| if size == 2 { self.u16(notes, at).map(usize::from) } else { self.u32(notes, at) };
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
        let mut notes = b"MM\0*\0\0\0\x08\0\x02".to_vec();
        notes.extend(entry(0x010f, 2, 8, 38));
        notes.extend(entry(0x927c, 7, preview.len() + 8, note));
        notes.extend((second as u32).to_be_bytes());
        notes.extend(b"camera\0\0note");
        notes.extend(&preview);
        notes.extend(b"more\0\x02");
        notes.extend(entry(0x0201, 4, 1, thumbnail));
        notes.extend(entry(0x0202, 4, 1, preview.len()));
        notes.extend([0; 4]);
        notes.extend(&preview);
        notes
    }

    fn has(notes: &[u8], text: &[u8]) -> bool {
        notes.windows(text.len()).any(|bytes| bytes == text)
    }

    #[test]
    fn thumbnail_and_preview_are_removed_and_other_metadata_keeps_its_offset() {
        let before = with_previews();
        let mut notes = before.clone();

        remove_previews(&mut notes);

        assert!(!has(&notes, &[0xff, 0xd8, 0xff]), "no image is left");
        assert_eq!(notes[34..38], [0; 4], "no second directory");
        for text in [&b"camera"[..], b"note", b"more"] {
            let place = |notes: &[u8]| notes.windows(text.len()).position(|bytes| bytes == text);
            assert_eq!(place(&notes), place(&before));
        }
        assert!(notes.len() + 300 < before.len(), "the end is cut off");
    }

    #[test]
    fn an_uncompressed_thumbnail_is_removed() {
        // One strip of 6 bytes at 38, in the second directory at 44.
        let mut notes = b"II*\0\x08\0\0\0\x01\0\x0f\x01\x02\0\x02\0\0\0C\0\0\0\x20\0\0\0".to_vec();
        notes.resize(32, 0);
        notes.extend(b"\x02\0\x11\x01\x04\0\x01\0\0\0\x3e\0\0\0\x17\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0pixels");
        assert!(has(&notes, b"pixels"));
        notes[22..26].copy_from_slice(&32u32.to_le_bytes());

        remove_previews(&mut notes);

        assert!(!has(&notes, b"pixels"));
        assert!(has(&notes, b"C\0"));
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
