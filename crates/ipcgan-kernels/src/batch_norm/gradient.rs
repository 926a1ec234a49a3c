//! Gradients of the batch norm and of the activation that follows it.

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::{Affine, BatchNormParams, BatchStatistics, task_values};
use crate::lanes::{load, store};
use crate::output::in_chunks;
use crate::{InstructionSet, Nhwc};

/// Gradients of a batch norm.
#[derive(Clone, Debug)]
pub struct BatchNormGradients {
    /// With respect to the input, in its shape.
    pub input: Vec<f32>,
    /// With respect to `gamma`: `[channels]`.
    pub gamma: Vec<f32>,
    /// With respect to `beta`: `[channels]`.
    pub beta: Vec<f32>,
}

impl BatchNormParams<'_> {
    /// Gradients of the batch norm, from its input and the gradient of its output, both in `shape`.
    ///
    /// # Panics
    /// If `ghost_batches` is zero or does not divide the batch, or the lengths do not match the shapes and statistics.
    pub fn gradients(
        &self,
        instructions: InstructionSet,
        input: &[f32],
        gradient: &[f32],
        shape: Nhwc,
        statistics: &BatchStatistics,
    ) -> BatchNormGradients {
        self.check([input, gradient], shape, statistics);
        let channels = shape.channels;
        // Values of one ghost batch, and of one parallel task.
        let ghost_batch_values = shape.num_elements() / self.ghost_batches;
        let task_values = task_values(channels);
        let slope = self.activation.slope();
        let (mut grad_gamma, mut grad_beta) = (vec![0.0; channels], vec![0.0; channels]);
        let mut input_gradients = Vec::new();
        for ghost_batch in 0..self.ghost_batches {
            let affine = self.affine(statistics, ghost_batch);
            let means = &statistics.means[ghost_batch * channels..][..channels];
            let start = ghost_batch * ghost_batch_values;
            let [input, gradient] =
                [input, gradient].map(|values| values[start..][..ghost_batch_values].par_chunks(task_values));
            let sums_of_tasks: Vec<Vec<f32>> = input
                .zip(gradient)
                .map(|(input, gradient)| {
                    instructions.run(GradientSums { input, gradient, affine: &affine, means, slope })
                })
                .collect();
            let total = |index: usize| sums_of_tasks.iter().map(|sums| f64::from(sums[index])).sum::<f64>();

            // dx = scale (g - mean(g) - (x - mean) mean(g (x - mean)) / (variance + epsilon))
            let count = (ghost_batch_values / channels) as f64;
            let mut input_gradient = InputGradient { affine, mean: vec![], product: vec![] };
            for channel in 0..channels {
                let (sum, product) = (total(channel), total(channels + channel));
                let variance =
                    f64::from(statistics.variances[ghost_batch * channels + channel]) + f64::from(self.epsilon);
                grad_beta[channel] += sum as f32;
                grad_gamma[channel] += (product / variance.sqrt()) as f32;
                input_gradient.mean.push((sum / count) as f32);
                input_gradient.product.push((product / count / variance) as f32);
            }
            input_gradients.push(input_gradient);
        }
        let grad_input = in_chunks(shape.num_elements(), shape.image_elements(), |image, output| {
            let ghost_batch = image * self.ghost_batches / shape.batch;
            let means = &statistics.means[ghost_batch * channels..][..channels];
            output.par_chunks_mut(task_values).enumerate().for_each(|(task, output)| {
                let start = image * shape.image_elements() + task * task_values;
                let [input, gradient] = [input, gradient].map(|values| &values[start..][..output.len()]);
                instructions.run(GradientApply {
                    input,
                    gradient,
                    means,
                    slope,
                    input_gradient: &input_gradients[ghost_batch],
                    output,
                });
            });
        });
        BatchNormGradients { input: grad_input, gamma: grad_gamma, beta: grad_beta }
    }
}

