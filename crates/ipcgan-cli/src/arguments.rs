//! What can be said to the command.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use ipcgan::DeviceChoice;
use ipcgan::model::{CpuKernels, Preset};
use ipcgan::train::Stage;

/// Shows a face at other ages, with a network that you can train yourself.
#[derive(Debug, Parser)]
#[command(name = "ipcgan", version, max_term_width = 100, after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXAMPLES: &str = "\
Examples:
  ipcgan age photo.jpg --out aged          the face at every age group, and a strip of all
  ipcgan train                             train on drawn faces, a few minutes
  ipcgan train --data faces --preset compact --run runs/faces
  ipcgan train --resume                    go on with a run that was stopped
  ipcgan devices                           what can compute here";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show the face in a photo at other ages.
    Age(AgeArguments),
    /// Train the identity net, the age classifier and the ageing networks.
    Train(TrainArguments),
    /// List the devices that this program was built for, and which of them work here.
    Devices,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ipcgan age photo.jpg
  ipcgan age photo.jpg --to 51+ --out aged
  ipcgan age face.png --aligned --weights run/weights/generator.safetensors")]
pub(crate) struct AgeArguments {
    /// Photos: JPEG, PNG, WebP or BMP; every face in them is found and aged.
    #[arg(required = true, value_name = "PHOTO")]
    pub(crate) photos: Vec<PathBuf>,
    /// Age group to show (as 11-20 or 51+), or `all`.
    #[arg(long, default_value = "all", value_name = "GROUP")]
    pub(crate) to: String,
    /// Folder for the pictures; made if it is not there.
    #[arg(long, default_value = "aged", value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// The photo is a face crop already, so none is looked for: eyes at 0.30 and 0.68 of the
    /// width and 0.30 of the height, mouth at 0.70.
    #[arg(long)]
    pub(crate) aligned: bool,
    /// Weights file of a generator, instead of the one that comes with the program.
    #[arg(long, value_name = "FILE")]
    pub(crate) weights: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) device: DeviceArgument,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ipcgan train                                        all three stages on drawn faces
  ipcgan train --data faces --preset compact --run runs/faces
  ipcgan train --data faces --stage aging --run runs/faces --set aging.steps=5000
  ipcgan train --resume --run runs/faces

A data folder holds pictures and metadata.csv with the columns file_name, age (or group),
and, if known, identity and split. Press Ctrl-C to stop with a checkpoint.")]
pub(crate) struct TrainArguments {
    /// Only this stage: identity, age or aging. Without it, all three in order.
    #[arg(long)]
    pub(crate) stage: Option<Stage>,
    /// Prepared folder of faces; without it, faces are drawn.
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// Folder for everything that the run makes.
    #[arg(long, default_value = "run", value_name = "DIR")]
    pub(crate) run: PathBuf,
    /// Sizes and lengths: paper, compact or tiny.
    #[arg(long, default_value_t = Preset::Tiny, value_name = "NAME")]
    pub(crate) preset: Preset,
    /// Go on from the newest checkpoints of the run.
    #[arg(long)]
    pub(crate) resume: bool,
    /// Change a setting of config.json, as aging.steps=5000; may be given many times.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) settings: Vec<String>,
    /// Plain lines of progress even where the dashboard could be shown.
    #[arg(long)]
    pub(crate) plain: bool,
    #[command(flatten)]
    pub(crate) device: DeviceArgument,
}

#[derive(Debug, Args)]
pub(crate) struct DeviceArgument {
    /// Where to compute: auto, cpu, cuda, rocm, wgpu, vulkan, metal, each GPU also by number as in
    /// cuda:1; `ipcgan devices` lists what works here.
    #[arg(long, default_value = "auto", value_name = "DEVICE")]
    pub(crate) device: DeviceChoice,
    /// What computes on the CPU: fast (our kernels), direct (ours without Winograd's algorithm) or
    /// burn (Burn's own), to compare them.
    #[arg(long, default_value_t = CpuKernels::Fast, value_name = "KERNELS")]
    pub(crate) cpu_kernels: CpuKernels,
}
