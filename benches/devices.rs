//! Networks, a training step, face detection and data loading on every backend of the build that works.
//!
//! `cargo bench --bench devices` compares the CPU and each GPU by each interface of the build; `--features ndarray` adds
//! Burn's older CPU backend, which computes by Burn's kernels instead of ours. `cargo run --release --example
//! compare_devices` makes a table and a plot of it. `IPCGAN_BENCH_PRESET=paper` measures the published networks instead of
//! the compact ones; `IPCGAN_BENCH_DEVICES=cpu,cuda` measures only these devices, and is required for software renderers
//! (`wgpu:software`). The matrix product measures the peak of a device.
//!
//! A device works asynchronously, and each measurement waits for it once, at its end.

#![allow(clippy::print_stdout, reason = "a benchmark prints its result")]

mod step;
mod timing;

use std::hint::black_box;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use burn::tensor::{Device, Distribution, Tensor};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use ipcgan::data::detection::{FaceDetector, YunetConfig};
use ipcgan::data::preparation::{PreparationConfig, PrepareOptions, prepare};
use ipcgan::data::{AgingDataset, Augmentation, PreparedFolder, SyntheticConfig, SyntheticFaces};
use ipcgan::model::{KernelLaunches, is_flex};
use ipcgan::system::{CacheAlignedAllocator, retain_freed_memory};
use ipcgan::train::Preset;
use ipcgan::{AgeGroups, DeviceChoice, face_detector, photo};
use step::{STEPS_UNTIL_CAPTURED, faces, groups};
use timing::rate::Rate;
use timing::until_done;

/// As in the command-line program.
#[global_allocator]
static ALLOCATOR: CacheAlignedAllocator = CacheAlignedAllocator;

/// Batch sizes of the networks and of a training step.
const BATCHES: [usize; 3] = [1, 8, 32];
const TRAINING_BATCHES: [usize; 2] = [4, 32];
/// Size of the square matrices whose product measures the peak.
const MATRIX_SIDES: [(&str, usize); 4] = [("cpu", 1024), ("ndarray", 1024), ("wgpu:software", 512), ("", 4096)];

fn preset() -> Preset {
    let name = std::env::var("IPCGAN_BENCH_PRESET").unwrap_or("compact".into());
    name.parse().expect("IPCGAN_BENCH_PRESET is the name of a preset")
}

/// A device that works.
struct Backend {
    name: String,
    device: Device,
}

/// Backends that work: those in `IPCGAN_BENCH_DEVICES`, else all except software renderers. Others are skipped with a
/// message, once.
fn backends() -> &'static [Backend] {
    static BACKENDS: OnceLock<Vec<Backend>> = OnceLock::new();
    BACKENDS.get_or_init(find_backends)
}

fn find_backends() -> Vec<Backend> {
    retain_freed_memory();
    let named = std::env::var("IPCGAN_BENCH_DEVICES").ok();
    let is_wanted = |name: &str| match &named {
        None => !name.ends_with(":software"),
        // `vulkan` is every Vulkan GPU, `vulkan:0` the first.
        Some(names) => names
            .split(',')
            .any(|wanted| name == wanted || name.strip_prefix(wanted).is_some_and(|rest| rest.starts_with(':'))),
    };
    let mut backends = Vec::new();
    for choice in DeviceChoice::visible() {
        let name = choice.to_string();
        match is_wanted(&name).then(|| choice.resolve()) {
            Some(Ok(device)) => backends.push(Backend { name, device }),
            Some(Err(error)) => println!("left out: {error}"),
            None => println!("left out: {name}; IPCGAN_BENCH_DEVICES={name} measures it"),
        }
    }
    backends
}

/// Product of two square matrices in float32.
fn matrix_product(criterion: &mut Criterion<Rate>) {
    let mut group = criterion.benchmark_group("matrix product");
    group.sample_size(10);
    for Backend { name, device } in backends() {
        let (_, side) =
            MATRIX_SIDES.into_iter().find(|(device, _)| name.starts_with(device)).expect("the last fits all");
        let [a, b] = [(); 2].map(|()| Tensor::<2>::random([side, side], Distribution::Uniform(-1.0, 1.0), device));
        group.throughput(Throughput::Elements(2 * (side as u64).pow(3)));
        group.bench_function(BenchmarkId::new(name, side), |bencher| {
            until_done(bencher, device, || drop(black_box(a.clone().matmul(b.clone()))));
        });
    }
}

fn generator(criterion: &mut Criterion<Rate>) {
    let config = preset().generator();
    let mut group = criterion.benchmark_group(format!("generator, {}", preset()));
    group.sample_size(10);
    for Backend { name, device } in backends() {
        let generator = config.init(&AgeGroups::default(), 0, device).into_inference();
        for batch in BATCHES {
            let source = faces(batch, config.image_size, device);
            let target = groups(batch, 0, device);
            group.throughput(Throughput::Elements(batch as u64));
            group.bench_function(BenchmarkId::new(name, batch), |bencher| {
                until_done(bencher, device, || drop(black_box(generator.forward(source.clone(), target.clone()))));
            });
        }
    }
}

