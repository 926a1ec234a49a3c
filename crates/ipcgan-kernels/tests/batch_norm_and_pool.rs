//! Batch norm, pooling and local response norm agree with plain formulas in double precision.

use ipcgan_kernels::{
    Activation, BatchNormParams, BatchStatistics, InstructionSet, MaxPoolParams, Nhwc, channel_sums,
    local_response_norm, local_response_norm_gradient, max_pool, max_pool_gradient,
};
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;

/// Relative to the largest value: a few rounding errors of single precision.
const TOLERANCE: f64 = 1e-5;
/// Step of central differences: short, so that few values cross the kink of an activation.
const STEP: f64 = 1e-7;

fn values(random: &mut Pcg64Mcg, count: usize) -> Vec<f32> {
    (0..count).map(|_| random.random_range(-1.0..1.0)).collect()
}

fn doubles(values: &[f32]) -> Vec<f64> {
    values.iter().copied().map(f64::from).collect()
}

fn assert_near(name: &str, found: &[f32], expected: &[f64]) {
    assert_eq!(found.len(), expected.len(), "{name}");
    let largest = expected.iter().fold(1e-3f64, |largest, value| largest.max(value.abs()));
    for (index, (&found, &expected)) in found.iter().zip(expected).enumerate() {
        let difference = (f64::from(found) - expected).abs();
        assert!(difference <= TOLERANCE * largest, "{name}: {found} instead of {expected} at {index}");
    }
}

/// Derivatives of the sum of `gradient * function(x)`, by central differences.
fn derivatives(at: &[f64], gradient: &[f32], function: impl Fn(&[f64]) -> Vec<f64>) -> Vec<f64> {
    let sum = |x: &[f64]| function(x).iter().zip(gradient).map(|(y, &g)| y * f64::from(g)).sum::<f64>();
    (0..at.len())
        .map(|index| {
            let mut moved = at.to_vec();
            moved[index] = at[index] + STEP;
            let above = sum(&moved);
            moved[index] = at[index] - STEP;
            (above - sum(&moved)) / (2.0 * STEP)
        })
        .collect()
}

/// Batch norm of each ghost batch, then the activation.
fn batch_normalized(x: &[f64], gamma: &[f64], beta: &[f64], ghost_batches: usize, slope: f64) -> Vec<f64> {
    let channels = gamma.len();
    let ghost_batch = x.len() / ghost_batches;
    let mut y = vec![0.0; x.len()];
    for (x, y) in x.chunks(ghost_batch).zip(y.chunks_mut(ghost_batch)) {
        for channel in 0..channels {
            let of_channel = || x.iter().skip(channel).step_by(channels);
            let count = (ghost_batch / channels) as f64;
            let mean = of_channel().sum::<f64>() / count;
            let variance = of_channel().map(|x| (x - mean).powi(2)).sum::<f64>() / count;
            for (x, y) in of_channel().zip(y.iter_mut().skip(channel).step_by(channels)) {
                let value = gamma[channel] * (x - mean) / (variance + 1e-3).sqrt() + beta[channel];
                *y = if value > 0.0 { value } else { value * slope };
            }
        }
    }
    y
}

