//! Batch norm with the statistics of the batch, fused with the activation that follows it.

mod gradient;

pub use gradient::BatchNormGradients;

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use crate::lanes::{load, store};
use crate::output::{TASK_VALUES, in_chunks};
use crate::{Activation, InstructionSet, Nhwc};

/// Parameters of a batch norm of feature maps.
///
/// With more than one ghost batch it is a ghost batch normalization: each of these equal parts of the batch is
/// normalized with its own statistics, as if it were the whole batch.
///
/// Source: Hoffer et al., "Train longer, generalize better", NeurIPS 2017.
#[derive(Clone, Copy, Debug)]
pub struct BatchNormParams<'a> {
    /// Scale of each channel: `[channels]`.
    pub gamma: &'a [f32],
    /// Shift of each channel: `[channels]`.
    pub beta: &'a [f32],
    /// Added to the variance; positive.
    pub epsilon: f32,
    /// Number of ghost batches, at least 1: equal parts of the batch with statistics of their own.
    pub ghost_batches: usize,
    /// Activation that follows the norm.
    pub activation: Activation,
}

/// Mean and (biased) variance of each channel in each ghost batch, `[ghost batches][channels]`.
#[derive(Clone, Debug, PartialEq)]
pub struct BatchStatistics {
    /// Means.
    pub means: Vec<f32>,
    /// Variances.
    pub variances: Vec<f32>,
}

impl BatchStatistics {
    /// Statistics of the values of `shape`, in each of `ghost_batches` equal parts of the batch.
    ///
    /// # Panics
    /// If `ghost_batches` is zero or does not divide the batch, or `input` does not hold the values of `shape`.
    pub fn new(instructions: InstructionSet, input: &[f32], shape: Nhwc, ghost_batches: usize) -> Self {
        assert_divides(ghost_batches, shape);
        assert_eq!(input.len(), shape.num_elements(), "values of the input");
        let channels = shape.channels;
        let (mut means, mut variances) = (Vec::new(), Vec::new());
        for ghost_batch in input.chunks_exact((shape.num_elements() / ghost_batches).max(1)) {
            let moments_of_tasks: Vec<Vec<f32>> = ghost_batch
                .par_chunks(task_values(channels))
                .map(|values| instructions.run(Moments { values, channels }))
                .collect();
            // Chan's formula combines the moments of the tasks; in double precision, because there may be many tasks.
            let (mut count, mut mean, mut square) = (0.0, vec![0.0; channels], vec![0.0; channels]);
            for (values, moments) in ghost_batch.chunks(task_values(channels)).zip(&moments_of_tasks) {
                let added = (values.len() / channels) as f64;
                let (task_means, task_squares) = moments.split_at(channels);
                for channel in 0..channels {
                    let difference = f64::from(task_means[channel]) - mean[channel];
                    mean[channel] += difference * added / (count + added);
                    square[channel] +=
                        f64::from(task_squares[channel]) + difference * difference * count * added / (count + added);
                }
                count += added;
            }
            means.extend(mean.iter().map(|&mean| mean as f32));
            variances.extend(square.iter().map(|square| (square / count) as f32));
        }
        Self { means, variances }
    }
}

impl BatchNormParams<'_> {
    /// The output, `activation(gamma * (x - mean) / sqrt(variance + epsilon) + beta)`, in the shape of the input.
    ///
    /// # Panics
    /// If `ghost_batches` is zero or does not divide the batch, or the lengths do not match the shapes and statistics.
    pub fn run(
        &self,
        instructions: InstructionSet,
        input: &[f32],
        shape: Nhwc,
        statistics: &BatchStatistics,
    ) -> Vec<f32> {
        self.check([input], shape, statistics);
        let task_values = task_values(shape.channels);
        let affines: Vec<Affine> =
            (0..self.ghost_batches).map(|ghost_batch| self.affine(statistics, ghost_batch)).collect();
        in_chunks(shape.num_elements(), shape.image_elements(), |image, output| {
            let affine = &affines[image * self.ghost_batches / shape.batch];
            output.par_chunks_mut(task_values).enumerate().for_each(|(task, output)| {
                let start = image * shape.image_elements() + task * task_values;
                let input = &input[start..][..output.len()];
                instructions.run(Apply { input, affine, activation: self.activation, output });
            });
        })
    }

    fn check<const N: usize>(&self, values: [&[f32]; N], shape: Nhwc, statistics: &BatchStatistics) {
        assert_divides(self.ghost_batches, shape);
        assert!(values.iter().all(|values| values.len() == shape.num_elements()), "values of the feature maps");
        assert_eq!([self.gamma.len(), self.beta.len()], [shape.channels; 2], "factors and shifts of the channels");
        let [means, variances] = [&statistics.means, &statistics.variances].map(Vec::len);
        assert_eq!(
            [means, variances],
            [self.ghost_batches * shape.channels; 2],
            "statistics of {} ghost batches",
            self.ghost_batches
        );
    }

    /// The batch norm of one ghost batch as `scale * x + shift`.
    fn affine(&self, statistics: &BatchStatistics, ghost_batch: usize) -> Affine {
        let channels = self.gamma.len();
        let values = |all: &[f32], channel: usize| all[ghost_batch * channels + channel];
        let scale: Vec<f32> = (0..channels)
            .map(|channel| self.gamma[channel] / (values(&statistics.variances, channel) + self.epsilon).sqrt())
            .collect();
        let shift =
            (0..channels).map(|channel| self.beta[channel] - values(&statistics.means, channel) * scale[channel]);
        Affine { shift: shift.collect(), scale }
    }
}

