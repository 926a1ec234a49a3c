//! The generator, a training step and the loading of data on every device that was built in and works here.
//!
//! `cargo bench` compares the CPU with the GPU backends of this build; `IPCGAN_BENCH_PRESET=paper` takes the published
//! networks instead of the compact ones.

#![allow(clippy::print_stdout, reason = "it answers whoever runs it")]

mod step;

use std::hint::black_box;
use std::sync::Arc;

use burn::tensor::{Device, Tensor};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use ipcgan::data::preparation::{PreparationConfig, Watch, prepare};
use ipcgan::data::{AgingDataset, PreparedFolder, SyntheticConfig, SyntheticFaces};
use ipcgan::model::Preset;
use ipcgan::{AgeGroups, DeviceChoice};
use step::{faces, groups};

/// Faces in a batch of the training step.
const TRAINING_BATCH: usize = 4;

fn preset() -> Preset {
    let name = std::env::var("IPCGAN_BENCH_PRESET").unwrap_or("compact".into());
    name.parse().expect("IPCGAN_BENCH_PRESET is paper, compact or tiny")
}

/// Devices that work here, by name; the others are said and left out.
fn devices() -> Vec<(String, Device)> {
    let resolved = DeviceChoice::compiled().into_iter().map(|choice| (choice.to_string(), choice.resolve()));
    let working = resolved.filter_map(|(name, device)| match device {
        Ok(device) => Some((name, device)),
        Err(error) => {
            println!("left out: {error}");
            None
        }
    });
    working.collect()
}

fn generator(criterion: &mut Criterion) {
    let config = preset().generator();
    let mut group = criterion.benchmark_group(format!("generator, {}", preset()));
    group.sample_size(10);
    for (name, device) in devices() {
        let generator = config.init(&AgeGroups::default(), 0, &device);
        for batch in [1, 8] {
            let source = faces(batch, config.image_size, &device);
            let target = groups(batch, 0, &device);
            group.throughput(Throughput::Elements(batch as u64));
            group.bench_function(BenchmarkId::new(&name, batch), |bencher| {
                bencher.iter(|| black_box(generator.forward(source.clone(), target.clone()).into_data()));
            });
        }
    }
}

fn training_step(criterion: &mut Criterion) {
    let preset = preset();
    let mut group = criterion.benchmark_group(format!("training step, {preset}"));
    group.sample_size(10).throughput(Throughput::Elements(TRAINING_BATCH as u64));
    for (name, device) in devices() {
        let mut step = step::training_step(preset, 100, TRAINING_BATCH, &device);
        group.bench_function(BenchmarkId::new(&name, TRAINING_BATCH), |bencher| {
            bencher.iter(|| black_box(step().get("age").map(Tensor::into_data)));
        });
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
    let dataset = AgingDataset::stream(Arc::new(faces), &AgeGroups::default(), size, true, 0, 1_000_000)
        .expect("every group is drawn");
    let mut group = criterion.benchmark_group("data loading");
    // Each item is a source and a real face.
    const ITEMS: usize = 32;
    group.throughput(Throughput::Elements(2 * ITEMS as u64));
    let mut first = 0;
    group.bench_function("a batch of source and real faces", |bencher| {
        bencher.iter(|| {
            first += ITEMS;
            black_box(dataset.get_many((first..first + ITEMS).collect()).expect("every picture can be read"))
        });
    });
}

criterion_group!(benches, generator, training_step, data_loading);
criterion_main!(benches);
