//! Fully connected layers whose weights take 16 bits each.

use pulp::Simd;
use rayon::prelude::*;

use super::product::{Product, Weights};
use crate::{Activation, InstructionSet};

/// A fully connected layer with weights in half precision, packed once. It reads half the memory of [`Linear`] and
/// computes the same, bit for bit: products and sums are in single precision.
///
/// A weight is a sign, 5 exponent bits and 10 mantissa bits, as in float16. The exponent bias is the layer's own, so
/// that no weight is subnormal: with subnormal factors, products are slow on some processors.
///
/// [`Linear`]: crate::Linear
#[derive(Clone, Debug)]
pub struct HalfLinear {
    instructions: InstructionSet,
    inputs: usize,
    outputs: usize,
    format: Format,
    /// `[inputs][pairs of vectors][lanes]`: the first vector of a pair in the lower halves of the words.
    words: Vec<u32>,
}

impl HalfLinear {
    /// The layer with `weights` `[inputs][outputs]`; `None` if some weight cannot be stored exactly in 16 bits (all
    /// float16 numbers below 128 in magnitude can), or if rows are so short that padding outweighs the saving.
    ///
    /// # Panics
    /// If the number of weights does not match the shape.
    pub fn new(instructions: InstructionSet, weights: &[f32], inputs: usize, outputs: usize) -> Option<Self> {
        assert_eq!(weights.len(), inputs * outputs, "values of the weights");
        let lanes = instructions.lanes();
        let row_words = row_words(outputs, lanes);
        let format = Format::of(weights).filter(|_| row_words < outputs)?;
        let mut words = vec![0; inputs * row_words];
        words.par_chunks_exact_mut(row_words).zip(weights.par_chunks_exact(outputs)).for_each(|(words, weights)| {
            for (words, pair) in words.chunks_exact_mut(lanes).zip(weights.chunks(2 * lanes)) {
                let (first, second) = pair.split_at(lanes.min(pair.len()));
                words.iter_mut().zip(first).for_each(|(word, &weight)| *word = format.encoded(weight));
                words.iter_mut().zip(second).for_each(|(word, &weight)| *word |= format.encoded(weight) << 16);
            }
        });
        Some(Self { instructions, inputs, outputs, format, words })
    }

    /// The weights in single precision, `[inputs][outputs]`.
    pub fn weights(&self) -> Vec<f32> {
        let lanes = self.instructions.lanes();
        let mut weights = vec![0.0; self.inputs * self.outputs];
        let rows = self.words.par_chunks_exact(row_words(self.outputs, lanes));
        weights.par_chunks_exact_mut(self.outputs).zip(rows).for_each(|(weights, words)| {
            for (output, weight) in weights.iter_mut().enumerate() {
                let (vector, lane) = (output / lanes, output % lanes);
                *weight = self.format.decoded(words[vector / 2 * lanes + lane] >> (vector % 2 * 16));
            }
        });
        weights
    }

    /// As [`Linear::run`](crate::Linear::run).
    ///
    /// # Panics
    /// If the lengths do not match the shapes.
    pub fn run(&self, input: &[f32], bias: Option<&[f32]>, activation: Activation) -> Vec<f32> {
        self.product().run(input, bias, activation)
    }

    /// As [`Linear::input_gradient`](crate::Linear::input_gradient).
    ///
    /// # Panics
    /// If the lengths do not match the shapes.
    pub fn input_gradient(&self, gradient: &[f32]) -> Vec<f32> {
        self.product().input_gradient(gradient)
    }

    fn product(&self) -> Product<Half<'_>> {
        let Self { instructions, inputs, outputs, format, ref words } = *self;
        let weights = Half { words, row_words: row_words(outputs, instructions.lanes()), scale: format.scale() };
        Product { instructions, weights, inputs, outputs }
    }
}

