//! Feature maps joined with the condition under which they are judged.

use crate::Maps;
use crate::output::in_chunks;

/// Features of some pictures, each of which may be joined with several conditions.
#[derive(Clone, Copy, Debug)]
pub struct Conditioned<'a> {
    /// Sizes of the features.
    pub maps: Maps,
    /// For each output, which picture's features it has.
    pub pictures: &'a [usize],
    /// Values that are the same at every pixel of an output, how many.
    pub conditions: usize,
}

impl Conditioned<'_> {
    /// Each output's features with its conditions (`[outputs][conditions]`) as further channels.
    ///
    /// # Panics
    /// If values and sizes do not belong together.
    pub fn run(&self, features: &[f32], conditions: &[f32]) -> Vec<f32> {
        let Self { maps, pictures, conditions: count } = *self;
        let Maps { height, width, channels, .. } = maps;
        assert_eq!(features.len(), maps.values(), "values of the features");
        assert_eq!(conditions.len(), pictures.len() * count, "conditions");
        let line = width * (channels + count);
        in_chunks(pictures.len() * height * line, line, |index, output| {
            let (number, row) = (index / height, index % height);
            let features = &features[(pictures[number] * height + row) * width * channels..];
            let conditions = &conditions[number * count..][..count];
            for (output, features) in output.chunks_exact_mut(channels + count).zip(features.chunks_exact(channels)) {
                output[..channels].copy_from_slice(features);
                output[channels..].copy_from_slice(conditions);
            }
        })
    }

    /// The gradient towards the features from that of the outputs.
    ///
    /// # Panics
    /// If there are not the values of the outputs.
    pub fn gradient(&self, gradient: &[f32]) -> Vec<f32> {
        let Self { maps, pictures, conditions: count } = *self;
        let Maps { height, width, channels, .. } = maps;
        let line = width * (channels + count);
        assert_eq!(gradient.len(), pictures.len() * height * line, "values of the gradient");
        in_chunks(maps.values(), width * channels, |index, result| {
            let (picture, row) = (index / height, index % height);
            for number in (0..pictures.len()).filter(|&number| pictures[number] == picture) {
                let gradient = &gradient[(number * height + row) * line..][..line];
                let pixels = gradient.chunks_exact(channels + count);
                for (result, gradient) in result.chunks_exact_mut(channels).zip(pixels) {
                    result.iter_mut().zip(gradient).for_each(|(result, gradient)| *result += gradient);
                }
            }
        })
    }
}
