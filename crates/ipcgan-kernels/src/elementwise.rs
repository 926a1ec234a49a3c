//! Elementwise operations.

use pulp::{Simd, WithSimd};

use crate::lanes::{load, store};
use crate::output::{TASK_VALUES, in_chunks};
use crate::{Activation, InstructionSet};

/// Gradient with respect to the input of an activation, from its output and the gradient of the output, which are of
/// one shape.
///
/// # Panics
/// If they are not of one length.
pub fn activation_gradient(
    instructions: InstructionSet,
    activation: Activation,
    output: &[f32],
    gradient: &[f32],
) -> Vec<f32> {
    assert_eq!(gradient.len(), output.len(), "values of the gradient");
    in_chunks(output.len(), TASK_VALUES, |index, result| {
        let [output, gradient] = [output, gradient].map(|values| &values[index * TASK_VALUES..][..result.len()]);
        instructions.run(ActivationGradient { output, gradient, slope: activation.slope(), result });
    })
}

/// `tanh(head)`, or with `source`, in [-1, 1] and of the shape of `head`, the offset form `tanh(head + atanh(source))`.
///
/// # Panics
/// If `source` is not of the length of `head`.
pub fn tanh(instructions: InstructionSet, head: &[f32], source: Option<&[f32]>) -> Vec<f32> {
    assert!(source.is_none_or(|source| source.len() == head.len()), "values of the source");
    in_chunks(head.len(), TASK_VALUES, |index, result| {
        let of_task = |values| -> &[f32] { &<[f32]>::split_at(values, index * TASK_VALUES).1[..result.len()] };
        let (head, source) = (of_task(head), source.map(of_task));
        instructions.run(Tanh { head, source, result });
    })
}

/// Gradient with respect to the head of [`tanh`], from its output and the gradient of the output, which are of one
/// shape.
///
/// # Panics
/// If they are not of one length.
pub fn tanh_gradient(instructions: InstructionSet, output: &[f32], gradient: &[f32]) -> Vec<f32> {
    assert_eq!(gradient.len(), output.len(), "values of the gradient");
    in_chunks(output.len(), TASK_VALUES, |index, result| {
        let [output, gradient] = [output, gradient].map(|values| &values[index * TASK_VALUES..][..result.len()]);
        instructions.run(TanhGradient { output, gradient, result });
    })
}

/// [`activation_gradient`] of one task.
struct ActivationGradient<'a> {
    output: &'a [f32],
    gradient: &'a [f32],
    slope: f32,
    result: &'a mut [f32],
}

impl WithSimd for ActivationGradient<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (zero, slope) = (simd.splat_f32s(0.0), simd.splat_f32s(self.slope));
        let vectors = self.output.chunks(S::F32_LANES).zip(self.gradient.chunks(S::F32_LANES));
        for (result, (output, gradient)) in self.result.chunks_mut(S::F32_LANES).zip(vectors) {
            let (output, gradient) = (load(simd, output), load(simd, gradient));
            let positive = simd.greater_than_f32s(output, zero);
            store(simd, result, simd.select_f32s(positive, gradient, simd.mul_f32s(gradient, slope)));
        }
    }
}

/// [`tanh`] of one task.
struct Tanh<'a> {
    head: &'a [f32],
    source: Option<&'a [f32]>,
    result: &'a mut [f32],
}

impl WithSimd for Tanh<'_> {
    type Output = ();

    // Plain loops, which the compiler vectorizes for the instruction set that this is compiled for.
    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        // tanh(head + atanh(source)) = (up - down) / (up + down), up = exp(2 head) (1 + source), down = 1 - source.
        let ratio = |up: f32, down: f32| (up - down) / (up + down);
        match self.source {
            None => {
                for (result, &head) in self.result.iter_mut().zip(self.head) {
                    *result = ratio(exp(2.0 * head), 1.0);
                }
            }
            Some(source) => {
                for (result, (&head, &source)) in self.result.iter_mut().zip(self.head.iter().zip(source)) {
                    *result = ratio(exp(2.0 * head) * (1.0 + source), 1.0 - source);
                }
            }
        }
    }
}

/// [`tanh_gradient`] of one task.
struct TanhGradient<'a> {
    output: &'a [f32],
    gradient: &'a [f32],
    result: &'a mut [f32],
}

impl WithSimd for TanhGradient<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        for (result, (&output, &gradient)) in self.result.iter_mut().zip(self.output.iter().zip(self.gradient)) {
            *result = gradient * (1.0 - output * output);
        }
    }
}

/// Exponential function without branches or calls; exponents are clamped to -40..=40.
///
/// `exp(x) = 2^n exp(r)` with `n` the integer nearest to `x / ln 2`; `exp(r)` is a polynomial.
#[inline(always)]
fn exp(x: f32) -> f32 {
    const LIMIT: f32 = 40.0;
    /// 1.5 times 2^23: a sum with it has the nearest integer in its lowest bits.
    const ROUND: f32 = 12_582_912.0;
    /// ln 2 in two parts, of which the first has few enough digits that its products with `n` are exact.
    const LN_2: [f32; 2] = [0.693_359_4, -2.121_944_4e-4];
    let x = x.clamp(-LIMIT, LIMIT);
    let rounded = x * std::f32::consts::LOG2_E + ROUND;
    let n = rounded - ROUND;
    let r = (x - n * LN_2[0]) - n * LN_2[1];
    let power = f32::from_bits((rounded.to_bits() << 23).wrapping_add(1.0f32.to_bits()));
    // Taylor series up to r^7: |r| is at most 0.35, where the next term is below 6e-9.
    let series = 1.0 / 120.0 + r * (1.0 / 720.0 + r * (1.0 / 5040.0));
    let series = 0.5 + r * (1.0 / 6.0 + r * (1.0 / 24.0 + r * series));
    power * (1.0 + (r + r * r * series))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exponentials_are_accurate_to_a_few_rounding_errors() {
        for index in -40_000..=40_000 {
            let x = index as f32 / 1000.0;
            let expected = f64::from(x).exp();
            let difference = (f64::from(exp(x)) - expected).abs();
            assert!(difference <= 3e-7 * expected, "{x}: {} instead of {expected}", exp(x));
        }
        assert!(exp(f32::NAN).is_nan());
    }

    #[test]
    fn tanh_of_large_and_infinite_values_is_one() {
        let head = [f32::INFINITY, f32::NEG_INFINITY, 0.0, 50.0];

        assert_eq!(tanh(InstructionSet::best(), &head, None), [1.0, -1.0, 0.0, 1.0]);
    }
}
