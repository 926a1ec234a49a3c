//! Prototype ageing, a baseline without learning: the difference of the mean faces of two groups is added to a face.
//!
//! Source: Benson and Perrett, "Extracting prototypical facial images from exemplars" (1993). A trained generator should do
//! better.

use image::RgbImage;
use ipcgan_data::{FaceSet, photo};

use super::subject::EvaluatedGenerator;
use crate::TrainingError;

/// Maximum number of faces per mean.
const FACES: usize = 400;
/// Factor of the difference.
const STRENGTH: f32 = 2.5;

/// Mean face of each group, one value per channel and pixel; none for a group without faces.
pub(super) struct Prototypes(Vec<Option<Vec<f32>>>);

impl Prototypes {
    /// Mean faces of `faces`.
    ///
    /// # Errors
    /// An image cannot be read.
    pub(super) fn of(faces: &dyn FaceSet, subject: &EvaluatedGenerator<'_>) -> Result<Self, TrainingError> {
        let mean = |group: usize| {
            let all: Vec<usize> = (0..faces.len()).filter(|index| faces.label(*index).group == Some(group)).collect();
            let count = all.len().min(FACES);
            let mut sum = vec![0.0; 3 * subject.size as usize * subject.size as usize];
            for place in 0..count {
                let image = faces.image(all[place * all.len() / count])?;
                let image = photo::resized(&photo::centred_square(&image), subject.size);
                sum.iter_mut().zip(image.as_raw()).for_each(|(sum, value)| *sum += f32::from(*value));
            }
            let mean = || sum.iter().map(|sum| sum / count as f32).collect();
            Ok((count > 0).then(mean))
        };
        Ok(Self(subject.groups.indices().map(mean).collect::<Result<_, TrainingError>>()?))
    }

    /// `face` of `group` aged to each group; unchanged where a mean is missing.
    pub(super) fn at_every_age(&self, face: &RgbImage, group: usize) -> Vec<RgbImage> {
        let own = self.0[group].as_ref();
        let shifted = |target: &Option<Vec<f32>>| {
            let Some((target, own)) = target.as_ref().zip(own) else { return face.clone() };
            let change = target.iter().zip(own).map(|(target, own)| STRENGTH * (target - own));
            let values = face.as_raw().iter().zip(change);
            let values = values.map(|(value, change)| (f32::from(*value) + change).round().clamp(0.0, 255.0) as u8);
            RgbImage::from_raw(face.width(), face.height(), values.collect()).expect("as many values as before")
        };
        self.0.iter().map(shifted).collect()
    }
}

#[cfg(test)]
mod tests {
    use image::Rgb;

    use super::*;

    #[test]
    fn a_face_moves_by_two_and_a_half_times_the_difference_of_the_means() {
        let prototypes = Prototypes(vec![Some(vec![100.0; 3]), Some(vec![110.0, 90.0, 250.0]), None]);
        let face = RgbImage::from_pixel(1, 1, Rgb([50, 60, 70]));

        let aged = prototypes.at_every_age(&face, 0);

        assert_eq!(aged[0], face);
        assert_eq!(aged[1].get_pixel(0, 0), &Rgb([75, 35, 255]));
        assert_eq!(aged[2], face, "there is no mean face");
    }
}