#[test]
fn batch_norm_of_ghost_batches_and_its_gradients_agree_with_the_formula() {
    let mut random = Pcg64Mcg::seed_from_u64(1);
    let cases = [(1, 1, Activation::None), (5, 2, Activation::Relu), (17, 3, Activation::LeakyRelu(0.2))];
    // Miri is a thousand times slower.
    for &(channels, ghost_batches, activation) in &cases[..if cfg!(miri) { 2 } else { cases.len() }] {
        let shape = Nhwc { batch: 6, height: 3, width: 2, channels };
        let (x, gradient) = (values(&mut random, shape.num_elements()), values(&mut random, shape.num_elements()));
        let (gamma, beta) = (values(&mut random, channels), values(&mut random, channels));
        let slope =
            [(Activation::None, 1.0), (Activation::Relu, 0.0)].into_iter().find(|(kind, _)| *kind == activation);
        let slope = slope.map_or(0.2, |(_, slope)| slope);
        let (x64, gamma64, beta64) = (doubles(&x), doubles(&gamma), doubles(&beta));
        for instructions in InstructionSet::available() {
            let norm = BatchNormParams { gamma: &gamma, beta: &beta, epsilon: 1e-3, ghost_batches, activation };
            let statistics = BatchStatistics::new(instructions, &x, shape, ghost_batches);

            let y = norm.run(instructions, &x, shape, &statistics);
            let gradients = norm.gradients(instructions, &x, &gradient, shape, &statistics);

            assert_near("output", &y, &batch_normalized(&x64, &gamma64, &beta64, ghost_batches, slope));
            let expected =
                derivatives(&x64, &gradient, |x| batch_normalized(x, &gamma64, &beta64, ghost_batches, slope));
            assert_near("gradient of the input", &gradients.input, &expected);
            let expected =
                derivatives(&gamma64, &gradient, |gamma| batch_normalized(&x64, gamma, &beta64, ghost_batches, slope));
            assert_near("gradient of gamma", &gradients.gamma, &expected);
            let expected =
                derivatives(&beta64, &gradient, |beta| batch_normalized(&x64, &gamma64, beta, ghost_batches, slope));
            assert_near("gradient of beta", &gradients.beta, &expected);
        }
    }
}

/// A batch of three images in two ghost batches.
const UNEVEN: Nhwc = Nhwc { batch: 3, height: 1, width: 1, channels: 1 };

fn uneven_norm() -> (BatchNormParams<'static>, BatchStatistics) {
    let norm =
        BatchNormParams { gamma: &[1.0], beta: &[0.0], epsilon: 1e-3, ghost_batches: 2, activation: Activation::None };
    (norm, BatchStatistics { means: vec![0.0; 2], variances: vec![1.0; 2] })
}

#[test]
#[should_panic(expected = "a batch of 3 does not divide into 2 ghost batches")]
fn a_batch_norm_refuses_a_batch_that_does_not_divide_into_ghost_batches() {
    let (norm, statistics) = uneven_norm();

    norm.run(InstructionSet::best(), &[1.0; 3], UNEVEN, &statistics);
}

#[test]
#[should_panic(expected = "a batch of 3 does not divide into 2 ghost batches")]
fn gradients_of_a_batch_norm_refuse_a_batch_that_does_not_divide_into_ghost_batches() {
    let (norm, statistics) = uneven_norm();

    norm.gradients(InstructionSet::best(), &[1.0; 3], &[1.0; 3], UNEVEN, &statistics);
}

#[test]
#[should_panic(expected = "a batch of 3 does not divide into 0 ghost batches")]
fn statistics_refuse_zero_ghost_batches() {
    BatchStatistics::new(InstructionSet::best(), &[1.0; 3], UNEVEN, 0);
}

#[test]
fn statistics_of_many_values_far_from_zero_are_accurate() {
    let mut random = Pcg64Mcg::seed_from_u64(2);
    let side = if cfg!(miri) { 10 } else { 100 };
    let shape = Nhwc { batch: 2, height: side, width: side, channels: 3 };
    let x: Vec<f32> = (0..shape.num_elements()).map(|_| random.random_range(1000.0..1001.0)).collect();
    let count = shape.pixels() as f64;

    let statistics = BatchStatistics::new(InstructionSet::best(), &x, shape, 1);

    for channel in 0..3 {
        let of_channel = || x.iter().skip(channel).step_by(3).map(|&x| f64::from(x));
        let mean = of_channel().sum::<f64>() / count;
        let variance = of_channel().map(|x| (x - mean).powi(2)).sum::<f64>() / count;
        assert!((f64::from(statistics.means[channel]) - mean).abs() < 1e-4);
        assert!((f64::from(statistics.variances[channel]) / variance - 1.0).abs() < 1e-4);
    }
    let sums = channel_sums(InstructionSet::best(), &x, 3);
    assert!(sums.iter().zip(&statistics.means).all(|(sum, mean)| (sum / mean / count as f32 - 1.0).abs() < 1e-6));
}

