//! Convolutions and their gradients agree with plain loops in double precision, for random shapes.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use ipcgan_kernels::{
    Activation, BatchStatistics, ConvAlgorithm, ConvParams, Convolution, Epilogue, InstructionSet, Nhwc, channel_sums,
    weight_gradient,
};
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;

/// Largest difference, relative to the largest value: up to 3,200 terms in single precision.
const DIRECT_TOLERANCE: f64 = 5e-6;
/// Winograd's transforms add roundings of their own.
const FAST_TOLERANCE: f64 = 3e-5;

#[derive(Debug)]
struct Case {
    input: Nhwc,
    outputs: usize,
    params: ConvParams,
}

impl Case {
    fn random(random: &mut Pcg64Mcg) -> Self {
        let groups = if random.random_bool(0.3) { 2 } else { 1 };
        let kernel: usize = random.random_range(1..=5);
        let (pad_before, pad_after) = (random.random_range(0..kernel), random.random_range(0..kernel));
        // Miri is a thousand times slower.
        let (largest, channels) =
            if cfg!(miri) { (5, &[1, 2, 3, 5][..]) } else { (13, &[1, 2, 3, 5, 8, 16, 17, 24, 33, 70][..]) };
        let side =
            |random: &mut Pcg64Mcg| random.random_range(kernel.saturating_sub(pad_before + pad_after).max(1)..=largest);
        let mut pick = || channels[random.random_range(0..channels.len())] * groups;
        let (inputs, outputs) = (pick(), pick());
        Self {
            input: Nhwc {
                batch: random.random_range(1..4),
                height: side(random),
                width: side(random),
                channels: inputs,
            },
            outputs,
            params: ConvParams { kernel, stride: random.random_range(1..=4), pad_before, pad_after, groups },
        }
    }

