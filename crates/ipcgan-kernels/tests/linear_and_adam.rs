//! Fully connected layers, squared differences and Adam agree with plain formulas in double precision.

use ipcgan_kernels::{
    Activation, Adam, HalfLinear, InstructionSet, Linear, mean_squared_error, mean_squared_error_gradient,
};
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;

/// Relative to the largest value: some hundred terms in single precision.
const TOLERANCE: f64 = 2e-6;

fn values(random: &mut Pcg64Mcg, count: usize) -> Vec<f32> {
    (0..count).map(|_| random.random_range(-1.0..1.0)).collect()
}

fn assert_near(name: &str, found: &[f32], expected: &[f64]) {
    assert_eq!(found.len(), expected.len(), "{name}");
    let largest = expected.iter().fold(1e-3f64, |largest, value| largest.max(value.abs()));
    for (index, (&found, &expected)) in found.iter().zip(expected).enumerate() {
        let difference = (f64::from(found) - expected).abs();
        assert!(difference <= TOLERANCE * largest, "{name}: {found} instead of {expected} at {index}");
    }
}

#[test]
fn a_fully_connected_layer_and_its_gradients_agree_with_plain_loops() {
    let mut random = Pcg64Mcg::seed_from_u64(1);
    let sizes = [(1, 1, 1), (3, 5, 7), (5, 13, 6), (4, 130, 16), (9, 67, 530), (2, 300, 1100)];
    // Miri is a thousand times slower.
    for &(batch, inputs, outputs) in &sizes[..if cfg!(miri) { 3 } else { sizes.len() }] {
        let (x, weights) = (values(&mut random, batch * inputs), values(&mut random, inputs * outputs));
        let (bias, gradient) = (values(&mut random, outputs), values(&mut random, batch * outputs));
        let mut output = vec![0.0; batch * outputs];
        let mut input_gradient = vec![0.0; batch * inputs];
        let mut weight_gradient = vec![0.0; inputs * outputs];
        for image in 0..batch {
            for to in 0..outputs {
                output[image * outputs + to] = f64::from(bias[to]);
                for from in 0..inputs {
                    let [x, weight] = [x[image * inputs + from], weights[from * outputs + to]].map(f64::from);
                    let gradient = f64::from(gradient[image * outputs + to]);
                    output[image * outputs + to] += x * weight;
                    input_gradient[image * inputs + from] += gradient * weight;
                    weight_gradient[from * outputs + to] += gradient * x;
                }
            }
        }
        output.iter_mut().for_each(|value: &mut f64| *value = value.max(0.0));
        for instructions in InstructionSet::available() {
            let layer = Linear { instructions, weights: &weights, inputs, outputs };

            assert_near("output", &layer.run(&x, Some(&bias), Activation::Relu), &output);
            assert_near("gradient of the input", &layer.input_gradient(&gradient), &input_gradient);
            assert_near("gradient of the weights", &layer.weight_gradient(&x, &gradient), &weight_gradient);
        }
    }
}

