//! Detection of unsupported features from a file's header: compression methods, colour spaces and codings.

use std::io::{self, BufRead, Read, Seek, SeekFrom};

use super::ImageKind;
use super::jpeg::marker::{EOI, SOF0, SOF2, SOF3, SOF5, SOF6, SOF7, SOF9, SOF11, SOF13, SOF15, SOS, has_segment};

/// An unsupported feature of a file, with advice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Feature {
    /// Such as `a colour palette`.
    pub(super) name: String,
    pub(super) advice: &'static str,
}

const CONVERT: &str = "save it as an ordinary PNG or JPEG";
const SAVE_IN_RGB: &str = "save it in RGB, or as PNG or JPEG";
const SAVE_WITH_LZW: &str = "save it with LZW or no compression, or as PNG or JPEG";

/// Unsupported values of TIFF's `Compression`. Source: TIFF 6.0 and the registry of libtiff.
const TIFF_COMPRESSIONS: [(u64, &str); 14] = [
    (6, "JPEG compression of the old style"),
    (9, "JBIG compression"),
    (10, "JBIG compression"),
    (32766, "NeXT compression"),
    (32809, "ThunderScan compression"),
    (34661, "JBIG compression"),
    (34676, "SGI log compression"),
    (34712, "JPEG 2000 compression"),
    (34887, "LERC compression"),
    (34892, "lossy JPEG compression of DNG"),
    (34925, "LZMA compression"),
    (50000, "ZSTD compression"),
    (50001, "WebP compression"),
    (50002, "JPEG XL compression"),
];

/// Unsupported values of TIFF's `PhotometricInterpretation`.
const TIFF_COLOURS: [(u64, &str); 8] = [
    (3, "a colour palette"),
    (4, "a transparency mask in place of colours"),
    (6, "YCbCr colours"),
    (8, "CIELab colours"),
    (9, "ICCLab colours"),
    (10, "ITULab colours"),
    (32844, "LogL luminance"),
    (32845, "LogLuv colours"),
];
const TIFF_YCBCR: u64 = 6;
const TIFF_JPEG: u64 = 7;

impl Feature {
    pub(super) fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), advice: CONVERT }
    }

    /// Detects an unsupported feature in `file` of `kind`, which is at its start, and rewinds it; `None` also on read
    /// errors.
    pub(super) fn of(kind: ImageKind, file: &mut (impl BufRead + Seek)) -> Option<Self> {
        let found = match kind {
            ImageKind::Tiff => tiff(file),
            ImageKind::Jpeg => jpeg(file),
            ImageKind::Png => png(file),
            _ => Ok(None),
        };
        file.rewind().ok()?;
        found.ok().flatten()
    }
}

fn bytes<const COUNT: usize>(file: &mut impl Read) -> io::Result<[u8; COUNT]> {
    let mut bytes = [0; COUNT];
    file.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// A PNG starts with its header chunk, except PNGs that Xcode optimised for iPhones.
fn png(file: &mut impl Read) -> io::Result<Option<Feature>> {
    let head: [u8; 16] = bytes(file)?;
    Ok((&head[12..] == b"CgBI").then(|| Feature::new("Apple's CgBI extension")))
}

/// Walks the segments of a JPEG up to its frame.
fn jpeg(file: &mut (impl BufRead + Seek)) -> io::Result<Option<Feature>> {
    loop {
        let [byte] = bytes(file)?;
        if byte != 0xff {
            continue;
        }
        let mut marker = byte;
        while marker == 0xff {
            [marker] = bytes(file)?;
        }
        match marker {
            EOI | SOS => return Ok(None),
            // A data byte of 0xff is followed by zero.
            0x00 => continue,
            _ if !has_segment(marker) => continue,
            _ => (),
        }
        let length = u16::from_be_bytes(bytes(file)?);
        let name = match marker {
            SOF0..=SOF2 => match bytes(file)? {
                [8] => return Ok(None),
                [bits] => format!("{bits} bits a sample"),
            },
            SOF3 | SOF7 => "lossless coding".into(),
            SOF5 | SOF6 => "hierarchical coding".into(),
            SOF9..=SOF11 | SOF13..=SOF15 => "arithmetic coding".into(),
            _ => {
                file.seek_relative(i64::from(length.saturating_sub(2)))?;
                continue;
            }
        };
        return Ok(Some(Feature::new(name)));
    }
}

/// Pixel layout in the first directory of a TIFF.
struct TiffLayout {
    compression: u64,
    colours: Option<u64>,
    bits: u64,
}

fn tiff(file: &mut (impl Read + Seek)) -> io::Result<Option<Feature>> {
    let TiffLayout { compression, colours, bits } = tiff_layout(file)?;
    let named =
        |table: &[(u64, &'static str)], value| table.iter().find(|(known, _)| *known == value).map(|(_, name)| *name);
    // Decoders convert JPEG-compressed YCbCr to RGB.
    let colours = colours.filter(|colours| *colours != TIFF_YCBCR || compression != TIFF_JPEG);
    let compression = named(&TIFF_COMPRESSIONS, compression).map(|name| (name.to_string(), SAVE_WITH_LZW));
    let colours = colours.and_then(|colours| named(&TIFF_COLOURS, colours)).map(|name| (name.to_string(), SAVE_IN_RGB));
    let bits =
        (!matches!(bits, 1 | 8 | 16)).then(|| (format!("{bits} bits a sample"), "save it with 8 or 16 bits a sample"));
    Ok(compression.or(colours).or(bits).map(|(name, advice)| Feature { name, advice }))
}

/// Reads the first directory of a TIFF or BigTIFF.
fn tiff_layout(file: &mut (impl Read + Seek)) -> io::Result<TiffLayout> {
    let head: [u8; 4] = bytes(file)?;
    let little = head[0] == b'I';
    let big = head.contains(&b'+');
    let number = |bytes: &[u8]| {
        let digit = |value: u64, byte: &u8| value << 8 | u64::from(*byte);
        if little { bytes.iter().rev().fold(0, digit) } else { bytes.iter().fold(0, digit) }
    };
    let directory = if big {
        // BigTIFF stores the size of offsets first.
        number(&bytes::<12>(file)?[4..])
    } else {
        number(&bytes::<4>(file)?)
    };
    file.seek(SeekFrom::Start(directory))?;
    let count = if big { number(&bytes::<8>(file)?) } else { number(&bytes::<2>(file)?) };
    let mut layout = TiffLayout { compression: 1, colours: None, bits: 1 };
    let mut bits_at = None;
    for _ in 0..count.min(u64::from(u16::MAX)) {
        let mut entry = [0; 20];
        let entry = &mut entry[..if big { 20 } else { 12 }];
        file.read_exact(entry)?;
        let (count, value) = entry[4..].split_at(if big { 8 } else { 4 });
        let size = match number(&entry[2..4]) {
            1 => 1,
            3 => 2,
            4 => 4,
            _ => continue,
        };
        let fits = number(count) * size <= value.len() as u64;
        let first = number(&value[..size as usize]);
        match number(&entry[..2]) {
            258 if fits => layout.bits = first,
            // Values of several samples are stored elsewhere in the file.
            258 => bits_at = Some((number(value), size as usize)),
            259 => layout.compression = first,
            262 => layout.colours = Some(first),
            _ => (),
        }
    }
    if let Some((at, size)) = bits_at {
        file.seek(SeekFrom::Start(at))?;
        let mut first = [0; 4];
        file.read_exact(&mut first[..size])?;
        layout.bits = number(&first[..size]);
    }
    Ok(layout)
}
