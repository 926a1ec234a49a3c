//! Convolutions and their gradients agree with plain loops in double precision, for random shapes.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use ipcgan_kernels::{
    Activation, Arithmetic, Convolution, Epilogue, Instructions, Maps, Statistics, Window, channel_sums,
    weight_gradient,
};
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;

/// Largest difference, as a share of the largest value: up to 3,200 terms in single precision.
const DIRECT_TOLERANCE: f64 = 5e-6;
/// Winograd's transforms add roundings of their own.
const FAST_TOLERANCE: f64 = 3e-5;

#[derive(Debug)]
struct Case {
    input: Maps,
    outputs: usize,
    window: Window,
}

impl Case {
    fn random(random: &mut Pcg64Mcg) -> Self {
        let groups = if random.random_bool(0.3) { 2 } else { 1 };
        let kernel: usize = random.random_range(1..=5);
        let (before, after) = (random.random_range(0..kernel), random.random_range(0..kernel));
        // Miri is a thousand times slower.
        let (largest, channels) =
            if cfg!(miri) { (5, &[1, 2, 3, 5][..]) } else { (13, &[1, 2, 3, 5, 8, 16, 17, 24, 33, 70][..]) };
        let side = |random: &mut Pcg64Mcg| random.random_range(kernel.saturating_sub(before + after).max(1)..=largest);
        let mut pick = || channels[random.random_range(0..channels.len())] * groups;
        let (inputs, outputs) = (pick(), pick());
        Self {
            input: Maps {
                batch: random.random_range(1..4),
                height: side(random),
                width: side(random),
                channels: inputs,
            },
            outputs,
            window: Window { kernel, stride: random.random_range(1..=4), before, after, groups },
        }
    }

    /// The windows and channels of the networks, on smaller maps.
    fn of_the_networks() -> Vec<Self> {
        let case = |side, inputs, outputs, [kernel, stride, before, after, groups]: [usize; 5]| Self {
            input: Maps { batch: 2, height: side, width: side, channels: inputs },
            outputs,
            window: Window { kernel, stride, before, after, groups },
        };
        vec![
            case(20, 8, 32, [7, 1, 3, 3, 1]),
            case(16, 32, 64, [3, 2, 0, 1, 1]),
            case(8, 128, 128, [3, 1, 1, 1, 1]),
            case(20, 32, 3, [7, 1, 3, 3, 1]),
            case(16, 3, 64, [4, 2, 1, 1, 1]),
            case(16, 69, 128, [4, 2, 1, 1, 1]),
            case(16, 64, 96, [4, 1, 1, 2, 1]),
            case(13, 48, 64, [4, 1, 1, 2, 1]),
            case(39, 3, 96, [11, 4, 0, 0, 1]),
            case(13, 96, 256, [5, 1, 2, 2, 2]),
            case(13, 96, 128, [3, 1, 1, 1, 2]),
            case(19, 16, 33, [1, 1, 0, 0, 1]),
            case(13, 16, 16, [3, 1, 1, 1, 16]),
            case(9, 19, 19, [3, 2, 0, 1, 19]),
            case(1, 9, 9, [3, 1, 1, 1, 9]),
        ]
    }

    /// Maps so large that weights are transformed for one output, and for their gradient.
    fn large() -> Vec<Self> {
        let case = |[batch, height, width]: [usize; 3], [kernel, before, after]: [usize; 3], groups| Self {
            input: Maps { batch, height, width, channels: 17 * groups },
            outputs: 18 * groups,
            window: Window { kernel, stride: 1, before, after, groups },
        };
        vec![case([4, 31, 33], [3, 1, 1], 1), case([13, 16, 16], [4, 1, 2], 1), case([7, 22, 21], [3, 1, 1], 2)]
    }

    fn output(&self) -> Maps {
        let side = |side| self.window.output_side(side);
        Maps { height: side(self.input.height), width: side(self.input.width), channels: self.outputs, ..self.input }
    }

