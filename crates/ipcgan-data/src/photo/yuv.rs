//! Conversion from YUV to RGB.
//!
//! Source: ITU-T H.273, "Coding-independent code points".

use image::{DynamicImage, ImageBuffer};
use rayon::prelude::*;

/// One plane of samples.
pub(super) struct Plane {
    pub(super) samples: Vec<u16>,
    pub(super) width: usize,
    pub(super) height: usize,
}

/// A planar YUV image; chroma planes may have half the width and half the height.
pub(super) struct Yuv {
    pub(super) luminance: Plane,
    pub(super) chrominance: Option<[Plane; 2]>,
    /// Bits per sample.
    pub(super) depth: u32,
    pub(super) range: SampleRange,
    pub(super) matrix: Matrix,
}

/// Range of the samples.
#[derive(Clone, Copy)]
pub(super) enum SampleRange {
    /// All values.
    Full,
    /// Of 255: 16 to 235 for luma, 16 to 240 for chroma.
    Limited,
}

/// How colours relate to the alpha channel.
#[derive(Clone, Copy)]
pub(super) enum AlphaKind {
    /// Independent of it.
    Straight,
    /// Multiplied by it.
    Premultiplied,
}

/// Matrix coefficients of the colour conversion.
#[derive(Clone, Copy)]
pub(super) enum Matrix {
    /// The coefficients `Kr` and `Kb` of red and blue in luminance.
    KrKb(f32, f32),
    /// No conversion: the planes are green, blue and red.
    Identity,
    /// Chroma as green against purple and orange against blue.
    YCgCo,
}

impl Matrix {
    /// From its number in H.273; `None` if it is not supported.
    pub(super) fn of(number: u16) -> Option<Self> {
        Some(match number {
            0 => Self::Identity,
            1 => Self::KrKb(0.2126, 0.0722),
            // Unspecified: use the matrix of JPEG and legacy video.
            2 | 5 | 6 => Self::KrKb(0.299, 0.114),
            4 => Self::KrKb(0.3, 0.11),
            7 => Self::KrKb(0.212, 0.087),
            8 => Self::YCgCo,
            9 => Self::KrKb(0.2627, 0.0593),
            _ => return None,
        })
    }

    /// RGB of luma in [0, 1] and chroma in [-1/2, 1/2].
    fn rgb(self, y: f32, [u, v]: [f32; 2]) -> [f32; 3] {
        match self {
            Self::KrKb(red, blue) => {
                let (r, b) = (y + 2.0 * (1.0 - red) * v, y + 2.0 * (1.0 - blue) * u);
                [r, (y - red * r - blue * b) / (1.0 - red - blue), b]
            }
            Self::Identity => [v + 0.5, y, u + 0.5],
            Self::YCgCo => [y - u + v, y + u, y - u - v],
        }
    }
}

impl Plane {
    /// The sample at a point, interpolated bilinearly.
    fn at(&self, x: f32, y: f32) -> f32 {
        let place = |position: f32, length: usize| {
            let position = position.clamp(0.0, (length - 1) as f32);
            (position as usize, (position as usize + 1).min(length - 1), position.fract())
        };
        let (left, right, across) = place(x, self.width);
        let (top, bottom, down) = place(y, self.height);
        let row = |row: usize| {
            let sample = |column: usize| f32::from(self.samples[row * self.width + column]);
            sample(left) * (1.0 - across) + sample(right) * across
        };
        if down == 0.0 { row(top) } else { row(top) * (1.0 - down) + row(bottom) * down }
    }
}

impl Yuv {
    /// Converts to RGB, or to grey without chroma planes; 16 bits a channel if samples have more than 8.
    pub(super) fn to_rgb(&self) -> DynamicImage {
        let (width, height) = (self.luminance.width as u32, self.luminance.height as u32);
        let fits = "as many samples as pixels";
        match (&self.chrominance, self.depth > 8) {
            (None, false) => ImageBuffer::from_raw(width, height, self.grey(u8_of)).map(DynamicImage::ImageLuma8),
            (None, true) => ImageBuffer::from_raw(width, height, self.grey(u16_of)).map(DynamicImage::ImageLuma16),
            (Some(planes), false) => {
                ImageBuffer::from_raw(width, height, self.colours(planes, u8_of)).map(DynamicImage::ImageRgb8)
            }
            (Some(planes), true) => {
                ImageBuffer::from_raw(width, height, self.colours(planes, u16_of)).map(DynamicImage::ImageRgb16)
            }
        }
        .expect(fits)
    }

