//! Our side of the comparison with PyTorch and ONNX Runtime: runs a workload on request.
//!
//! `compare.py` starts it as `ours WORK BATCH [DEVICE]` and writes lines to its standard input, each a number of
//! repetitions; it responds to each with the seconds per repetition. At the end of its input it prints its peak memory
//! in kilobytes. `ours onnx FILE` exports the embedded weights for the others. The weights of `alexnet-half` are rounded
//! to float16 numbers, as in a half-precision weights file.

#![allow(clippy::print_stdout, reason = "a benchmark prints its result")]

#[path = "../step/mod.rs"]
mod step;

use std::error::Error;
use std::io::BufRead;
use std::time::Instant;

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{DType, Device, Tensor};
use ipcgan::model::weights::{self, Weights};
use ipcgan::model::{Generator, ModelError, onnx};
use ipcgan::system::{CacheAlignedAllocator, retain_freed_memory};
use ipcgan::train::Preset;
use ipcgan::{AgeGroups, DeviceChoice};
use step::{STEPS_UNTIL_CAPTURED, captured_step, faces, groups, training_step};

/// What `WORK` can be.
const WORKS: &str = "step|captured|generator|embedded|alexnet|alexnet-half";

/// Size of the identity head of the reference.
const IDENTITIES: usize = 2000;

/// As in the command-line program.
#[global_allocator]
static ALLOCATOR: CacheAlignedAllocator = CacheAlignedAllocator;

fn main() -> Result<(), Box<dyn Error>> {
    // As the command-line program does.
    retain_freed_memory();
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let [work, batch, rest @ ..] = arguments.as_slice() else {
        println!("usage: ours {WORKS} BATCH [DEVICE]; compare.py runs it");
        return Ok(());
    };
    if work == "onnx" {
        let weights = embedded(&DeviceChoice::Cpu.resolve()?)?;
        std::fs::write(batch, onnx::generator(&weights.network, &weights.config, &weights.age_groups))?;
        return Ok(());
    }
    let choice = rest.first().map_or(Ok(DeviceChoice::Cpu), |name| name.parse())?;
    let device = choice.resolve()?;
    let mut repeat = work_of(work, batch.parse()?, &device)?;
    for line in std::io::stdin().lock().lines() {
        let repetitions: u32 = line?.trim().parse()?;
        let start = Instant::now();
        (0..repetitions).for_each(|_| repeat());
        device.sync()?;
        println!("{}", (start.elapsed() / repetitions).as_secs_f64());
    }
    println!("{}", peak_memory()?);
    Ok(())
}

/// The embedded weights.
fn embedded(device: &Device) -> Result<Weights<Generator>, ModelError> {
    weights::load(concat!(env!("CARGO_MANIFEST_DIR"), "/assets/weights/generator.safetensors").as_ref(), device)
}

fn work_of(work: &str, batch: usize, device: &Device) -> Result<Box<dyn FnMut()>, Box<dyn Error>> {
    let (preset, all) = (Preset::Paper, AgeGroups::default());
    let size = preset.generator().image_size;
    Ok(match work {
        "generator" | "embedded" => {
            let generator = match work {
                "embedded" => embedded(device)?.network,
                _ => preset.generator().init(&all, 0, device),
            };
            let generator = generator.into_inference();
            let (source, target) = (faces(batch, size, device), groups(batch, 0, device));
            Box::new(move || drop(generator.forward(source.clone(), target.clone()).into_data()))
        }
        "alexnet" | "alexnet-half" => {
            let alexnet = preset.alexnet(IDENTITIES).init(&all, 0, device);
            let alexnet = if work == "alexnet-half" { alexnet.map(&mut RoundToHalf) } else { alexnet };
            let alexnet = alexnet.into_frozen();
            let source = faces(batch, size, device);
            Box::new(move || drop(alexnet.age_logits(alexnet.features(source.clone())).into_data()))
        }
        "step" => {
            let mut step = training_step(preset, IDENTITIES, batch, device);
            Box::new(move || drop(step()))
        }
        "captured" => {
            let mut step = captured_step(preset, IDENTITIES, batch, device);
            (0..STEPS_UNTIL_CAPTURED).for_each(|_| drop(step()));
            Box::new(move || drop(step()))
        }
        _ => return Err(format!("the work is one of {WORKS}").into()),
    })
}

/// Rounds weights to float16 numbers, on the CPU because not every GPU has them.
struct RoundToHalf;

impl ModuleMapper for RoundToHalf {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        param.map(|weights| {
            let device = weights.device();
            weights.to_device(&Device::flex()).cast(DType::F16).cast(DType::F32).to_device(&device)
        })
    }
}

/// Peak memory of this process in kilobytes.
fn peak_memory() -> Result<u64, Box<dyn Error>> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line =
        status.lines().find(|line| line.starts_with("VmHWM")).ok_or("the system does not tell the peak memory")?;
    Ok(line.split_whitespace().nth(1).ok_or("no number beside VmHWM")?.parse()?)
}
