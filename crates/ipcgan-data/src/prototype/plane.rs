//! Single-channel images of floating-point values.

use rayon::prelude::*;

/// A square single-channel image, in rows.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Plane {
    pub(super) values: Vec<f32>,
    pub(super) side: usize,
}

impl Plane {
    pub(super) fn of(values: Vec<f32>, side: usize) -> Self {
        debug_assert_eq!(values.len(), side * side);
        Self { values, side }
    }

    pub(super) fn zeros(side: usize) -> Self {
        Self::of(vec![0.0; side * side], side)
    }

    /// Each value after `f`.
    pub(super) fn map(&self, f: impl Fn(f32) -> f32) -> Self {
        Self::of(self.values.iter().map(|value| f(*value)).collect(), self.side)
    }

    /// `f` of this value and the one of `other`, pixel by pixel.
    pub(super) fn zip(&self, other: &Self, f: impl Fn(f32, f32) -> f32) -> Self {
        Self::of(self.values.iter().zip(&other.values).map(|(one, other)| f(*one, *other)).collect(), self.side)
    }

    /// The horizontally flipped plane.
    pub(super) fn flipped(&self) -> Self {
        let mut flipped = self.clone();
        flipped.values.chunks_exact_mut(self.side).for_each(<[f32]>::reverse);
        flipped
    }

    fn transposed(&self) -> Self {
        let side = self.side;
        let mut transposed = Self::zeros(side);
        for (y, row) in self.values.chunks_exact(side).enumerate() {
            for (x, value) in row.iter().enumerate() {
                transposed.values[x * side + y] = *value;
            }
        }
        transposed
    }

    /// Gaussian blur with standard deviation `sigma` in pixels; border pixels are repeated outside.
    pub(super) fn blurred(&self, sigma: f32) -> Self {
        let kernel = gaussian(sigma);
        self.blurred_rows(&kernel).transposed().blurred_rows(&kernel).transposed()
    }

    /// Convolves each row with the symmetric `kernel`, given from its centre outwards.
    fn blurred_rows(&self, kernel: &[f32]) -> Self {
        let (side, radius) = (self.side, kernel.len() - 1);
        let mut blurred = Self::zeros(side);
        let mut padded = vec![0.0; side + 2 * radius];
        for (row, out) in self.values.chunks_exact(side).zip(blurred.values.chunks_exact_mut(side)) {
            padded[..radius].fill(row[0]);
            padded[radius..radius + side].copy_from_slice(row);
            padded[radius + side..].fill(row[side - 1]);
            out.iter_mut().zip(row).for_each(|(out, value)| *out = kernel[0] * value);
            for (distance, weight) in kernel.iter().enumerate().skip(1) {
                let before = &padded[radius - distance..][..side];
                let after = &padded[radius + distance..][..side];
                out.iter_mut().zip(before).zip(after).for_each(|((out, a), b)| *out += weight * (a + b));
            }
        }
        blurred
    }

    /// Central differences in x; one-sided at the border.
    pub(super) fn gradient_x(&self) -> Self {
        let side = self.side;
        let difference = |index: usize| {
            let (row, x) = (index - index % side, index % side);
            let [left, right] = [x.saturating_sub(1), (x + 1).min(side - 1)];
            (self.values[row + right] - self.values[row + left]) / (right - left) as f32
        };
        Self::of((0..side * side).map(difference).collect(), side)
    }

    /// Central differences in y; one-sided at the border.
    pub(super) fn gradient_y(&self) -> Self {
        self.transposed().gradient_x().transposed()
    }

    /// The value at `x`, `y` by bicubic interpolation (Catmull-Rom); border pixels are repeated outside.
    fn sampled(&self, x: f32, y: f32) -> f32 {
        let (left, top) = (x.floor(), y.floor());
        let [across, down] = [x - left, y - top].map(catmull_rom);
        let last = self.side as isize - 1;
        let inside = |position: f32, offset: usize| (position as isize + offset as isize - 1).clamp(0, last) as usize;
        let columns: [usize; 4] = std::array::from_fn(|offset| inside(left, offset));
        let row = |offset: usize| {
            let row = &self.values[inside(top, offset) * self.side..][..self.side];
            columns.iter().zip(across).map(|(column, weight)| weight * row[*column]).sum::<f32>()
        };
        down.iter().enumerate().map(|(offset, weight)| weight * row(offset)).sum()
    }

