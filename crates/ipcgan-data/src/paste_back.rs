//! Pastes an aged face back into its photo.
//!
//! The *residual* of the network is upsampled to the photo's size and added: details finer than the network's resolution
//! (pores, hairs, grain) are kept. A feathered mask blends it with the surroundings.

mod residual;

pub use residual::Residual;

use std::ops::Range;

use image::{DynamicImage, ImageBuffer, Pixel};
use rayon::prelude::*;

use crate::alignment::SimilarityTransform;
use crate::placement::FacePlacement;

/// Maximum number of samples of the residual per pixel of the photo and axis.
const MAX_SAMPLES: f32 = 8.0;

/// A channel value of a pixel.
trait Sample: Copy + Send + Sync {
    /// The value of white.
    const WHITE: f32;
    fn value(self) -> f32;
    /// `value`, which is between zero and [`Sample::WHITE`], rounded to the nearest sample.
    fn nearest(value: f32) -> Self;
}

impl Sample for u8 {
    const WHITE: f32 = 255.0;
    fn value(self) -> f32 {
        f32::from(self)
    }
    fn nearest(value: f32) -> Self {
        value.round() as Self
    }
}

impl Sample for u16 {
    const WHITE: f32 = 65_535.0;
    fn value(self) -> f32 {
        f32::from(self)
    }
    fn nearest(value: f32) -> Self {
        value.round() as Self
    }
}

/// Adds `residual` to the face at `place` in `photo`, blended with the mask.
///
/// `residual` has the size of the crop that `place` describes. Pixels outside the mask keep their exact values, and so
/// does transparency. A grey photo stays grey; one of floating-point numbers becomes RGB of 16 bits a channel.
pub fn paste_back(photo: &mut DynamicImage, place: &FacePlacement, residual: &Residual) {
    match photo {
        DynamicImage::ImageLuma8(image) => add(image, place, residual),
        DynamicImage::ImageLumaA8(image) => add(image, place, residual),
        DynamicImage::ImageRgb8(image) => add(image, place, residual),
        DynamicImage::ImageRgba8(image) => add(image, place, residual),
        DynamicImage::ImageLuma16(image) => add(image, place, residual),
        DynamicImage::ImageLumaA16(image) => add(image, place, residual),
        DynamicImage::ImageRgb16(image) => add(image, place, residual),
        DynamicImage::ImageRgba16(image) => add(image, place, residual),
        other => {
            let mut image = other.to_rgb16();
            add(&mut image, place, residual);
            *other = DynamicImage::ImageRgb16(image);
        }
    }
}

fn add<P>(photo: &mut ImageBuffer<P, Vec<P::Subpixel>>, place: &FacePlacement, residual: &Residual)
where
    P: Pixel,
    P::Subpixel: Sample,
{
    let [columns, rows] = reach(photo.dimensions(), &place.from_photo, residual.size);
    let (channels, width) = (usize::from(P::CHANNEL_COUNT), photo.width() as usize);
    // With two or four channels, the last one is transparency.
    let colours = if channels > 2 { 3 } else { 1 };
    // As many samples per pixel and axis as the aligned face has pixels there.
    let points = place.from_photo.scale().ceil().clamp(1.0, MAX_SAMPLES) as u32;
    let lines = photo.par_chunks_mut(channels * width).enumerate().skip(rows.start).take(rows.len());
    lines.for_each(|(row, line)| {
        for column in columns.clone() {
            let Some(residual) = mean_residual(residual, place, [column as f32, row as f32], points) else { continue };
            let residual = if colours == 1 { [residual.iter().sum::<f32>() / 3.0; 3] } else { residual };
            let pixel = &mut line[channels * column..channels * column + colours];
            for (sample, residual) in pixel.iter_mut().zip(residual) {
                let white = P::Subpixel::WHITE;
                *sample = P::Subpixel::nearest((sample.value() + residual * white / 255.0).clamp(0.0, white));
            }
        }
    });
}

