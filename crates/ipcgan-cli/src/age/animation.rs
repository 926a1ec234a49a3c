//! Animated GIF through all ages and back.

use anyhow::Result;
use image::codecs::gif::{GifEncoder, Repeat};
use image::imageops::{FilterType, resize};
use image::{Delay, DynamicImage, Frame, RgbImage};
use ipcgan::AgeBlend;
use ipcgan::data::{FacePlacement, Residual, paste_back};

use super::aging::Aging;

/// Maximum width and height of an animated photo in pixels.
const MAX_SIDE: u32 = 480;
/// Frames from one group's middle age to the next.
const STEPS: usize = 6;
/// Milliseconds per frame.
const DELAY: u32 = 80;
/// Speed of the colour quantization of GIF, from 1 (best quality) to 30.
const QUANTIZATION_SPEED: i32 = 10;

/// Animation of a photo with `faces`, each aligned and with its placement in the photo.
pub(crate) fn of_photo(aging: &Aging, photo: &RgbImage, faces: &[(&RgbImage, FacePlacement)]) -> Result<Vec<u8>> {
    let factor = (MAX_SIDE as f32 / photo.width().max(photo.height()) as f32).min(1.0);
    let [width, height] = [photo.width(), photo.height()].map(|side| ((side as f32 * factor).round() as u32).max(1));
    let small = if factor < 1.0 { resize(photo, width, height, FilterType::Triangle) } else { photo.clone() };
    let small = DynamicImage::from(small);
    let residuals =
        faces.iter().map(|(face, _)| residuals_over_ages(aging, face)).collect::<Result<Vec<Vec<Residual>>>>()?;
    let images = (0..residuals.first().map_or(0, Vec::len)).map(|step| {
        let mut image = small.clone();
        for ((_, place), residuals) in faces.iter().zip(&residuals) {
            paste_back(&mut image, &place.for_resized_photo(factor), &residuals[step]);
        }
        image.into_rgb8()
    });
    gif(images.collect())
}

/// Animation of an aligned face.
pub(crate) fn of_face(aging: &Aging, face: &RgbImage) -> Result<Vec<u8>> {
    gif(residuals_over_ages(aging, face)?.iter().map(|residual| residual.added_to(face)).collect())
}

/// Residuals of a face at ages from the middle of the first group to that of the last.
fn residuals_over_ages(aging: &Aging, face: &RgbImage) -> Result<Vec<Residual>> {
    let groups = aging.photo_aging.age_groups();
    let [first, last] = [0, groups.count() - 1].map(|group| groups.middle(group));
    let steps = STEPS * (groups.count() - 1);
    let ages: Vec<AgeBlend> = (0..=steps)
        .map(|step| AgeBlend::from_age(first + (last - first) * step as f32 / steps as f32, groups))
        .collect();
    aging.residuals_at(face, &ages)
}

/// Encodes the frames forwards and backwards, repeating.
fn gif(images: Vec<RgbImage>) -> Result<Vec<u8>> {
    let back = images.iter().skip(1).rev().skip(1);
    let mut bytes = Vec::new();
    let mut encoder = GifEncoder::new_with_speed(&mut bytes, QUANTIZATION_SPEED);
    encoder.set_repeat(Repeat::Infinite)?;
    for image in images.iter().chain(back) {
        let image = DynamicImage::from(image.clone()).into_rgba8();
        encoder.encode_frame(Frame::from_parts(image, 0, 0, Delay::from_numer_denom_ms(DELAY, 1)))?;
    }
    drop(encoder);
    Ok(bytes)
}
