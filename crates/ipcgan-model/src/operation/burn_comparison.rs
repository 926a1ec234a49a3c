//! The CPU kernels against Burn's operations on the same tensors: outputs, and gradients by inputs and parameters.

use burn::module::Param;
use burn::nn::conv::{Conv2d, Conv2dConfig, ConvTranspose2d, ConvTranspose2dConfig};
use burn::nn::pool::MaxPool2dConfig;
use burn::nn::{Linear, LocalResponseNormConfig, PaddingConfig2d};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Gradients, Tensor};
use ipcgan_kernels::Activation;

use super::activation::activate;
use super::*;
use crate::random_tensors::RandomTensors;
use crate::relative_error::normwise_error;

/// Tolerance for sums in another order and for Winograd convolution, relative to the largest value.
const TOLERANCE: f32 = 1e-4;

/// Compares two implementations for the input `x`: the output, the gradient of its weighted sum by `x`, and those by
/// parameters, which `of_parameters` selects.
fn check<const D: usize, const E: usize>(
    x: Tensor<D>,
    of_parameters: impl Fn(&Gradients) -> Vec<Tensor<1>>,
    ours: impl Fn(Tensor<D>) -> Tensor<E>,
    burns: impl Fn(Tensor<D>) -> Tensor<E>,
) {
    let results = |run: &dyn Fn(Tensor<D>) -> Tensor<E>| -> Vec<Tensor<1>> {
        let x = x.clone().autodiff().require_grad();
        let output = run(x.clone());
        let weights = RandomTensors::new(1).uniform(output.dims(), -1.0..1.0).autodiff();
        let gradients = (output.clone() * weights).sum().backward();
        let of_input = [output.inner().reshape([-1]), gradient(&x, &gradients)];
        of_input.into_iter().chain(of_parameters(&gradients)).collect()
    };
    for (place, (found, expected)) in results(&ours).into_iter().zip(results(&burns)).enumerate() {
        let error = normwise_error(found, expected);
        assert!(error < TOLERANCE, "result {place} is off by {error} of the largest value");
    }
}

/// The gradient by `tensor`, flattened.
fn gradient<const D: usize>(tensor: &Tensor<D>, gradients: &Gradients) -> Tensor<1> {
    tensor.grad(gradients).expect("the tensor is tracked").reshape([-1])
}

fn no_parameters(_: &Gradients) -> Vec<Tensor<1>> {
    Vec::new()
}

/// A parameter of a layer, with gradients.
fn parameter<const D: usize>(values: Tensor<D>) -> Param<Tensor<D>> {
    Param::from_tensor(values.autodiff())
}

/// Large maps without strides take Winograd convolution, the others direct convolution.
#[test]
fn convolutions_equal_those_of_burn() {
    for (channels, kernel, stride, groups, side, activation) in [
        ([16, 16], 3, 1, 1, 24, Activation::None),
        ([16, 16], 4, 1, 1, 24, Activation::None),
        ([3, 8], 7, 1, 1, 8, Activation::Relu),
        ([8, 16], 3, 2, 1, 8, Activation::LeakyRelu(0.2)),
        ([8, 16], 5, 1, 2, 7, Activation::None),
    ] {
        let ([inputs, outputs], mut random) = (channels, RandomTensors::new(0));
        let config = Conv2dConfig::new(channels, [kernel; 2])
            .with_stride([stride; 2])
            .with_groups(groups)
            .with_padding(PaddingConfig2d::Same);
        let weight = parameter(random.uniform([outputs, inputs / groups, kernel, kernel], -0.5..0.5));
        let bias = parameter(random.uniform([outputs], -1.0..1.0));
        let layer = Conv2d { weight, bias: Some(bias.clone()), ..config.init(&Device::flex()) };
        let x = random.uniform([2, inputs, side, side], -1.0..1.0);

        check(
            x,
            |gradients| vec![gradient(&layer.weight.val(), gradients), gradient(&bias.val(), gradients)],
            |x| convolution(&layer, x, activation, Precision::Float32),
            |x| activate(layer.forward(x), activation),
        );
    }
}

