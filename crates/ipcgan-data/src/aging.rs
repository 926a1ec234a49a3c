//! Data set of the GAN: a source face, a real face of the target group, and a mismatched group.

use std::sync::Arc;

use burn::data::dataloader::batcher::Batcher;
use burn::data::dataset::{Dataset, DatasetError};
use burn::tensor::{Device, Int, Tensor, TensorData};
use image::RgbImage;
use ipcgan_model::{AUGMENTATION_DRAWS, AgeGroups};
use rand::{Rng, RngExt};
use rayon::prelude::*;

use crate::labelled::indices_tensor;
use crate::random::{permuted_index, random};
use crate::{Augmentation, DataError, FaceSet, PrototypeAging, check_groups, pixels};

/// A training item of the GAN.
#[derive(Clone, Debug, PartialEq)]
pub struct AgingItem {
    /// The face that the generator ages.
    pub source: RgbImage,
    /// The source face aged to the target group by prototypes, if the data set has any.
    pub expected: Option<RgbImage>,
    /// A real face of the target group, of any identity.
    pub real: RgbImage,
    /// Age group of the source face.
    pub source_group: usize,
    /// Age group to which the source face is aged.
    pub target: usize,
    /// An age group other than the target, under which the discriminator must reject the real face.
    pub mismatched: usize,
    /// Random numbers in [-1, 1] for augmentations, by [`View`].
    pub augmentation: [[f32; AUGMENTATION_DRAWS]; View::COUNT],
}

/// An input of the networks with its own augmentation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum View {
    /// The real face, in the update of the discriminator.
    Real,
    /// The generated face, in the update of the discriminator.
    Generated,
    /// The generated face and its source, in the update of the generator.
    GeneratorUpdate,
}

impl View {
    const COUNT: usize = 3;
}

/// An endless stream of GAN items as a Burn data set.
pub struct AgingDataset {
    faces: Arc<dyn FaceSet>,
    /// Faces that have an age group.
    sources: Vec<usize>,
    /// Faces of each age group.
    by_group: Vec<Vec<usize>>,
    size: u32,
    augmentation: Augmentation,
    prototypes: Option<Arc<PrototypeAging>>,
    seed: u64,
    items: usize,
}

impl AgingDataset {
    /// The first `items` of an endless stream, of images of `size` x `size` pixels, each changed by `augmentation`.
    ///
    /// Source faces come in shuffled epochs over all faces with a group. The pair of target and mismatched group is
    /// any of the `n (n - 1)` ordered pairs, all equally likely, whatever the source face; the real face is any of the
    /// target group. (The published runs draw one such pair for a whole batch; we draw one for each item.) Item `i`
    /// depends only on the seed and on `i`, so a run can resume anywhere.
    ///
    /// # Errors
    /// [`DataError::EmptyGroup`] if an age group has no face.
    pub fn stream(
        faces: Arc<dyn FaceSet>,
        groups: &AgeGroups,
        size: u32,
        augmentation: Augmentation,
        seed: u64,
        items: usize,
    ) -> Result<Self, DataError> {
        check_groups(&*faces, groups, "the set of faces to age")?;
        let mut by_group = vec![Vec::new(); groups.count()];
        let mut sources = Vec::new();
        for index in 0..faces.len() {
            if let Some(of_group) = faces.label(index).group.and_then(|group| by_group.get_mut(group)) {
                of_group.push(index);
                sources.push(index);
            }
        }
        Ok(Self { faces, sources, by_group, size, augmentation, prototypes: None, seed, items })
    }

    /// With [`AgingItem::expected`] by `prototypes`, which have the size and the age groups of the data set; the
    /// augmentation should be flips alone, as prototypes are aligned.
    pub fn with_prototypes(self, prototypes: Option<Arc<PrototypeAging>>) -> Self {
        Self { prototypes, ..self }
    }

