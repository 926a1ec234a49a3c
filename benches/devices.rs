//! The networks, a training step, detection and the loading of data on every device that was built in and works here.
//!
//! `cargo bench --bench devices` compares the CPU with the GPU backends of this build, and
//! `cargo run --release --example compare_devices` makes a table and a picture of it. `IPCGAN_BENCH_PRESET=paper` takes
//! the published networks instead of the compact ones, `IPCGAN_BENCH_DEVICES=cpu,cuda` these devices alone. Throughput is in
//! faces, or in operations for the matrix product, which says what the device can do at most.
//!
//! A device works by itself, and each measurement waits for it once, at its end.

#![allow(clippy::print_stdout, reason = "it answers whoever runs it")]

mod step;
mod timing;

use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;

use burn::tensor::{Device, Distribution, Tensor};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use ipcgan::data::detection::{FaceDetector, YunetConfig};
use ipcgan::data::preparation::{PreparationConfig, Watch, prepare};
use ipcgan::data::{AgingDataset, Augmentation, PreparedFolder, SyntheticConfig, SyntheticFaces};
use ipcgan::model::{LineAllocator, Preset, keep_freed_memory};
use ipcgan::{AgeGroups, DeviceChoice, face_detector, photo};
use step::{faces, groups};
use timing::until_done;

/// As in the command.
#[global_allocator]
static ALLOCATOR: LineAllocator = LineAllocator;

/// Faces in a batch of the networks, and of a training step.
const BATCHES: [usize; 3] = [1, 8, 32];
const TRAINING_BATCHES: [usize; 2] = [4, 32];
/// Rows and columns of the matrices whose product shows what a device can do.
const MATRIX_SIDES: [(&str, usize); 3] = [("cpu", 1024), ("wgpu:software", 512), ("", 4096)];

fn preset() -> Preset {
    let name = std::env::var("IPCGAN_BENCH_PRESET").unwrap_or("compact".into());
    name.parse().expect("IPCGAN_BENCH_PRESET is paper, compact or tiny")
}

/// Devices that work here, by name; the others are said and left out.
fn devices() -> Vec<(String, Device)> {
    keep_freed_memory();
    let wanted: Option<Vec<String>> =
        std::env::var("IPCGAN_BENCH_DEVICES").ok().map(|names| names.split(',').map(str::to_string).collect());
    let visible = DeviceChoice::visible().into_iter();
    // `vulkan` is every GPU by Vulkan, `vulkan:0` the first.
    let is_wanted = |choice: &String, names: &[String]| {
        names
            .iter()
            .any(|name| choice == name || choice.strip_prefix(name.as_str()).is_some_and(|rest| rest.starts_with(':')))
    };
    let chosen = visible.filter(|choice| wanted.as_ref().is_none_or(|names| is_wanted(&choice.to_string(), names)));
    let resolved = chosen.map(|choice| (choice.to_string(), choice.resolve()));
    let working = resolved.filter_map(|(name, device)| match device {
        Ok(device) => Some((name, device)),
        Err(error) => {
            println!("left out: {error}");
            None
        }
    });
    working.collect()
}

/// One square matrix by another, in float32.
fn matrix_product(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("matrix product");
    group.sample_size(10);
    for (name, device) in devices() {
        let (_, side) =
            MATRIX_SIDES.into_iter().find(|(device, _)| name.starts_with(device)).expect("the last fits all");
        let [a, b] = [(); 2].map(|()| Tensor::<2>::random([side, side], Distribution::Uniform(-1.0, 1.0), &device));
        group.throughput(Throughput::Elements(2 * (side as u64).pow(3)));
        group.bench_function(BenchmarkId::new(&name, side), |bencher| {
            until_done(bencher, &device, || drop(black_box(a.clone().matmul(b.clone()))));
        });
    }
}

fn generator(criterion: &mut Criterion) {
    let config = preset().generator();
    let mut group = criterion.benchmark_group(format!("generator, {}", preset()));
    group.sample_size(10);
    for (name, device) in devices() {
        let generator = config.init(&AgeGroups::default(), 0, &device).into_inference();
        for batch in BATCHES {
            let source = faces(batch, config.image_size, &device);
            let target = groups(batch, 0, &device);
            group.throughput(Throughput::Elements(batch as u64));
            group.bench_function(BenchmarkId::new(&name, batch), |bencher| {
                until_done(bencher, &device, || drop(black_box(generator.forward(source.clone(), target.clone()))));
            });
        }
    }
}

fn alexnet(criterion: &mut Criterion) {
    let preset = preset();
    let mut group = criterion.benchmark_group(format!("alexnet, {preset}"));
    group.sample_size(10);
    for (name, device) in devices() {
        let alexnet = preset.alexnet(1).init(&AgeGroups::default(), 0, &device).into_frozen();
        for batch in BATCHES {
            let source = faces(batch, preset.generator().image_size, &device);
            group.throughput(Throughput::Elements(batch as u64));
            group.bench_function(BenchmarkId::new(&name, batch), |bencher| {
                until_done(bencher, &device, || {
                    drop(black_box(alexnet.age_logits(alexnet.features(source.clone()))));
                });
            });
        }
    }
}

fn training_step(criterion: &mut Criterion) {
    let preset = preset();
    let mut group = criterion.benchmark_group(format!("training step, {preset}"));
    group.sample_size(10);
    for (name, device) in devices() {
        for batch in TRAINING_BATCHES {
            let mut step = step::training_step(preset, 100, batch, &device);
            group.throughput(Throughput::Elements(batch as u64));
            group.bench_function(BenchmarkId::new(&name, batch), |bencher| {
                until_done(bencher, &device, || drop(black_box(step())));
            });
        }
    }
}

fn detection(criterion: &mut Criterion) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/photos/grace-hopper.jpg");
    let photo = photo::read(&path).expect("the photo is part of the project");
    let mut group = criterion.benchmark_group("detection");
    group.sample_size(10).throughput(Throughput::Elements(1));
    for (name, device) in devices() {
        let detector = face_detector(YunetConfig::default(), &device);
        group.bench_function(&name, |bencher| bencher.iter(|| black_box(detector.detect(&photo))));
    }
}

fn data_loading(criterion: &mut Criterion) {
    use burn::data::dataset::Dataset;

    let size = preset().generator().image_size as u32;
    let config = SyntheticConfig::new().with_identities(10).with_size(size);
    let drawn = SyntheticFaces::new(config, &AgeGroups::default());
    drawn.draw_all(&|_, _| {});
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let prepared = PreparationConfig::new("synthetic".into()).with_size(size);
    prepare(&drawn, Vec::new(), folder.path(), &prepared, &Watch::default()).expect("faces can be written");
    let (faces, _) = PreparedFolder::open(folder.path(), &AgeGroups::default()).expect("what was written is there");
    let dataset =
        AgingDataset::stream(Arc::new(faces), &AgeGroups::default(), size, Augmentation::mirrored(), 0, 1_000_000)
            .expect("every group is drawn");
    let mut group = criterion.benchmark_group("data loading");
    // Each item is a source and a real face, whichever device learns from them.
    const ITEMS: usize = 32;
    group.throughput(Throughput::Elements(2 * ITEMS as u64));
    let mut first = 0;
    group.bench_function("cpu", |bencher| {
        bencher.iter(|| {
            first += ITEMS;
            black_box(dataset.get_many((first..first + ITEMS).collect()).expect("every picture can be read"))
        });
    });
}

criterion_group!(benches, matrix_product, generator, alexnet, training_step, detection, data_loading);
criterion_main!(benches);