    /// The plane whose value at each pixel is the one of this plane at the pixel plus `flow`.
    pub(super) fn warped(&self, flow: &[Self; 2]) -> Self {
        let side = self.side;
        let value = |index: usize| {
            let [dx, dy] = flow.each_ref().map(|flow| flow.values[index]);
            self.sampled((index % side) as f32 + dx, (index / side) as f32 + dy)
        };
        Self::of((0..side * side).map(value).collect(), side)
    }
}

/// Half of a normalised Gaussian kernel, from its centre outwards, up to three standard deviations.
fn gaussian(sigma: f32) -> Vec<f32> {
    let radius = (3.0 * sigma).ceil() as usize;
    let weight = |distance: usize| (-0.5 * (distance as f32 / sigma).powi(2)).exp();
    let half: Vec<f32> = (0..=radius).map(weight).collect();
    let sum = half[0] + 2.0 * half[1..].iter().sum::<f32>();
    half.into_iter().map(|weight| weight / sum).collect()
}

/// Weights of the four pixels around a position, `fraction` after the second of them.
fn catmull_rom(fraction: f32) -> [f32; 4] {
    let [t, t2, t3] = [fraction, fraction.powi(2), fraction.powi(3)];
    [-t + 2.0 * t2 - t3, 2.0 - 5.0 * t2 + 3.0 * t3, t + 4.0 * t2 - 3.0 * t3, t3 - t2].map(|weight| weight / 2.0)
}

/// Sums of `count` items in the order of their indices, computed in parallel: the same in every run.
pub(super) fn ordered_sum<T: Send, E: Send>(
    count: usize,
    item: impl Fn(usize) -> Result<T, E> + Sync,
    mut add: impl FnMut(T),
) -> Result<(), E> {
    /// Bounds the memory; more than the number of threads.
    const CHUNK: usize = 64;
    for start in (0..count).step_by(CHUNK) {
        let items: Vec<_> = (start..count.min(start + CHUNK)).into_par_iter().map(&item).collect();
        for item in items {
            add(item?);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ramp(side: usize) -> Plane {
        Plane::of((0..side * side).map(|index| (index % side) as f32 + 2.0 * (index / side) as f32).collect(), side)
    }

    #[test]
    fn a_blur_keeps_a_constant_and_spreads_a_point_symmetrically() {
        let constant = Plane::zeros(8).map(|_| 3.0).blurred(2.0);
        assert!(constant.values.iter().all(|value| (value - 3.0).abs() < 1e-5));

        let mut point = Plane::zeros(17);
        point.values[8 * 17 + 8] = 1.0;
        let spread = point.blurred(1.5);

        let at = |x: usize, y: usize| spread.values[y * 17 + x];
        assert!((spread.values.iter().sum::<f32>() - 1.0).abs() < 1e-5);
        assert!((at(10, 8) - at(8, 10)).abs() < 1e-7 && (at(6, 8) - at(10, 8)).abs() < 1e-7);
        // A Gaussian falls to exp(-1/2) of its peak at one standard deviation; 2 pixels are 4/3 of it.
        assert!((at(10, 8) / at(8, 8) - (-0.5f32 * (4.0f32 / 3.0).powi(2)).exp()).abs() < 1e-4);
    }

    #[test]
    fn gradients_of_a_ramp_are_its_slopes() {
        assert!(ramp(6).gradient_x().values.iter().all(|value| (value - 1.0).abs() < 1e-6));
        assert!(ramp(6).gradient_y().values.iter().all(|value| (value - 2.0).abs() < 1e-6));
    }

    #[test]
    fn a_warp_shifts_a_ramp_by_the_flow() {
        let flow = [Plane::zeros(9).map(|_| 1.0), Plane::zeros(9).map(|_| -0.5)];

        let warped = ramp(9).warped(&flow);

        // One to the right, half a pixel up: 1 - 2 / 2; away from the border, whose pixels are repeated.
        let centre = 4 * 9 + 4;
        assert!((warped.values[centre] - ramp(9).values[centre]).abs() < 1e-5);
        let only_right = ramp(9).warped(&[flow[0].clone(), Plane::zeros(9)]);
        assert!((only_right.values[centre] - ramp(9).values[centre] - 1.0).abs() < 1e-5);
    }
}
