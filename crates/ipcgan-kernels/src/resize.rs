//! Bilinear resizing, fused with a scale and a shift of the values.

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use crate::output::in_chunks;
use crate::{InstructionSet, Nhwc};

/// Resizes feature maps of `C` channels bilinearly, with half-pixel centres and without antialiasing, then scales and
/// shifts them.
#[derive(Clone, Copy, Debug)]
pub struct Resize<const C: usize> {
    /// Which vector instructions run.
    pub instructions: InstructionSet,
    /// Height and width of the output.
    pub sides: [usize; 2],
    /// Factor of the values.
    pub scale: f32,
    /// Added to each channel after scaling.
    pub shift: [f32; C],
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

impl<const C: usize> Resize<C> {
    /// The resized values, `[batch][output height][output width][channels]`.
    ///
    /// # Panics
    /// If `input` does not hold the values of `shape`, or that does not have `C` channels.
    pub fn run(&self, input: &[f32], shape: Nhwc) -> Vec<f32> {
        let [height, width] = self.sides;
        assert_eq!((input.len(), shape.channels), (shape.num_elements(), C), "values and channels of the input");
        let (rows, columns) = (Interpolation::line(shape.height, height), Interpolation::line(shape.width, width));
        let line = shape.width * C;
        in_chunks(shape.batch * height * width * C, width * C, |index, output| {
            let (image, row) = (index / height, rows[index % height]);
            let neighbours = [row.first, row.second].map(|row| &input[(image * shape.height + row) * line..][..line]);
            self.instructions.run(ResizedRow {
                resize: self,
                neighbours,
                weight: row.weight,
                columns: &columns,
                output,
            });
        })
    }

    /// Gradient with respect to an input of `shape`, from that of the output, in the shape of the resized values.
    ///
    /// # Panics
    /// If `gradient` does not hold the values of the output, or `shape` does not have `C` channels.
    pub fn gradient(&self, gradient: &[f32], shape: Nhwc) -> Vec<f32> {
        let [height, width] = self.sides;
        let values = shape.batch * height * width * C;
        assert_eq!((gradient.len(), shape.channels), (values, C), "values of the gradient and channels");
        let (rows, columns) = (Interpolation::line(shape.height, height), Interpolation::line(shape.width, width));
        let mut result = vec![0.0; shape.num_elements()];
        let images = gradient.par_chunks((height * width * C).max(1));
        result.par_chunks_mut(shape.image_elements().max(1)).zip(images).for_each(|(result, gradient)| {
            let (rows, columns, width) = (&rows, &columns, shape.width);
            self.instructions.run(ImageGradient { resize: self, gradient, rows, columns, width, result });
        });
        result
    }
}

/// One row of a resized image.
struct ResizedRow<'a, const C: usize> {
    resize: &'a Resize<C>,
    /// The two input rows that it lies between.
    neighbours: [&'a [f32]; 2],
    /// Weight of the second one.
    weight: f32,
    columns: &'a [Interpolation],
    output: &'a mut [f32],
}

impl<const C: usize> WithSimd for ResizedRow<'_, C> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self { resize: Resize { scale, shift, .. }, neighbours: [first, second], weight, columns, output } = self;
        let blended: Vec<f32> =
            first.iter().zip(second).map(|(&first, &second)| (first + (second - first) * weight) * scale).collect();
        let (blended, _) = blended.as_chunks::<C>();
        let (output, _) = output.as_chunks_mut::<C>();
        for (output, column) in output.iter_mut().zip(columns) {
            let (first, second) = (&blended[column.first], &blended[column.second]);
            for channel in 0..C {
                output[channel] = first[channel] + (second[channel] - first[channel]) * column.weight + shift[channel];
            }
        }
    }
}

/// The gradient of one image.
struct ImageGradient<'a, const C: usize> {
    resize: &'a Resize<C>,
    gradient: &'a [f32],
    rows: &'a [Interpolation],
    columns: &'a [Interpolation],
    /// Width of the input.
    width: usize,
    result: &'a mut [f32],
}

impl<const C: usize> WithSimd for ImageGradient<'_, C> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self { resize: &Resize { scale, .. }, gradient, rows, columns, width, result } = self;
        let (gradient, _) = gradient.as_chunks::<C>();
        let mut blended = vec![[0.0; C]; width];
        for (gradient, row) in gradient.chunks_exact(columns.len().max(1)).zip(rows) {
            blended.fill([0.0; C]);
            for (gradient, column) in gradient.iter().zip(columns) {
                let seconds = gradient.map(|gradient| gradient * scale * column.weight);
                let first = &mut blended[column.first];
                for channel in 0..C {
                    first[channel] += gradient[channel] * scale - seconds[channel];
                }
                let second = &mut blended[column.second];
                for channel in 0..C {
                    second[channel] += seconds[channel];
                }
            }
            let line = width * C;
            for (row, weight) in [(row.first, 1.0 - row.weight), (row.second, row.weight)] {
                let result = &mut result[row * line..][..line];
                let blended = blended.as_flattened();
                result.iter_mut().zip(blended).for_each(|(result, blended)| *result += blended * weight);
            }
        }
    }
}
