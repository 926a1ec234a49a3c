//! End markers of image files.
//!
//! Decoders stop after the last pixel and do not check the rest of the file. Data missing after the image do no harm to
//! it, but `prepare` accepts only files that were copied completely.

use std::io::{self, BufRead, Read, Seek, SeekFrom};

use super::ImageKind;

/// Whether a file with complete image data has its end marker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EndMarker {
    /// Present, whatever follows it; or the format has no end marker.
    Present,
    /// The file ends before it.
    Missing,
}

/// Looks for the end marker of an image of `kind` in `file`, which is at its start. JPEGs are checked by
/// [`super::jpeg`].
///
/// The decoder detects incomplete image data, except for WebP, whose decoder accepts truncated data.
pub(super) fn of(kind: ImageKind, file: &mut (impl BufRead + Seek)) -> io::Result<EndMarker> {
    let length = file.seek(SeekFrom::End(0))?;
    file.rewind()?;
    let found = match kind {
        ImageKind::Png => png(file, length),
        ImageKind::Gif => gif(file),
        ImageKind::WebP => webp(file, length),
        _ => Ok(()),
    };
    match found {
        Ok(()) => Ok(EndMarker::Present),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(EndMarker::Missing),
        Err(error) => Err(error),
    }
}

fn bytes<const COUNT: usize>(file: &mut impl Read) -> io::Result<[u8; COUNT]> {
    let mut bytes = [0; COUNT];
    file.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn skip(file: &mut (impl BufRead + Seek), count: u64) -> io::Result<()> {
    file.seek_relative(i64::try_from(count).map_err(io::Error::other)?)
}

/// Skips all chunks up to `IEND`.
fn png(file: &mut (impl BufRead + Seek), length: u64) -> io::Result<()> {
    skip(file, 8)?;
    loop {
        let size = u64::from(u32::from_be_bytes(bytes(file)?));
        let kind: [u8; 4] = bytes(file)?;
        if file.stream_position()? + size + 4 > length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        skip(file, size + 4)?;
        if &kind == b"IEND" {
            return Ok(());
        }
    }
}

/// Cuts a PNG without an end marker after its last complete chunk and appends one: the decoder requires it.
pub(super) fn with_png_end(mut bytes: Vec<u8>) -> Vec<u8> {
    let mut at = 8;
    while let Some(size) = bytes.get(at..).and_then(<[u8]>::first_chunk) {
        let next = at + 12 + u32::from_be_bytes(*size) as usize;
        if next > bytes.len() {
            break;
        }
        at = next;
    }
    bytes.truncate(at);
    bytes.extend(b"\0\0\0\0IEND\xae\x42\x60\x82");
    bytes
}

/// Skips all blocks up to the trailer.
fn gif(file: &mut (impl BufRead + Seek)) -> io::Result<()> {
    let table = |packed: u8| if packed & 0x80 == 0 { 0 } else { 3u64 << ((packed & 7) + 1) };
    let head: [u8; 13] = bytes(file)?;
    skip(file, table(head[10]))?;
    loop {
        match bytes::<1>(file)? {
            [0x3b] => return Ok(()),
            [0x21] => skip(file, 1)?,
            [0x2c] => {
                let descriptor: [u8; 9] = bytes(file)?;
                skip(file, table(descriptor[8]) + 1)?;
            }
            // Viewers stop here too.
            _ => return Ok(()),
        }
        loop {
            match bytes::<1>(file)? {
                [0] => break,
                [size] => skip(file, size.into())?,
            }
        }
    }
}

/// Skips all chunks up to the length in the header.
fn webp(file: &mut (impl BufRead + Seek), length: u64) -> io::Result<()> {
    let head: [u8; 12] = bytes(file)?;
    let named = 8 + u64::from(u32::from_le_bytes([head[4], head[5], head[6], head[7]]));
    let mut at = 12;
    while at + 8 <= named.min(length) {
        let kind: [u8; 4] = bytes(file)?;
        let size = u64::from(u32::from_le_bytes(bytes(file)?));
        at += 8 + size;
        if at > length && matches!(&kind, b"VP8 " | b"VP8L" | b"ALPH" | b"ANMF") {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the image data end early"));
        }
        at += size % 2;
        file.seek(SeekFrom::Start(at))?;
    }
    // Encoders often omit the padding byte of an odd last chunk.
    match named > length + 1 {
        true => Err(io::ErrorKind::UnexpectedEof.into()),
        false => Ok(()),
    }
}
