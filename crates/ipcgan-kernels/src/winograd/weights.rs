//! Transforms the weights and packs them.

use pulp::{Simd, WithSimd};

use super::transform::{Weights, transform};
use crate::lanes::store;
use crate::panels::Panels;

/// Number of input channels whose weights are transformed together.
const BLOCK_INPUTS: usize = 8;

/// Transforms kernels of side `R` for tiles of side `A`, and packs them into one panel.
pub(super) struct TransformWeights<'a, F, const A: usize, const R: usize> {
    pub(super) panel: &'a mut [f32],
    /// First output, and how many there are from it on.
    pub(super) first: usize,
    pub(super) outputs: usize,
    /// Outputs of the panel, with padding.
    pub(super) width: usize,
    /// Input channels of a group.
    pub(super) inputs: usize,
    /// `copy(output, input, taps)` copies the weights of one kernel to `taps`.
    pub(super) copy: F,
}

impl<F: Fn(usize, usize, &mut [f32]), const A: usize, const R: usize> WithSimd for TransformWeights<'_, F, A, R> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (lanes, width) = (S::F32_LANES, self.width);
        let stride = Panels::stride(A * A, self.inputs, width);
        // The kernels of some inputs and a vector of outputs, `[input][tap][output]`; padding stays zero.
        let mut gathered = vec![0.0; BLOCK_INPUTS * R * R * lanes];
        let mut taps = vec![0.0; R * R];
        // The transformed kernels, `[position][input][output]`: copied to the panel in long runs, because its planes
        // are far apart.
        let mut block = vec![0.0; A * A * BLOCK_INPUTS * width];
        for first in (0..self.inputs).step_by(BLOCK_INPUTS) {
            let inputs = BLOCK_INPUTS.min(self.inputs - first);
            for offset in (0..width).step_by(lanes) {
                gathered.fill(0.0);
                for lane in 0..lanes.min(self.outputs - offset) {
                    for input in 0..inputs {
                        (self.copy)(self.first + offset + lane, first + input, &mut taps);
                        for (tap, &value) in taps.iter().enumerate() {
                            gathered[(input * R * R + tap) * lanes + lane] = value;
                        }
                    }
                }
                for (input, vectors) in S::as_simd_f32s(&gathered).0.chunks_exact(R * R).take(inputs).enumerate() {
                    let mut kernel = [[simd.splat_f32s(0.0); R]; R];
                    kernel.as_flattened_mut().copy_from_slice(vectors);
                    let transformed = transform::<S, Weights, A, R>(simd, &kernel);
                    for (position, &vector) in transformed.as_flattened().iter().enumerate() {
                        let start = (position * BLOCK_INPUTS + input) * width + offset;
                        store(simd, &mut block[start..start + lanes], vector);
                    }
                }
            }
            for (position, block) in block.chunks_exact(BLOCK_INPUTS * width).enumerate() {
                let start = position * stride + first * width;
                self.panel[start..start + inputs * width].copy_from_slice(&block[..inputs * width]);
            }
        }
    }
}
