//! Each layer of the published networks: output, gradient of the input and gradient of the weights.
//!
//! `cargo bench -p ipcgan-kernels` measures with the best instructions of this processor, directly and with the fewest
//! multiplications; throughput counts a direct convolution's multiplications and additions.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use ipcgan_kernels::{
    Activation, Arithmetic, Convolution, Epilogue, Instructions, LineAllocator, Linear, Maps, Window, weight_gradient,
};

/// As in the command.
#[global_allocator]
static ALLOCATOR: LineAllocator = LineAllocator;

const BATCH: usize = 4;

/// A layer by name, side of its input, channels in and out, and kernel, stride, padding before and after, groups.
type Layer = (&'static str, usize, [usize; 2], [usize; 5]);

const LAYERS: [Layer; 14] = [
    ("generator stem", 128, [8, 32], [7, 1, 3, 3, 1]),
    ("generator down1", 128, [32, 64], [3, 2, 0, 1, 1]),
    ("generator down2", 64, [64, 128], [3, 2, 0, 1, 1]),
    ("generator residual", 32, [128, 128], [3, 1, 1, 1, 1]),
    ("generator head", 128, [32, 3], [7, 1, 3, 3, 1]),
    ("discriminator stem", 128, [3, 64], [4, 2, 1, 1, 1]),
    ("discriminator down1", 64, [69, 128], [4, 2, 1, 1, 1]),
    ("discriminator down2", 32, [128, 256], [4, 2, 1, 1, 1]),
    ("discriminator patch", 16, [256, 512], [4, 1, 1, 2, 1]),
    ("discriminator head", 16, [512, 512], [4, 1, 1, 2, 1]),
    ("alexnet conv1", 227, [3, 96], [11, 4, 0, 0, 1]),
    ("alexnet conv2", 27, [96, 256], [5, 1, 2, 2, 2]),
    ("alexnet conv3", 13, [256, 384], [3, 1, 1, 1, 1]),
    ("alexnet conv5", 13, [384, 256], [3, 1, 1, 1, 2]),
];

fn numbers(count: usize) -> Vec<f32> {
    (0..count).map(|index| (index * 7919 % 1013) as f32 / 1013.0 - 0.5).collect()
}

fn layers(criterion: &mut Criterion) {
    let instructions = Instructions::best();
    let epilogue = Epilogue::default();
    for (name, side, [inputs, outputs], [kernel, stride, before, after, groups]) in LAYERS {
        let window = Window { kernel, stride, before, after, groups };
        let maps = Maps { batch: BATCH, height: side, width: side, channels: inputs };
        let output_side = window.output_side(side);
        let output_maps = Maps { height: output_side, width: output_side, channels: outputs, ..maps };
        let channels = [outputs, inputs / groups];
        let weights = numbers(channels[0] * channels[1] * kernel * kernel);
        let (input, gradient) = (numbers(maps.values()), numbers(output_maps.values()));

        let mut group = criterion.benchmark_group(name);
        group.sample_size(10);
        group.throughput(Throughput::Elements(2 * (weights.len() * output_maps.pixels()) as u64));
        for (name, arithmetic) in [("direct", Arithmetic::Direct), ("fast", Arithmetic::Fast)] {
            group.bench_function(BenchmarkId::new("output", name), |bencher| {
                bencher.iter(|| {
                    let once = Some(output_maps);
                    let layer = Convolution::new(instructions, arithmetic, &weights, channels, &window, once);
                    black_box(layer.run(&input, maps, [output_side; 2], &epilogue))
                });
            });
            group.bench_function(BenchmarkId::new("input gradient", name), |bencher| {
                bencher.iter(|| {
                    let layer = Convolution::adjoint(instructions, arithmetic, &weights, channels, &window, Some(maps));
                    black_box(layer.run(&gradient, output_maps, [side; 2], &epilogue))
                });
            });
            group.bench_function(BenchmarkId::new("weight gradient", name), |bencher| {
                let (input, gradient) = ((&input[..], maps), (&gradient[..], output_maps));
                bencher.iter(|| black_box(weight_gradient(instructions, arithmetic, input, gradient, &window)));
            });
        }
        group.finish();
    }
}

/// `fc6`, which is nearly all reading of weights: throughput counts their bytes.
fn fully_connected(criterion: &mut Criterion) {
    let (inputs, outputs) = (9216, 4096);
    let weights = numbers(inputs * outputs);
    let layer = Linear { instructions: Instructions::best(), weights: &weights, inputs, outputs };
    let mut group = criterion.benchmark_group("alexnet fc6");
    group.sample_size(10);
    group.throughput(Throughput::Bytes(4 * weights.len() as u64));
    for batch in [1, BATCH, 2 * BATCH] {
        let (input, gradient) = (numbers(batch * inputs), numbers(batch * outputs));
        group.bench_function(BenchmarkId::new("output", batch), |bencher| {
            bencher.iter(|| black_box(layer.run(&input, None, Activation::Relu)));
        });
        group.bench_function(BenchmarkId::new("input gradient", batch), |bencher| {
            bencher.iter(|| black_box(layer.input_gradient(&gradient)));
        });
    }
    group.finish();
}

criterion_group!(benches, layers, fully_connected);
criterion_main!(benches);
