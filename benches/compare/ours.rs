//! Our side of the comparison with PyTorch and ONNX Runtime: runs a workload on request.
//!
//! `compare.py` starts it as `ours WORK BATCH [DEVICE [KERNELS]]` and writes lines to its standard input, each a number of
//! repetitions; it responds to each with the seconds per repetition. At the end of its input it prints its peak memory
//! in kilobytes.

#![allow(clippy::print_stdout, reason = "it answers whoever runs it")]

#[path = "../step/mod.rs"]
mod step;

use std::error::Error;
use std::io::BufRead;
use std::time::Instant;

use burn::tensor::Device;
use ipcgan::model::CpuKernels;
use ipcgan::system::{CacheAlignedAllocator, retain_freed_memory};
use ipcgan::train::Preset;
use ipcgan::{AgeGroups, DeviceChoice};
use step::{faces, groups, training_step};

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
        println!("usage: ours step|generator|alexnet BATCH [DEVICE [fast|direct|burn]]; compare.py runs it");
        return Ok(());
    };
    let choice = rest.first().map_or(Ok(DeviceChoice::Cpu), |name| name.parse())?;
    if let Some(kernels) = rest.get(1) {
        kernels.parse::<CpuKernels>()?.select();
    }
    let device = choice.resolve()?;
    let mut repeat = work_of(work, batch.parse()?, &device).ok_or("the work is step, generator or alexnet")?;
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

fn work_of(work: &str, batch: usize, device: &Device) -> Option<Box<dyn FnMut()>> {
    let (preset, all) = (Preset::Paper, AgeGroups::default());
    let size = preset.generator().image_size;
    Some(match work {
        "generator" => {
            let generator = preset.generator().init(&all, 0, device).into_inference();
            let (source, target) = (faces(batch, size, device), groups(batch, 0, device));
            Box::new(move || drop(generator.forward(source.clone(), target.clone()).into_data()))
        }
        "alexnet" => {
            let alexnet = preset.alexnet(IDENTITIES).init(&all, 0, device).into_frozen();
            let source = faces(batch, size, device);
            Box::new(move || drop(alexnet.age_logits(alexnet.features(source.clone())).into_data()))
        }
        "step" => {
            let mut step = training_step(preset, IDENTITIES, batch, device);
            Box::new(move || drop(step()))
        }
        _ => return None,
    })
}

/// Peak memory of this process in kilobytes.
fn peak_memory() -> Result<u64, Box<dyn Error>> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line =
        status.lines().find(|line| line.starts_with("VmHWM")).ok_or("the system does not tell the peak memory")?;
    Ok(line.split_whitespace().nth(1).ok_or("no number beside VmHWM")?.parse()?)
}
