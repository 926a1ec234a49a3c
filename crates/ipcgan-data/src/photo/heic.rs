//! HEIC by the system library `libheif`.

use image::error::{DecodingError, ImageFormatHint};
use image::{DynamicImage, ImageBuffer, ImageError, ImageResult};
use libheif_rs::{ColorSpace, HeifContext, ImageHandle, ItemId, LibHeif, RgbChroma};

use super::end_marker::EndMarker;
use super::{ImageKind, Original};

/// A HEIC file whose container has been parsed.
pub(super) struct Heic(ImageHandle);

impl Heic {
    pub(super) fn parsed(bytes: &[u8]) -> ImageResult<Self> {
        // The handle keeps the container alive, but not the bytes.
        let context = HeifContext::read_from_bytes(bytes).map_err(damaged)?;
        context.primary_image_handle().map(Self).map_err(damaged)
    }

    /// Width and height of the upright image.
    pub(super) fn dimensions(&self) -> (u32, u32) {
        (self.0.width(), self.0.height())
    }

    /// The image, which `libheif` rotates upright.
    pub(super) fn original(&self) -> ImageResult<Original> {
        let (clear, deep) = (self.0.has_alpha_channel(), self.0.luma_bits_per_pixel() > 8);
        let chroma = match (clear, deep) {
            (false, false) => RgbChroma::Rgb,
            (true, false) => RgbChroma::Rgba,
            (false, true) => RgbChroma::HdrRgbLe,
            (true, true) => RgbChroma::HdrRgbaLe,
        };
        let image = LibHeif::new().decode(&self.0, ColorSpace::Rgb(chroma), None).map_err(damaged)?;
        let plane = image.planes().interleaved.ok_or_else(|| damaged("there are no colours"))?;
        let (width, height, channels) = (plane.width, plane.height, if clear { 4 } else { 3 });
        let bytes_a_row = width as usize * channels * if deep { 2 } else { 1 };
        let rows = plane.data.chunks(plane.stride.max(1)).take(height as usize);
        let bytes: Vec<u8> = rows.flat_map(|row| row.iter().take(bytes_a_row).copied()).collect();
        // Scale samples of 10 or 12 bits to 16 bits.
        let bits = u32::from(plane.bits_per_pixel.clamp(8, 16));
        let max = (1u32 << bits) - 1;
        let sample =
            |pair: &[u8]| (u32::from(u16::from_le_bytes([pair[0], pair[1]])) * 65_535 / max).min(65_535) as u16;
        let wide = || bytes.chunks_exact(2).map(sample).collect::<Vec<u16>>();
        let image = match (clear, deep) {
            (false, false) => ImageBuffer::from_raw(width, height, bytes).map(DynamicImage::ImageRgb8),
            (true, false) => ImageBuffer::from_raw(width, height, bytes).map(DynamicImage::ImageRgba8),
            (false, true) => ImageBuffer::from_raw(width, height, wide()).map(DynamicImage::ImageRgb16),
            (true, true) => ImageBuffer::from_raw(width, height, wide()).map(DynamicImage::ImageRgba16),
        };
        let image = image.ok_or_else(|| damaged("there are too few pixels"))?;
        let profile = self.0.color_profile_raw().map(|profile| profile.data);
        Ok(Original::of(image, ImageKind::Heic, EndMarker::Present, profile, self.exif()))
    }

    /// EXIF metadata without the four-byte offset in front.
    fn exif(&self) -> Option<Vec<u8>> {
        let mut ids: [ItemId; 1] = [0];
        let found = self.0.metadata_block_ids(&mut ids, b"Exif");
        let block = if found == 0 { None } else { self.0.metadata(ids[0]).ok() }?;
        let offset = u32::from_be_bytes(*block.first_chunk()?) as usize;
        block.get(offset.checked_add(4)?..).map(<[u8]>::to_vec)
    }
}

fn damaged(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> ImageError {
    ImageError::Decoding(DecodingError::new(ImageFormatHint::Name("HEIC".into()), error))
}
