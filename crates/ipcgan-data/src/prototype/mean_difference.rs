//! Ageing by the mean difference, a baseline without learning: the difference of the mean faces of two groups is added to
//! a face.
//!
//! Source: Benson and Perrett, "Extracting prototypical facial images from exemplars" (1993). A trained generator should do
//! better.

use image::RgbImage;
use ipcgan_model::AgeGroups;

use crate::{DataError, FaceSet, photo};

/// Maximum number of faces per mean.
const FACES: usize = 400;
/// Factor of the difference.
const STRENGTH: f32 = 2.5;

/// Ages faces by 2.5 times the difference between the mean faces of the target and the source group.
pub struct MeanDifference {
    side: u32,
    /// Mean face of each group, one value per channel and pixel; none for a group without faces.
    means: Vec<Option<Vec<f32>>>,
}

impl MeanDifference {
    /// Mean faces of at most 400 of `faces` per age group, at `side` x `side` pixels.
    ///
    /// # Errors
    /// An image cannot be read.
    pub fn new(faces: &dyn FaceSet, groups: &AgeGroups, side: u32) -> Result<Self, DataError> {
        let means = groups.indices().map(|group| mean_face(faces, group, side)).collect::<Result<_, _>>()?;
        Ok(Self { side, means })
    }

    /// `face` of `group` aged to each group; unchanged where a mean is missing.
    ///
    /// # Panics
    /// If the face has another size than the means, or the group does not exist.
    pub fn at_every_age(&self, face: &RgbImage, group: usize) -> Vec<RgbImage> {
        assert_eq!(face.dimensions(), (self.side, self.side), "faces have the size of the means");
        let own = self.means[group].as_ref();
        let shifted = |target: &Option<Vec<f32>>| {
            let Some((target, own)) = target.as_ref().zip(own) else { return face.clone() };
            let change = target.iter().zip(own).map(|(target, own)| STRENGTH * (target - own));
            let values = face.as_raw().iter().zip(change);
            let values = values.map(|(value, change)| (f32::from(*value) + change).round().clamp(0.0, 255.0) as u8);
            RgbImage::from_raw(face.width(), face.height(), values.collect()).expect("as many values as before")
        };
        self.means.iter().map(shifted).collect()
    }
}

/// Mean of at most [`FACES`] faces of `group`, evenly spaced among all of them; none without faces.
fn mean_face(faces: &dyn FaceSet, group: usize, side: u32) -> Result<Option<Vec<f32>>, DataError> {
    let all: Vec<usize> = (0..faces.len()).filter(|index| faces.label(*index).group == Some(group)).collect();
    let count = all.len().min(FACES);
    if count == 0 {
        return Ok(None);
    }
    let mut sum = vec![0.0; 3 * side as usize * side as usize];
    for place in 0..count {
        let image = faces.image(all[place * all.len() / count])?;
        let image = photo::resized(&photo::centred_square(&image), side);
        sum.iter_mut().zip(image.as_raw()).for_each(|(sum, value)| *sum += f32::from(*value));
    }
    Ok(Some(sum.into_iter().map(|sum| sum / count as f32).collect()))
}

#[cfg(test)]
mod tests {
    use image::Rgb;

    use super::*;
    use crate::face::PlainFaces;

    #[test]
    fn a_face_moves_by_two_and_a_half_times_the_difference_of_the_means() {
        let means = vec![Some(vec![100.0; 3]), Some(vec![110.0, 90.0, 250.0]), None];
        let face = RgbImage::from_pixel(1, 1, Rgb([50, 60, 70]));

        let aged = MeanDifference { side: 1, means }.at_every_age(&face, 0);

        assert_eq!(aged[0], face);
        assert_eq!(aged[1].get_pixel(0, 0), &Rgb([75, 35, 255]));
        assert_eq!(aged[2], face, "there is no mean face");
    }

    #[test]
    fn each_group_has_the_mean_of_its_faces() {
        // Red is the index of the face, blue its group.
        let faces = PlainFaces::of_groups(&[1, 0, 1]);

        let means = MeanDifference::new(&faces, &AgeGroups::default(), 1).unwrap().means;

        assert_eq!(means, [Some(vec![1.0, 0.0, 0.0]), Some(vec![1.0, 0.0, 1.0]), None, None, None]);
    }
}
