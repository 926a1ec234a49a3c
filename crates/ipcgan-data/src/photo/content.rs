//! Detection of file types by content.

use super::ImageKind;

/// Number of bytes at the start of a file that detection needs.
pub(super) const START: usize = 4096;

/// File type of the first [`START`] bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// An image.
    Image(ImageKind),
    /// A file of another type: its description and advice to the user.
    Other(&'static str, &'static str),
    /// Unknown.
    Unknown,
}

/// Signatures of image formats.
const IMAGES: [(&[u8], ImageKind); 30] = [
    (b"\x89PNG\r\n\x1a\n", ImageKind::Png),
    (b"\xff\xd8\xff", ImageKind::Jpeg),
    (b"GIF87a", ImageKind::Gif),
    (b"GIF89a", ImageKind::Gif),
    (b"\0\0\0\x0cJXL \r\n\x87\n", ImageKind::JpegXl),
    (b"\xff\x0a", ImageKind::JpegXl),
    (b"\0\0\0\x0cjP  \r\n\x87\n", ImageKind::Jpeg2000),
    (b"\xff\x4f\xff\x51", ImageKind::Jpeg2000),
    (b"II\xbc\x01", ImageKind::JpegXr),
    // Signatures of raw formats that resemble TIFF precede TIFF's.
    (b"II*\0\x10\0\0\0CR", ImageKind::Raw),
    (b"IIRO", ImageKind::Raw),
    (b"IIRS", ImageKind::Raw),
    (b"MMOR", ImageKind::Raw),
    (b"IIU\0", ImageKind::Raw),
    (b"FUJIFILMCCD-RAW", ImageKind::Raw),
    (b"FOVb", ImageKind::Raw),
    (b"\0MRM", ImageKind::Raw),
    (b"II\x1a\0\0\0HEAP", ImageKind::Raw),
    (b"II*\0", ImageKind::Tiff),
    (b"MM\0*", ImageKind::Tiff),
    (b"II+\0", ImageKind::Tiff),
    (b"MM\0+", ImageKind::Tiff),
    (b"8BPS", ImageKind::Photoshop),
    (b"gimp xcf", ImageKind::Gimp),
    (b"\x76\x2f\x31\x01", ImageKind::OpenExr),
    (b"#?RADIANCE", ImageKind::Radiance),
    (b"#?RGBE", ImageKind::Radiance),
    (b"qoif", ImageKind::Qoi),
    (b"P7\n", ImageKind::Pnm),
    (b"P7\r\n", ImageKind::Pnm),
];

/// Advice for archives and documents.
const EXTRACT: &str = "extract the images in it";
const FRAMES: &str = "extract frames from it, for example with ffmpeg";
const DOWNLOAD: &str = "download the image itself";

const OTHERS: [(&[u8], &str, &str); 22] = [
    (b"%PDF-", "a PDF document", EXTRACT),
    (b"%!PS", "a PostScript document", EXTRACT),
    (b"PK\x03\x04", "a ZIP archive", EXTRACT),
    (b"\x1f\x8b", "a gzip archive", EXTRACT),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", EXTRACT),
    (b"Rar!\x1a\x07", "a RAR archive", EXTRACT),
    (b"BZh", "a bzip2 archive", EXTRACT),
    (b"\xfd7zXZ\0", "an XZ archive", EXTRACT),
    (b"\x28\xb5\x2f\xfd", "a Zstandard archive", EXTRACT),
    (b"version https://git-lfs.github.com/spec/", "a Git LFS pointer", "fetch the file itself with `git lfs pull`"),
    (b"/annex/objects/", "a git-annex pointer", "fetch the file itself with `git annex get`"),
    (b"\0\x05\x16\x07", "an AppleDouble file with notes of macOS", "use the file of the same name without `._`"),
    (b"\x1a\x45\xdf\xa3", "a Matroska or WebM video", FRAMES),
    (b"FLV\x01", "a Flash video", FRAMES),
    (b"\0\0\x01\xba", "an MPEG video", FRAMES),
    (b"\0\0\x01\xb3", "an MPEG video", FRAMES),
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "a Windows Media video", FRAMES),
    (b"OggS", "an Ogg video or sound", FRAMES),
    (b"\0\0\x01\0", "an icon (ICO)", "convert it to PNG"),
    (b"icns", "an icon (ICNS)", "convert it to PNG"),
    (b"\x93NUMPY", "a NumPy array", "save it as PNG"),
    (b"SIMPLE  =", "a FITS image", "convert it to PNG or TIFF"),
];

