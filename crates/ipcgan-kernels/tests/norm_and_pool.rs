//! Batch norm, pooling and local response norm agree with plain formulas in double precision.

use ipcgan_kernels::{
    Activation, Instructions, Maps, Norm, Pooling, Statistics, channel_sums, max_pool, max_pool_gradient,
    response_norm, response_norm_gradient,
};
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;

/// As a share of the largest value: a few roundings in single precision.
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

/// Batch norm of each part, then the activation.
fn normed(x: &[f64], gamma: &[f64], beta: &[f64], parts: usize, slope: f64) -> Vec<f64> {
    let channels = gamma.len();
    let part = x.len() / parts;
    let mut y = vec![0.0; x.len()];
    for (x, y) in x.chunks(part).zip(y.chunks_mut(part)) {
        for channel in 0..channels {
            let of_channel = || x.iter().skip(channel).step_by(channels);
            let count = (part / channels) as f64;
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
fn batch_norm_of_parts_and_its_gradients_agree_with_the_formula() {
    let mut random = Pcg64Mcg::seed_from_u64(1);
    let cases = [(1, 1, Activation::None), (5, 2, Activation::Relu), (17, 3, Activation::LeakyRelu(0.2))];
    // Miri is a thousand times slower.
    for &(channels, parts, activation) in &cases[..if cfg!(miri) { 2 } else { cases.len() }] {
        let maps = Maps { batch: 6, height: 3, width: 2, channels };
        let (x, gradient) = (values(&mut random, maps.values()), values(&mut random, maps.values()));
        let (gamma, beta) = (values(&mut random, channels), values(&mut random, channels));
        let slope =
            [(Activation::None, 1.0), (Activation::Relu, 0.0)].into_iter().find(|(kind, _)| *kind == activation);
        let slope = slope.map_or(0.2, |(_, slope)| slope);
        let (x64, gamma64, beta64) = (doubles(&x), doubles(&gamma), doubles(&beta));
        for instructions in Instructions::available() {
            let norm = Norm { gamma: &gamma, beta: &beta, epsilon: 1e-3, parts, activation };
            let statistics = Statistics::new(instructions, &x, maps, parts);

            let y = norm.run(instructions, &x, maps, &statistics);
            let gradients = norm.gradients(instructions, &x, &gradient, maps, &statistics);

            assert_near("output", &y, &normed(&x64, &gamma64, &beta64, parts, slope));
            let expected = derivatives(&x64, &gradient, |x| normed(x, &gamma64, &beta64, parts, slope));
            assert_near("gradient of the input", &gradients.input, &expected);
            let expected = derivatives(&gamma64, &gradient, |gamma| normed(&x64, gamma, &beta64, parts, slope));
            assert_near("gradient of gamma", &gradients.gamma, &expected);
            let expected = derivatives(&beta64, &gradient, |beta| normed(&x64, &gamma64, beta, parts, slope));
            assert_near("gradient of beta", &gradients.beta, &expected);
        }
    }
}

#[test]
fn statistics_of_many_pixels_far_from_zero_are_exact() {
    let mut random = Pcg64Mcg::seed_from_u64(2);
    let side = if cfg!(miri) { 10 } else { 100 };
    let maps = Maps { batch: 2, height: side, width: side, channels: 3 };
    let x: Vec<f32> = (0..maps.values()).map(|_| random.random_range(1000.0..1001.0)).collect();
    let count = maps.pixels() as f64;

    let statistics = Statistics::new(Instructions::best(), &x, maps, 1);

    for channel in 0..3 {
        let of_channel = || x.iter().skip(channel).step_by(3).map(|&x| f64::from(x));
        let mean = of_channel().sum::<f64>() / count;
        let variance = of_channel().map(|x| (x - mean).powi(2)).sum::<f64>() / count;
        assert!((f64::from(statistics.means[channel]) - mean).abs() < 1e-4);
        assert!((f64::from(statistics.variances[channel]) / variance - 1.0).abs() < 1e-4);
    }
    let sums = channel_sums(Instructions::best(), &x, 3);
    assert!(sums.iter().zip(&statistics.means).all(|(sum, mean)| (sum / mean / count as f32 - 1.0).abs() < 1e-6));
}

#[test]
fn the_largest_of_a_square_is_kept_and_only_it_learns() {
    let mut random = Pcg64Mcg::seed_from_u64(3);
    let maps = Maps { batch: 2, height: 8, width: 7, channels: 19 };
    for (side, over_border) in [(3, false), (3, true), (2, false), (2, true)] {
        let pooling = Pooling { side, over_border };
        let output_maps = pooling.of(maps);
        let x = values(&mut random, maps.values());
        let gradient = values(&mut random, output_maps.values());
        let pool = |x: &[f64]| -> Vec<f64> {
            (0..output_maps.values())
                .map(|index| {
                    let (pixel, channel) = (index / 19, index % 19);
                    let (line, column) = (pixel / output_maps.width, pixel % output_maps.width);
                    let (picture, top, left) = (line / output_maps.height, 2 * (line % output_maps.height), 2 * column);
                    let rows = top..(top + side).min(8);
                    let square = rows.flat_map(|y| (left..(left + side).min(7)).map(move |x| (y, x)));
                    square
                        .map(|(row, column)| x[((picture * 8 + row) * 7 + column) * 19 + channel])
                        .fold(f64::NEG_INFINITY, f64::max)
                })
                .collect()
        };
        for instructions in Instructions::available() {
            let y = max_pool(instructions, pooling, &x, maps);
            let found = max_pool_gradient(instructions, pooling, &x, maps, &y, &gradient);

            assert_eq!(doubles(&y), pool(&doubles(&x)));
            if cfg!(miri) {
                // Derivatives towards two thousand values take hours there.
                continue;
            }
            assert_near("gradient", &found, &derivatives(&doubles(&x), &gradient, pool));
        }
    }
}

#[test]
fn a_square_over_the_border_counts_only_where_it_should() {
    let maps = Maps { batch: 1, height: 12, width: 11, channels: 1 };
    let sides = |side, over_border| {
        let output = Pooling { side, over_border }.of(maps);
        [output.height, output.width]
    };

    assert_eq!([sides(3, false), sides(3, true)], [[5, 5], [6, 5]]);
    assert_eq!([sides(2, false), sides(2, true)], [[6, 5], [6, 6]]);
}

#[test]
fn of_equal_values_the_first_learns() {
    let maps = Maps { batch: 1, height: 3, width: 3, channels: 1 };
    let pooling = Pooling { side: 3, over_border: false };

    let found = max_pool_gradient(Instructions::best(), pooling, &[5.0; 9], maps, &[5.0], &[2.0]);

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

        for instructions in Instructions::available() {
            let y = response_norm(instructions, &x, channels, 0.3);
            let found = response_norm_gradient(instructions, &x, &gradient, channels, 0.3);

            assert_near("output", &y, &norm(&doubles(&x)));
            assert_near("gradient", &found, &derivatives(&doubles(&x), &gradient, norm));
        }
    }
}