    /// The kernels and channels of the networks, on smaller feature maps.
    fn of_the_networks() -> Vec<Self> {
        let case = |side, inputs, outputs, [kernel, stride, pad_before, pad_after, groups]: [usize; 5]| Self {
            input: Nhwc { batch: 2, height: side, width: side, channels: inputs },
            outputs,
            params: ConvParams { kernel, stride, pad_before, pad_after, groups },
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
        let case = |[batch, height, width]: [usize; 3], [kernel, pad_before, pad_after]: [usize; 3], groups| Self {
            input: Nhwc { batch, height, width, channels: 17 * groups },
            outputs: 18 * groups,
            params: ConvParams { kernel, stride: 1, pad_before, pad_after, groups },
        };
        vec![case([4, 31, 33], [3, 1, 1], 1), case([13, 16, 16], [4, 1, 2], 1), case([7, 22, 21], [3, 1, 1], 2)]
    }

    fn output(&self) -> Nhwc {
        let side = |side| self.params.output_side(side);
        Nhwc { height: side(self.input.height), width: side(self.input.width), channels: self.outputs, ..self.input }
    }

    fn channels(&self) -> [usize; 2] {
        [self.outputs, self.input.channels / self.params.groups]
    }

    /// Calls `visit(input, weight, output)` with the indices of every term.
    fn each_term(&self, mut visit: impl FnMut(usize, usize, usize)) {
        let (output, ConvParams { kernel, stride, pad_before, groups, .. }) = (self.output(), self.params);
        let [outputs, inputs] = [self.outputs / groups, self.channels()[1]];
        let at = |shape: Nhwc, image: usize, y: usize, x: usize, channel: usize| {
            ((image * shape.height + y) * shape.width + x) * shape.channels + channel
        };
        for image in 0..output.batch {
            for index in 0..output.height * output.width * kernel * kernel {
                let (pixel, tap) = (index / (kernel * kernel), index % (kernel * kernel));
                let (oy, ox) = (pixel / output.width, pixel % output.width);
                let (y, x) = (oy * stride + tap / kernel, ox * stride + tap % kernel);
                let (Some(y), Some(x)) = (y.checked_sub(pad_before), x.checked_sub(pad_before)) else { continue };
                if y >= self.input.height || x >= self.input.width {
                    continue;
                }
                for channel in 0..self.outputs {
                    for input in 0..inputs {
                        let group = channel / outputs;
                        visit(
                            at(self.input, image, y, x, group * inputs + input),
                            (channel * inputs + input) * kernel * kernel + tap,
                            at(output, image, oy, ox, channel),
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
    let (shape, params, channels) = (case.output(), &case.params, case.channels());
    let input = values(random, case.input.num_elements());
    let weights = values(random, channels[0] * channels[1] * params.kernel * params.kernel);
    let gradient = values(random, shape.num_elements());
    let mut output = vec![0.0; shape.num_elements()];
    let mut input_gradient = vec![0.0; input.len()];
    let mut weights_gradient = vec![0.0; weights.len()];
    case.each_term(|i, w, o| {
        let [input, weight, gradient] = [input[i], weights[w], gradient[o]].map(f64::from);
        output[o] += input * weight;
        input_gradient[i] += gradient * weight;
        weights_gradient[w] += gradient * input;
    });
    let epilogue = Epilogue::default();
    for instructions in InstructionSet::available() {
        for (algorithm, tolerance) in
            [(ConvAlgorithm::Direct, DIRECT_TOLERANCE), (ConvAlgorithm::Winograd, FAST_TOLERANCE)]
        {
            for [once, once_back] in [[None, None], [Some(shape), Some(case.input)]] {
                let convolution = Convolution::new(instructions, algorithm, &weights, channels, params, once);
                let found = convolution.run(&input, case.input, [shape.height, shape.width], &epilogue);
                assert_near("output", case, &found, &output, tolerance);

                let adjoint = Convolution::adjoint(instructions, algorithm, &weights, channels, params, once_back);
                let found = adjoint.run(&gradient, shape, [case.input.height, case.input.width], &epilogue);
                assert_near("gradient of the input", case, &found, &input_gradient, tolerance);
            }

            let found = weight_gradient(instructions, algorithm, (&input, case.input), (&gradient, shape), params);
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
    for (outputs, [kernel, stride, pad_before, pad_after, groups]) in cases {
        let params = ConvParams { kernel, stride, pad_before, pad_after, groups };
        let case = Case { input: Nhwc { batch: 2, height: 6, width: 7, channels: inputs }, outputs, params };
        let (shape, channels) = (case.output(), case.channels());
        let input = values(&mut random, case.input.num_elements());
        let weights = values(&mut random, outputs * inputs * 9);
        let (bias, residual) = (values(&mut random, outputs), values(&mut random, shape.num_elements()));
        let epilogue =
            Epilogue { bias: Some(&bias), residual: Some(&residual), activation: Activation::LeakyRelu(0.2) };
        for instructions in InstructionSet::available() {
            let convolution =
                Convolution::new(instructions, ConvAlgorithm::Winograd, &weights, channels, &params, None);
            let run =
                |epilogue: &Epilogue<'_>| convolution.run(&input, case.input, [shape.height, shape.width], epilogue);

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

/// A pointwise convolution of one channel.
fn pointwise() -> Convolution {
    let params = ConvParams { kernel: 1, stride: 1, pad_before: 0, pad_after: 0, groups: 1 };
    Convolution::new(InstructionSet::best(), ConvAlgorithm::Direct, &[1.0], [1, 1], &params, None)
}

#[test]
#[should_panic(expected = "height and width of an output of [2, 3] from an input of [2, 2]")]
fn a_convolution_refuses_sides_that_are_not_those_of_its_output() {
    let shape = Nhwc { batch: 1, height: 2, width: 2, channels: 1 };

    pointwise().run(&[1.0; 4], shape, [2, 3], &Epilogue::default());
}

#[test]
#[should_panic(expected = "values of the residual")]
fn a_convolution_refuses_a_residual_of_another_size() {
    let shape = Nhwc { batch: 1, height: 2, width: 2, channels: 1 };

    pointwise().run(&[1.0; 4], shape, [2, 2], &Epilogue { residual: Some(&[1.0; 5]), ..Epilogue::default() });
}

#[test]
fn an_adjoint_of_stride_two_has_an_output_for_every_side_that_the_convolution_maps_to_its_input() {
    let params = ConvParams { kernel: 1, stride: 2, pad_before: 0, pad_after: 0, groups: 1 };
    let adjoint = Convolution::adjoint(InstructionSet::best(), ConvAlgorithm::Direct, &[3.0], [1, 1], &params, None);
    let shape = Nhwc { batch: 1, height: 1, width: 2, channels: 1 };
    let run = |sides| adjoint.run(&[1.0, 2.0], shape, sides, &Epilogue::default());

    assert_eq!(run([1, 3]), [3.0, 0.0, 6.0]);
    assert_eq!(run([1, 4]), [3.0, 0.0, 6.0, 0.0]);
}

#[test]
fn results_are_bitwise_equal_for_any_number_of_threads() {
    let mut random = Pcg64Mcg::seed_from_u64(4);
    let instructions = InstructionSet::best();
    for case in Case::of_the_networks().into_iter().take(if cfg!(miri) { 0 } else { usize::MAX }) {
        let (shape, channels) = (case.output(), case.channels());
        let input = values(&mut random, case.input.num_elements());
        let weights = values(&mut random, channels[0] * channels[1] * case.params.kernel * case.params.kernel);
        let gradient = values(&mut random, shape.num_elements());
        let on = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                let fast = ConvAlgorithm::Winograd;
                let convolution = Convolution::new(instructions, fast, &weights, channels, &case.params, None);
                let adjoint = Convolution::adjoint(instructions, fast, &weights, channels, &case.params, None);
                let epilogue = Epilogue::default();
                let statistics = BatchStatistics::new(instructions, &gradient, shape, 2);
                (
                    convolution.run(&input, case.input, [shape.height, shape.width], &epilogue),
                    adjoint.run(&gradient, shape, [case.input.height, case.input.width], &epilogue),
                    weight_gradient(instructions, fast, (&input, case.input), (&gradient, shape), &case.params),
                    channel_sums(instructions, &gradient, shape.channels),
                    statistics,
                )
            })
        };

        let one = on(1);

        assert!(one == on(2) && one == on(7), "{case:?}");
    }
}
