//! Faces at every age group, as images.

use burn::tensor::{Device, Int, Tensor};
use image::RgbImage;
use ipcgan_data::{aged_sheet, pixels};
use ipcgan_model::{AgeGroups, InferenceGenerator};

/// One row per face: the source, then the face at each age group. All faces have the same size.
pub(crate) fn sample_grid(
    generator: &InferenceGenerator,
    groups: &AgeGroups,
    faces: &[RgbImage],
    device: &Device,
) -> RgbImage {
    let rows: Vec<Vec<RgbImage>> = faces
        .iter()
        .map(|face| {
            let mut row = vec![face.clone()];
            row.extend(at_every_age(generator, face, device));
            row
        })
        .collect();
    aged_sheet(&rows, &groups.names())
}

/// `face` at each age group, youngest first.
pub fn at_every_age(generator: &InferenceGenerator, face: &RgbImage, device: &Device) -> Vec<RgbImage> {
    let groups = generator.age_groups();
    let source = pixels::faces_tensor(std::slice::from_ref(face), device);
    let source = source.repeat_dim(0, groups);
    let targets = Tensor::<1, Int>::arange(0..groups as i64, device);
    pixels::images(generator.forward(source, targets))
}
