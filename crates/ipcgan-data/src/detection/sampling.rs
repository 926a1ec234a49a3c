//! Resizing of photos for the detector.

use image::RgbImage;

/// Pixels in 0..255, `[height][width][3]`.
pub(super) struct Pixels {
    pub(super) values: Vec<f32>,
    pub(super) width: usize,
}

/// Resizes `photo`. When it shrinks, each pixel is the mean of the area that it covers.
pub(super) fn resized(photo: &RgbImage, width: usize, height: usize) -> Pixels {
    if photo.dimensions() == (width as u32, height as u32) {
        return Pixels { values: photo.as_raw().iter().map(|&value| f32::from(value)).collect(), width };
    }
    let columns = weights(photo.width() as usize, width);
    let rows = weights(photo.height() as usize, height);
    let line = 3 * photo.width() as usize;
    let mut values = Vec::with_capacity(3 * height * width);
    let mut blended = vec![0.0f32; line];
    for row in &rows {
        blended.fill(0.0);
        for (pixels, weight) in photo.as_raw()[row.first * line..].chunks_exact(line).zip(&row.weights) {
            blended.iter_mut().zip(pixels).for_each(|(sum, &value)| *sum += weight * f32::from(value));
        }
        for column in &columns {
            let mut sums = [0.0; 3];
            for (pixel, weight) in blended[3 * column.first..].chunks_exact(3).zip(&column.weights) {
                sums.iter_mut().zip(pixel).for_each(|(sum, value)| *sum += weight * value);
            }
            values.extend(sums);
        }
    }
    Pixels { values, width }
}

/// The source pixels of a line that a target pixel covers: the index of the first, and the weights.
struct Coverage {
    first: usize,
    weights: Vec<f32>,
}

fn weights(source: usize, target: usize) -> Vec<Coverage> {
    let scale = source as f64 / target as f64;
    (0..target)
        .map(|index| {
            let (begin, end) = (index as f64 * scale, (index + 1) as f64 * scale);
            let first = (begin.floor() as usize).min(source - 1);
            let last = (end.ceil() as usize).clamp(first + 1, source);
            let covered = |pixel: usize| (end.min((pixel + 1) as f64) - begin.max(pixel as f64)).max(0.0);
            Coverage { first, weights: (first..last).map(|pixel| (covered(pixel) / scale) as f32).collect() }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use image::Rgb;

    use super::*;

    #[test]
    fn a_downscaled_pixel_is_the_mean_of_the_pixels_it_covers() {
        let photo = RgbImage::from_fn(3, 2, |x, y| Rgb([(30 * x + 60 * y) as u8; 3]));

        let shrunk = resized(&photo, 2, 1);

        // The middle column belongs to both halves.
        let expected = [(0.0 + 0.5 * 30.0) / 1.5 + 30.0, (0.5 * 30.0 + 60.0) / 1.5 + 30.0];
        let found = [shrunk.values[0], shrunk.values[3]];
        assert!(found.iter().zip(expected).all(|(found, expected)| (found - expected).abs() < 1e-4));
        assert_eq!((shrunk.values.len(), shrunk.width), (6, 2));
    }

    #[test]
    fn a_photo_at_its_own_size_keeps_its_values() {
        let photo = RgbImage::from_fn(3, 2, |x, y| Rgb([(30 * x + 60 * y) as u8; 3]));

        assert!(resized(&photo, 3, 2).values.iter().zip(photo.as_raw()).all(|(a, b)| *a == f32::from(*b)));
    }
}
