//! Faces with class labels, for the age classifier and the identity network.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use burn::data::dataloader::batcher::Batcher;
use burn::data::dataset::{Dataset, DatasetError};
use burn::tensor::{Device, Int, Tensor, TensorData};
use image::RgbImage;
use rayon::prelude::*;

use crate::random::{permuted_index, random};
use crate::{Augmentation, DataError, FaceSet, photo, pixels};

/// A face and the index of its class.
#[derive(Clone, Debug, PartialEq)]
pub struct LabelledFace {
    /// The face, at the size of the networks.
    pub image: RgbImage,
    /// Index of its class.
    pub label: usize,
    /// Its age group, if known.
    pub group: Option<usize>,
}

/// Labelled faces as a Burn data set: one pass in order, or an endless shuffled stream.
pub struct LabelledDataset {
    faces: Arc<dyn FaceSet>,
    labels: Vec<usize>,
    size: u32,
    sampling: Sampling,
}

enum Sampling {
    Once,
    Stream { augmentation: Augmentation, seed: u64, items: usize },
}

impl LabelledDataset {
    /// Each face once, in order and without augmentation, at `size` x `size` pixels: for validation.
    ///
    /// # Panics
    /// If the numbers of faces and labels differ.
    pub fn once(faces: Arc<dyn FaceSet>, labels: Vec<usize>, size: u32) -> Self {
        Self::new(faces, labels, size, Sampling::Once)
    }

    /// The first `items` of an endless stream of faces for training: shuffled epochs over all faces, each face augmented
    /// differently in each epoch.
    ///
    /// Item `i` depends only on the seed and on `i`, so a run resumed at step `k` continues the stream at item
    /// `k * batch size`. A stream without faces has no items.
    ///
    /// # Panics
    /// If the numbers of faces and labels differ.
    pub fn stream(
        faces: Arc<dyn FaceSet>,
        labels: Vec<usize>,
        size: u32,
        augmentation: Augmentation,
        seed: u64,
        items: usize,
    ) -> Self {
        Self::new(faces, labels, size, Sampling::Stream { augmentation, seed, items })
    }

    fn new(faces: Arc<dyn FaceSet>, labels: Vec<usize>, size: u32, sampling: Sampling) -> Self {
        assert_eq!(faces.len(), labels.len(), "each face has one label");
        Self { faces, labels, size, sampling }
    }

    fn item(&self, index: usize) -> Result<LabelledFace, DataError> {
        let (face, image) = match &self.sampling {
            Sampling::Once => {
                let square = photo::centred_square(&self.faces.image(index)?);
                (index, photo::resized(&square, self.size))
            }
            Sampling::Stream { augmentation, seed, .. } => {
                let [epoch, position] = [index / self.labels.len(), index % self.labels.len()];
                let face = permuted_index(position, self.labels.len(), *seed, epoch as u64);
                let mut random = random(*seed, epoch as u64, face as u64);
                (face, augmentation.apply(&self.faces.image(face)?, self.size, &mut random))
            }
        };
        Ok(LabelledFace { image, label: self.labels[face], group: self.faces.label(face).group })
    }
}

impl Dataset<LabelledFace> for LabelledDataset {
    fn get(&self, index: usize) -> Result<LabelledFace, DatasetError> {
        assert!(index < self.len(), "item {index} is outside of the {} items", self.len());
        self.item(index).map_err(DataError::into_dataset_error)
    }

    /// In parallel, so that one loader, whose batches come in order, keeps up with any device.
    fn get_many(&self, indexes: Vec<usize>) -> Result<Vec<LabelledFace>, DatasetError> {
        indexes.into_par_iter().map(|index| self.get(index)).collect()
    }

    fn len(&self) -> usize {
        match self.sampling {
            Sampling::Stream { items, .. } if !self.labels.is_empty() => items,
            _ => self.labels.len(),
        }
    }
}