/// Words of the weights of an input.
fn row_words(outputs: usize, lanes: usize) -> usize {
    outputs.div_ceil(2 * lanes) * lanes
}

/// Mantissa bits in single precision.
const MANTISSA_BITS: u32 = 23;
/// Mantissa bits that only single precision has.
const EXTRA_BITS: u32 = 13;
/// Exponent bits of one in single precision.
const BIAS: u32 = 127;
/// The largest exponent of 5 bits.
const MAX_EXPONENT: u32 = 31;
/// The sign bit in single precision.
const SIGN: u32 = 1 << 31;
/// The 5 exponent bits and 10 mantissa bits, where single precision has them.
const MAGNITUDE: u32 = 0x7fff << EXTRA_BITS;

/// A floating-point format with a sign, 5 exponent bits and 10 mantissa bits. Exponent 0 is that of zero alone.
#[derive(Clone, Copy, Debug)]
struct Format {
    /// What is subtracted from exponent bits in single precision.
    offset: u32,
}

impl Format {
    /// The format that holds `weights` exactly, if there is one.
    fn of(weights: &[f32]) -> Option<Self> {
        let magnitudes = weights.par_iter().map(|weight| {
            let bits = weight.to_bits() & !SIGN;
            (bits, if bits == 0 { u32::MAX } else { bits }, bits)
        });
        let (used, smallest, largest) =
            magnitudes.reduce(|| (0, u32::MAX, 0), |a, b| (a.0 | b.0, a.1.min(b.1), a.2.max(b.2)));
        let offset = (largest >> MANTISSA_BITS).saturating_sub(MAX_EXPONENT);
        let fits = used.trailing_zeros() >= EXTRA_BITS && smallest >> MANTISSA_BITS > offset && offset <= BIAS;
        fits.then_some(Self { offset })
    }

    /// The lower 16 bits are `weight`, the others are zero.
    fn encoded(self, weight: f32) -> u32 {
        let bits = weight.to_bits();
        // Saturates for zero alone.
        let magnitude = (bits & !SIGN).saturating_sub(self.offset << MANTISSA_BITS);
        (magnitude >> EXTRA_BITS) | ((bits & SIGN) >> 16)
    }

    /// The weight in the lower 16 bits of `half`.
    fn decoded(self, half: u32) -> f32 {
        let bits = half << 16;
        f32::from_bits(((bits >> (16 - EXTRA_BITS)) & MAGNITUDE) | (bits & SIGN)) * self.scale()
    }

    /// The power of two that adds the offset to exponent bits.
    fn scale(self) -> f32 {
        f32::from_bits((self.offset + BIAS) << MANTISSA_BITS)
    }
}

/// Weights in half precision.
#[derive(Clone, Copy)]
struct Half<'a> {
    words: &'a [u32],
    row_words: usize,
    scale: f32,
}

impl Weights for Half<'_> {
    #[inline(always)]
    fn skip(self, input: usize) -> Self {
        Self { words: &self.words[input * self.row_words..], ..self }
    }

    /// As [`Format::decoded`].
    #[inline(always)]
    fn load<S: Simd>(self, simd: S, input: usize, output: usize) -> S::f32s {
        let vector = output / S::F32_LANES;
        let words = S::as_simd_u32s(self.words).0[input * (self.row_words / S::U32_LANES) + vector / 2];
        let bits =
            if vector.is_multiple_of(2) { simd.wrapping_dyn_shl_u32s(words, simd.splat_u32s(16)) } else { words };
        let magnitude = simd.wrapping_dyn_shr_u32s(bits, simd.splat_u32s(16 - EXTRA_BITS));
        let magnitude = simd.and_u32s(magnitude, simd.splat_u32s(MAGNITUDE));
        let value = simd.or_u32s(magnitude, simd.and_u32s(bits, simd.splat_u32s(SIGN)));
        simd.mul_f32s(simd.transmute_f32s_u32s(value), simd.splat_f32s(self.scale))
    }
}
