//! Bilinear resizing, fused with a scale and a shift of the values.

use rayon::prelude::*;

use crate::Nhwc;
use crate::output::in_chunks;

/// Resizes feature maps bilinearly, with half-pixel centres and without antialiasing, then scales and shifts them.
#[derive(Clone, Copy, Debug)]
pub struct Resize<'a> {
    /// Height and width of the output.
    pub sides: [usize; 2],
    /// Factor of the values.
    pub scale: f32,
    /// Added to each channel after scaling.
    pub shift: &'a [f32],
}

/// The two neighbouring input pixels of an output in a line, and the weight of the second.
#[derive(Clone, Copy)]
struct Interpolation {
    first: usize,
    second: usize,
    weight: f32,
}

impl Interpolation {
    /// Interpolations for the `outputs` pixels of a line, from `inputs` pixels.
    fn line(inputs: usize, outputs: usize) -> Vec<Self> {
        (0..outputs)
            .map(|output| {
                let centre = (output as f64 + 0.5) * inputs as f64 / outputs as f64 - 0.5;
                let centre = centre.clamp(0.0, (inputs - 1) as f64);
                let first = centre.floor() as usize;
                Self { first, second: (first + 1).min(inputs - 1), weight: (centre - first as f64) as f32 }
            })
            .collect()
    }
}

impl Resize<'_> {
    /// The resized values, `[batch][output height][output width][channels]`.
    ///
    /// # Panics
    /// If `input` does not hold the values of `shape`, or `shift` not one value per channel.
    pub fn run(&self, input: &[f32], shape: Nhwc) -> Vec<f32> {
        let Self { sides: [height, width], scale, shift } = *self;
        let channels = shape.channels;
        assert_eq!(input.len(), shape.num_elements(), "values of the input");
        assert_eq!(shift.len(), channels, "shifts");
        let (rows, columns) = (Interpolation::line(shape.height, height), Interpolation::line(shape.width, width));
        let line = shape.width * channels;
        in_chunks(shape.batch * height * width * channels, width * channels, |index, output| {
            let (image, row) = (index / height, rows[index % height]);
            let [first, second] =
                [row.first, row.second].map(|row| &input[(image * shape.height + row) * line..][..line]);
            let blended: Vec<f32> = first
                .iter()
                .zip(second)
                .map(|(&first, &second)| (first + (second - first) * row.weight) * scale)
                .collect();
            for (output, column) in output.chunks_exact_mut(channels).zip(&columns) {
                let [first, second] =
                    [column.first, column.second].map(|column| &blended[column * channels..][..channels]);
                for (channel, output) in output.iter_mut().enumerate() {
                    *output = first[channel] + (second[channel] - first[channel]) * column.weight + shift[channel];
                }
            }
        })
    }

    /// Gradient with respect to an input of `shape`, from that of the output, in the shape of the resized values.
    ///
    /// # Panics
    /// If `gradient` does not hold the values of the output.
    pub fn gradient(&self, gradient: &[f32], shape: Nhwc) -> Vec<f32> {
        let Self { sides: [height, width], scale, .. } = *self;
        let channels = shape.channels;
        assert_eq!(gradient.len(), shape.batch * height * width * channels, "values of the gradient");
        let (rows, columns) = (Interpolation::line(shape.height, height), Interpolation::line(shape.width, width));
        let line = shape.width * channels;
        let mut result = vec![0.0; shape.num_elements()];
        let images = gradient.par_chunks((height * width * channels).max(1));
        result.par_chunks_mut(shape.image_elements().max(1)).zip(images).for_each(|(result, gradient)| {
            let mut blended = vec![0.0; line];
            for (gradient, row) in gradient.chunks_exact(width * channels).zip(&rows) {
                blended.fill(0.0);
                for (gradient, column) in gradient.chunks_exact(channels).zip(&columns) {
                    for (channel, gradient) in gradient.iter().enumerate() {
                        let second = gradient * scale * column.weight;
                        blended[column.first * channels + channel] += gradient * scale - second;
                        blended[column.second * channels + channel] += second;
                    }
                }
                for (row, weight) in [(row.first, 1.0 - row.weight), (row.second, row.weight)] {
                    let result = &mut result[row * line..][..line];
                    result.iter_mut().zip(&blended).for_each(|(result, blended)| *result += blended * weight);
                }
            }
        });
        result
    }
}
