//! AVIF: container by `zenavif-parse`, AV1 by `re_rav1d`, conversion from YUV to RGB here.

use image::error::{DecodingError, ImageFormatHint, LimitErrorKind, UnsupportedError, UnsupportedErrorKind};
use image::metadata::{Cicp, CicpColorPrimaries, CicpTransferCharacteristics, Orientation};
use image::{ConvertColorOptions, DynamicImage, GenericImage, ImageError, ImageResult};
use re_rav1d::dav1d::{Decoder, Error as Av1Error, Picture, PixelLayout, PlanarImageComponent, Settings, pixel};
use zenavif_parse::{AvifParser, ColorInformation};

use super::end_marker::EndMarker;
use super::limits::MAX_PIXELS;
use super::yuv::{AlphaKind, Matrix, Plane, SampleRange, Yuv};
use super::{ImageKind, Original};

/// Maximum number of polls of the decoder.
const MAX_TRIES: usize = 64;

/// An AVIF file whose container has been parsed.
pub(super) struct Avif<'a>(AvifParser<'a>);

impl<'a> Avif<'a> {
    pub(super) fn parsed(bytes: &'a [u8]) -> ImageResult<Self> {
        AvifParser::from_bytes(bytes).map(Self).map_err(container)
    }

    /// Width and height before rotation.
    pub(super) fn dimensions(&self) -> ImageResult<(u32, u32)> {
        if let Some(grid) = self.0.grid_config().filter(|_| self.0.grid_tile_count() > 0) {
            return Ok((grid.output_width, grid.output_height));
        }
        let metadata = self.0.primary_metadata().map_err(container)?;
        Ok((metadata.max_frame_width.get(), metadata.max_frame_height.get()))
    }

    pub(super) fn original(&self) -> ImageResult<Original> {
        let mut image = self.image()?;
        image.apply_orientation(self.orientation());
        let profile = match self.0.color_info() {
            Some(ColorInformation::IccProfile(profile)) => Some(profile.clone()),
            _ => None,
        };
        let notes = self.0.exif().and_then(Result::ok).map(|notes| notes.into_owned());
        Ok(Original::of(image, ImageKind::Avif, EndMarker::Present, profile, notes))
    }

    /// Orientation from the container; the AVIF format ignores the EXIF orientation.
    fn orientation(&self) -> Orientation {
        let turns = self.0.rotation().map_or(0, |rotation| rotation.angle / 90 % 4);
        // AVIF rotates counter-clockwise first, then mirrors: axis 0 swaps top and bottom, axis 1 left and right.
        let mirror = self.0.mirror().map(|mirror| mirror.axis);
        match (turns, mirror) {
            (0, None) => Orientation::NoTransforms,
            (1, None) => Orientation::Rotate270,
            (2, None) => Orientation::Rotate180,
            (_, None) => Orientation::Rotate90,
            (0, Some(0)) | (2, Some(1..)) => Orientation::FlipVertical,
            (0 | 2, Some(_)) => Orientation::FlipHorizontal,
            (1, Some(0)) | (3.., Some(1..)) => Orientation::Rotate90FlipH,
            (_, Some(_)) => Orientation::Rotate270FlipH,
        }
    }

    fn image(&self) -> ImageResult<DynamicImage> {
        let mut image = self.colours()?;
        if let Some(alpha) = self.0.alpha_data() {
            let alpha = decoded(&alpha.map_err(container)?)?;
            let planes = planes(&alpha, None)?;
            let kind = match self.0.premultiplied_alpha() {
                true => AlphaKind::Premultiplied,
                false => AlphaKind::Straight,
            };
            image = planes.as_alpha_of(image, kind).map_err(damaged)?;
        }
        Ok(image)
    }

    fn colours(&self) -> ImageResult<DynamicImage> {
        let Some(grid) = self.0.grid_config().filter(|_| self.0.grid_tile_count() > 0) else {
            return self.tile(&self.0.primary_data().map_err(container)?);
        };
        let mut whole: Option<DynamicImage> = None;
        for index in 0..self.0.grid_tile_count() {
            let tile = self.tile(&self.0.tile_data(index).map_err(container)?)?;
            let whole =
                whole.get_or_insert_with(|| DynamicImage::new(grid.output_width, grid.output_height, tile.color()));
            let columns = u32::from(grid.columns).max(1);
            let (left, top) = (index as u32 % columns * tile.width(), index as u32 / columns * tile.height());
            if tile.color() != whole.color() || left >= whole.width() || top >= whole.height() {
                return Err(damaged("the tiles do not fit together".into()));
            }
            // Tiles of the last column and row may extend beyond the image.
            let (width, height) = (tile.width().min(whole.width() - left), tile.height().min(whole.height() - top));
            whole.copy_from(&tile.crop_imm(0, 0, width, height), left, top)?;
        }
        whole.ok_or_else(|| damaged("there are no tiles".into()))
    }