/// A batch of labelled faces.
#[derive(Clone, Debug)]
pub struct LabelledBatch {
    /// `[batch, 3, size, size]`, RGB, in [-1, 1].
    pub faces: Tensor<4>,
    /// `[batch]`, index of the class.
    pub labels: Tensor<1, Int>,
    /// `[batch]`, age group; zero if unknown.
    pub groups: Tensor<1, Int>,
    /// `[batch]`, one if the age group is known, else zero.
    pub group_mask: Tensor<1>,
}

/// Collates labelled faces into batches.
#[derive(Clone, Copy, Debug, Default)]
pub struct LabelledBatcher;

impl Batcher<LabelledFace, LabelledBatch> for LabelledBatcher {
    fn batch(&self, items: Vec<LabelledFace>, device: &Device) -> LabelledBatch {
        let labels = indices_tensor(items.iter().map(|item| item.label), device);
        let groups = indices_tensor(items.iter().map(|item| item.group.unwrap_or(0)), device);
        let known: Vec<f32> = items.iter().map(|item| f32::from(u8::from(item.group.is_some()))).collect();
        let known = Tensor::from_data(&known[..], device);
        let images: Vec<_> = items.into_iter().map(|item| item.image).collect();
        LabelledBatch { faces: pixels::faces_tensor(&images, device), labels, groups, group_mask: known }
    }
}

/// Indices as a tensor `[batch]`.
pub(crate) fn indices_tensor(indices: impl Iterator<Item = usize>, device: &Device) -> Tensor<1, Int> {
    let indices: Vec<i32> = indices.map(|index| index as i32).collect();
    let shape = [indices.len()];
    Tensor::from_data(TensorData::new(indices, shape), device)
}

/// Age group of each face, as labels for the age classifier.
///
/// # Errors
/// [`DataError::NoGroup`] if a face has none.
pub fn group_labels(faces: &dyn FaceSet) -> Result<Vec<usize>, DataError> {
    let group = |index| faces.label(index).group.ok_or_else(|| DataError::NoGroup { name: faces.name(index) });
    (0..faces.len()).map(group).collect()
}

/// Identity of each face as a class index, as labels for the identity network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentityLabels {
    /// Class of each face, below `count`.
    pub labels: Vec<usize>,
    /// Number of classes.
    pub count: usize,
}

