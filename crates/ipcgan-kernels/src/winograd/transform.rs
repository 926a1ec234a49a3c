//! Winograd's minimal filtering: the transform matrices and their application.
//!
//! `F(4, R)` computes four outputs of a filter of `R` taps from a tile of `A = R + 3` inputs with `A`
//! multiplications instead of `4 R`; in two dimensions with `A * A` instead of `16 R * R`. The matrices
//! evaluate polynomials at `A - 1` points and at infinity (Toom-Cook algorithm):
//! `outputs = Output ((Weights w) * (Input x))`, where `*` multiplies element by element.
//!
//! In the symbols of the source, `OUTPUTS` (four) is `m`, `R` is `r` and the side of a tile `A` is `alpha = m + r - 1`;
//! the matrices are `B^T` (`alpha x alpha`), `G` (`alpha x r`) and `A^T` (`m x alpha`).
//!
//! Source: Lavin and Gray, *Fast Algorithms for Convolutional Neural Networks*, 2015.

use pulp::Simd;

/// Outputs of a tile along one axis.
pub(crate) const OUTPUTS: usize = 4;

/// Interpolation points, of which the first `A - 1` are used. Their magnitudes are near one, so that rounding errors
/// stay small: about 3e-6 of the outputs (root mean square) for 3x3 kernels and 5e-6 for 4x4, where a direct sum has
/// 5e-7.
const POINTS: [f64; 6] = [0.0, 1.0, -1.0, 2.0, -2.0, 0.5];

/// One of the matrices of the source or its transpose, of `P` rows and `Q` columns: transforms tiles of side `Q` to
/// tiles of side `P`.
pub(crate) trait Transform<const P: usize, const Q: usize> {
    const MATRIX: [[f32; Q]; P];
}

/// From a tile of inputs (`B^T`).
pub(crate) struct Input;
/// From the weights (`G`).
pub(crate) struct Weights;
/// From the products to a tile of outputs (`A^T`).
pub(crate) struct Output;
/// From the gradient of a tile of outputs to that of the products (`A`).
pub(crate) struct OutputGradient;
/// From the gradient of the transformed weights to that of the weights (`G^T`).
pub(crate) struct WeightsGradient;

impl<const A: usize> Transform<A, A> for Input {
    const MATRIX: [[f32; A]; A] = input();
}

impl<const A: usize, const R: usize> Transform<A, R> for Weights {
    const MATRIX: [[f32; R]; A] = weights();
}

impl<const A: usize> Transform<OUTPUTS, A> for Output {
    const MATRIX: [[f32; A]; OUTPUTS] = output();
}

impl<const A: usize> Transform<A, OUTPUTS> for OutputGradient {
    const MATRIX: [[f32; OUTPUTS]; A] = transposed(output());
}

impl<const A: usize, const R: usize> Transform<R, A> for WeightsGradient {
    const MATRIX: [[f32; A]; R] = transposed(weights());
}

/// Powers of the points; at infinity the highest power alone.
const fn output<const A: usize>() -> [[f32; A]; OUTPUTS] {
    let mut matrix = [[0.0; A]; OUTPUTS];
    let mut point = 0;
    while point < A - 1 {
        let (mut power, mut value) = (0, 1.0);
        while power < OUTPUTS {
            matrix[power][point] = value as f32;
            value *= POINTS[point];
            power += 1;
        }
        point += 1;
    }
    matrix[OUTPUTS - 1][A - 1] = 1.0;
    matrix
}

/// Powers of the points, each point's divided by the product of its distances to the others.
const fn weights<const A: usize, const R: usize>() -> [[f32; R]; A] {
    let mut matrix = [[0.0; R]; A];
    let mut point = 0;
    while point < A - 1 {
        let (mut distances, mut other) = (1.0, 0);
        while other < A - 1 {
            if other != point {
                distances *= POINTS[point] - POINTS[other];
            }
            other += 1;
        }
        let (mut power, mut value) = (0, 1.0 / distances);
        while power < R {
            matrix[point][power] = value as f32;
            value *= POINTS[point];
            power += 1;
        }
        point += 1;
    }
    matrix[A - 1][R - 1] = 1.0;
    matrix
}

/// Coefficients of the polynomial that is zero at every point but one; at infinity, at every point.
const fn input<const A: usize>() -> [[f32; A]; A] {
    let mut matrix = [[0.0; A]; A];
    let mut excluded = 0;
    while excluded < A {
        let mut polynomial = [0.0; A];
        polynomial[0] = 1.0;
        let mut point = 0;
        while point < A - 1 {
            if point != excluded {
                let mut power = A - 1;
                while power > 0 {
                    polynomial[power] = polynomial[power - 1] - POINTS[point] * polynomial[power];
                    power -= 1;
                }
                polynomial[0] *= -POINTS[point];
            }
            point += 1;
        }
        let mut power = 0;
        while power < A {
            matrix[excluded][power] = polynomial[power] as f32;
            power += 1;
        }
        excluded += 1;
    }
    matrix
}

const fn transposed<const P: usize, const Q: usize>(matrix: [[f32; Q]; P]) -> [[f32; P]; Q] {
    let mut result = [[0.0; P]; Q];
    let mut row = 0;
    while row < P {
        let mut column = 0;
        while column < Q {
            result[column][row] = matrix[row][column];
            column += 1;
        }
        row += 1;
    }
    result
}

/// `T * tile * T^T` with the `P x Q` matrix `T`, for vectors of tiles that lie side by side.
// Loops rather than closures: what closures hold is compiled without the vector instructions unless it is inlined.
#[inline(always)]
pub(crate) fn transform<S: Simd, T: Transform<P, Q>, const P: usize, const Q: usize>(
    simd: S,
    tile: &[[S::f32s; Q]; Q],
) -> [[S::f32s; P]; P] {
    let zero = simd.splat_f32s(0.0);
    let mut rows = [[zero; Q]; P];
    for column in 0..Q {
        let mut values = [zero; Q];
        for row in 0..Q {
            values[row] = tile[row][column];
        }
        let product = product::<S, T, P, Q>(simd, &values);
        for row in 0..P {
            rows[row][column] = product[row];
        }
    }
    let mut result = [[zero; P]; P];
    for row in 0..P {
        result[row] = product::<S, T, P, Q>(simd, &rows[row]);
    }
    result
}

#[inline(always)]
fn product<S: Simd, T: Transform<P, Q>, const P: usize, const Q: usize>(
    simd: S,
    values: &[S::f32s; Q],
) -> [S::f32s; P] {
    let mut sums = [simd.splat_f32s(0.0); P];
    for (sum, factors) in sums.iter_mut().zip(&T::MATRIX) {
        for (&factor, &value) in factors.iter().zip(values) {
            // The matrices are constants, and a third of them zeros.
            if factor != 0.0 {
                *sum = simd.mul_add_e_f32s(simd.splat_f32s(factor), value, *sum);
            }
        }
    }
    sums
}
