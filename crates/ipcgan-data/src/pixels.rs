//! From bytes to tensors and back: the one place that knows how a face is stored.

use burn::tensor::{Device, Tensor, TensorData};
use image::RgbImage;

/// Pictures as faces for the networks: `y = byte / 127.5 - 1`.
///
/// # Shapes
/// - returns: `[batch, 3, height, width]`, RGB, in [-1, 1]
///
/// # Panics
/// If there is no picture, or if they differ in size.
pub fn faces_tensor(pictures: &[RgbImage], device: &Device) -> Tensor<4> {
    let (width, height) = pictures.first().expect("a batch holds at least one picture").dimensions();
    let plane = (width * height) as usize;
    let mut values = Vec::with_capacity(3 * plane * pictures.len());
    for picture in pictures {
        assert_eq!(picture.dimensions(), (width, height), "pictures of one batch are of one size");
        let bytes = picture.as_raw();
        for channel in 0..3 {
            values.extend(bytes.iter().skip(channel).step_by(3).map(|&byte| f32::from(byte) / 127.5 - 1.0));
        }
    }
    let shape = [pictures.len(), 3, height as usize, width as usize];
    Tensor::from_data(TensorData::new(values, shape), device)
}

/// Faces from the networks as pictures: `byte = round(127.5 (y + 1))`, clamped to 0..255.
///
/// # Shapes
/// - `faces`: `[batch, 3, height, width]`, RGB, in [-1, 1]
///
/// # Panics
/// If there are not three channels, or if the device fails.
pub fn images(faces: Tensor<4>) -> Vec<RgbImage> {
    let [_, channels, height, width] = faces.dims();
    assert_eq!(channels, 3, "a face has the channels red, green and blue");
    let values = faces.try_into_vec_as::<f32>().expect("faces can be read back from the device");
    let plane = height * width;
    let picture = |planes: &[f32]| {
        RgbImage::from_fn(width as u32, height as u32, |x, y| {
            let place = y as usize * width + x as usize;
            image::Rgb([0, 1, 2].map(|channel| byte(planes[channel * plane + place])))
        })
    };
    values.chunks_exact(3 * plane).map(picture).collect()
}

fn byte(value: f32) -> u8 {
    // `as` clamps, and makes zero of a value that is not a number.
    ((value + 1.0) * 127.5).round() as u8
}

#[cfg(test)]
mod tests {
    use image::Rgb;

    use super::*;

    #[test]
    fn every_byte_comes_back_as_it_was() {
        let device = Device::flex();
        let picture = RgbImage::from_fn(16, 16, |x, y| {
            let byte = (16 * y + x) as u8;
            Rgb([byte, 255 - byte, byte.wrapping_mul(7)])
        });

        let back = images(faces_tensor(&[picture.clone(), RgbImage::new(16, 16)], &device));

        assert_eq!(back, [picture, RgbImage::new(16, 16)]);
    }

    #[test]
    fn channels_are_planes_in_the_order_red_green_blue() {
        let device = Device::flex();
        let picture = RgbImage::from_fn(2, 1, |x, _| Rgb([0, 255, if x == 0 { 0 } else { 255 }]));

        let faces = faces_tensor(&[picture], &device);

        let expected = TensorData::from([[[[-1.0, -1.0]], [[1.0, 1.0]], [[-1.0, 1.0]]]]);
        faces.into_data().assert_eq(&expected, false);
    }

    #[test]
    fn values_beyond_the_range_are_clamped() {
        let device = Device::flex();
        let faces = Tensor::<4>::from_data([[[[-3.0]], [[0.0]], [[3.0]]]], &device);

        assert_eq!(images(faces)[0].get_pixel(0, 0), &Rgb([0, 128, 255]));
    }
}
