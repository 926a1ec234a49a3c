//! Completeness check of a JPEG's image data.
//!
//! Decoders silently fill missing data with grey. This module therefore walks the segments and counts the blocks of
//! each scan: it reads their Huffman codes but does not decode coefficients. Neither the position of the end marker nor
//! the file length is decisive: an EXIF thumbnail has an end marker too, and metadata, a video or further images may
//! follow.
//!
//! Source: ITU-T T.81, "Digital compression and coding of continuous-tone still images".

mod frame;
mod huffman;
pub(super) mod marker;
mod scan;

use frame::{Component, Frame, Process};
use huffman::Table;
use marker::{DHT, DRI, EOI, SOF0, SOF2, SOF3, SOF5, SOF15, SOS, has_segment, starts_frame};
use scan::{Scan, ScanFault};

use super::end_marker::EndMarker;

/// Maximum number of padding bytes after the blocks of a scan; encoders align to sectors.
const MAX_STUFFING: usize = 4096;
/// The same at the end of the file: zeros in place of data that were never copied can parse as blocks.
const MAX_STUFFING_AT_END: usize = 64;

/// Why the image data of a JPEG are incomplete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// They end early.
    Truncated,
    /// They are invalid.
    Damaged,
}

/// Checks that the first image in `bytes` is complete, and returns whether its end marker is there.
///
/// A JPEG whose blocks cannot be counted (arithmetic coding, lossless, 12 bits) is checked by its end marker alone.
///
/// # Errors
/// Image data are missing or invalid.
pub(super) fn check_complete(bytes: &[u8]) -> Result<EndMarker, Fault> {
    let mut walk = Walk::new(bytes);
    loop {
        let Some(marker) = walk.next_marker() else { return walk.without_end_marker() };
        if marker == EOI {
            return walk.at_end_marker();
        }
        if has_segment(marker) {
            let Some(segment) = walk.segment() else { return walk.without_end_marker() };
            walk.interpret(marker, segment)?;
        }
    }
}

/// Length of the JPEG at the start of `bytes`, up to its end marker or else the end; `None` if it holds no image.
pub(super) fn length(bytes: &[u8]) -> Option<usize> {
    let mut walk = Walk::new(bytes);
    let mut frame = false;
    while let Some(marker) = walk.next_marker() {
        if marker == EOI {
            return frame.then_some(walk.at);
        }
        frame |= starts_frame(marker);
        if has_segment(marker) && walk.segment().is_none() {
            break;
        }
    }
    frame.then_some(bytes.len())
}

/// A walk over the segments of a JPEG, with what the scans after them need.
struct Walk<'a> {
    bytes: &'a [u8],
    at: usize,
    frame: Option<Frame>,
    dc: [Option<Table>; 4],
    ac: [Option<Table>; 4],
    restart_interval: u32,
    scans: u32,
    /// Whether the blocks can be counted.
    known: bool,
    /// Number of bytes between the last block and the next marker.
    stuffing: usize,
}

