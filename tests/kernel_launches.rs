//! The budget of kernel launches of a training step and of inference, on the GPU that `IPCGAN_TEST_DEVICE` names.
//!
//! On a GPU a small step takes as long as its launches. Kernels are compiled and counted, but not executed, so that a
//! software renderer (`wgpu:software`) counts steps of many faces in seconds. Nothing else may run in this process.
//!
//! The budgets are the counts of software Vulkan. A driver that binds fewer buffers to a kernel needs a few more launches for
//! the optimizers, one that binds more a few less.

#![allow(clippy::unwrap_used, reason = "a test may panic")]
#![allow(clippy::print_stdout, reason = "the counts are worth knowing when they are within the budget too")]

#[path = "../benches/step/mod.rs"]
mod step;

use burn::tensor::Device;
use ipcgan::model::KernelLaunches;
use ipcgan::train::Preset;
use ipcgan::{AgeGroups, DeviceChoice};

/// Launches of the second run: in that of a training step, the optimizers have their state.
fn launches<R>(mut step: impl FnMut() -> R) -> KernelLaunches {
    KernelLaunches::dry(|| drop(step()));
    KernelLaunches::dry(|| drop(step()))
}

fn check(name: &str, budget: usize, launches: &KernelLaunches) {
    println!("{name}: {} launches of {budget}", launches.total());
    assert!(launches.total() <= budget, "{name} exceeds its budget of {budget} launches:\n{launches}");
}

#[test]
fn training_and_inference_on_a_gpu_stay_within_their_budgets_of_launches() {
    let Ok(name) = std::env::var("IPCGAN_TEST_DEVICE") else { return };
    let device: Device = name.parse::<DeviceChoice>().unwrap().resolve().unwrap();

    let step = |preset, batch| launches(step::training_step(preset, 100, batch, &device));
    let run_step = |preset, batch| launches(step::preset_step(preset, batch, &device));

    check("compact, 4 faces", 318, &step(Preset::Compact, 4));
    check("compact, 32 faces", 318, &step(Preset::Compact, 32));
    check("a run of compact, 32 faces", 344, &run_step(Preset::Compact, 32));
    check("a run of tiny, 8 faces", 596, &run_step(Preset::Tiny, 8));

    let generator = Preset::Natural.generator().init(&AgeGroups::default(), 0, &device).into_inference();
    let face = || generator.forward(step::faces(1, 128, &device), step::groups(1, 0, &device));
    check("inference, one face", 32, &launches(face));
}