/// The gradient with respect to the input of a ghost batch: `scale * (g - mean - product * (x - mean of x))`, with the
/// gradient `g` before the activation and factors `[channels]`.
struct InputGradient {
    affine: Affine,
    mean: Vec<f32>,
    product: Vec<f32>,
}

/// Gradient with respect to the input `value` of the activation.
#[inline(always)]
fn before_activation<S: Simd>(simd: S, gradient: S::f32s, value: S::f32s, slope: S::f32s) -> S::f32s {
    let positive = simd.greater_than_f32s(value, simd.splat_f32s(0.0));
    simd.select_f32s(positive, gradient, simd.mul_f32s(gradient, slope))
}

/// Sums of one task: of the gradient `g` before the activation, then of `g (x - mean)`, `[2][channels]`.
struct GradientSums<'a> {
    input: &'a [f32],
    gradient: &'a [f32],
    affine: &'a Affine,
    means: &'a [f32],
    slope: f32,
}

impl WithSimd for GradientSums<'_> {
    type Output = Vec<f32>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Vec<f32> {
        let channels = self.means.len();
        let slope = simd.splat_f32s(self.slope);
        let mut sums = vec![0.0; 2 * channels];
        let (plain, products) = sums.split_at_mut(channels);
        for (input, gradient) in self.input.chunks_exact(channels).zip(self.gradient.chunks_exact(channels)) {
            let vectors = plain.chunks_mut(S::F32_LANES).zip(products.chunks_mut(S::F32_LANES));
            for (index, (plain, products)) in vectors.enumerate() {
                let range = index * S::F32_LANES..index * S::F32_LANES + plain.len();
                let input = load(simd, &input[range.clone()]);
                let scale = load(simd, &self.affine.scale[range.clone()]);
                let shift = load(simd, &self.affine.shift[range.clone()]);
                let value = simd.mul_add_e_f32s(input, scale, shift);
                let gradient = before_activation(simd, load(simd, &gradient[range.clone()]), value, slope);
                let difference = simd.sub_f32s(input, load(simd, &self.means[range]));
                store(simd, plain, simd.add_f32s(load(simd, plain), gradient));
                store(simd, products, simd.mul_add_e_f32s(gradient, difference, load(simd, products)));
            }
        }
        sums
    }
}

/// The gradient of one task with respect to its input, by the formula of [`InputGradient`].
struct GradientApply<'a> {
    input: &'a [f32],
    gradient: &'a [f32],
    means: &'a [f32],
    slope: f32,
    input_gradient: &'a InputGradient,
    output: &'a mut [f32],
}

impl WithSimd for GradientApply<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let channels = self.means.len();
        let slope = simd.splat_f32s(self.slope);
        for (pixel, output) in self.output.chunks_exact_mut(channels).enumerate() {
            let input = &self.input[pixel * channels..][..channels];
            let gradient = &self.gradient[pixel * channels..][..channels];
            for (index, output) in output.chunks_mut(S::F32_LANES).enumerate() {
                let range = index * S::F32_LANES..index * S::F32_LANES + output.len();
                let input = load(simd, &input[range.clone()]);
                let scale = load(simd, &self.input_gradient.affine.scale[range.clone()]);
                let shift = load(simd, &self.input_gradient.affine.shift[range.clone()]);
                let value = simd.mul_add_e_f32s(input, scale, shift);
                let gradient = before_activation(simd, load(simd, &gradient[range.clone()]), value, slope);
                let difference = simd.sub_f32s(input, load(simd, &self.means[range.clone()]));
                let centred = simd.sub_f32s(gradient, load(simd, &self.input_gradient.mean[range.clone()]));
                let product = load(simd, &self.input_gradient.product[range]);
                let rest = simd.sub_f32s(centred, simd.mul_f32s(difference, product));
                store(simd, output, simd.mul_f32s(rest, scale));
            }
        }
    }
}