impl Content {
    /// Detects the type from the first bytes of a file; `name` is the image format of its extension.
    pub(super) fn of(start: &[u8], name: Option<ImageKind>) -> Self {
        if let Some((_, kind)) = IMAGES.iter().find(|(magic, _)| start.starts_with(magic)) {
            // Most camera raw files are TIFF files whose first image is a thumbnail, not the photo.
            let raw = *kind == ImageKind::Tiff && (name == Some(ImageKind::Raw) || is_raw_tiff(start));
            return Self::Image(if raw { ImageKind::Raw } else { *kind });
        }
        if let Some(content) = of_riff(start).or_else(|| of_boxes(start)) {
            return content;
        }
        if is_bitmap(start) {
            return Self::Image(ImageKind::Bmp);
        }
        if is_anymap(start) {
            return Self::Image(ImageKind::Pnm);
        }
        if let Some((_, what, advice)) = OTHERS.iter().find(|(magic, ..)| start.starts_with(magic)) {
            return Self::Other(what, advice);
        }
        if start.get(128..132) == Some(b"DICM") {
            return Self::Other("a DICOM image", "convert it to PNG or TIFF");
        }
        if start.len() >= 16 && start.iter().all(|byte| *byte == 0) {
            return Self::Other("a file of zeros", "copy or download it again");
        }
        of_text(start).unwrap_or(match name {
            // Targa has no signature.
            Some(ImageKind::Targa) => Self::Image(ImageKind::Targa),
            _ => Self::Unknown,
        })
    }
}

fn of_riff(start: &[u8]) -> Option<Content> {
    match (start.get(..4)?, start.get(8..12)?) {
        (b"RIFF", b"WEBP") => Some(Content::Image(ImageKind::WebP)),
        (b"RIFF", b"AVI ") => Some(Content::Other("an AVI video", FRAMES)),
        (b"RIFF", b"WAVE") => Some(Content::Other("a sound", "give an image")),
        _ => None,
    }
}