    fn channels(&self) -> [usize; 2] {
        [self.outputs, self.input.channels / self.window.groups]
    }

    /// Calls `visit(input, weight, output)` with the indices of every term.
    fn each_term(&self, mut visit: impl FnMut(usize, usize, usize)) {
        let (output, Window { kernel, stride, before, groups, .. }) = (self.output(), self.window);
        let [outputs, inputs] = [self.outputs / groups, self.channels()[1]];
        let at = |maps: Maps, picture: usize, y: usize, x: usize, channel: usize| {
            ((picture * maps.height + y) * maps.width + x) * maps.channels + channel
        };
        for picture in 0..output.batch {
            for index in 0..output.height * output.width * kernel * kernel {
                let (pixel, tap) = (index / (kernel * kernel), index % (kernel * kernel));
                let (oy, ox) = (pixel / output.width, pixel % output.width);
                let (y, x) = (oy * stride + tap / kernel, ox * stride + tap % kernel);
                let (Some(y), Some(x)) = (y.checked_sub(before), x.checked_sub(before)) else { continue };
                if y >= self.input.height || x >= self.input.width {
                    continue;
                }
                for channel in 0..self.outputs {
                    for input in 0..inputs {
                        let group = channel / outputs;
                        visit(
                            at(self.input, picture, y, x, group * inputs + input),
                            (channel * inputs + input) * kernel * kernel + tap,
                            at(output, picture, oy, ox, channel),
                        );
                    }
                }
            }
        }
    }
}

fn values(random: &mut Pcg64Mcg, count: usize) -> Vec<f32> {
    (0..count).map(|_| random.random_range(-1.0..1.0)).collect()
}

fn assert_near(name: &str, case: &Case, found: &[f32], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len(), "{name} of {case:?}");
    let largest = expected.iter().fold(1e-3f64, |largest, value| largest.max(value.abs()));
    for (index, (&found, &expected)) in found.iter().zip(expected).enumerate() {
        let difference = (f64::from(found) - expected).abs();
        assert!(difference <= tolerance * largest, "{name} of {case:?}: {found} instead of {expected} at {index}");
    }
}

fn check(case: &Case, random: &mut Pcg64Mcg) {
    let (maps, window, channels) = (case.output(), &case.window, case.channels());
    let input = values(random, case.input.values());
    let weights = values(random, channels[0] * channels[1] * window.kernel * window.kernel);
    let gradient = values(random, maps.values());
    let mut output = vec![0.0; maps.values()];
    let mut input_gradient = vec![0.0; input.len()];
    let mut weights_gradient = vec![0.0; weights.len()];
    case.each_term(|i, w, o| {
        let [input, weight, gradient] = [input[i], weights[w], gradient[o]].map(f64::from);
        output[o] += input * weight;
        input_gradient[i] += gradient * weight;
        weights_gradient[w] += gradient * input;
    });
    let epilogue = Epilogue::default();
    for instructions in Instructions::available() {
        for (arithmetic, tolerance) in [(Arithmetic::Direct, DIRECT_TOLERANCE), (Arithmetic::Fast, FAST_TOLERANCE)] {
            for [once, once_back] in [[None, None], [Some(maps), Some(case.input)]] {
                let convolution = Convolution::new(instructions, arithmetic, &weights, channels, window, once);
                let found = convolution.run(&input, case.input, [maps.height, maps.width], &epilogue);
                assert_near("output", case, &found, &output, tolerance);

                let adjoint = Convolution::adjoint(instructions, arithmetic, &weights, channels, window, once_back);
                let found = adjoint.run(&gradient, maps, [case.input.height, case.input.width], &epilogue);
                assert_near("gradient of the input", case, &found, &input_gradient, tolerance);
            }

            let found = weight_gradient(instructions, arithmetic, (&input, case.input), (&gradient, maps), window);
            assert_near("gradient of the weights", case, &found, &weights_gradient, tolerance);
        }
    }
}

