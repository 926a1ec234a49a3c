//! Packed weights (panels) and the micro-kernel that multiplies patches with them.

use pulp::Simd;
use rayon::prelude::*;

use crate::InstructionSet;
use crate::scratch::Scratch;

/// Matrices `[steps, outputs]` cut into panels of as many outputs as fit the registers.
///
/// A panel holds, for each matrix and each step, the weights of its outputs side by side; the last panel may be
/// narrower and is padded with zeros to whole vectors.
#[derive(Debug)]
pub(crate) struct Panels {
    outputs: usize,
    steps: usize,
    matrices: usize,
    lanes: usize,
    width: usize,
    data: Scratch,
}

/// One panel of one matrix.
pub(crate) struct Panel<'a> {
    /// First output.
    pub(crate) first: usize,
    /// Number of outputs without padding.
    pub(crate) outputs: usize,
    /// Number of vectors side by side.
    pub(crate) vectors: usize,
    /// `[steps][vectors][lanes]`.
    pub(crate) weights: &'a [f32],
}

impl Panels {
    /// One matrix with `taps * inputs` steps and the entries `weight(output, tap, input)`.
    pub(crate) fn new(
        instructions: InstructionSet,
        outputs: usize,
        [taps, inputs]: [usize; 2],
        weight: impl Fn(usize, usize, usize) -> f32 + Sync,
    ) -> Self {
        Self::of_matrices(instructions, 1, outputs, taps * inputs, |panel, first, width| {
            // One output at a time, because its weights are contiguous.
            for lane in 0..width {
                let is_padding = first + lane >= outputs;
                for input in 0..inputs {
                    for tap in 0..taps {
                        let value = if is_padding { 0.0 } else { weight(first + lane, tap, input) };
                        panel[(tap * inputs + input) * width + lane] = value;
                    }
                }
            }
        })
    }

    /// Several matrices; `fill(panel, first output, width)` writes the parts `[steps][width]` of all matrices in a
    /// panel, [`Panels::stride`] apart.
    pub(crate) fn of_matrices(
        instructions: InstructionSet,
        matrices: usize,
        outputs: usize,
        steps: usize,
        fill: impl Fn(&mut [f32], usize, usize) + Sync,
    ) -> Self {
        let lanes = instructions.lanes();
        let width = lanes * instructions.vectors();
        let whole = outputs / width;
        let rest = (outputs - whole * width).next_multiple_of(lanes);
        let sizes =
            [width, rest].map(|width| if width == 0 { 0 } else { matrices * Self::stride(matrices, steps, width) });
        let mut data = Scratch::new(whole * sizes[0] + sizes[1]);
        data.par_chunks_mut(sizes[0].max(1)).enumerate().for_each(|(index, panel)| {
            let first = index * width;
            fill(panel, first, width.min((outputs - first).next_multiple_of(lanes)));
        });
        Self { outputs, steps, matrices, lanes, width, data }
    }

    /// Copies the packed weights out of the buffer pool, because they outlive the call.
    pub(crate) fn make_owned(&mut self) {
        self.data = self.data.owned();
    }

    /// Distance between the matrices in a panel of `width` outputs: not a power of two, because the same element
    /// of all of them would then map to the same few cache sets.
    pub(crate) fn stride(matrices: usize, steps: usize, width: usize) -> usize {
        if matrices == 1 { steps * width } else { steps * width + 16 }
    }

    pub(crate) fn of_matrix(&self, matrix: usize) -> impl Iterator<Item = Panel<'_>> {
        (0..self.outputs).step_by(self.width).map(move |first| {
            let outputs = self.width.min(self.outputs - first);
            let width = outputs.next_multiple_of(self.lanes);
            let before = first / self.width * self.matrices * Self::stride(self.matrices, self.steps, self.width);
            let start = before + matrix * Self::stride(self.matrices, self.steps, width);
            let weights = &self.data[start..start + self.steps * width];
            Panel { first, outputs, vectors: width / self.lanes, weights }
        })
    }
}