/// Columns and rows of a photo that an aligned face of `size` pixels covers.
fn reach((width, height): (u32, u32), from_photo: &SimilarityTransform, size: u32) -> [Range<usize>; 2] {
    let (to_photo, side) = (from_photo.inverse(), size as f32);
    let corners = [[0.0, 0.0], [side, 0.0], [0.0, side], [side, side]].map(|corner| to_photo.apply(corner));
    let ends = |axis: usize, length: u32| {
        let places = corners.map(|corner| corner[axis].clamp(0.0, length as f32));
        let (first, last) =
            places.into_iter().fold((f32::MAX, 0.0f32), |(first, last), place| (first.min(place), last.max(place)));
        first.floor() as usize..last.ceil() as usize
    };
    [ends(0, width), ends(1, height)]
}

/// The mean residual, weighted by the mask, in the pixel whose upper left corner is `corner`; `None` outside the mask.
fn mean_residual(residual: &Residual, place: &FacePlacement, corner: [f32; 2], points: u32) -> Option<[f32; 3]> {
    let mut sum = [0.0; 3];
    let mut reached = false;
    for index in 0..points * points {
        let part = |index: u32| (index as f32 + 0.5) / points as f32;
        let point = place.from_photo.apply([corner[0] + part(index % points), corner[1] + part(index / points)]);
        let weight = place.mask.weight(point.map(|length| length / residual.size as f32));
        if weight > 0.0 {
            reached = true;
            sum.iter_mut().zip(residual.at(point)).for_each(|(sum, level)| *sum += weight * level);
        }
    }
    reached.then(|| sum.map(|sum| sum / (points * points) as f32))
}

#[cfg(test)]
mod tests {
    use image::{Rgb, RgbImage};

    use super::*;
    use crate::alignment::{TEMPLATE, aligned};

    const SIZE: u32 = 32;

    /// Landmarks of a face `scale` times as large as the network's, with its corner at `corner`.
    fn landmarks(scale: f32, corner: f32) -> [[f32; 2]; 5] {
        TEMPLATE.map(|place| place.map(|share| corner + scale * SIZE as f32 * share))
    }

    fn photo(side: u32) -> RgbImage {
        RgbImage::from_fn(side, side, |x, y| {
            Rgb([(50 + x * 7 % 100) as u8, (60 + y * 5 % 90) as u8, (70 + (x ^ y) % 64) as u8])
        })
    }

    /// A residual that is the same everywhere.
    fn even(levels: [f32; 3]) -> Residual {
        Residual { size: SIZE, levels: vec![levels; (SIZE * SIZE) as usize] }
    }

    /// `photo` with `residual` pasted back to the face at `landmarks`.
    fn changed(photo: &DynamicImage, landmarks: &[[f32; 2]; 5], residual: &Residual) -> DynamicImage {
        let face = aligned(&photo.to_rgb8(), landmarks, SIZE).unwrap();
        let mut photo = photo.clone();
        paste_back(&mut photo, &face.placement, residual);
        photo
    }

    #[test]
    fn the_centre_gets_the_residual_and_pixels_outside_the_face_are_unchanged() {
        let before = photo(120);

        let after = changed(&before.clone().into(), &landmarks(2.0, 25.0), &even([10.0, 0.0, -10.0])).into_rgb8();

        let middle = |image: &RgbImage| image.get_pixel(57, 57).0.map(i32::from);
        let [red, green, blue] = middle(&before);
        assert_eq!(middle(&after), [red + 10, green, blue - 10]);
        for (x, y, pixel) in before.enumerate_pixels() {
            if !(25..89).contains(&x) || !(25..89).contains(&y) {
                assert_eq!(after.get_pixel(x, y), pixel, "{x} {y}");
            }
        }
    }