impl<'a> Walk<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            at: 0,
            frame: None,
            dc: Default::default(),
            ac: Default::default(),
            restart_interval: 0,
            scans: 0,
            known: true,
            stuffing: 0,
        }
    }

    /// Advances past the next marker and returns its code; skips bytes that belong to no marker.
    fn next_marker(&mut self) -> Option<u8> {
        loop {
            let found = self.bytes.get(self.at..)?.iter().position(|byte| *byte == 0xff)?;
            self.at += found + 1;
            match *self.bytes.get(self.at)? {
                0xff => (),
                0x00 => self.at += 1,
                marker => {
                    self.at += 1;
                    return Some(marker);
                }
            }
        }
    }

    /// Advances past a segment and returns its contents; `None` if the file ends within it.
    fn segment(&mut self) -> Option<&'a [u8]> {
        let length = self.bytes.get(self.at..self.at + 2)?;
        let length = usize::from(u16::from_be_bytes([length[0], length[1]])).max(2);
        let segment = self.bytes.get(self.at + 2..self.at + length)?;
        self.at += length;
        Some(segment)
    }

    /// Interprets the `segment` of `marker`: a frame header, tables, a restart interval, or a scan, whose data it
    /// checks and skips; ignores others.
    fn interpret(&mut self, marker: u8, segment: &[u8]) -> Result<(), Fault> {
        match marker {
            SOF0..=SOF2 => {
                let process = if marker == SOF2 { Process::Progressive } else { Process::Sequential };
                // Ignore a second frame.
                if self.frame.is_none() {
                    self.frame = Frame::parsed(segment, process);
                    self.known &= self.frame.is_some();
                }
            }
            DHT => {
                self.known &= huffman::parse(segment, &mut self.dc, &mut self.ac).is_some();
            }
            // Lossless, hierarchical and arithmetic coding.
            SOF3 | SOF5..=SOF15 => self.known = false,
            DRI => self.restart_interval = segment.get(..2).map_or(0, |two| u32::from(two[0]) << 8 | u32::from(two[1])),
            SOS => self.scan(segment)?,
            _ => (),
        }
        Ok(())
    }

    /// Counts the blocks of the scan with the header `segment`, and advances past its data.
    fn scan(&mut self, segment: &[u8]) -> Result<(), Fault> {
        self.scans += 1;
        let Some(frame) = self.frame.as_mut().filter(|_| self.known) else { return Ok(()) };
        let Some(scan) = Scan::parsed(segment, frame, self.restart_interval) else {
            self.known = false;
            return Ok(());
        };
        match scan.walk(frame, &self.dc, &self.ac, &self.bytes[self.at..]) {
            Ok(length) => {
                self.at += length;
                self.stuffing = self.to_marker();
                match self.stuffing > MAX_STUFFING {
                    true => Err(Fault::Damaged),
                    false => Ok(()),
                }
            }
            Err(ScanFault::Ended) => Err(Fault::Truncated),
            Err(ScanFault::NoSuchCode) => Err(Fault::Damaged),
            Err(ScanFault::NoTable) => {
                self.known = false;
                Ok(())
            }
        }
    }

    /// Number of bytes up to the next marker or the end.
    fn to_marker(&self) -> usize {
        let rest = &self.bytes[self.at..];
        let marker = |pair: &[u8]| pair[0] == 0xff && !matches!(pair[1], 0x00 | 0xff);
        rest.windows(2).position(marker).unwrap_or(rest.len())
    }

    fn at_end_marker(&self) -> Result<EndMarker, Fault> {
        match self.scans > 0 && self.components().iter().all(Component::is_seen) {
            true => Ok(EndMarker::Present),
            false => Err(Fault::Truncated),
        }
    }

    fn without_end_marker(&self) -> Result<EndMarker, Fault> {
        let whole = self.scans > 0
            && self.known
            && self.stuffing <= MAX_STUFFING_AT_END
            // The last byte of a scan is padded with ones.
            && !self.bytes.ends_with(&[0, 0])
            && self.components().iter().all(Component::is_whole);
        if whole { Ok(EndMarker::Missing) } else { Err(Fault::Truncated) }
    }

    /// The components of a frame whose blocks were counted.
    fn components(&self) -> &[Component] {
        self.frame.as_ref().filter(|_| self.known).map_or(&[], |frame| &frame.components)
    }
}

#[cfg(test)]
mod tests {
    use image::codecs::jpeg::JpegEncoder;
    use image::{DynamicImage, Rgb, RgbImage};

    use super::*;

    /// Made by `tests/data/make_photos.py`: progressive, chroma at half resolution, a thumbnail in EXIF.
    const PROGRESSIVE: &[u8] = include_bytes!("../../../tests/data/progressive.jpg");
    /// The same image as a sequential JPEG with restart markers.
    const RESTARTS: &[u8] = include_bytes!("../../../tests/data/restarts.jpg");

    fn baseline(quality: u8) -> Vec<u8> {
        let image = RgbImage::from_fn(50, 35, |x, y| Rgb([(x * y) as u8, (31 * x) as u8, (17 * y) as u8]));
        let mut bytes = Vec::new();
        image.write_with_encoder(JpegEncoder::new_with_quality(&mut bytes, quality)).unwrap();
        bytes
    }