    fn item(&self, index: usize) -> Result<AgingItem, DataError> {
        let [epoch, position] = [index / self.sources.len(), index % self.sources.len()];
        let source = self.sources[permuted_index(position, self.sources.len(), self.seed, epoch as u64)];
        let mut random = random(self.seed, epoch as u64, position as u64);
        let (target, mismatched) = pair_of_groups(self.by_group.len(), &mut random);
        let real = self.by_group[target][random.random_range(0..self.by_group[target].len())];
        let label = self.faces.label(source);
        let source_group = label.group.expect("only faces with a group are sources");
        let source = self.augmentation.apply(&self.faces.image(source)?, self.size, &mut random);
        let real = self.augmentation.apply(&self.faces.image(real)?, self.size, &mut random);
        let prototypes = self.prototypes.as_ref();
        let expected = prototypes.map(|prototypes| prototypes.age(&source, label.gender, target));
        let augmentation = std::array::from_fn(|_| std::array::from_fn(|_| random.random_range(-1.0..=1.0)));
        Ok(AgingItem { source, expected, real, source_group, target, mismatched, augmentation })
    }
}

impl Dataset<AgingItem> for AgingDataset {
    fn get(&self, index: usize) -> Result<AgingItem, DatasetError> {
        assert!(index < self.items, "item {index} is outside of the {} items", self.items);
        self.item(index).map_err(DataError::into_dataset_error)
    }

    /// In parallel, so that one loader, whose batches come in order, keeps up with any device.
    fn get_many(&self, indexes: Vec<usize>) -> Result<Vec<AgingItem>, DatasetError> {
        indexes.into_par_iter().map(|index| self.get(index)).collect()
    }

    fn len(&self) -> usize {
        self.items
    }
}

/// A batch of GAN items.
#[derive(Clone, Debug)]
pub struct AgingBatch {
    /// Faces that the generator ages: `[batch, 3, size, size]`, RGB, in [-1, 1].
    pub source: Tensor<4>,
    /// Source faces aged by prototypes; without prototypes, the source faces themselves: `[batch, 3, size, size]`, RGB,
    /// in [-1, 1].
    pub expected: Tensor<4>,
    /// Real faces of the target groups: `[batch, 3, size, size]`, RGB, in [-1, 1].
    pub real: Tensor<4>,
    /// One where the target is the group of the source face, else zero: `[batch]`.
    pub own_group: Tensor<1>,
    /// Age groups to which the source faces are aged: `[batch]`.
    pub target: Tensor<1, Int>,
    /// Age groups other than the targets: `[batch]`.
    pub mismatched: Tensor<1, Int>,
    /// Random numbers in [-1, 1] for augmentations: `[batch, views, AUGMENTATION_DRAWS]`.
    pub augmentation: Tensor<3>,
}

impl AgingBatch {
    /// The random numbers for the augmentation of `view`, `[batch, AUGMENTATION_DRAWS]`.
    pub fn draws(&self, view: View) -> Tensor<2> {
        let [batch, _, draws] = self.augmentation.dims();
        self.augmentation.clone().narrow(1, view as usize, 1).reshape([batch, draws])
    }
}

/// Collates GAN items into batches.
#[derive(Clone, Copy, Debug, Default)]
pub struct AgingBatcher;

impl Batcher<AgingItem, AgingBatch> for AgingBatcher {
    fn batch(&self, items: Vec<AgingItem>, device: &Device) -> AgingBatch {
        let own_group = items.iter().map(|item| f32::from(u8::from(item.source_group == item.target)));
        let own_group: Vec<f32> = own_group.collect();
        let target = indices_tensor(items.iter().map(|item| item.target), device);
        let mismatched = indices_tensor(items.iter().map(|item| item.mismatched), device);
        let draws: Vec<f32> = items.iter().flat_map(|item| item.augmentation.into_iter().flatten()).collect();
        let augmentation = TensorData::new(draws, [items.len(), View::COUNT, AUGMENTATION_DRAWS]);
        let source: Vec<_> = items.iter().map(|item| &item.source).collect();
        let expected: Option<Vec<_>> = items.iter().map(|item| item.expected.as_ref()).collect();
        let real: Vec<_> = items.iter().map(|item| &item.real).collect();
        let source = pixels::faces_tensor(&source, device);
        AgingBatch {
            expected: expected.map_or_else(|| source.clone(), |expected| pixels::faces_tensor(&expected, device)),
            source,
            real: pixels::faces_tensor(&real, device),
            own_group: Tensor::from_data(&own_group[..], device),
            target,
            mismatched,
            augmentation: Tensor::from_data(augmentation, device),
        }
    }
}