#[test]
fn transposed_convolutions_equal_those_of_burn() {
    let mut random = RandomTensors::new(0);
    let config = ConvTranspose2dConfig::new([16, 8], [3, 3]).with_stride([2, 2]).with_bias(false);
    let weight = parameter(random.uniform([16, 8, 3, 3], -0.5..0.5));
    let layer = ConvTranspose2d { weight, ..config.init(&Device::flex()) };

    check(
        random.uniform([2, 16, 6, 7], -1.0..1.0),
        |gradients| vec![gradient(&layer.weight.val(), gradients)],
        |x| transposed_convolution(&layer, x, Precision::Float32),
        |x| layer.forward(x).narrow(2, 0, 12).narrow(3, 0, 14),
    );
}

#[test]
fn fully_connected_layers_equal_those_of_burn() {
    let mut random = RandomTensors::new(0);
    let weight = parameter(random.uniform([24, 40], -0.5..0.5));
    let bias = parameter(random.uniform([40], -1.0..1.0));
    let layer = Linear { weight, bias: Some(bias.clone()) };

    check(
        random.uniform([3, 24], -1.0..1.0),
        |gradients| vec![gradient(&layer.weight.val(), gradients), gradient(&bias.val(), gradients)],
        |x| linear(&layer, x, Activation::Relu, Precision::Float32),
        |x| relu(layer.forward(x)),
    );
}

#[test]
fn max_pooling_equals_that_of_burn() {
    for kernel in [2, 3] {
        let layer = MaxPool2dConfig::new([kernel; 2]).with_strides([2, 2]).init();
        let x = RandomTensors::new(0).uniform([2, 5, 7, 9], -1.0..1.0);

        check(x, no_parameters, |x| max_pool(&layer, x), |x| layer.forward(x));
    }
}

#[test]
fn the_local_response_norm_equals_that_of_burn() {
    // Burn's alpha counts the mean of five channels, ours their sum.
    let layer = LocalResponseNormConfig::new(5).with_alpha(0.1).init();
    let x = RandomTensors::new(0).uniform([2, 8, 3, 4], -9.0..9.0);

    check(x, no_parameters, |x| local_response_norm(&layer, x, 0.02), |x| layer.forward(x));
}

#[test]
fn tanh_outputs_equal_those_of_burn() {
    let mut random = RandomTensors::new(0);
    let head: Tensor<4> = random.uniform([2, 3, 4, 5], -3.0..3.0);
    let source: Tensor<4> = random.uniform([2, 3, 4, 5], -0.9..0.9).autodiff().require_grad();

    check(head.clone(), no_parameters, tanh, |head| head.tanh());
    check(
        head,
        |gradients| vec![gradient(&source, gradients)],
        |head| tanh_offset(head, source.clone()),
        |head| (head + ((source.clone() + 1.0) / (-source.clone() + 1.0)).log() * 0.5).tanh(),
    );
}

#[test]
fn concatenations_and_residual_sums_equal_those_of_burn() {
    let mut random = RandomTensors::new(0);
    let maps: Tensor<4> = random.uniform([4, 3, 2, 5], -1.0..1.0);
    let conditions: Tensor<2> = random.uniform([6, 2], -1.0..1.0).autodiff();
    let planes = conditions.clone().reshape([6, 2, 1, 1]).expand([6, 2, 2, 5]);
    let gather = BatchGather { parts: 2, indices: vec![0, 0, 1] };

    check(
        maps.clone(),
        no_parameters,
        |x| concat_conditions(x, gather.clone(), conditions.clone()),
        |x| {
            let parts = x.chunk(2, 0);
            let gathered = Tensor::cat(vec![parts[0].clone(), parts[0].clone(), parts[1].clone()], 0);
            Tensor::cat(vec![gathered, planes.clone()], 1)
        },
    );
    check(
        maps.clone(),
        no_parameters,
        |x| concat_batches(vec![x.clone(), x.square()]),
        |x| Tensor::cat(vec![x.clone(), x.square()], 0),
    );
    check(maps, no_parameters, |x| residual_add(x, |x| x.square()), |x| x.clone() + x.square());
}

#[test]
fn squared_errors_equal_those_of_burn() {
    let target = |value, weight| Target { value, weight };
    let parts = [target(1.0, 0.5), target(0.0, 0.1), target(-0.5, 0.4)];
    let x = RandomTensors::new(0).uniform([6, 4, 2, 3], -2.0..2.0);

    check(
        x,
        no_parameters,
        |x| weighted_squared_error(x, parts),
        |x| {
            let terms = x.chunk(3, 0).into_iter().zip(parts);
            let terms = terms.map(|(x, part)| (x - part.value).square().mean() * part.weight);
            terms.reduce(|sum, term| sum + term).expect("there are three parts")
        },
    );
}
