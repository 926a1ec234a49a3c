//! Three ways to compute a convolution's gradient with respect to its weights, on every device: as Burn computes it
//! without autotune, a convolution whose kernel is a whole map; the same with the batch in parts; and as products of
//! matrices over parts of the maps. GPUs train by none of them, but by a kernel of their own
//! (`operation/gpu/weight_gradient.rs`).
//!
//! `cargo bench --bench weight_gradient`. On the CPU the networks use none of them (`ipcgan-kernels`).

#![allow(clippy::print_stdout, reason = "a benchmark prints its result")]

mod timing;

use std::hint::black_box;

use burn::tensor::module::conv2d;
use burn::tensor::ops::ConvOptions;
use burn::tensor::{Device, Distribution, Tensor};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use ipcgan::DeviceChoice;
use timing::until_done;

/// Inputs, outputs, kernel and side of the maps: layers of the `compact` generator.
const LAYERS: [(usize, usize, usize, usize); 3] = [(8, 16, 7, 128), (32, 32, 3, 64), (64, 64, 3, 32)];
const BATCH: usize = 8;
/// Maps that one sum sees.
const PART: usize = 4;
/// Places of a map that one product sums over.
const PLACES: usize = 1024;

/// From inputs, the gradient of the outputs, and the kernel's side.
type Way = fn(Tensor<4>, Tensor<4>, usize) -> Tensor<4>;

/// `[outputs, inputs, kernel, kernel]` of `x` `[batch, inputs, side, side]` and the gradient `[batch, outputs, side, side]`.
fn as_convolution(x: Tensor<4>, gradient: Tensor<4>, kernel: usize) -> Tensor<4> {
    let options = ConvOptions::new([1, 1], [kernel / 2; 2], [1, 1], 1);
    conv2d(x.swap_dims(0, 1), gradient.swap_dims(0, 1), None, options).swap_dims(0, 1)
}

/// The same with the batch in parts, each a group of the convolution.
fn as_groups(x: Tensor<4>, gradient: Tensor<4>, kernel: usize) -> Tensor<4> {
    let ([batch, inputs, _, _], [_, outputs, height, width]) = (x.dims(), gradient.dims());
    let parts = batch / PART;
    let gradient = gradient.reshape([parts, PART, outputs, height, width]).swap_dims(1, 2);
    let gradient = gradient.reshape([parts * outputs, PART, height, width]);
    let options = ConvOptions::new([1, 1], [kernel / 2; 2], [1, 1], parts);
    let sums = conv2d(x.swap_dims(0, 1), gradient, None, options).reshape([inputs, parts, outputs, kernel, kernel]);
    sums.sum_dim(1).reshape([inputs, outputs, kernel, kernel]).swap_dims(0, 1)
}

/// The same as the sum of products of `[outputs, places]` and `[places, kernel * inputs]`, for each row of the kernel.
fn as_products(x: Tensor<4>, gradient: Tensor<4>, kernel: usize) -> Tensor<4> {
    let ([batch, inputs, height, width], outputs) = (x.dims(), gradient.dims()[1]);
    let (parts, border) = ((height * width / PLACES).max(1), kernel / 2);
    let part = height * width / parts;
    let padded = x.pad([(border, border), (border, border)], 0.0);
    let gradient = gradient.reshape([batch, outputs, parts, part]).swap_dims(1, 2);
    let rows = (0..kernel).map(|row| {
        let seen = (0..kernel).map(|column| {
            let params = padded.clone().slice([0..batch, 0..inputs, row..row + height, column..column + width]);
            params.reshape([batch, inputs, parts, part])
        });
        let seen = Tensor::cat(seen.collect(), 1).permute([0, 2, 3, 1]); // [batch, parts, part, kernel * inputs]
        let products = gradient.clone().matmul(seen).reshape([batch * parts, outputs * kernel * inputs]);
        products.sum_dim(0).reshape([outputs, 1, kernel, inputs])
    });
    Tensor::cat(rows.collect(), 1).permute([0, 3, 1, 2])
}

fn weight_gradient(criterion: &mut Criterion) {
    for (inputs, outputs, kernel, side) in LAYERS {
        let name = format!("weight gradient, {inputs} to {outputs}, {kernel}x{kernel}, {side}x{side}");
        let mut group = criterion.benchmark_group(name);
        group.sample_size(10).throughput(Throughput::Elements(BATCH as u64));
        let working =
            DeviceChoice::visible().into_iter().filter_map(|choice| Some((choice.clone(), choice.resolve().ok()?)));
        for (choice, device) in working {
            let shape = |channels| {
                Tensor::<4>::random([BATCH, channels, side, side], Distribution::Uniform(-1.0, 1.0), &device)
            };
            let (x, gradient) = (shape(inputs), shape(outputs));
            let ways: [(&str, Way); 3] =
                [("convolution", as_convolution), ("groups", as_groups), ("products", as_products)];
            let expected =
                as_products(x.clone().to_device(&Device::flex()), gradient.clone().to_device(&Device::flex()), kernel);
            let scale = expected.clone().abs().max().into_scalar::<f32>();
            for (way, compute) in ways {
                let found = compute(x.clone(), gradient.clone(), kernel).to_device(&Device::flex());
                let difference = (found - expected.clone()).abs().max().into_scalar::<f32>();
                println!("{choice}, {way}: {:.1e} of the largest value from the CPU's products", difference / scale);
            }
            for (way, compute) in ways {
                group.bench_function(BenchmarkId::new(way, &choice), |bencher| {
                    until_done(bencher, &device, || drop(black_box(compute(x.clone(), gradient.clone(), kernel))));
                });
            }
        }
    }
}

criterion_group!(benches, weight_gradient);
criterion_main!(benches);