    fn all() -> [Vec<u8>; 4] {
        [baseline(10), baseline(95), PROGRESSIVE.to_vec(), RESTARTS.to_vec()]
    }

    #[test]
    fn a_whole_jpeg_ends_with_its_end_marker_whatever_follows() {
        for bytes in all() {
            assert_eq!(check_complete(&bytes), Ok(EndMarker::Present));
            assert_eq!(check_complete(&[&bytes[..], &[0; 300_000]].concat()), Ok(EndMarker::Present));
            assert_eq!(check_complete(&[&bytes[..], &bytes[..bytes.len() / 2]].concat()), Ok(EndMarker::Present));
        }
    }

    #[test]
    fn a_jpeg_that_lacks_only_its_end_marker_is_complete() {
        for bytes in all() {
            assert_eq!(check_complete(&bytes[..bytes.len() - 2]), Ok(EndMarker::Missing));
            assert_eq!(check_complete(&bytes[..bytes.len() - 1]), Ok(EndMarker::Missing));
        }
    }

    #[test]
    fn a_jpeg_that_ends_before_its_end_marker_is_truncated_even_with_a_thumbnail() {
        for bytes in all() {
            for length in (2..bytes.len() - 2).step_by(5).chain([bytes.len() - 3]) {
                assert_eq!(check_complete(&bytes[..length]), Err(Fault::Truncated), "{length} of {}", bytes.len());
            }
        }
    }

    #[test]
    fn an_end_marker_after_truncated_data_does_not_make_a_jpeg_complete() {
        for bytes in all() {
            let scan = |place: &usize| bytes[*place..].starts_with(&[0xff, 0xda]);
            let start = (0..bytes.len()).rev().find(scan).unwrap() + 20;
            for length in (start..bytes.len() - 3).step_by(5) {
                assert!(
                    check_complete(&[&bytes[..length], &[0xff, 0xd9]].concat()).is_err(),
                    "{length} of {}",
                    bytes.len()
                );
            }
        }
    }

    #[test]
    fn zeros_in_place_of_missing_data_are_detected() {
        for bytes in all() {
            let mut cut = bytes.clone();
            let half = bytes.len() * 3 / 4;
            cut[half..].fill(0);

            assert!(check_complete(&cut).is_err());
        }
    }

    #[test]
    fn data_missing_between_restart_markers_are_detected() {
        let restart = RESTARTS.windows(2).position(|pair| pair == [0xff, 0xd1]).unwrap();
        let lost = [&RESTARTS[..restart - 6], &RESTARTS[restart..]].concat();

        assert_eq!(check_complete(&lost), Err(Fault::Truncated));
    }

    #[test]
    fn a_grey_jpeg_and_a_cmyk_jpeg_are_complete() {
        let mut grey = Vec::new();
        let image = DynamicImage::from(RgbImage::new(9, 20)).to_luma8();
        image.write_with_encoder(JpegEncoder::new(&mut grey)).unwrap();

        assert_eq!(check_complete(&grey), Ok(EndMarker::Present));
        assert_eq!(check_complete(include_bytes!("../../../tests/data/cmyk.jpg")), Ok(EndMarker::Present));
    }

    #[test]
    fn damaged_bytes_do_not_panic() {
        for bytes in all() {
            for place in (0..bytes.len()).step_by(3) {
                for value in [0, 0xff, 0xd9, 0x55] {
                    let mut damaged = bytes.clone();
                    damaged[place] = value;
                    let _ = check_complete(&damaged);
                }
            }
        }
    }

    #[test]
    fn the_length_of_an_embedded_jpeg_is_up_to_its_end_marker() {
        assert_eq!(length(&[PROGRESSIVE, b"notes"].concat()), Some(PROGRESSIVE.len()));
        assert_eq!(length(b"\xff\xd8\xff\xe0 no image"), None);
    }
}
