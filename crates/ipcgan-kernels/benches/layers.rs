//! Each layer of the published networks: output, gradient of the input and gradient of the weights.
//!
//! `cargo bench -p ipcgan-kernels` measures with the best instructions of this processor, directly and with the fewest
//! multiplications; throughput counts a direct convolution's multiplications and additions. `peak` is what this machine
//! can multiply and add at most, with all that takes part in registers.

mod networks;

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use ipcgan_kernels::{
    Activation, CacheAlignedAllocator, ConvAlgorithm, Convolution, Epilogue, HalfLinear, InstructionSet, Linear,
    weight_gradient,
};
use networks::{BATCH, layers};
use pulp::{Arch, Simd, WithSimd};

/// As in the command.
#[global_allocator]
static ALLOCATOR: CacheAlignedAllocator = CacheAlignedAllocator;

fn numbers(count: usize) -> Vec<f32> {
    (0..count).map(|index| (index * 7919 % 1013) as f32 / 1013.0 - 0.5).collect()
}

fn convolutions(criterion: &mut Criterion) {
    let instructions = InstructionSet::best();
    let epilogue = Epilogue::default();
    for layer in layers() {
        let (weights, channels) = (numbers(layer.weights()), layer.channels());
        let (input, gradient) = (numbers(layer.input.num_elements()), numbers(layer.output.num_elements()));
        let [sides, input_sides] = [layer.output, layer.input].map(|shape| [shape.height, shape.width]);

        let mut group = criterion.benchmark_group(layer.name);
        group.sample_size(10);
        group.throughput(Throughput::Elements(layer.operations()));
        for (name, algorithm) in [("direct", ConvAlgorithm::Direct), ("fast", ConvAlgorithm::Winograd)] {
            group.bench_function(BenchmarkId::new("output", name), |bencher| {
                bencher.iter(|| {
                    let once = Some(layer.output);
                    let conv = Convolution::new(instructions, algorithm, &weights, channels, &layer.params, once);
                    black_box(conv.run(&input, layer.input, sides, &epilogue))
                });
            });
            group.bench_function(BenchmarkId::new("input gradient", name), |bencher| {
                bencher.iter(|| {
                    let once = Some(layer.input);
                    let conv = Convolution::adjoint(instructions, algorithm, &weights, channels, &layer.params, once);
                    black_box(conv.run(&gradient, layer.output, input_sides, &epilogue))
                });
            });
            group.bench_function(BenchmarkId::new("weight gradient", name), |bencher| {
                let (input, gradient) = ((&input[..], layer.input), (&gradient[..], layer.output));
                bencher.iter(|| black_box(weight_gradient(instructions, algorithm, input, gradient, &layer.params)));
            });
        }
        group.finish();
    }
}

/// `fc6`, which is nearly all reading of weights, in single and in half precision: throughput counts weights.
fn fully_connected(criterion: &mut Criterion) {
    let (inputs, outputs) = (9216, 4096);
    // Float16 numbers: 10 bits each.
    let weights: Vec<f32> = numbers(inputs * outputs).iter().map(|weight| (weight * 1024.0).round() / 1024.0).collect();
    let instructions = InstructionSet::best();
    let layer = Linear { instructions, weights: &weights, inputs, outputs };
    let half = HalfLinear::new(instructions, &weights, inputs, outputs).expect("16 bits hold the weights");
    let mut group = criterion.benchmark_group("alexnet fc6");
    group.sample_size(10);
    group.throughput(Throughput::Elements(weights.len() as u64));
    for batch in [1, BATCH, 2 * BATCH] {
        let (input, gradient) = (numbers(batch * inputs), numbers(batch * outputs));
        group.bench_function(BenchmarkId::new("output, half precision", batch), |bencher| {
            bencher.iter(|| black_box(half.run(&input, None, Activation::Relu)));
        });
        group.bench_function(BenchmarkId::new("input gradient, half precision", batch), |bencher| {
            bencher.iter(|| black_box(half.input_gradient(&gradient)));
        });
        group.bench_function(BenchmarkId::new("output", batch), |bencher| {
            bencher.iter(|| black_box(layer.run(&input, None, Activation::Relu)));
        });
        group.bench_function(BenchmarkId::new("input gradient", batch), |bencher| {
            bencher.iter(|| black_box(layer.input_gradient(&gradient)));
        });
    }
    group.finish();
}

/// Multiplies and adds in registers.
struct Peak {
    rounds: usize,
}

/// Sums that grow side by side: enough to hide how long one takes, few enough for the registers of AVX2.
const SUMS: usize = 12;

impl WithSimd for Peak {
    /// Multiplications and additions, and a value that depends on them.
    type Output = (usize, f32);

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> (usize, f32) {
        let (factor, term) = (simd.splat_f32s(black_box(0.5)), simd.splat_f32s(black_box(1.0)));
        let mut sums = [term; SUMS];
        for _ in 0..self.rounds {
            for sum in &mut sums {
                *sum = simd.mul_add_e_f32s(*sum, factor, term);
            }
        }
        let sum = sums.iter().fold(term, |all, &sum| simd.add_f32s(all, sum));
        (2 * self.rounds * SUMS * S::F32_LANES, simd.reduce_sum_f32s(sum))
    }
}

fn peak(criterion: &mut Criterion) {
    const ROUNDS: usize = 1_000_000;
    let arch = Arch::new();
    let threads = rayon::current_num_threads();
    let (operations, _) = arch.dispatch(Peak { rounds: ROUNDS });
    let mut group = criterion.benchmark_group("peak");
    group.sample_size(10).throughput(Throughput::Elements((operations * threads) as u64));
    group.bench_function("multiplications and additions", |bencher| {
        bencher.iter(|| rayon::broadcast(|_| black_box(arch.dispatch(Peak { rounds: ROUNDS }))));
    });
    group.finish();
}

criterion_group!(benches, peak, convolutions, fully_connected);
criterion_main!(benches);