    fn tile(&self, data: &[u8]) -> ImageResult<DynamicImage> {
        let frame = decoded(data)?;
        let mut image = planes(&frame, self.0.color_info())?.to_rgb();
        let (primaries, transfer) = match self.0.color_info() {
            Some(ColorInformation::Nclx { color_primaries, transfer_characteristics, .. }) => {
                (*color_primaries, *transfer_characteristics)
            }
            Some(ColorInformation::IccProfile(_)) => return Ok(image),
            None => (frame.color_primaries() as u16, frame.transfer_characteristic() as u16),
        };
        if matches!(transfer, 16 | 18) {
            return Err(unsupported("high dynamic range (PQ or HLG)".into()));
        }
        // The two wide gamuts in use; other primaries are close to sRGB.
        let wide = match primaries {
            9 => CicpColorPrimaries::Rgb2020,
            12 => CicpColorPrimaries::SmpteRp432,
            _ => return Ok(image),
        };
        image.set_rgb_primaries(wide);
        image.set_transfer_function(CicpTransferCharacteristics::SRgb);
        image.apply_color_space(Cicp::SRGB, ConvertColorOptions::default())?;
        Ok(image)
    }
}

/// The first frame in AV1 data.
fn decoded(data: &[u8]) -> ImageResult<Picture> {
    let error = |error: Av1Error| damaged(format!("AV1: {error}"));
    let mut settings = Settings::new();
    settings.set_n_threads(rayon::current_num_threads() as u32);
    settings.set_max_frame_delay(1);
    settings.set_all_layers(false);
    settings.set_frame_size_limit(MAX_PIXELS as u32);
    let mut decoder = Decoder::with_settings(&settings).map_err(error)?;
    let mut sent = decoder.send_data(data.to_vec(), None, None, None);
    for _ in 0..MAX_TRIES {
        match decoder.get_picture() {
            Ok(image) => return Ok(image),
            Err(Av1Error::Again) => (),
            Err(found) => return Err(error(found)),
        }
        match sent {
            Ok(()) | Err(Av1Error::Again) => sent = decoder.send_pending_data(),
            Err(found) => return Err(error(found)),
        }
    }
    Err(damaged("AV1: there is no image in the data".into()))
}

/// The planes of a frame; colour information in the `container` overrides the frame's.
fn planes(frame: &Picture, container: Option<&ColorInformation>) -> ImageResult<Yuv> {
    let (matrix, full_range) = match container {
        Some(ColorInformation::Nclx { matrix_coefficients, full_range, .. }) => (*matrix_coefficients, *full_range),
        _ => (frame.matrix_coefficients() as u16, frame.color_range() == pixel::YUVRange::Full),
    };
    let (width, height) = (frame.width() as usize, frame.height() as usize);
    let (across, down) = match frame.pixel_layout() {
        PixelLayout::I400 | PixelLayout::I444 => (1, 1),
        PixelLayout::I422 => (2, 1),
        PixelLayout::I420 => (2, 2),
    };
    let depth = frame.bit_depth() as u32;
    let plane = |which, width: usize, height: usize| {
        let (bytes, stride) = (frame.plane(which), frame.stride(which) as usize);
        let rows = bytes.chunks(stride.max(1)).take(height);
        let samples: Vec<u16> = match depth {
            8 => rows.flat_map(|row| row.iter().take(width).map(|sample| u16::from(*sample))).collect(),
            _ => {
                let sample = |pair: &[u8]| u16::from_ne_bytes([pair[0], pair[1]]);
                rows.flat_map(|row| row.chunks_exact(2).take(width).map(sample)).collect()
            }
        };
        match samples.len() == width * height {
            true => Ok(Plane { samples, width, height }),
            false => Err(damaged("AV1: a plane is too small".into())),
        }
    };
    let luminance = plane(PlanarImageComponent::Y, width, height)?;
    let chrominance = match frame.pixel_layout() {
        PixelLayout::I400 => None,
        _ => {
            let (width, height) = (width.div_ceil(across), height.div_ceil(down));
            Some([plane(PlanarImageComponent::U, width, height)?, plane(PlanarImageComponent::V, width, height)?])
        }
    };
    let matrix = Matrix::of(matrix).ok_or_else(|| unsupported(format!("colours by the matrix {matrix}")))?;
    let range = if full_range { SampleRange::Full } else { SampleRange::Limited };
    Ok(Yuv { luminance, chrominance, depth, range, matrix })
}

fn hint() -> ImageFormatHint {
    ImageFormatHint::Name("AVIF".into())
}

/// Converts a container error.
fn container(error: zenavif_parse::Error) -> ImageError {
    use zenavif_parse::Error;
    match error {
        Error::UnexpectedEOF => ImageError::IoError(std::io::ErrorKind::UnexpectedEof.into()),
        Error::OutOfMemory | Error::ResourceLimitExceeded(_) => {
            ImageError::Limits(LimitErrorKind::InsufficientMemory.into())
        }
        Error::Unsupported(_) => ImageError::Unsupported(hint().into()),
        error => damaged(error.to_string()),
    }
}

fn damaged(reason: String) -> ImageError {
    ImageError::Decoding(DecodingError::new(hint(), reason))
}

fn unsupported(what: String) -> ImageError {
    ImageError::Unsupported(UnsupportedError::from_format_and_kind(hint(), UnsupportedErrorKind::GenericFeature(what)))
}
