//! Bilinear resizing, with the scale and shift of values that go with it.

use rayon::prelude::*;

use crate::Maps;
use crate::output::in_chunks;

/// Resizes feature maps bilinearly, with half-pixel centres and without antialiasing, then scales and shifts them.
#[derive(Clone, Copy, Debug)]
pub struct Resize<'a> {
    /// Height and width of the output.
    pub sides: [usize; 2],
    /// What values are multiplied by.
    pub scale: f32,
    /// What is then added to each channel.
    pub shift: &'a [f32],
}

/// The two pixels of a line that an output lies between, and the second's share.
#[derive(Clone, Copy)]
struct Between {
    first: usize,
    second: usize,
    share: f32,
}

impl Between {
    /// For each of `outputs` pixels of a line that has `inputs`.
    fn line(inputs: usize, outputs: usize) -> Vec<Self> {
        (0..outputs)
            .map(|output| {
                let centre = (output as f64 + 0.5) * inputs as f64 / outputs as f64 - 0.5;
                let centre = centre.clamp(0.0, (inputs - 1) as f64);
                let first = centre.floor() as usize;
                Self { first, second: (first + 1).min(inputs - 1), share: (centre - first as f64) as f32 }
            })
            .collect()
    }
}

impl Resize<'_> {
    /// The resized values.
    ///
    /// # Panics
    /// If there are not the values or the shifts of `maps`.
    pub fn run(&self, input: &[f32], maps: Maps) -> Vec<f32> {
        let Self { sides: [height, width], scale, shift } = *self;
        let channels = maps.channels;
        assert_eq!(input.len(), maps.values(), "values of the input");
        assert_eq!(shift.len(), channels, "shifts");
        let (rows, columns) = (Between::line(maps.height, height), Between::line(maps.width, width));
        let line = maps.width * channels;
        in_chunks(maps.batch * height * width * channels, width * channels, |index, output| {
            let (picture, row) = (index / height, rows[index % height]);
            let [first, second] =
                [row.first, row.second].map(|row| &input[(picture * maps.height + row) * line..][..line]);
            let blended: Vec<f32> = first
                .iter()
                .zip(second)
                .map(|(&first, &second)| (first + (second - first) * row.share) * scale)
                .collect();
            for (output, column) in output.chunks_exact_mut(channels).zip(&columns) {
                let [first, second] =
                    [column.first, column.second].map(|column| &blended[column * channels..][..channels]);
                for (channel, output) in output.iter_mut().enumerate() {
                    *output = first[channel] + (second[channel] - first[channel]) * column.share + shift[channel];
                }
            }
        })
    }

    /// The gradient towards an input of `maps` from that of the output.
    ///
    /// # Panics
    /// If there are not the values of the output.
    pub fn gradient(&self, gradient: &[f32], maps: Maps) -> Vec<f32> {
        let Self { sides: [height, width], scale, .. } = *self;
        let channels = maps.channels;
        assert_eq!(gradient.len(), maps.batch * height * width * channels, "values of the gradient");
        let (rows, columns) = (Between::line(maps.height, height), Between::line(maps.width, width));
        let line = maps.width * channels;
        let mut result = vec![0.0; maps.values()];
        let pictures = gradient.par_chunks((height * width * channels).max(1));
        result.par_chunks_mut(maps.picture().max(1)).zip(pictures).for_each(|(result, gradient)| {
            let mut blended = vec![0.0; line];
            for (gradient, row) in gradient.chunks_exact(width * channels).zip(&rows) {
                blended.fill(0.0);
                for (gradient, column) in gradient.chunks_exact(channels).zip(&columns) {
                    for (channel, gradient) in gradient.iter().enumerate() {
                        let second = gradient * scale * column.share;
                        blended[column.first * channels + channel] += gradient * scale - second;
                        blended[column.second * channels + channel] += second;
                    }
                }
                for (row, share) in [(row.first, 1.0 - row.share), (row.second, row.share)] {
                    let result = &mut result[row * line..][..line];
                    result.iter_mut().zip(&blended).for_each(|(result, blended)| *result += blended * share);
                }
            }
        });
        result
    }
}