    #[test]
    fn the_residual_fades_out_without_an_edge() {
        let grey = DynamicImage::from(RgbImage::from_pixel(200, 200, Rgb([100; 3])));

        let after = changed(&grey, &landmarks(4.0, 30.0), &even([40.0; 3])).into_rgb8();

        let step = |a: &Rgb<u8>, b: &Rgb<u8>| a.0[0].abs_diff(b.0[0]);
        for y in 1..200 {
            for x in 1..200 {
                let here = after.get_pixel(x, y);
                let steps = [step(here, after.get_pixel(x - 1, y)), step(here, after.get_pixel(x, y - 1))];
                assert!(steps.into_iter().all(|step| step <= 4), "{x} {y}");
            }
        }
        assert_eq!(after.get_pixel(93, 93).0, [140; 3]);
    }

    #[test]
    fn a_residual_is_pasted_back_at_its_position_in_a_rotated_face() {
        let turned = |[x, y]: [f32; 2]| [120.0 + 1.5 * (x - y), 30.0 + 1.5 * (x + y)];
        let places = TEMPLATE.map(|place| turned(place.map(|share| share * SIZE as f32)));
        let mut residual = even([0.0; 3]);
        residual.levels[(10 * SIZE + 20) as usize] = [90.0; 3];
        let grey = DynamicImage::from(RgbImage::from_pixel(240, 180, Rgb([100; 3])));

        let after = changed(&grey, &places, &residual).into_rgb8();

        let brightest = after.enumerate_pixels().max_by_key(|(_, _, pixel)| pixel.0[0]).unwrap();
        let [x, y] = turned([20.5, 10.5]);
        assert!((brightest.0 as f32 - x).abs() < 1.5 && (brightest.1 as f32 - y).abs() < 1.5, "{brightest:?} {x} {y}");
    }

    #[test]
    fn a_face_smaller_than_the_generators_input_gets_the_mean_residual() {
        let mut stripes = even([0.0; 3]);
        let columns = stripes.levels.iter_mut().zip((0..SIZE).cycle());
        columns.for_each(|(levels, column)| *levels = [if column % 2 == 0 { 40.0 } else { 0.0 }; 3]);
        let grey = DynamicImage::from(RgbImage::from_pixel(40, 40, Rgb([100; 3])));

        let after = changed(&grey, &landmarks(0.25, 16.0), &stripes).into_rgb8();

        assert!(after.get_pixel(20, 20).0[0].abs_diff(120) <= 2, "{:?}", after.get_pixel(20, 20));
    }

    #[test]
    fn a_grey_photo_stays_grey_and_transparency_is_kept() {
        let rgb = DynamicImage::from(photo(80));
        let residual = even([30.0, 60.0, 90.0]);
        let place = landmarks(2.0, 8.0);

        let grey = changed(&rgb.to_luma8().into(), &place, &residual);
        let clear = changed(&rgb.to_rgba8().into(), &place, &residual);

        assert_eq!(grey.color(), image::ColorType::L8);
        assert_eq!(grey.to_luma8().get_pixel(40, 40).0[0], rgb.to_luma8().get_pixel(40, 40).0[0] + 60);
        assert!(clear.to_rgba8().pixels().all(|pixel| pixel.0[3] == 255));
    }

    #[test]
    fn a_photo_of_16_bits_keeps_its_depth() {
        let deep = DynamicImage::from(DynamicImage::from(photo(80)).to_rgb16());

        let after = changed(&deep, &landmarks(2.0, 8.0), &even([10.0; 3]));

        let value = |image: &DynamicImage| image.as_rgb16().unwrap().get_pixel(40, 40).0[0];
        assert_eq!(value(&after), value(&deep) + 2570);
    }

    #[test]
    fn a_face_that_extends_beyond_the_photo_does_not_panic() {
        let before = DynamicImage::from(photo(40));

        for corner in [-30.0, 20.0, 60.0, -500.0] {
            changed(&before, &landmarks(1.5, corner), &even([10.0; 3]));
        }
    }

    #[test]
    fn a_strength_of_zero_changes_nothing() {
        let before = DynamicImage::from(photo(80));

        let after = changed(&before, &landmarks(2.0, 8.0), &even([30.0; 3]).scaled(0.0));

        assert_eq!(after, before);
    }
}