/// Target and mismatched group: any two of `count` groups in any order, all equally likely.
fn pair_of_groups(count: usize, random: &mut impl Rng) -> (usize, usize) {
    let pair = random.random_range(0..count * (count - 1));
    let [target, other] = [pair / (count - 1), pair % (count - 1)];
    (target, if other < target { other } else { other + 1 })
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::face::PlainFaces;

    /// Two faces of each group; their blue is the group.
    fn stream(items: usize) -> AgingDataset {
        let faces = Arc::new(PlainFaces::of_groups(&[0, 1, 2, 3, 4, 4, 3, 2, 1, 0]));
        AgingDataset::stream(faces, &AgeGroups::default(), 2, Augmentation::mirrored(), 1, items).unwrap()
    }

    fn blue(image: &RgbImage) -> usize {
        image.get_pixel(0, 0)[2].into()
    }

    #[test]
    fn all_ordered_pairs_of_groups_are_equally_likely() {
        let items = stream(4000);
        let mut counts = HashMap::<_, f64>::new();

        for index in 0..items.len() {
            let item = items.get(index).unwrap();
            *counts.entry((item.target, item.mismatched)).or_default() += 1.0;
        }

        assert_eq!(counts.len(), 20);
        assert!(counts.keys().all(|(target, mismatched)| target != mismatched));
        let chi_square: f64 = counts.values().map(|count| (count - 200.0).powi(2) / 200.0).sum();
        // Chi-square of 19 degrees of freedom exceeds 43.8 once in a thousand.
        assert!(chi_square < 43.8, "{chi_square}");
    }

    #[test]
    fn the_real_face_is_any_of_the_target_group() {
        let items = stream(200);
        let mut reals = std::collections::HashSet::new();

        for index in 0..items.len() {
            let item = items.get(index).unwrap();
            assert_eq!(blue(&item.real), item.target);
            assert_eq!(blue(&item.source), item.source_group);
            reals.insert(item.real.get_pixel(0, 0)[0]);
        }

        assert_eq!(reals.len(), 10);
    }

    #[test]
    fn each_epoch_ages_each_face_once() {
        let items = stream(20);

        for epoch in 0..2 {
            let source = |index: usize| items.get(10 * epoch + index).unwrap().source.get_pixel(0, 0)[0];
            let mut sources: Vec<_> = (0..10).map(source).collect();
            sources.sort_unstable();
            assert_eq!(sources, (0..10).collect::<Vec<_>>());
        }
    }

    #[test]
    fn an_item_depends_only_on_its_index() {
        let [short, long] = [stream(8), stream(1000)];

        long.get(999).unwrap();

        assert_eq!(long.get(7).unwrap(), short.get(7).unwrap());
    }

    #[test]
    fn an_age_group_without_a_face_is_rejected() {
        let faces = Arc::new(PlainFaces::of_groups(&[0, 1, 2, 3]));

        let error = AgingDataset::stream(faces, &AgeGroups::default(), 2, Augmentation::none(), 1, 8).err().unwrap();

        assert!(error.to_string().contains("51+"));
    }

    #[test]
    fn a_batch_holds_two_images_and_two_groups_of_each_item() {
        let items = stream(3);
        let [first, second] = [0, 1].map(|index| items.get(index).unwrap());

        let batch = AgingBatcher.batch(vec![first.clone(), second], &Device::flex());

        assert_eq!((batch.source.dims(), batch.real.dims()), ([2, 3, 2, 2], [2, 3, 2, 2]));
        assert_eq!(pixels::images(batch.real)[0], first.real);
        for (groups, expected) in [(batch.target, first.target), (batch.mismatched, first.mismatched)] {
            assert_eq!(groups.try_into_vec_as::<i32>().unwrap()[0] as usize, expected);
        }
    }

    #[test]
    fn the_mask_of_a_batch_has_the_faces_whose_target_is_their_own_group() {
        let item = stream(1).get(0).unwrap();
        let own = AgingItem { source_group: item.target, ..item.clone() };
        let other = AgingItem { source_group: item.mismatched, ..item };

        let batch = AgingBatcher.batch(vec![own, other], &Device::flex());

        assert_eq!(batch.own_group.try_into_vec_as::<f32>().unwrap(), [1.0, 0.0]);
    }
}
