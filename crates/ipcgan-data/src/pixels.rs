//! Conversion between images and tensors: the one place that knows the value range.

use std::borrow::Borrow;

use burn::tensor::{DType, Device, Int, Tensor, TensorData};
use image::{Rgb, RgbImage};
use ipcgan_model::is_flex;

/// Half of the largest byte value.
const LEVELS: f32 = 127.5;

/// Tensor of images: `y = byte / 127.5 - 1`.
///
/// A GPU receives packed bytes, a third of the size of 32-bit floats, and converts them itself.
///
/// # Shapes
/// - returns: `[batch, 3, height, width]`, RGB, in [-1, 1]
///
/// # Panics
/// If there is no image, or if they differ in size.
pub fn faces_tensor<I: Borrow<RgbImage>>(images: &[I], device: &Device) -> Tensor<4> {
    let images: Vec<&RgbImage> = images.iter().map(Borrow::borrow).collect();
    let size = images.first().expect("a batch holds at least one image").dimensions();
    let alike = images.iter().all(|image| image.dimensions() == size);
    assert!(alike, "images of one batch are of one size");
    if is_flex(device) { normalized(&images, device) } else { unpacked(packed(&images, device)) }
}

fn normalized(images: &[&RgbImage], device: &Device) -> Tensor<4> {
    let (width, height) = images[0].dimensions();
    let mut values = Vec::with_capacity((3 * width * height) as usize * images.len());
    for image in images {
        for channel in 0..3 {
            let bytes = image.as_raw().iter().skip(channel).step_by(3);
            values.extend(bytes.map(|&byte| f32::from(byte) / LEVELS - 1.0));
        }
    }
    Tensor::from_data(TensorData::new(values, [images.len(), 3, height as usize, width as usize]), device)
}

/// One integer per pixel, `red + 256 green + 65536 blue`, `[batch, height, width]`: 32 bits are the smallest type that
/// every GPU supports.
fn packed(images: &[&RgbImage], device: &Device) -> Tensor<3, Int> {
    let (width, height) = images[0].dimensions();
    let pixels = images.iter().flat_map(|image| image.pixels());
    let values: Vec<i32> = pixels.map(|Rgb([red, green, blue])| i32::from_le_bytes([*red, *green, *blue, 0])).collect();
    let data = TensorData::new(values, [images.len(), height as usize, width as usize]);
    Tensor::from_data(data, (device, DType::I32))
}

fn unpacked(pixels: Tensor<3, Int>) -> Tensor<4> {
    let channel = |shift: i32| pixels.clone().bitwise_right_shift_scalar(shift).bitwise_and_scalar(255);
    Tensor::<3, Int>::stack::<4>([0, 8, 16].map(channel).to_vec(), 1).float() / LEVELS - 1.0
}

/// Images of a tensor: `byte = round(127.5 (y + 1))`, clamped to 0..255.
///
/// # Shapes
/// - `faces`: `[batch, 3, height, width]`, RGB, in [-1, 1]
///
/// # Panics
/// If there are not three channels, or if the device fails.
pub fn images(faces: Tensor<4>) -> Vec<RgbImage> {
    Values::read(faces).images()
}

/// As [`images`]; `None` if a value is not finite (NaN or infinity), as with damaged weights.
///
/// # Shapes
/// - `faces`: `[batch, 3, height, width]`, RGB, in [-1, 1]
///
/// # Panics
/// As [`images`].
pub fn finite_images(faces: Tensor<4>) -> Option<Vec<RgbImage>> {
    let values = Values::read(faces);
    values.values.iter().all(|value| value.is_finite()).then(|| values.images())
}

/// Values of faces, read back from the device.
struct Values {
    values: Vec<f32>,
    height: usize,
    width: usize,
}

impl Values {
    fn read(faces: Tensor<4>) -> Self {
        let [_, channels, height, width] = faces.dims();
        assert_eq!(channels, 3, "a face has the channels red, green and blue");
        let values = faces.try_into_vec_as::<f32>().expect("faces can be read back from the device");
        Self { values, height, width }
    }

    fn images(&self) -> Vec<RgbImage> {
        let plane = self.height * self.width;
        let image = |planes: &[f32]| {
            RgbImage::from_fn(self.width as u32, self.height as u32, |x, y| {
                let place = y as usize * self.width + x as usize;
                Rgb([0, 1, 2].map(|channel| byte(planes[channel * plane + place])))
            })
        };
        self.values.chunks_exact(3 * plane).map(image).collect()
    }
}

fn byte(value: f32) -> u8 {
    // `as` clamps, and converts NaN to zero.
    ((value + 1.0) * LEVELS).round() as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conversion_on_the_device_equals_conversion_on_the_cpu() {
        let device = Device::flex();
        let images = [RgbImage::from_fn(16, 16, |x, y| Rgb([(16 * y + x) as u8, (9 * x) as u8, 255 - y as u8]))];

        let (here, there) = (normalized(&images.each_ref(), &device), unpacked(packed(&images.each_ref(), &device)));

        assert_eq!(here.into_data(), there.into_data());
    }

    #[test]
    fn every_byte_survives_the_round_trip_through_a_tensor() {
        let device = Device::flex();
        let image = RgbImage::from_fn(16, 16, |x, y| {
            let byte = (16 * y + x) as u8;
            Rgb([byte, 255 - byte, byte.wrapping_mul(7)])
        });

        let back = images(faces_tensor(&[image.clone(), RgbImage::new(16, 16)], &device));

        assert_eq!(back, [image, RgbImage::new(16, 16)]);
    }

    #[test]
    fn channels_are_planes_in_the_order_red_green_blue() {
        let device = Device::flex();
        let image = RgbImage::from_fn(2, 1, |x, _| Rgb([0, 255, if x == 0 { 0 } else { 255 }]));

        let faces = faces_tensor(&[image], &device);

        let expected = TensorData::from([[[[-1.0, -1.0]], [[1.0, 1.0]], [[-1.0, 1.0]]]]);
        faces.into_data().assert_eq(&expected, false);
    }

    #[test]
    fn a_value_that_is_not_finite_gives_no_image() {
        let device = Device::flex();
        let faces = |value: f32| Tensor::<4>::from_data([[[[0.0]], [[value]], [[0.5]]]], &device);

        assert!(finite_images(faces(0.1)).is_some());
        for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            assert!(finite_images(faces(value)).is_none(), "{value}");
        }
    }

    #[test]
    fn values_beyond_the_range_are_clamped() {
        let device = Device::flex();
        let faces = Tensor::<4>::from_data([[[[-3.0]], [[0.0]], [[3.0]]]], &device);

        assert_eq!(images(faces)[0].get_pixel(0, 0), &Rgb([0, 128, 255]));
    }
}