#[test]
fn convolutions_of_random_shapes_agree_with_plain_loops() {
    let mut random = Pcg64Mcg::seed_from_u64(1);
    for _ in 0..if cfg!(miri) { 2 } else { 150 } {
        check(&Case::random(&mut random), &mut random);
    }
}

#[test]
fn convolutions_of_the_networks_agree_with_plain_loops() {
    if cfg!(miri) {
        return;
    }
    let mut random = Pcg64Mcg::seed_from_u64(2);
    for case in Case::of_the_networks() {
        check(&case, &mut random);
    }
}

#[test]
fn convolutions_of_large_maps_agree_with_plain_loops() {
    if cfg!(miri) {
        return;
    }
    let mut random = Pcg64Mcg::seed_from_u64(5);
    for case in Case::large() {
        check(&case, &mut random);
    }
}

#[test]
fn bias_residual_and_activation_follow_the_sum() {
    let mut random = Pcg64Mcg::seed_from_u64(3);
    let cases = [(3, [3, 1, 1, 1, 1]), (20, [3, 1, 1, 1, 1]), (20, [3, 2, 0, 1, 1])];
    let inputs = if cfg!(miri) { 1 } else { 16 };
    for (outputs, [kernel, stride, before, after, groups]) in cases {
        let window = Window { kernel, stride, before, after, groups };
        let case = Case { input: Maps { batch: 2, height: 6, width: 7, channels: inputs }, outputs, window };
        let (maps, channels) = (case.output(), case.channels());
        let input = values(&mut random, case.input.values());
        let weights = values(&mut random, outputs * inputs * 9);
        let (bias, residual) = (values(&mut random, outputs), values(&mut random, maps.values()));
        let epilogue =
            Epilogue { bias: Some(&bias), residual: Some(&residual), activation: Activation::LeakyRelu(0.2) };
        for instructions in Instructions::available() {
            let convolution = Convolution::new(instructions, Arithmetic::Fast, &weights, channels, &window, None);
            let run =
                |epilogue: &Epilogue<'_>| convolution.run(&input, case.input, [maps.height, maps.width], epilogue);

            let sums = run(&Epilogue::default());
            let found = run(&epilogue);

            let finished = sums.iter().zip(&residual).enumerate().map(|(index, (sum, residual))| {
                let value = f64::from(sum + bias[index % outputs] + residual);
                if value < 0.0 { 0.2 * value } else { value }
            });
            assert_near("output", &case, &found, &finished.collect::<Vec<_>>(), 1e-6);
        }
    }
}

#[test]
fn results_are_the_same_bits_on_any_number_of_threads() {
    let mut random = Pcg64Mcg::seed_from_u64(4);
    let instructions = Instructions::best();
    for case in Case::of_the_networks().into_iter().take(if cfg!(miri) { 0 } else { usize::MAX }) {
        let (maps, channels) = (case.output(), case.channels());
        let input = values(&mut random, case.input.values());
        let weights = values(&mut random, channels[0] * channels[1] * case.window.kernel * case.window.kernel);
        let gradient = values(&mut random, maps.values());
        let on = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                let fast = Arithmetic::Fast;
                let convolution = Convolution::new(instructions, fast, &weights, channels, &case.window, None);
                let adjoint = Convolution::adjoint(instructions, fast, &weights, channels, &case.window, None);
                let epilogue = Epilogue::default();
                let statistics = Statistics::new(instructions, &gradient, maps, 2);
                (
                    convolution.run(&input, case.input, [maps.height, maps.width], &epilogue),
                    adjoint.run(&gradient, maps, [case.input.height, case.input.width], &epilogue),
                    weight_gradient(instructions, fast, (&input, case.input), (&gradient, maps), &case.window),
                    channel_sums(instructions, &gradient, maps.channels),
                    statistics,
                )
            })
        };

        let one = on(1);

        assert!(one == on(2) && one == on(7), "{case:?}");
    }
}
