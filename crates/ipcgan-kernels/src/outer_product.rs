//! Sums of outer products: the micro-kernel of weight gradients.

use pulp::{Simd, WithSimd};

/// Pairs of vectors whose outer products are summed: one pair for each point of a grid.
#[derive(Clone, Copy)]
pub(crate) struct OuterProducts<'a> {
    pub(crate) left: Operand<'a>,
    pub(crate) right: Operand<'a>,
    /// Rows and columns of the grid.
    pub(crate) grid: [usize; 2],
}

/// One vector of each pair.
#[derive(Clone, Copy)]
pub(crate) struct Operand<'a> {
    /// Values from the first vector on.
    pub(crate) values: &'a [f32],
    /// Distances to the vectors in the next row and in the next column of the grid.
    pub(crate) strides: [usize; 2],
    /// Length of a vector.
    pub(crate) length: usize,
}

/// Adds the outer products to `sums`.
pub(crate) struct Accumulate<'a> {
    pub(crate) outer: OuterProducts<'a>,
    /// `[left][right]`, with the right padded to whole SIMD vectors.
    pub(crate) sums: &'a mut [f32],
    pub(crate) accumulation: Accumulation,
}

/// What to do with the previous contents of the sums.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Accumulation {
    /// Add to them.
    Add,
    /// Overwrite them.
    Overwrite,
}

impl WithSimd for Accumulate<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        self.outer.add(simd, self.sums, self.accumulation);
    }
}

impl OuterProducts<'_> {
    #[inline(always)]
    fn add<S: Simd>(&self, simd: S, sums: &mut [f32], accumulation: Accumulation) {
        let widest = if S::REGISTER_COUNT >= 32 { 4 } else { 2 };
        for first in (0..self.right.length).step_by(widest * S::F32_LANES) {
            let remaining = self.right.length - first;
            let whole = remaining.is_multiple_of(S::F32_LANES) || remaining >= widest * S::F32_LANES;
            match (remaining.div_ceil(S::F32_LANES).min(widest), whole) {
                (1, true) => self.columns::<S, 8, 1, true>(simd, first, sums, accumulation),
                (1, false) => self.columns::<S, 8, 1, false>(simd, first, sums, accumulation),
                (2, true) => self.columns::<S, 6, 2, true>(simd, first, sums, accumulation),
                (2, false) => self.columns::<S, 6, 2, false>(simd, first, sums, accumulation),
                (3, true) => self.columns::<S, 8, 3, true>(simd, first, sums, accumulation),
                (3, false) => self.columns::<S, 8, 3, false>(simd, first, sums, accumulation),
                (_, true) => self.columns::<S, 6, 4, true>(simd, first, sums, accumulation),
                (_, false) => self.columns::<S, 6, 4, false>(simd, first, sums, accumulation),
            }
        }
    }

    #[inline(always)]
    fn columns<S: Simd, const ROWS: usize, const VECTORS: usize, const WHOLE: bool>(
        &self,
        simd: S,
        first: usize,
        sums: &mut [f32],
        accumulation: Accumulation,
    ) {
        let mut row = 0;
        while row + ROWS <= self.left.length {
            self.block::<S, ROWS, VECTORS, WHOLE>(simd, row, first, sums, accumulation);
            row += ROWS;
        }
        while row + 3 <= self.left.length {
            self.block::<S, 3, VECTORS, WHOLE>(simd, row, first, sums, accumulation);
            row += 3;
        }
        while row < self.left.length {
            self.block::<S, 1, VECTORS, WHOLE>(simd, row, first, sums, accumulation);
            row += 1;
        }
    }

    #[inline(always)]
    fn block<S: Simd, const ROWS: usize, const VECTORS: usize, const WHOLE: bool>(
        &self,
        simd: S,
        row: usize,
        first: usize,
        sums: &mut [f32],
        accumulation: Accumulation,
    ) {
        let width = self.right.length.next_multiple_of(S::F32_LANES);
        let offset = |index: usize| (row + index) * width + first;
        let mut block = [[simd.splat_f32s(0.0); VECTORS]; ROWS];
        if accumulation == Accumulation::Add {
            for (index, block) in block.iter_mut().enumerate() {
                block.copy_from_slice(S::as_simd_f32s(&sums[offset(index)..][..VECTORS * S::F32_LANES]).0);
            }
        }
        let right_length = if WHOLE { VECTORS * S::F32_LANES } else { self.right.length - first };
        for y in 0..self.grid[0] {
            let mut left = y * self.left.strides[0] + row;
            let mut right = y * self.right.strides[0] + first;
            for _ in 0..self.grid[1] {
                let factors = &self.left.values[left..][..ROWS];
                let values = &self.right.values[right..][..right_length];
                let vectors: [S::f32s; VECTORS] = std::array::from_fn(|vector| {
                    let values = &values[vector * S::F32_LANES..];
                    match WHOLE {
                        true => S::as_simd_f32s(&values[..S::F32_LANES]).0[0],
                        false => simd.partial_load_f32s(values),
                    }
                });
                for (sums, &factor) in block.iter_mut().zip(factors) {
                    let factor = simd.splat_f32s(factor);
                    for (sum, &vector) in sums.iter_mut().zip(&vectors) {
                        *sum = simd.mul_add_e_f32s(factor, vector, *sum);
                    }
                }
                left += self.left.strides[1];
                right += self.right.strides[1];
            }
        }
        for (index, block) in block.iter().enumerate() {
            let values = S::as_mut_simd_f32s(&mut sums[offset(index)..][..VECTORS * S::F32_LANES]).0;
            values.copy_from_slice(block);
        }
    }
}
