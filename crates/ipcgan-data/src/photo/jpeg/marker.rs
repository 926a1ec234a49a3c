//! Marker codes of JPEG, the byte after `0xff`, with the names of T.81, table B.1.

/// Start of frame, baseline; up to [`SOF2`] sequential and progressive with Huffman codes.
pub(in crate::photo) const SOF0: u8 = 0xc0;
/// Start of frame, progressive.
pub(in crate::photo) const SOF2: u8 = 0xc2;
/// Start of frame, lossless.
pub(in crate::photo) const SOF3: u8 = 0xc3;
/// Define Huffman tables.
pub(in crate::photo) const DHT: u8 = 0xc4;
/// Start of frame, hierarchical: differential sequential.
pub(in crate::photo) const SOF5: u8 = 0xc5;
/// Start of frame, hierarchical: differential progressive.
pub(in crate::photo) const SOF6: u8 = 0xc6;
/// Start of frame, hierarchical: differential lossless.
pub(in crate::photo) const SOF7: u8 = 0xc7;
/// Reserved for extensions.
pub(in crate::photo) const JPG: u8 = 0xc8;
/// Start of frame with arithmetic coding, up to [`SOF11`].
pub(in crate::photo) const SOF9: u8 = 0xc9;
/// Start of frame with arithmetic coding, lossless.
pub(in crate::photo) const SOF11: u8 = 0xcb;
/// Define arithmetic coding conditioning.
pub(in crate::photo) const DAC: u8 = 0xcc;
/// Start of frame with arithmetic coding, hierarchical; up to [`SOF15`].
pub(in crate::photo) const SOF13: u8 = 0xcd;
/// Start of frame with arithmetic coding, hierarchical: differential lossless.
pub(in crate::photo) const SOF15: u8 = 0xcf;
/// Restart in the data of a scan; up to [`RST7`], in turn.
pub(in crate::photo) const RST0: u8 = 0xd0;
/// Restart, the last of eight.
pub(in crate::photo) const RST7: u8 = 0xd7;
/// Start of image.
pub(in crate::photo) const SOI: u8 = 0xd8;
/// End of image.
pub(in crate::photo) const EOI: u8 = 0xd9;
/// Start of scan.
pub(in crate::photo) const SOS: u8 = 0xda;
/// Define restart interval.
pub(in crate::photo) const DRI: u8 = 0xdd;
/// Temporary use in arithmetic coding.
pub(in crate::photo) const TEM: u8 = 0x01;

/// Whether a segment, with its length in front, follows `marker`.
pub(in crate::photo) fn has_segment(marker: u8) -> bool {
    !matches!(marker, TEM | RST0..=RST7 | SOI | EOI)
}

/// Whether `marker` starts a frame, in any coding.
pub(in crate::photo) fn starts_frame(marker: u8) -> bool {
    matches!(marker, SOF0..=SOF15) && !matches!(marker, DHT | JPG | DAC)
}
