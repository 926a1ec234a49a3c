//! Concatenation of feature maps with condition planes.

use crate::Nhwc;
use crate::output::in_chunks;

/// Gathers images of a batch and appends condition channels that are constant over all pixels.
#[derive(Clone, Copy, Debug)]
pub struct ConditionConcat<'a> {
    /// Shape of the features.
    pub shape: Nhwc,
    /// Index of the source image of each output.
    pub images: &'a [usize],
    /// Number of condition channels.
    pub conditions: usize,
}

impl ConditionConcat<'_> {
    /// Features of each output followed by its `conditions` as channels.
    ///
    /// # Shapes
    /// - `features`: the values of `shape`
    /// - `conditions`: `[outputs][conditions]`
    /// - returns: `[outputs][height][width][channels + conditions]`
    ///
    /// # Panics
    /// If the lengths do not match the shapes, or there is no image of an index.
    pub fn run(&self, features: &[f32], conditions: &[f32]) -> Vec<f32> {
        let Self { shape, images, conditions: count } = *self;
        let Nhwc { height, width, channels, .. } = shape;
        self.check_images();
        assert_eq!(features.len(), shape.num_elements(), "values of the features");
        assert_eq!(conditions.len(), images.len() * count, "conditions");
        let line = width * (channels + count);
        in_chunks(images.len() * height * line, line, |index, output| {
            let (number, row) = (index / height, index % height);
            let features = &features[(images[number] * height + row) * width * channels..];
            let conditions = &conditions[number * count..][..count];
            for (output, features) in output.chunks_exact_mut(channels + count).zip(features.chunks_exact(channels)) {
                output[..channels].copy_from_slice(features);
                output[channels..].copy_from_slice(conditions);
            }
        })
    }

    /// Gradient with respect to the features, from that of the outputs.
    ///
    /// # Shapes
    /// - `gradient`: `[outputs][height][width][channels + conditions]`
    /// - returns: the values of `shape`
    ///
    /// # Panics
    /// If `gradient` does not have the shape of the output, or there is no image of an index.
    pub fn gradient(&self, gradient: &[f32]) -> Vec<f32> {
        let Self { shape, images, conditions: count } = *self;
        let Nhwc { height, width, channels, .. } = shape;
        let line = width * (channels + count);
        self.check_images();
        assert_eq!(gradient.len(), images.len() * height * line, "values of the gradient");
        in_chunks(shape.num_elements(), width * channels, |index, result| {
            let (image, row) = (index / height, index % height);
            for number in (0..images.len()).filter(|&number| images[number] == image) {
                let gradient = &gradient[(number * height + row) * line..][..line];
                let pixels = gradient.chunks_exact(channels + count);
                for (result, gradient) in result.chunks_exact_mut(channels).zip(pixels) {
                    result.iter_mut().zip(gradient).for_each(|(result, gradient)| *result += gradient);
                }
            }
        })
    }

    fn check_images(&self) {
        let Self { shape: Nhwc { batch, .. }, images, .. } = *self;
        assert!(images.iter().all(|&image| image < batch), "images {images:?} of a batch of {batch}");
    }
}