    /// Adds these samples to `image` as its alpha channel.
    pub(super) fn as_alpha_of(&self, image: DynamicImage, kind: AlphaKind) -> Result<DynamicImage, String> {
        if (image.width() as usize, image.height() as usize) != (self.luminance.width, self.luminance.height) {
            return Err("transparency has another size than the image".into());
        }
        let alpha = self.grey(u16_of);
        let deep = image.color().bytes_per_pixel() > image.color().channel_count();
        let mut clear = image.into_rgba16();
        for (pixel, alpha) in clear.pixels_mut().zip(alpha) {
            let [red, green, blue, _] = pixel.0;
            let share = |colour: u16| match (kind, alpha) {
                (AlphaKind::Straight, _) => colour,
                (AlphaKind::Premultiplied, 0) => 0,
                (AlphaKind::Premultiplied, alpha) => (u32::from(colour) * 65_535 / u32::from(alpha)).min(65_535) as u16,
            };
            pixel.0 = [share(red), share(green), share(blue), alpha];
        }
        let clear = DynamicImage::ImageRgba16(clear);
        Ok(if deep { clear } else { clear.into_rgba8().into() })
    }

    /// The lowest luma value, and the range from there to the highest.
    fn luminance_range(&self) -> (f32, f32) {
        match self.range {
            SampleRange::Full => (0.0, ((1u32 << self.depth) - 1) as f32),
            SampleRange::Limited => ((16 << (self.depth - 8)) as f32, (219 << (self.depth - 8)) as f32),
        }
    }

    fn grey<S: Send>(&self, sample: fn(f32) -> S) -> Vec<S> {
        let (low, range) = self.luminance_range();
        self.luminance.samples.par_iter().map(|value| sample((f32::from(*value) - low) / range)).collect()
    }

    fn colours<S: Send>(&self, planes: &[Plane; 2], sample: fn(f32) -> S) -> Vec<S> {
        let (low, range) = self.luminance_range();
        let middle = (1u32 << (self.depth - 1)) as f32;
        let [middle, spread] = match (self.matrix, self.range) {
            // Red and blue are coded with the range of luma.
            (Matrix::Identity, _) => [low + range / 2.0, range],
            (_, SampleRange::Full) => [middle, range],
            (_, SampleRange::Limited) => [middle, (224 << (self.depth - 8)) as f32],
        };
        let (width, height) = (self.luminance.width, self.luminance.height);
        let factor = |whole: usize, part: usize| if part < whole { 2.0 } else { 1.0 };
        let (across, down) = (factor(width, planes[0].width), factor(height, planes[0].height));
        let row = |row: usize| {
            let y = (row as f32 + 0.5) / down - 0.5;
            let luminance = &self.luminance.samples[row * width..(row + 1) * width];
            luminance.iter().enumerate().flat_map(move |(column, value)| {
                let x = (column as f32 + 0.5) / across - 0.5;
                let chrominance = [0, 1].map(|index: usize| (planes[index].at(x, y) - middle) / spread);
                self.matrix.rgb((f32::from(*value) - low) / range, chrominance).map(sample)
            })
        };
        (0..height).into_par_iter().flat_map_iter(row).collect()
    }
}

fn u8_of(value: f32) -> u8 {
    (value * 255.0).round() as u8
}

fn u16_of(value: f32) -> u16 {
    (value * 65_535.0).round() as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(samples: [u16; 3], depth: u32, range: SampleRange, matrix: u16) -> DynamicImage {
        let plane = |sample| Plane { samples: vec![sample; 4], width: 2, height: 2 };
        let [y, u, v] = samples.map(plane);
        Yuv { luminance: y, chrominance: Some([u, v]), depth, range, matrix: Matrix::of(matrix).unwrap() }.to_rgb()
    }

    #[test]
    fn red_of_each_matrix_and_range_is_red() {
        // Computed with H.273 from R = 1, G = B = 0.
        for (samples, range, matrix) in [
            ([76, 85, 255], SampleRange::Full, 6),
            ([81, 90, 240], SampleRange::Limited, 6),
            ([63, 102, 240], SampleRange::Limited, 1),
            ([0, 0, 255], SampleRange::Full, 0),
        ] {
            let [red, green, blue] = of(samples, 8, range, matrix).to_rgb8().get_pixel(1, 1).0;

            assert!(red > 252 && green < 4 && blue < 4, "{samples:?}: {red} {green} {blue}");
        }
    }

    #[test]
    fn ten_bits_become_sixteen() {
        let white = of([1023, 512, 512], 10, SampleRange::Full, 1);

        assert_eq!(white.as_rgb16().unwrap().get_pixel(0, 0).0, [65_535; 3]);
    }

    #[test]
    fn chrominance_at_half_resolution_has_no_steps() {
        let plane = |samples: Vec<u16>, width| Plane { height: samples.len() / width, samples, width };
        let chrominance = [plane(vec![128; 4], 2), plane(vec![128, 168, 128, 168], 2)];
        let luminance = plane(vec![100; 16], 4);
        let yuv = Yuv {
            luminance,
            chrominance: Some(chrominance),
            depth: 8,
            range: SampleRange::Full,
            matrix: Matrix::of(6).unwrap(),
        };

        let row: Vec<u8> = (0..4).map(|x| yuv.to_rgb().to_rgb8().get_pixel(x, 2).0[0]).collect();

        assert_eq!(row, [100, 114, 142, 156]);
    }
}
