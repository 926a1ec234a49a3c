//! Two ways to paste an aged face back into its photo, side by side: the residual added, and the image pasted.
//!
//! `cargo run --release --example paste_back -- photo.jpg 51+ paste-back.png`

use std::error::Error;

use image::imageops::{crop_imm, replace};
use image::{Rgb, RgbImage};
use ipcgan::{AgeBlend, DeviceChoice, PhotoAging, PhotoFace, photo};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [path, age, file] = &arguments[..] else { return Err("usage: paste_back PHOTO AGE FILE".into()) };
    let aging = PhotoAging::embedded(&DeviceChoice::Auto.resolve()?)?;
    let age = AgeBlend::parse(age, aging.age_groups())?;
    let before = photo::read_original(path.as_ref())?;
    let face = aging.faces(&before.rgb()).into_iter().next().ok_or("no face found")?;
    let residual = aging.residuals(&face, &[age]).remove(0);

    let mut added = before.image.clone();
    face.paste_back(&mut added, &residual);
    let pasted = pasted(before.rgb(), &face, &residual.added_to(&face.aligned.image));

    let to_photo = face.aligned.placement.from_photo.inverse();
    let size = face.aligned.image.width() as f32;
    let [left, top] = to_photo.apply([0.0, 0.0]).map(|place| place.max(0.0) as u32);
    let side = (size * to_photo.scale()) as u32;
    let mut sheet = RgbImage::new(3 * side, side);
    for (column, image) in (0..).zip([before.rgb(), added.to_rgb8(), pasted]) {
        replace(&mut sheet, &crop_imm(&image, left, top, side, side).to_image(), column * i64::from(side), 0);
    }
    photo::write_png(file.as_ref(), &sheet)?;
    Ok(())
}

/// `photo` with `image` in place of `face`.
fn pasted(mut photo: RgbImage, face: &PhotoFace, image: &RgbImage) -> RgbImage {
    let size = image.width();
    for (x, y, pixel) in photo.enumerate_pixels_mut() {
        let [column, row] =
            face.aligned.placement.from_photo.apply([x as f32 + 0.5, y as f32 + 0.5]).map(|place| place - 0.5);
        let within = |place: f32| (0.0..(size - 1) as f32).contains(&place);
        if within(column) && within(row) {
            *pixel = between(image, column, row);
        }
    }
    photo
}

/// The mean of the four pixels around a point, the nearer ones more.
fn between(image: &RgbImage, column: f32, row: f32) -> Rgb<u8> {
    let (x, y) = (column as u32, row as u32);
    let (right, down) = (column.fract(), row.fract());
    let corners = [
        (x, y, (1.0 - right) * (1.0 - down)),
        (x + 1, y, right * (1.0 - down)),
        (x, y + 1, (1.0 - right) * down),
        (x + 1, y + 1, right * down),
    ];
    let value = |channel: usize| -> f32 {
        corners.iter().map(|(x, y, share)| share * f32::from(image.get_pixel(*x, *y).0[channel])).sum()
    };
    Rgb([0, 1, 2].map(|channel| value(channel).round() as u8))
}
