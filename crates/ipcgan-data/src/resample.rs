//! Cropping and resizing in one pass.

use image::{Rgb, RgbImage};

/// A rectangle of an image in pixels; its edges may be fractional and outside of the image.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Region {
    pub(crate) left: f32,
    pub(crate) top: f32,
    pub(crate) width: f32,
    pub(crate) height: f32,
}

impl Region {
    /// The whole of an image.
    pub(crate) fn whole(image: &RgbImage) -> Self {
        let [width, height] = [image.width(), image.height()].map(|length| length as f32);
        Self { left: 0.0, top: 0.0, width, height }
    }

    /// The largest square in the middle of an image.
    pub(crate) fn centred_square(image: &RgbImage) -> Self {
        let [width, height] = [image.width(), image.height()].map(|length| length as f32);
        let side = width.min(height);
        // Whole pixels, so that a square of the target size is copied and not blurred.
        let [left, top] = [width, height].map(|length| ((length - side) / 2.0).floor());
        Self { left, top, width: side, height: side }
    }
}

/// The bilinear interpolation of `image` at a point; pixel centres are at integer coordinates. Beyond the image its edge
/// pixels repeat.
pub(crate) fn at(image: &RgbImage, column: f32, row: f32) -> [f32; 3] {
    let (last_column, last_row) = (image.width() - 1, image.height() - 1);
    let (column, row) = (column.clamp(0.0, last_column as f32), row.clamp(0.0, last_row as f32));
    let (left, top) = (column as u32, row as u32);
    let pixel = |x: u32, y: u32| image.get_pixel(x, y).0.map(f32::from);
    let lerp = |first: [f32; 3], second: [f32; 3], fraction: f32| -> [f32; 3] {
        std::array::from_fn(|channel| first[channel] + (second[channel] - first[channel]) * fraction)
    };
    let line = |y: u32| lerp(pixel(left, y), pixel((left + 1).min(last_column), y), column - left as f32);
    lerp(line(top), line((top + 1).min(last_row)), row - top as f32)
}

/// The part `region` of `image` at `size` x `size` pixels, as `[red, green, blue]` of each pixel, 0 to 255.
///
/// Weights are a triangle as wide as the larger of a source and a target pixel: shrinking averages, enlarging is
/// bilinear. Beyond the image its edge pixels repeat.
pub(crate) fn resampled(image: &RgbImage, region: Region, size: u32) -> Vec<[f32; 3]> {
    // Prepared faces usually have the size of the networks, and loading them must keep up with a fast device.
    if region == Region::whole(image) && image.dimensions() == (size, size) {
        return image.pixels().map(|pixel| pixel.0.map(f32::from)).collect();
    }
    let columns = taps(region.left, region.width, size, image.width());
    let rows = taps(region.top, region.height, size, image.height());
    let first = rows.iter().map(|taps| taps.first).min().unwrap_or(0);
    let end = rows.iter().map(|taps| taps.first + taps.weights.len()).max().unwrap_or(0);

    let stride = 3 * image.width() as usize;
    let horizontal: Vec<Vec<[f32; 3]>> = (first..end)
        .map(|y| {
            let line = &image.as_raw()[y * stride..(y + 1) * stride];
            columns.iter().map(|taps| mean_of_pixels(&line[3 * taps.first..], &taps.weights)).collect()
        })
        .collect();
    let mut pixels = Vec::with_capacity((size * size) as usize);
    for taps in &rows {
        let lines = &horizontal[taps.first - first..];
        pixels.extend((0..size as usize).map(|x| {
            let mut sum = [0.0; 3];
            for (line, weight) in lines.iter().zip(&taps.weights) {
                add(&mut sum, line[x], *weight);
            }
            sum
        }));
    }
    pixels
}

/// An image of `size` x `size` from its pixels, row by row, clamped to 0..255 and rounded.
pub(crate) fn to_image(pixels: &[[f32; 3]], size: u32) -> RgbImage {
    RgbImage::from_fn(size, size, |x, y| Rgb(pixels[(y * size + x) as usize].map(|value| (value + 0.5) as u8)))
}

/// Filter taps of a target pixel: `weights` (sum 1) of the source pixels from `first`.
struct Taps {
    first: usize,
    weights: Vec<f32>,
}

fn taps(start: f32, length: f32, size: u32, limit: u32) -> Vec<Taps> {
    let step = length / size as f32;
    let reach = step.max(1.0);
    let last = limit as i64 - 1;
    (0..size)
        .map(|target| {
            let centre = start + (target as f32 + 0.5) * step - 0.5;
            let [from, to] = [(centre - reach).ceil() as i64, (centre + reach).floor() as i64];
            let first = from.clamp(0, last);
            let mut weights = vec![0.0; (to.clamp(0, last) - first + 1) as usize];
            for source in from..=to {
                let weight = 1.0 - (source as f32 - centre).abs() / reach;
                weights[(source.clamp(0, last) - first) as usize] += weight.max(0.0);
            }
            let sum: f32 = weights.iter().sum();
            weights.iter_mut().for_each(|weight| *weight /= sum);
            Taps { first: first as usize, weights }
        })
        .collect()
}

fn mean_of_pixels(bytes: &[u8], weights: &[f32]) -> [f32; 3] {
    let mut sum = [0.0; 3];
    for (pixel, weight) in bytes.chunks_exact(3).zip(weights) {
        add(&mut sum, [pixel[0] as f32, pixel[1] as f32, pixel[2] as f32], *weight);
    }
    sum
}

fn add(sum: &mut [f32; 3], pixel: [f32; 3], weight: f32) {
    for (sum, value) in sum.iter_mut().zip(pixel) {
        *sum += value * weight;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gradient(width: u32, height: u32) -> RgbImage {
        RgbImage::from_fn(width, height, |x, y| Rgb([(10 * x) as u8, (10 * y) as u8, 7]))
    }

    #[test]
    fn the_whole_image_at_its_own_size_is_unchanged() {
        let original = gradient(9, 9);

        let copy = to_image(&resampled(&original, Region::whole(&original), 9), 9);

        assert_eq!(copy, original);
    }

    #[test]
    fn half_the_size_averages_the_covered_pixels() {
        let checkerboard = RgbImage::from_fn(16, 16, |x, y| Rgb([((x + y) % 2 * 200) as u8; 3]));

        let grey = to_image(&resampled(&checkerboard, Region::whole(&checkerboard), 8), 8);

        assert_eq!(*grey.get_pixel(4, 4), Rgb([100; 3]));
    }

    #[test]
    fn a_region_of_whole_pixels_is_copied() {
        let original = gradient(8, 6);
        let region = Region { left: 2.0, top: 1.0, width: 4.0, height: 4.0 };

        let cut = to_image(&resampled(&original, region, 4), 4);

        assert_eq!(cut, image::imageops::crop_imm(&original, 2, 1, 4, 4).to_image());
    }

    #[test]
    fn beyond_the_image_its_edge_pixels_repeat() {
        let original = gradient(4, 4);
        let region = Region { left: -40.0, top: 0.0, width: 4.0, height: 4.0 };

        let edge = to_image(&resampled(&original, region, 4), 4);

        assert_eq!(*edge.get_pixel(3, 2), *original.get_pixel(0, 2));
    }
}