fn alexnet(criterion: &mut Criterion<Rate>) {
    let preset = preset();
    let mut group = criterion.benchmark_group(format!("alexnet, {preset}"));
    group.sample_size(10);
    for Backend { name, device } in backends() {
        let alexnet = preset.alexnet(1).init(&AgeGroups::default(), 0, device).into_frozen();
        for batch in BATCHES {
            let source = faces(batch, preset.generator().image_size, device);
            group.throughput(Throughput::Elements(batch as u64));
            group.bench_function(BenchmarkId::new(name, batch), |bencher| {
                until_done(bencher, device, || {
                    drop(black_box(alexnet.age_logits(alexnet.features(source.clone()))));
                });
            });
        }
    }
}

fn training_step(criterion: &mut Criterion<Rate>) {
    let preset = preset();
    let mut group = criterion.benchmark_group(format!("training step, {preset}"));
    group.sample_size(10);
    for Backend { name, device } in backends() {
        for batch in TRAINING_BATCHES {
            let mut step = step::training_step(preset, 100, batch, device);
            print_launches(&format!("{name}, {batch} faces"), device, || drop(black_box(step())));
            group.throughput(Throughput::Elements(batch as u64));
            group.bench_function(BenchmarkId::new(name, batch), |bencher| {
                until_done(bencher, device, || drop(black_box(step())));
            });
            drop(step);
            if is_flex(device) {
                continue;
            }
            let mut step = step::captured_step(preset, 100, batch, device);
            (0..STEPS_UNTIL_CAPTURED).for_each(|_| drop(step()));
            print_launches(&format!("{name}, {batch} faces, captured"), device, || drop(black_box(step())));
            group.bench_function(BenchmarkId::new(format!("{name}-captured"), batch), |bencher| {
                until_done(bencher, device, || drop(black_box(step())));
            });
        }
    }
}

/// Prints how many kernels a step launches on a GPU, how long the host takes to submit them, and when they are done.
fn print_launches(name: &str, device: &Device, mut step: impl FnMut()) {
    let wait = || device.sync().expect("the device works");
    // Kernels are compiled and the optimizers' state is initialized.
    step();
    wait();
    let start = Instant::now();
    let launches = KernelLaunches::of(&mut step).total();
    let submitted = start.elapsed().as_secs_f64() * 1e3;
    wait();
    let done = start.elapsed().as_secs_f64() * 1e3;
    if launches > 0 {
        println!("{name}: {launches} kernel launches a step, submitted in {submitted:.1} ms, done after {done:.1} ms");
    }
}

fn detection(criterion: &mut Criterion<Rate>) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/photos/grace-hopper.jpg");
    let photo = photo::read(&path).expect("the photo is part of the project");
    let mut group = criterion.benchmark_group("detection");
    group.sample_size(10).throughput(Throughput::Elements(1));
    for Backend { name, device } in backends() {
        let detector = face_detector(YunetConfig::default(), device);
        group.bench_function(name, |bencher| bencher.iter(|| black_box(detector.detect(&photo))));
    }
}

fn data_loading(criterion: &mut Criterion<Rate>) {
    use burn::data::dataset::Dataset;

    let size = preset().generator().image_size as u32;
    let config = SyntheticConfig::new().with_identities(10).with_size(size);
    let synthetic = SyntheticFaces::new(config, &AgeGroups::default());
    synthetic.render_all(&|_, _| {});
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let prepared = PreparationConfig::new("synthetic".into()).with_size(size);
    prepare(&synthetic, Vec::new(), folder.path(), &prepared, &PrepareOptions::default())
        .expect("faces can be written");
    let (faces, _) = PreparedFolder::open(folder.path(), &AgeGroups::default()).expect("what was written is there");
    let dataset =
        AgingDataset::stream(Arc::new(faces), &AgeGroups::default(), size, Augmentation::mirrored(), 0, 1_000_000)
            .expect("every group has synthetic faces");
    let mut group = criterion.benchmark_group("data loading");
    // Each item is a source and a real face, whichever device learns from them.
    const ITEMS: usize = 32;
    group.throughput(Throughput::Elements(2 * ITEMS as u64));
    let mut first = 0;
    group.bench_function("cpu", |bencher| {
        bencher.iter(|| {
            first += ITEMS;
            black_box(dataset.get_many((first..first + ITEMS).collect()).expect("every image can be read"))
        });
    });
}

fn measured_in(unit: &'static str, elements: f64) -> Criterion<Rate> {
    Criterion::default().with_measurement(Rate { unit, elements })
}

criterion_group! { name = operations; config = measured_in("GFLOP/s", 1e9); targets = matrix_product }
criterion_group! {
    name = faces_per_second;
    config = measured_in("faces/s", 1.0);
    targets = generator, alexnet, training_step, data_loading
}
criterion_group! { name = photos_per_second; config = measured_in("photos/s", 1.0); targets = detection }
criterion_main!(operations, faces_per_second, photos_per_second);
