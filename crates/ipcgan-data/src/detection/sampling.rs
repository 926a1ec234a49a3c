//! Pictures as the detector's networks see them: smaller, or cut out.

use image::RgbImage;

use super::Bounds;
use crate::resample;

/// Pixels as `(value - 127.5) / 128`, `[3][height][width]`.
pub(super) struct Pixels {
    pub(super) values: Vec<f32>,
    pub(super) height: usize,
    pub(super) width: usize,
}

fn seen(value: f32) -> f32 {
    (value - 127.5) / 128.0
}

/// `photo` at another size: each pixel is the mean of the area that it covers.
pub(super) fn shrunk(photo: &RgbImage, width: usize, height: usize) -> Pixels {
    let columns = shares(photo.width() as usize, width);
    let rows = shares(photo.height() as usize, height);
    let line = 3 * photo.width() as usize;
    let mut values = vec![0.0; 3 * height * width];
    let mut blended = vec![0.0f32; line];
    for (y, row) in rows.iter().enumerate() {
        blended.fill(0.0);
        for (pixels, share) in photo.as_raw()[row.first * line..].chunks_exact(line).zip(&row.shares) {
            blended.iter_mut().zip(pixels).for_each(|(sum, &value)| *sum += share * f32::from(value));
        }
        for (x, column) in columns.iter().enumerate() {
            let mut sums = [0.0; 3];
            for (pixel, share) in blended[3 * column.first..].chunks_exact(3).zip(&column.shares) {
                sums.iter_mut().zip(pixel).for_each(|(sum, value)| *sum += share * value);
            }
            for (channel, sum) in sums.into_iter().enumerate() {
                values[(channel * height + y) * width + x] = seen(sum);
            }
        }
    }
    Pixels { values, height, width }
}

/// What a target pixel covers of a line: the first source pixel, and the share of each from there on.
struct Cover {
    first: usize,
    shares: Vec<f32>,
}

fn shares(source: usize, target: usize) -> Vec<Cover> {
    let scale = source as f64 / target as f64;
    (0..target)
        .map(|index| {
            let (begin, end) = (index as f64 * scale, (index + 1) as f64 * scale);
            let first = (begin.floor() as usize).min(source - 1);
            let last = (end.ceil() as usize).clamp(first + 1, source);
            let covered = |pixel: usize| (end.min((pixel + 1) as f64) - begin.max(pixel as f64)).max(0.0);
            Cover { first, shares: (first..last).map(|pixel| (covered(pixel) / scale) as f32).collect() }
        })
        .collect()
}

/// The part `bounds` of `photo` at `side` times `side` pixels, `[3][side][side]`, appended to `values`.
///
/// As the networks were trained and are commonly run: bilinear between the four pixels around each point, from corner to
/// corner; grey beyond the photo.
pub(super) fn cut_out(photo: &RgbImage, bounds: Bounds, side: usize, values: &mut Vec<f32>) {
    let points = |first: f32, end: f32, pixels: u32| {
        // Shares of the photo, of which the last pixel is one.
        let last = (pixels - 1) as f32;
        let (first, end) = (first / pixels as f32 * last, end / pixels as f32 * last);
        let step = (end - first) / (side - 1) as f32;
        (0..side).map(move |index| first + index as f32 * step)
    };
    let columns: Vec<f32> = points(bounds.left, bounds.right, photo.width()).collect();
    let rows: Vec<f32> = points(bounds.top, bounds.bottom, photo.height()).collect();
    let inside = |point: f32, pixels: u32| (0.0..=(pixels - 1) as f32).contains(&point);
    let start = values.len();
    values.resize(start + 3 * side * side, 0.0);
    for (y, &row) in rows.iter().enumerate().filter(|(_, row)| inside(**row, photo.height())) {
        for (x, &column) in columns.iter().enumerate().filter(|(_, column)| inside(**column, photo.width())) {
            let pixel = resample::at(photo, column, row);
            for (channel, value) in pixel.into_iter().enumerate() {
                values[start + (channel * side + y) * side + x] = seen(value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use image::Rgb;

    use super::*;

    #[test]
    fn a_shrunk_pixel_is_the_mean_of_what_it_covers() {
        let photo = RgbImage::from_fn(3, 2, |x, y| Rgb([(30 * x + 60 * y) as u8; 3]));

        let shrunk = shrunk(&photo, 2, 1);

        // The middle column belongs to both halves.
        let expected = [(0.0 + 0.5 * 30.0) / 1.5 + 30.0, (0.5 * 30.0 + 60.0) / 1.5 + 30.0].map(seen);
        assert!(shrunk.values[..2].iter().zip(expected).all(|(found, expected)| (found - expected).abs() < 1e-6));
        assert_eq!((shrunk.values.len(), shrunk.height, shrunk.width), (6, 1, 2));
    }

    #[test]
    fn what_is_cut_out_beyond_the_photo_is_grey() {
        let photo = RgbImage::from_pixel(4, 4, Rgb([255, 0, 255]));
        let mut values = Vec::new();

        cut_out(&photo, Bounds { left: -4.0, top: 0.0, right: 4.0, bottom: 4.0 }, 3, &mut values);

        assert_eq!(values[..3], [0.0, seen(255.0), seen(255.0)]);
        assert_eq!(values[9..12], [0.0, seen(0.0), seen(0.0)]);
    }
}
