//! Our CPU kernels against Burn's: each convolution of the published networks, and a whole training step.
//!
//! `cargo bench --bench kernels`. Each layer is measured as in training: forward pass and both gradients. With
//! `--features ndarray` the training step also runs on Burn's older CPU backend, which has kernels of its own.
//! `cargo bench -p ipcgan-kernels` measures our kernels individually.

#[path = "../crates/ipcgan-kernels/benches/networks/mod.rs"]
mod networks;
mod step;

use std::hint::black_box;

use burn::nn::PaddingConfig2d;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::tensor::{Device, Distribution, Tensor};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use ipcgan::DeviceChoice;
use ipcgan::system::{CacheAlignedAllocator, retain_freed_memory};
use ipcgan::train::Preset;
use ipcgan_kernels::{ConvAlgorithm, Convolution, Epilogue, InstructionSet, weight_gradient};
use networks::{BATCH, Layer, layers};

/// As in the command-line program.
#[global_allocator]
static ALLOCATOR: CacheAlignedAllocator = CacheAlignedAllocator;

fn convolutions(criterion: &mut Criterion) {
    retain_freed_memory();
    for layer in layers() {
        let mut group = criterion.benchmark_group(layer.name);
        group.sample_size(10).throughput(Throughput::Elements(3 * layer.operations()));
        let mut ours = ours(&layer);
        group.bench_function(BenchmarkId::new("output and gradients", "ours"), |bencher| bencher.iter(&mut ours));
        let mut burns = burns(&layer);
        group.bench_function(BenchmarkId::new("output and gradients", "Burn"), |bencher| bencher.iter(&mut burns));
        group.finish();
    }
}

fn ours(layer: &Layer) -> impl FnMut() {
    let numbers = |count: usize| (0..count).map(|index| (index * 7919 % 1013) as f32 / 1013.0 - 0.5).collect();
    let (weights, channels, params): (Vec<f32>, _, _) = (numbers(layer.weights()), layer.channels(), layer.params);
    let (input, gradient): (Vec<f32>, Vec<f32>) =
        (numbers(layer.input.num_elements()), numbers(layer.output.num_elements()));
    let (input_shape, output_shape) = (layer.input, layer.output);
    move || {
        let (best, fast, epilogue) = (InstructionSet::best(), ConvAlgorithm::Winograd, Epilogue::default());
        let forward = Convolution::new(best, fast, &weights, channels, &params, Some(output_shape));
        black_box(forward.run(&input, input_shape, [output_shape.height, output_shape.width], &epilogue));
        let adjoint = Convolution::adjoint(best, fast, &weights, channels, &params, Some(input_shape));
        black_box(adjoint.run(&gradient, output_shape, [input_shape.height, input_shape.width], &epilogue));
        black_box(weight_gradient(best, fast, (&input, input_shape), (&gradient, output_shape), &params));
    }
}

fn burns(layer: &Layer) -> impl FnMut() {
    let device = Device::flex().autodiff();
    let Layer { input, output, params, .. } = layer;
    let (pad_before, pad_after) = (params.pad_before, params.pad_after);
    let conv: Conv2d = Conv2dConfig::new([input.channels, output.channels], [params.kernel; 2])
        .with_stride([params.stride; 2])
        .with_groups(params.groups)
        .with_padding(PaddingConfig2d::Explicit(pad_before, pad_before, pad_after, pad_after))
        .with_bias(false)
        .init(&device);
    let shape = [input.batch, input.channels, input.height, input.width];
    let x = Tensor::<4>::random(shape, Distribution::Uniform(-1.0, 1.0), &device);
    move || {
        let x = x.clone().require_grad();
        let gradients = conv.forward(x.clone()).backward();
        black_box((x.grad(&gradients), conv.weight.val().grad(&gradients)));
    }
}

fn training_step(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("training step, paper");
    group.sample_size(10).throughput(Throughput::Elements(BATCH as u64));
    for (name, choice) in [("ours", DeviceChoice::Cpu), ("Burn, ndarray", DeviceChoice::NdArray)] {
        // `ndarray` only exists in builds with its feature.
        let Ok(device) = choice.resolve() else { continue };
        let mut step = step::training_step(Preset::Paper, 100, BATCH, &device);
        group.bench_function(BenchmarkId::new(name, BATCH), |bencher| bencher.iter(|| drop(black_box(step()))));
    }
}

criterion_group!(benches, convolutions, training_step);
criterion_main!(benches);