/// Random float16 numbers below 2 in magnitude, some of them subnormal, and a negative zero.
fn half_values(random: &mut Pcg64Mcg, count: usize) -> Vec<f32> {
    let mut value = || f32::from(random.random_range(-2047i16..=2047)) * 2f32.powi(-random.random_range(10..=24));
    (0..count).map(|index| if index == 0 { -0.0 } else { value() }).collect()
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

#[test]
fn a_fully_connected_layer_computes_the_same_bits_with_packed_half_precision_weights() {
    let mut random = Pcg64Mcg::seed_from_u64(3);
    let sizes = [(1, 17), (3, 33), (13, 40), (67, 129), (300, 530), (520, 64)];
    // Miri is a thousand times slower.
    for &(inputs, outputs) in &sizes[..if cfg!(miri) { 3 } else { sizes.len() }] {
        let (weights, bias) = (half_values(&mut random, inputs * outputs), values(&mut random, outputs));
        for instructions in InstructionSet::available() {
            let single = Linear { instructions, weights: &weights, inputs, outputs };

            let half = HalfLinear::new(instructions, &weights, inputs, outputs).expect("16 bits hold the weights");

            assert_eq!(bits(&half.weights()), bits(&weights));
            for batch in 1..=9 {
                let (x, gradient) = (values(&mut random, batch * inputs), values(&mut random, batch * outputs));
                let [output, expected] =
                    [half.run(&x, Some(&bias), Activation::Relu), single.run(&x, Some(&bias), Activation::Relu)];
                assert_eq!(bits(&output), bits(&expected), "{batch} x {inputs} to {outputs}");
                let [gradient, expected] = [half.input_gradient(&gradient), single.input_gradient(&gradient)];
                assert_eq!(bits(&gradient), bits(&expected), "{batch} x {inputs} to {outputs}");
            }
        }
    }
}

#[test]
fn weights_are_packed_in_half_precision_if_16_bits_hold_each_exactly() {
    const SUBNORMAL: f32 = 1.0 / (1 << 24) as f32;
    let packs = |weight: [f32; 2], outputs: usize| {
        let weights: Vec<f32> = weight.into_iter().cycle().take(2 * outputs).collect();
        let packed =
            InstructionSet::available().into_iter().map(|set| HalfLinear::new(set, &weights, 2, outputs).is_some());
        let packed: Vec<bool> = packed.collect();
        assert!(packed.iter().all(|&each| each == packed[0]), "the sets agree on {weight:?}");
        packed[0]
    };

    for weight in [[0.0, -0.0], [1.0 + 1.0 / 1024.0, -SUBNORMAL], [127.9375, SUBNORMAL], [65504.0, 0.0]] {
        assert!(packs(weight, 64), "{weight:?}");
    }
    let [finer, wider] = [[1.0 + 1.0 / 2048.0, 1.0], [128.0, SUBNORMAL]];
    for weight in [finer, wider, [f32::INFINITY, 0.0], [f32::NAN, 0.0], [f32::from_bits(1 << 13), 0.0]] {
        assert!(!packs(weight, 64), "{weight:?}");
    }
    // The second vector of a pair would be empty.
    assert!(!packs([1.0, 0.5], 4));
}

#[test]
fn an_adam_update_follows_the_published_formula() {
    let mut random = Pcg64Mcg::seed_from_u64(2);
    let start = values(&mut random, 37);
    let gradients = [values(&mut random, 37), values(&mut random, 37), values(&mut random, 37)];
    for instructions in InstructionSet::available() {
        let (mut found, mut first, mut second) = (start.clone(), vec![0.0; 37], vec![0.0; 37]);

        for (gradient, step) in gradients.iter().zip(1..) {
            let adam = Adam { learning_rate: 0.1, beta_1: 0.5, beta_2: 0.999, epsilon: 1e-8, step };
            adam.update(instructions, &mut found, gradient, [&mut first, &mut second]);
        }

        let expected: Vec<f64> = (0..37)
            .map(|index| {
                let (mut value, mut mean, mut square) = (f64::from(start[index]), 0.0, 0.0);
                for (gradient, step) in gradients.iter().zip(1..) {
                    let gradient = f64::from(gradient[index]);
                    mean = 0.5 * mean + 0.5 * gradient;
                    square = 0.999 * square + 0.001 * gradient * gradient;
                    let (mean, square) = (mean / (1.0 - 0.5f64.powi(step)), square / (1.0 - 0.999f64.powi(step)));
                    value -= 0.1 * mean / (square.sqrt() + 1e-8);
                }
                value
            })
            .collect();
        // 1 - 0.999 in single precision is off by 1e-5 of itself.
        let largest = found.iter().zip(&expected).map(|(&found, expected)| (f64::from(found) - expected).abs());
        assert!(largest.fold(0.0, f64::max) < 2e-5);
    }
}

#[test]
fn squared_error_is_averaged_and_its_gradient_points_away_from_the_target() {
    let mut gradient = [0.0; 3];

    let mean = mean_squared_error(&[1.0, 3.0, -2.0], 1.0);
    mean_squared_error_gradient(&[1.0, 3.0, -2.0], 1.0, 3.0, &mut gradient);

    assert!((mean - 13.0 / 3.0).abs() < 1e-6);
    assert_eq!(gradient, [0.0, 4.0, -6.0]);
}