impl IdentityLabels {
    /// Identities in alphabetical order, then each face without identity as a class of its own.
    pub fn of(faces: &dyn FaceSet) -> Self {
        let identities: Vec<_> = (0..faces.len()).map(|index| faces.label(index).identity.as_deref()).collect();
        let people: BTreeSet<_> = identities.iter().flatten().collect();
        let classes: HashMap<_, _> = people.into_iter().enumerate().map(|(class, person)| (*person, class)).collect();
        let mut count = classes.len();
        let mut class = |identity: &Option<&str>| {
            identity.map_or_else(
                || {
                    count += 1;
                    count - 1
                },
                |person| classes[person],
            )
        };
        let labels = identities.iter().map(&mut class).collect();
        Self { labels, count }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::face::PlainFaces;

    fn stream(items: usize) -> LabelledDataset {
        let faces = Arc::new(PlainFaces::of_groups(&[0, 1, 2, 3, 4]));
        LabelledDataset::stream(faces, vec![10, 11, 12, 13, 14], 4, Augmentation::new(), 1, items)
    }

    fn labels(items: &LabelledDataset) -> Vec<usize> {
        (0..items.len()).map(|index| items.get(index).unwrap().label).collect()
    }

    #[test]
    fn once_gives_each_face_in_order_and_unchanged() {
        let faces = Arc::new(PlainFaces::of_groups(&[4, 3]));

        let once = LabelledDataset::once(faces.clone(), vec![4, 3], 8);

        assert_eq!(labels(&once), [4, 3]);
        assert_eq!(once.get(1).unwrap().image, faces.image(1).unwrap());
    }

    #[test]
    fn each_epoch_of_a_stream_holds_each_face_in_another_order() {
        let labels = labels(&stream(20));

        for epoch in labels.chunks(5) {
            let mut epoch = epoch.to_vec();
            epoch.sort_unstable();
            assert_eq!(epoch, [10, 11, 12, 13, 14]);
        }
        assert!(labels.chunks(5).any(|epoch| epoch != &labels[..5]));
    }

    #[test]
    fn an_item_of_a_stream_depends_only_on_its_index() {
        let [short, long] = [stream(8), stream(1000)];

        long.get(999).unwrap();

        assert_eq!(long.get(7).unwrap(), short.get(7).unwrap());
    }

    #[test]
    fn many_items_equal_single_items_in_order() {
        let items = stream(40);
        let indices: Vec<usize> = (0..40).rev().collect();

        let many = items.get_many(indices.clone()).unwrap();

        let one_by_one: Vec<_> = indices.into_iter().map(|index| items.get(index).unwrap()).collect();
        assert_eq!(many, one_by_one);
    }

    #[test]
    fn augmentation_differs_between_epochs() {
        let items = stream(10);
        let of_face = |from: usize| (from..from + 5).map(|i| items.get(i).unwrap()).find(|item| item.label == 12);

        assert_ne!(of_face(0).unwrap().image, of_face(5).unwrap().image);
    }

    #[test]
    fn a_stream_without_faces_has_no_items() {
        let none = Arc::new(PlainFaces(Vec::new()));

        assert_eq!(LabelledDataset::stream(none, Vec::new(), 4, Augmentation::none(), 1, 9).len(), 0);
    }

    #[test]
    fn a_batch_holds_faces_and_labels_in_order() {
        let device = Device::flex();
        let items = [(3, Some(4)), (0, None)];
        let items = items.map(|(label, group)| LabelledFace { image: RgbImage::new(2, 2), label, group });

        let batch = LabelledBatcher.batch(items.to_vec(), &device);

        assert_eq!(batch.faces.dims(), [2, 3, 2, 2]);
        batch.labels.into_data().assert_eq(&TensorData::from([3, 0]), false);
        batch.groups.into_data().assert_eq(&TensorData::from([4, 0]), false);
        batch.group_mask.into_data().assert_eq(&TensorData::from([1.0, 0.0]), false);
    }

    #[test]
    fn the_error_of_an_unreadable_image_reaches_the_loader_with_its_cause() {
        struct Missing(crate::FaceLabel);
        impl FaceSet for Missing {
            fn len(&self) -> usize {
                1
            }
            fn label(&self, _: usize) -> &crate::FaceLabel {
                &self.0
            }
            fn name(&self, _: usize) -> String {
                "missing".into()
            }
            fn image(&self, _: usize) -> Result<RgbImage, DataError> {
                Err(DataError::Read { path: "missing.png".into(), source: std::io::ErrorKind::NotFound.into() })
            }
        }

        let error = LabelledDataset::once(Arc::new(Missing(Default::default())), vec![0], 4).get(0).unwrap_err();

        assert_eq!(error.to_string(), "cannot read missing.png: entity not found");
    }

    #[test]
    fn every_face_needs_an_age_group_for_the_age_classifier() {
        assert_eq!(group_labels(&PlainFaces::of_groups(&[2, 0])).unwrap(), [2, 0]);

        let error = group_labels(&PlainFaces::of_people(&["ann"])).unwrap_err();

        assert!(error.to_string().starts_with("face face 0 has no age group"));
    }

    #[test]
    fn identities_are_numbered_by_name_before_unknown_ones() {
        let faces = PlainFaces::of_people(&["bob", "", "ann", "bob", ""]);

        let identities = IdentityLabels::of(&faces);

        assert_eq!(identities, IdentityLabels { labels: vec![1, 2, 0, 1, 3], count: 4 });
    }
}