#[test]
fn max_pooling_passes_the_gradient_to_the_maximum_only() {
    let mut random = Pcg64Mcg::seed_from_u64(3);
    let shape = Nhwc { batch: 2, height: 8, width: 7, channels: 19 };
    for (side, ceil_mode) in [(3, false), (3, true), (2, false), (2, true)] {
        let pooling = MaxPoolParams { kernel: side, ceil_mode };
        let output_shape = pooling.output_shape(shape);
        let x = values(&mut random, shape.num_elements());
        let gradient = values(&mut random, output_shape.num_elements());
        let pool = |x: &[f64]| -> Vec<f64> {
            (0..output_shape.num_elements())
                .map(|index| {
                    let (pixel, channel) = (index / 19, index % 19);
                    let (line, column) = (pixel / output_shape.width, pixel % output_shape.width);
                    let (image, top, left) = (line / output_shape.height, 2 * (line % output_shape.height), 2 * column);
                    let rows = top..(top + side).min(8);
                    let square = rows.flat_map(|y| (left..(left + side).min(7)).map(move |x| (y, x)));
                    square
                        .map(|(row, column)| x[((image * 8 + row) * 7 + column) * 19 + channel])
                        .fold(f64::NEG_INFINITY, f64::max)
                })
                .collect()
        };
        for instructions in InstructionSet::available() {
            let y = max_pool(instructions, pooling, &x, shape);
            let found = max_pool_gradient(instructions, pooling, &x, shape, &y, &gradient);

            assert_eq!(doubles(&y), pool(&doubles(&x)));
            if cfg!(miri) {
                // Derivatives by two thousand values take hours there.
                continue;
            }
            assert_near("gradient", &found, &derivatives(&doubles(&x), &gradient, pool));
        }
    }
}

#[test]
fn a_window_over_the_border_has_an_output_only_with_ceil_mode() {
    let shape = Nhwc { batch: 1, height: 12, width: 11, channels: 1 };
    let sides = |side, ceil_mode| {
        let output = MaxPoolParams { kernel: side, ceil_mode }.output_shape(shape);
        [output.height, output.width]
    };

    assert_eq!([sides(3, false), sides(3, true)], [[5, 5], [6, 5]]);
    assert_eq!([sides(2, false), sides(2, true)], [[6, 5], [6, 6]]);
}

#[test]
fn the_first_of_equal_maxima_receives_the_gradient() {
    let shape = Nhwc { batch: 1, height: 3, width: 3, channels: 1 };
    let pooling = MaxPoolParams { kernel: 3, ceil_mode: false };

    let found = max_pool_gradient(InstructionSet::best(), pooling, &[5.0; 9], shape, &[5.0], &[2.0]);

    assert_eq!(found, [2.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
}

#[test]
fn response_norm_and_its_gradient_agree_with_the_formula() {
    let mut random = Pcg64Mcg::seed_from_u64(4);
    for channels in [1, 2, 4, 5, 21] {
        let x = values(&mut random, 3 * channels);
        let gradient = values(&mut random, x.len());
        let norm = |x: &[f64]| -> Vec<f64> {
            (0..x.len())
                .map(|index| {
                    let (start, channel) = (index / channels * channels, index % channels);
                    let neighbours = channel.saturating_sub(2)..channels.min(channel + 3);
                    let sum: f64 = neighbours.map(|channel| x[start + channel].powi(2)).sum();
                    x[index] / (1.0 + 0.3 * sum).powf(0.75)
                })
                .collect()
        };

        for instructions in InstructionSet::available() {
            let y = local_response_norm(instructions, &x, channels, 0.3);
            let found = local_response_norm_gradient(instructions, &x, &gradient, channels, 0.3);

            assert_near("output", &y, &norm(&doubles(&x)));
            assert_near("gradient", &found, &derivatives(&doubles(&x), &gradient, norm));
        }
    }
}