/// Sum over all pixels for each channel, `[channels]`: the gradient of a bias.
///
/// The channels of each pixel of `values` are side by side.
///
/// # Panics
/// If `values` do not consist of whole pixels.
pub fn channel_sums(instructions: InstructionSet, values: &[f32], channels: usize) -> Vec<f32> {
    assert!(values.len().is_multiple_of(channels), "{} values of {channels} channels", values.len());
    let sums_of_tasks: Vec<Vec<f32>> =
        values.par_chunks(task_values(channels)).map(|values| instructions.run(Sums { values, channels })).collect();
    let total = |channel: usize| sums_of_tasks.iter().map(|sums| f64::from(sums[channel])).sum::<f64>();
    (0..channels).map(|channel| total(channel) as f32).collect()
}

fn assert_divides(ghost_batches: usize, shape: Nhwc) {
    let divides = ghost_batches > 0 && shape.batch.is_multiple_of(ghost_batches);
    assert!(divides, "a batch of {} does not divide into {ghost_batches} ghost batches", shape.batch);
}

/// Number of values of a task: whole pixels, about [`TASK_VALUES`].
fn task_values(channels: usize) -> usize {
    (TASK_VALUES / channels).max(1) * channels
}

/// The batch norm of a ghost batch as `scale * x + shift`, `[channels]`.
struct Affine {
    scale: Vec<f32>,
    shift: Vec<f32>,
}

/// Sums of the values of one task over its pixels, `[channels]`.
struct Sums<'a> {
    values: &'a [f32],
    channels: usize,
}

impl WithSimd for Sums<'_> {
    type Output = Vec<f32>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Vec<f32> {
        let mut sums = vec![0.0; self.channels];
        for pixel in self.values.chunks_exact(self.channels) {
            for (sums, values) in sums.chunks_mut(S::F32_LANES).zip(pixel.chunks(S::F32_LANES)) {
                store(simd, sums, simd.add_f32s(load(simd, sums), load(simd, values)));
            }
        }
        sums
    }
}

/// Means of each channel, then sums of the squared differences from them.
struct Moments<'a> {
    values: &'a [f32],
    channels: usize,
}

impl WithSimd for Moments<'_> {
    type Output = Vec<f32>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Vec<f32> {
        let Self { values, channels } = self;
        // Differences from the first pixel are small even where values are large, so their sum loses little precision.
        let origin = &values[..channels];
        let mut moments = vec![0.0; 2 * channels];
        for pixel in values.chunks_exact(channels) {
            let vectors = pixel.chunks(S::F32_LANES).zip(origin.chunks(S::F32_LANES));
            for (sums, (values, origin)) in moments[..channels].chunks_mut(S::F32_LANES).zip(vectors) {
                let difference = simd.sub_f32s(load(simd, values), load(simd, origin));
                store(simd, sums, simd.add_f32s(load(simd, sums), difference));
            }
        }
        let count = (values.len() / channels) as f32;
        for (moment, origin) in moments.iter_mut().zip(origin) {
            *moment = origin + *moment / count;
        }
        let (means, squares) = moments.split_at_mut(channels);
        for pixel in values.chunks_exact(channels) {
            let vectors = pixel.chunks(S::F32_LANES).zip(means.chunks(S::F32_LANES));
            for (squares, (values, means)) in squares.chunks_mut(S::F32_LANES).zip(vectors) {
                let difference = simd.sub_f32s(load(simd, values), load(simd, means));
                store(simd, squares, simd.mul_add_e_f32s(difference, difference, load(simd, squares)));
            }
        }
        moments
    }
}

/// The output of one task: `activation(scale * x + shift)`.
struct Apply<'a> {
    input: &'a [f32],
    affine: &'a Affine,
    activation: Activation,
    output: &'a mut [f32],
}

impl WithSimd for Apply<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let channels = self.affine.scale.len();
        let slope = simd.splat_f32s(self.activation.slope());
        for (pixel, output) in self.output.chunks_exact_mut(channels).enumerate() {
            let input = &self.input[pixel * channels..][..channels];
            for (index, output) in output.chunks_mut(S::F32_LANES).enumerate() {
                let range = index * S::F32_LANES..index * S::F32_LANES + output.len();
                let scale = load(simd, &self.affine.scale[range.clone()]);
                let shift = load(simd, &self.affine.shift[range.clone()]);
                let value = simd.mul_add_e_f32s(load(simd, &input[range]), scale, shift);
                store(simd, output, simd.max_f32s(value, simd.mul_f32s(value, slope)));
            }
        }
    }
}