/// ISO base media files (AVIF, HEIC, raw formats and videos), distinguished by their brands.
fn of_boxes(start: &[u8]) -> Option<Content> {
    let length = u32::from_be_bytes(*start.first_chunk()?) as usize;
    match start.get(4..8)? {
        b"ftyp" => (),
        b"moov" | b"mdat" | b"wide" | b"pnot" => return Some(Content::Other("a QuickTime video", FRAMES)),
        _ => return None,
    }
    let brands = start.get(8..length.min(start.len()))?;
    // The minor version (the second word) is not a brand.
    let is = |known: &[&[u8]]| brands.chunks_exact(4).enumerate().any(|(i, brand)| i != 1 && known.contains(&brand));
    Some(if is(&[b"avif", b"avis"]) {
        Content::Image(ImageKind::Avif)
    } else if is(&[b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1", b"mif2"]) {
        Content::Image(ImageKind::Heic)
    } else if is(&[b"crx "]) {
        Content::Image(ImageKind::Raw)
    } else {
        Content::Other("an MP4 or QuickTime video", FRAMES)
    })
}

fn is_bitmap(start: &[u8]) -> bool {
    // Text can start with `BM` too: check the header length that follows.
    let header = start.get(14..18).and_then(<[u8]>::first_chunk).map(|bytes| u32::from_le_bytes(*bytes));
    start.starts_with(b"BM") && header.is_some_and(|length| matches!(length, 12 | 16 | 40 | 52 | 56 | 64 | 108 | 124))
}

fn is_anymap(start: &[u8]) -> bool {
    matches!(start, [b'P', b'1'..=b'6', b' ' | b'\n' | b'\r' | b'\t', next, ..] if next.is_ascii_digit() || *next == b'#' || *next == b'\n')
}

/// Whether the first directory of a TIFF describes a thumbnail or raw sensor data instead of a whole image.
fn is_raw_tiff(start: &[u8]) -> bool {
    let little = start[0] == b'I';
    let u16_at = |at: usize| {
        let bytes = *start.get(at..)?.first_chunk()?;
        Some(if little { u16::from_le_bytes(bytes) } else { u16::from_be_bytes(bytes) })
    };
    let u32_at = |at: usize| {
        let bytes = *start.get(at..)?.first_chunk()?;
        Some(if little { u32::from_le_bytes(bytes) } else { u32::from_be_bytes(bytes) })
    };
    let raw = || {
        let directory = u32_at(4)? as usize;
        let entries = (0..usize::from(u16_at(directory)?)).map(|index| directory + 2 + 12 * index);
        let value = |entry: usize| {
            if u16_at(entry + 2) == Some(4) { u32_at(entry + 8) } else { u16_at(entry + 8).map(u32::from) }
        };
        let of = |tag: u16| entries.clone().find(|entry| u16_at(*entry) == Some(tag));
        let (small, colours) = (of(0x00fe).and_then(value), of(0x0106).and_then(value));
        // DNGVersion; a reduced image with sub-directories; colour filter array or linear raw.
        let is_small = small.is_some_and(|kind| kind & 1 == 1) && of(0x014a).is_some();
        Some(of(0xc612).is_some() || is_small || matches!(colours, Some(32_803 | 34_892)))
    };
    raw().unwrap_or(false)
}

fn of_text(start: &[u8]) -> Option<Content> {
    let text = match start {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => return Some(Content::Other("a text", DOWNLOAD)),
        [0xef, 0xbb, 0xbf, rest @ ..] => rest,
        _ => start,
    };
    // A multi-byte character may be cut at the end.
    let whole = match std::str::from_utf8(text) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => std::str::from_utf8(&text[..error.valid_up_to()]).ok()?,
        Err(_) => return None,
    };
    let printable = |character: char| !character.is_control() || character.is_whitespace();
    let text = whole.trim_start().to_ascii_lowercase();
    if text.is_empty() || !whole.chars().all(printable) {
        return None;
    }
    let svg = text.starts_with("<svg") || text.starts_with("<?xml") && text.contains("<svg");
    let page = text.starts_with("<!doctype html") || text.starts_with("<html") || text.contains("<head>");
    Some(if svg {
        Content::Other("a drawing (SVG)", "export it as PNG")
    } else if page {
        Content::Other("a web page (HTML)", DOWNLOAD)
    } else if text.starts_with("<?xml") || text.starts_with('{') || text.starts_with('[') {
        Content::Other("a text (XML or JSON)", DOWNLOAD)
    } else {
        Content::Other("a text", DOWNLOAD)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(start: &[u8]) -> Content {
        Content::of(start, None)
    }

    fn what(start: &[u8]) -> &'static str {
        match of(start) {
            Content::Other(what, _) => what,
            content => panic!("{content:?}"),
        }
    }

    #[test]
    fn brands_tell_avif_heic_raw_and_video_apart() {
        let image = |brands: &str| of(format!("\0\0\0\x18ftyp{brands}").as_bytes());

        assert_eq!(image("avif\0\0\0\0mif1avif"), Content::Image(ImageKind::Avif));
        assert_eq!(image("mif1\0\0\0\0mif1avif"), Content::Image(ImageKind::Avif));
        assert_eq!(image("heic\0\0\0\0mif1heic"), Content::Image(ImageKind::Heic));
        assert_eq!(image("mif1\0\0\0\0mif1heic"), Content::Image(ImageKind::Heic));
        assert_eq!(image("crx \0\0\0\x01crx isom"), Content::Image(ImageKind::Raw));
        assert!(matches!(image("isom\0\0\x02\0isomavc1"), Content::Other("an MP4 or QuickTime video", _)));
        assert!(matches!(image("qt  \0\0\x02\0qt  \0\0\0\0"), Content::Other("an MP4 or QuickTime video", _)));
    }

    #[test]
    fn the_type_of_a_file_with_a_wrong_extension_is_reported() {
        assert_eq!(what(b"\xef\xbb\xbf\r\n<!DOCTYPE html><html>"), "a web page (HTML)");
        assert_eq!(what(b"<?xml version=\"1.0\"?><!-- --><svg xmlns=\"\">"), "a drawing (SVG)");
        assert_eq!(what(b"<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code>"), "a text (XML or JSON)");
        assert_eq!(what(b"{\"error\": 404}"), "a text (XML or JSON)");
        assert_eq!(what(b"version https://git-lfs.github.com/spec/v1\noid"), "a Git LFS pointer");
        assert_eq!(what(b"%PDF-1.7\n"), "a PDF document");
        assert_eq!(what(&[0; 64]), "a file of zeros");
        assert_eq!(what("BMW fährt vor".as_bytes()), "a text");
        assert_eq!(of(b"\x01\x02\x03\x04\x05"), Content::Unknown);
    }

    #[test]
    fn text_with_a_truncated_last_character_is_text() {
        assert_eq!(what("not an image, é".as_bytes().split_last().unwrap().1), "a text");
    }

    #[test]
    fn raw_files_based_on_tiff_are_not_tiff() {
        let tiff = |tag: u16, value: u32| {
            let mut bytes = b"MM\0*\0\0\0\x08\0\x02".to_vec();
            bytes.extend([tag.to_be_bytes(), 4u16.to_be_bytes()].concat());
            bytes.extend([1u32.to_be_bytes(), value.to_be_bytes()].concat());
            bytes.extend([0x014au16.to_be_bytes(), 4u16.to_be_bytes()].concat());
            bytes.extend([1u32.to_be_bytes(), 64u32.to_be_bytes()].concat());
            bytes
        };
        let raw = Content::Image(ImageKind::Raw);

        assert_eq!(of(&tiff(0xc612, 1)), raw);
        assert_eq!(of(&tiff(0x00fe, 1)), raw);
        assert_eq!(of(&tiff(0x00fe, 0)), Content::Image(ImageKind::Tiff));
        assert_eq!(Content::of(b"II*\0", Some(ImageKind::Raw)), raw);
    }

    #[test]
    fn any_first_bytes_are_classified_without_a_panic() {
        for (magic, _) in IMAGES {
            for length in 0..magic.len() {
                of(&magic[..length]);
            }
        }
    }
}