/// Takes the products of the patch of a pixel with panels.
///
/// A trait rather than a closure: a closure is compiled without the vector instructions unless it happens to be
/// inlined.
pub(crate) trait Sink {
    /// Takes the sums of the outputs of a panel.
    fn take<S: Simd>(&mut self, simd: S, pixel: usize, panel: &Panel<'_>, sums: &[S::f32s]);
}

/// The input patches of pixels (the rows of the im2col matrix), which are multiplied with panels row by row.
#[derive(Clone, Copy)]
pub(crate) struct Patches<'a> {
    pub(crate) input: &'a [f32],
    /// Index in `input` of the patch of each pixel.
    pub(crate) starts: &'a [usize],
    /// Distance between the rows of a patch.
    pub(crate) row_stride: usize,
    /// Number of (contiguous) values in a row of a patch.
    pub(crate) run: usize,
}

impl Patches<'_> {
    /// Multiplies every patch with `panel`; `sink` takes the sums.
    #[inline(always)]
    pub(crate) fn multiply<S: Simd>(&self, simd: S, panel: &Panel<'_>, sink: &mut impl Sink) {
        match (panel.vectors, S::REGISTER_COUNT >= 32) {
            (1, _) => self.blocks::<S, 8, 1>(simd, panel, sink),
            (2, true) => self.blocks::<S, 8, 2>(simd, panel, sink),
            (2, false) => self.blocks::<S, 6, 2>(simd, panel, sink),
            (3, _) => self.blocks::<S, 8, 3>(simd, panel, sink),
            _ => self.blocks::<S, 6, 4>(simd, panel, sink),
        }
    }

    /// Multiplies in blocks of at most `PIXELS` pixels, whose sums fit the registers.
    #[inline(always)]
    fn blocks<S: Simd, const PIXELS: usize, const VECTORS: usize>(
        &self,
        simd: S,
        panel: &Panel<'_>,
        sink: &mut impl Sink,
    ) {
        let (weights, _) = S::as_simd_f32s(panel.weights);
        let mut pixel = 0;
        while pixel + PIXELS <= self.starts.len() {
            self.block::<S, PIXELS, VECTORS>(simd, panel, weights, pixel, sink);
            pixel += PIXELS;
        }
        while pixel + 4 <= self.starts.len() {
            self.block::<S, 4, VECTORS>(simd, panel, weights, pixel, sink);
            pixel += 4;
        }
        while pixel < self.starts.len() {
            self.block::<S, 1, VECTORS>(simd, panel, weights, pixel, sink);
            pixel += 1;
        }
    }

    #[inline(always)]
    fn block<S: Simd, const PIXELS: usize, const VECTORS: usize>(
        &self,
        simd: S,
        panel: &Panel<'_>,
        weights: &[S::f32s],
        pixel: usize,
        sink: &mut impl Sink,
    ) {
        let mut sums = [[simd.splat_f32s(0.0); VECTORS]; PIXELS];
        for (row, weights) in weights.chunks_exact((self.run * VECTORS).max(1)).enumerate() {
            let mut values: [&[f32]; PIXELS] = [&[]; PIXELS];
            for (index, values) in values.iter_mut().enumerate() {
                let start = self.starts[pixel + index] + row * self.row_stride;
                *values = &self.input[start..][..self.run];
            }
            for (step, weights) in weights.as_chunks::<VECTORS>().0.iter().enumerate() {
                for (sums, values) in sums.iter_mut().zip(values) {
                    let value = simd.splat_f32s(values[step]);
                    for (sum, &weight) in sums.iter_mut().zip(weights) {
                        *sum = simd.mul_add_e_f32s(value, weight, *sum);
                    }
                }
            }
        }
        for (index, sums) in sums.iter().enumerate() {
            sink.take(simd, pixel + index, panel, sums);
        }
    }
}
