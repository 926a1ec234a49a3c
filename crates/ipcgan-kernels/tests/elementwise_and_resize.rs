//! Gradients of activations, tanh, resizing and concatenated conditions agree with plain formulas.

use ipcgan_kernels::{
    Activation, ConditionConcat, InstructionSet, Nhwc, Resize, activation_gradient, tanh, tanh_gradient,
};
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;

fn values(random: &mut Pcg64Mcg, count: usize) -> Vec<f32> {
    (0..count).map(|_| random.random_range(-1.0..1.0)).collect()
}

/// The sum of products, in double precision.
fn product(left: &[f32], right: &[f32]) -> f64 {
    left.iter().zip(right).map(|(&left, &right)| f64::from(left) * f64::from(right)).sum()
}

#[test]
fn a_gradient_passes_an_activation_where_its_output_is_positive() {
    let mut random = Pcg64Mcg::seed_from_u64(1);
    let count = if cfg!(miri) { 101 } else { 70_001 };
    let (output, gradient) = (values(&mut random, count), values(&mut random, count));
    for instructions in InstructionSet::available() {
        let found = activation_gradient(instructions, Activation::LeakyRelu(0.25), &output, &gradient);

        for ((found, output), gradient) in found.iter().zip(&output).zip(&gradient) {
            assert_eq!(*found, if *output > 0.0 { *gradient } else { 0.25 * gradient });
        }
    }
}

#[test]
fn tanh_with_and_without_offset_and_its_gradient_agree_with_the_formula() {
    let mut random = Pcg64Mcg::seed_from_u64(2);
    let count = if cfg!(miri) { 103 } else { 20_003 };
    let head: Vec<f32> = values(&mut random, count).iter().map(|value| 4.0 * value).collect();
    let source: Vec<f32> = values(&mut random, count).iter().map(|value| 0.98 * value).collect();
    let gradient = values(&mut random, count);
    for instructions in InstructionSet::available() {
        let direct = tanh(instructions, &head, None);
        let change = tanh(instructions, &head, Some(&source));
        let back = tanh_gradient(instructions, &change, &gradient);

        for index in 0..head.len() {
            let (head, source) = (f64::from(head[index]), f64::from(source[index]));
            let expected = (head + source.atanh()).tanh();
            assert!((f64::from(direct[index]) - head.tanh()).abs() < 3e-7);
            assert!((f64::from(change[index]) - expected).abs() < 1e-6);
            let slope = f64::from(gradient[index]) * (1.0 - expected * expected);
            assert!((f64::from(back[index]) - slope).abs() < 2e-6);
        }
    }
}

#[test]
fn resizing_is_bilinear_interpolation() {
    check_resizing::<3>(Nhwc { batch: 2, height: 5, width: 3, channels: 3 }, [8, 7]);
    check_resizing::<2>(Nhwc { batch: 1, height: 9, width: 8, channels: 2 }, [4, 3]);
    check_resizing::<1>(Nhwc { batch: 1, height: 1, width: 1, channels: 1 }, [3, 2]);
}

fn check_resizing<const C: usize>(shape: Nhwc, sides: [usize; 2]) {
    let mut random = Pcg64Mcg::seed_from_u64(3);
    let input = values(&mut random, shape.num_elements());
    let shift: [f32; C] = values(&mut random, C).try_into().expect("as many values as channels");
    let [height, width] = sides;
    for instructions in InstructionSet::available() {
        let found = Resize { instructions, sides, scale: 3.0, shift }.run(&input, shape);

        let output_shape = Nhwc { height, width, ..shape };
        assert_eq!(found.len(), output_shape.num_elements());
        for (index, &found) in found.iter().enumerate() {
            let (pixel, channel) = (index / shape.channels, index % shape.channels);
            let (image, y, x) = (pixel / (height * width), pixel / width % height, pixel % width);
            let centre = |output: usize, outputs: usize, inputs: usize| {
                let centre = (output as f64 + 0.5) * inputs as f64 / outputs as f64 - 0.5;
                centre.clamp(0.0, (inputs - 1) as f64)
            };
            let (row, column) = (centre(y, height, shape.height), centre(x, width, shape.width));
            let mut expected = 0.0;
            for input_row in 0..shape.height {
                for input_column in 0..shape.width {
                    let near = |a: f64, b: usize| (1.0 - (a - b as f64).abs()).max(0.0);
                    let pixel = (image * shape.height + input_row) * shape.width + input_column;
                    expected += near(row, input_row)
                        * near(column, input_column)
                        * f64::from(input[pixel * shape.channels + channel]);
                }
            }
            assert!((f64::from(found) - (3.0 * expected + f64::from(shift[channel]))).abs() < 1e-5);
        }
    }
}

#[test]
fn the_gradient_of_resizing_is_its_adjoint() {
    let mut random = Pcg64Mcg::seed_from_u64(4);
    let shape = Nhwc { batch: 2, height: 6, width: 5, channels: 3 };
    let resize = Resize { instructions: InstructionSet::best(), sides: [11, 4], scale: 2.0, shift: [0.0; 3] };
    let (input, gradient) = (values(&mut random, shape.num_elements()), values(&mut random, 2 * 11 * 4 * 3));

    let forwards = product(&resize.run(&input, shape), &gradient);
    let backwards = product(&input, &resize.gradient(&gradient, shape));

    assert!((forwards - backwards).abs() < 1e-4, "{forwards} and {backwards}");
}

#[test]
fn each_output_has_its_images_features_and_its_own_conditions() {
    let shape = Nhwc { batch: 2, height: 1, width: 2, channels: 2 };
    let conditioned = ConditionConcat { shape, images: &[1, 0, 1], conditions: 1 };

    let output = conditioned.run(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0], &[0.1, 0.2, 0.3]);
    let gradient = conditioned
        .gradient(&[1.0, 2.0, 9.0, 3.0, 4.0, 9.0, 5.0, 6.0, 9.0, 7.0, 8.0, 9.0, 0.1, 0.2, 9.0, 0.3, 0.4, 9.0]);

    assert_eq!(output, [5.0, 6.0, 0.1, 7.0, 8.0, 0.1, 1.0, 2.0, 0.2, 3.0, 4.0, 0.2, 5.0, 6.0, 0.3, 7.0, 8.0, 0.3]);
    assert_eq!(gradient, [5.0, 6.0, 7.0, 8.0, 1.1, 2.2, 3.3, 4.4]);
}
