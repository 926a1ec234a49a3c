//! Command-line arguments.

use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand, value_parser};
use ipcgan::DeviceChoice;
use ipcgan::data::source::SOURCES;
use ipcgan::model::CpuKernels;
use ipcgan::train::Stage;

use crate::age::{FaceSelection, OutputFormat, strength};
use crate::listen::ListenHost;
use crate::output::Verbosity;

/// Face ageing with IPCGAN: age photos, and train and evaluate your own models.
#[derive(Debug, Parser)]
#[command(name = "ipcgan", version, max_term_width = 100, after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
    /// Print only results, warnings and errors.
    #[arg(long, short, global = true, conflicts_with = "verbose", help_heading = "Output")]
    quiet: bool,
    /// Print debug output with timestamps, and the messages of Burn and of the GPU libraries.
    #[arg(long, short, global = true, help_heading = "Output")]
    verbose: bool,
}

impl Arguments {
    /// Parses the command line.
    ///
    /// # Errors
    /// The arguments are invalid, or `--help` or `--version` was given.
    pub(crate) fn of_command_line() -> Result<Self, clap::Error> {
        let mut command = with_negative_values(Self::command());
        let matches = command.try_get_matches_from_mut(std::env::args_os())?;
        Self::from_arg_matches(&matches).map_err(|error| error.format(&mut command))
    }

    /// The verbosity that the flags select.
    pub(crate) fn verbosity(&self) -> Verbosity {
        match (self.quiet, self.verbose) {
            (true, _) => Verbosity::Quiet,
            (_, true) => Verbosity::Verbose,
            _ => Verbosity::Normal,
        }
    }
}

/// Allows negative numbers as option values, so that an option's own parser reports them: otherwise `-1` is an unknown
/// option.
fn with_negative_values(command: clap::Command) -> clap::Command {
    let command = command.mut_args(|argument| {
        let takes_value = argument.get_long().is_some() && argument.get_action().takes_values();
        if takes_value { argument.allow_negative_numbers(true) } else { argument }
    });
    command.mut_subcommands(with_negative_values)
}

const EXAMPLES: &str = "\
Examples:
  ipcgan age photo.jpg --out aged          the photo at every age group, and a contact sheet of the face
  ipcgan train                             train on synthetic faces, a few minutes
  ipcgan prepare UTKFace --out faces       detect and align the faces of a data set, and split it by identity
  ipcgan train --data faces --preset compact --run runs/faces
  ipcgan train --resume                    continue from the last checkpoint
  ipcgan evaluate runs/faces --data faces  metrics and a report on held-out faces
  ipcgan devices                           list and test the devices of this machine";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show the faces in photos at other ages.
    Age(AgeArguments),
    /// Prepare a downloaded data set for training: detect, align and split its faces.
    Prepare(PrepareArguments),
    /// Train the identity network, the age classifier and the GAN.
    Train(TrainArguments),
    /// Evaluate a generator on held-out faces: age accuracy, identity verification, realism.
    Evaluate(EvaluateArguments),
    /// Convert weights between file formats (safetensors, PyTorch, Burn, ONNX).
    Convert(ConvertArguments),
    /// Start a local web server with a page and an HTTP API that age photos.
    Serve(ServeArguments),
    /// List and test the devices that this build supports.
    Devices(DevicesArguments),
    /// Print shell completions.
    #[command(after_help = "\
Examples:
  ipcgan completions bash > ~/.local/share/bash-completion/completions/ipcgan
  ipcgan completions zsh > \"${fpath[1]}/_ipcgan\"
  ipcgan completions fish > ~/.config/fish/completions/ipcgan.fish")]
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Write the manual pages of all commands to a folder.
    #[command(after_help = "\
Example:
  ipcgan manual ~/.local/share/man/man1 && man ipcgan-age")]
    Manual {
        /// The folder; created if it does not exist.
        folder: PathBuf,
    },
    /// Serve a device of this machine to other machines, which use it as remote:ws://HOST:PORT.
    Worker(WorkerArguments),
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ipcgan age photo.jpg                          the photo at every age group, and a contact sheet of the face
  ipcgan age party.jpg --to 51+ --face largest  only the largest face, in the whole photo
  ipcgan age photo.jpg --to 35,45 --strength 1.3
  ipcgan age photo.jpg --animate                also a GIF through all ages and back
  ipcgan age holidays --out older --to 51+      all photos of a folder; a second run ages only new photos
  ipcgan age frames --video --to 51+            video frames with temporal smoothing (ffmpeg -i clip.mp4 frames/%05d.png)
  ipcgan age - --to 60 --out aged < photo.jpg   a photo from standard input
  ipcgan age photo.jpg --json                   face locations and output files as JSON
  ipcgan age face.png --aligned --weights run/weights/generator.safetensors")]
pub(crate) struct AgeArguments {
    /// Photos (JPEG, PNG, WebP, AVIF, TIFF, GIF or BMP), folders of photos, or `-` for a photo from standard input.
    #[arg(required = true, value_name = "PHOTO|FOLDER|-")]
    pub(crate) photos: Vec<PathBuf>,
    /// Target ages, separated by commas: `all` groups, groups by name (31-40, 51+), or years (45), from the first age
    /// of the youngest group to 120.
    #[arg(long, default_value = "all", value_name = "AGES", value_delimiter = ',')]
    pub(crate) to: Vec<String>,
    /// Which face to age: `all`, the `largest`, or one by number, counted from left to right.
    #[arg(long, default_value = "all", value_name = "WHICH")]
    pub(crate) face: FaceSelection,
    /// Strength of the ageing effect: 0 is none, 1 is what the network learned.
    #[arg(long, default_value_t = 1.0, value_name = "TIMES", value_parser = strength)]
    pub(crate) strength: f32,
    /// Output folder; created if it does not exist. Existing files are never overwritten, except results of the same
    /// photo.
    #[arg(long, default_value = "aged", value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// File format of the results: `same` as the photo (png where that cannot be written), png (lossless), webp
    /// (lossless, 8 bits) or jpg (smaller, lossy).
    #[arg(long, default_value_t = OutputFormat::Same, value_name = "FORMAT", value_parser = OutputFormat::from_str)]
    pub(crate) format: OutputFormat,
    /// Write only the aligned face crops, at the size of the network, instead of whole photos.
    #[arg(long)]
    pub(crate) crops: bool,
    /// Also write an animated GIF through all ages and back.
    #[arg(long)]
    pub(crate) animate: bool,
    /// Treat the photos as frames of a video, in natural order of their names (f2 before f10): faces are tracked, and
    /// landmarks and residuals are smoothed over time.
    #[arg(long, conflicts_with_all = ["aligned", "reprocess", "animate", "crops", "json"])]
    pub(crate) video: bool,
    /// Print results as JSON, one line per photo, and a summary if there are several photos.
    #[arg(long)]
    pub(crate) json: bool,
    /// Age photos of a folder again even if their results are up to date.
    #[arg(long)]
    pub(crate) reprocess: bool,
    /// The photo is an aligned face crop of any size: eyes at 0.30 and 0.68 of the width and 0.30 of the height,
    /// mouth at 0.70. Whole photos with a small face are rejected.
    #[arg(long)]
    pub(crate) aligned: bool,
    /// Generator weights: a weights file, a run folder (its final weights, else its best checkpoint) or a checkpoint
    /// (RUN/checkpoints/aging/000500). Default: the weights that ship with the program.
    #[arg(long, value_name = "WEIGHTS|RUN|CHECKPOINT")]
    pub(crate) weights: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) device: DeviceArgument,
}

#[derive(Debug, Args)]
#[command(after_help = prepare_help())]
pub(crate) struct PrepareArguments {
    /// Folder with the unpacked data set; omit it with `--source synthetic`.
    #[arg(value_name = "FOLDER")]
    pub(crate) folder: Option<PathBuf>,
    /// Output folder for the prepared faces; created if it does not exist. Running the same command again resumes an
    /// interrupted preparation.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// Kind of data set. Default: detected from the folder; an ambiguous folder is an error.
    #[arg(long, value_name = "NAME", value_parser = source)]
    pub(crate) source: Option<String>,
    /// Number of synthetic identities, with `--source synthetic` [default: 300].
    #[arg(long, value_name = "COUNT", value_parser = value_parser!(u32).range(1..=1_000_000))]
    pub(crate) identities: Option<u32>,
    /// Table with labels: CSV, TSV or other text for csv, celebrity2000_meta.mat for cacd, imdb.mat or wiki.mat for
    /// imdb-wiki, ffhq_aging_labels.csv for ffhq. Without --source, the kind is detected from its contents.
    #[arg(long, value_name = "FILE")]
    pub(crate) table: Option<PathBuf>,
    /// Maps one of our columns (file_name, age, group, identity, split) to a column of the table, such as age=Years;
    /// can be repeated.
    #[arg(long = "column", value_name = "OURS=THEIRS")]
    pub(crate) columns: Vec<String>,
    /// How to split the faces: `source` (official split of the data set, the rest by seed), `seeded`, or a table with
    /// the columns file_name or identity, and split.
    #[arg(long, value_name = "HOW", default_value = "source")]
    pub(crate) split: PathBuf,
    /// Continue even if most images have no age label; faces without an age are used only by the identity stage.
    #[arg(long)]
    pub(crate) allow_unknown_ages: bool,
    /// Width and height of a prepared face in pixels.
    #[arg(long, value_name = "PIXELS", default_value_t = 128, value_parser = clap::value_parser!(u32).range(16..=1024))]
    pub(crate) size: u32,
    /// The images are already aligned face crops, so face detection is skipped: eyes at 0.30 and 0.68 of the width
    /// and 0.30 of the height, mouth at 0.70.
    #[arg(long)]
    pub(crate) aligned: bool,
    /// Skip faces smaller than this many pixels in the source image, in width and height [default: 64].
    #[arg(long, value_name = "PIXELS", conflicts_with = "aligned")]
    pub(crate) min_face: Option<u32>,
    /// First age of each age group.
    #[arg(long, value_name = "YEARS", value_delimiter = ',', value_parser = years, default_value = "11,21,31,41,51")]
    pub(crate) age_groups: Vec<u32>,
    /// Random seed of the split by identity and of synthetic faces.
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u64,
    /// Fraction of identities held out for the validation split.
    #[arg(long, value_name = "FRACTION", default_value_t = 0.1, value_parser = fraction)]
    pub(crate) valid_fraction: f64,
    /// Fraction of identities held out for the test split.
    #[arg(long, value_name = "FRACTION", default_value_t = 0.1, value_parser = fraction)]
    pub(crate) test_fraction: f64,
    /// Number of worker threads, up to 1024. Default: one per processor.
    #[arg(long, value_name = "COUNT", value_parser = value_parser!(u16).range(1..=1024))]
    pub(crate) threads: Option<u16>,
    #[command(flatten)]
    pub(crate) device: DeviceArgument,
}

/// Name of the source that generates synthetic faces.
pub(crate) const SYNTHETIC: &str = "synthetic";

/// Examples and the list of data sets.
fn prepare_help() -> String {
    let mut help = String::from(
        "\
Examples:
  ipcgan prepare UTKFace --out faces
  ipcgan prepare CACD2000 --source cacd --out faces --size 160
  ipcgan prepare photos --table labels.csv --column file_name=path --column age=Years --out faces
  ipcgan prepare LFW --source identities --allow-unknown-ages --out faces
  ipcgan prepare --source synthetic --identities 300 --out synthetic

Data sets:
",
    );
    for source in SOURCES {
        help += &format!("  {:<13} {}\n", source.name(), source.description());
    }
    help += &format!("  {SYNTHETIC:<13} synthetic faces, with identity and age as parameters\n");
    help + "
The prepared folder holds images/, metadata.csv, report.html, excluded.csv (skipped images with
their reasons), duplicates.csv (duplicates), fingerprints.csv and prepare.json."
}

fn source(name: &str) -> Result<String, String> {
    let known: Vec<&str> = SOURCES.iter().map(|source| source.name()).chain([SYNTHETIC]).collect();
    if known.contains(&name) { Ok(name.into()) } else { Err(format!("must be one of {}", known.join(", "))) }
}

fn years(text: &str) -> Result<u32, String> {
    text.trim().parse().map_err(|_| "an age is a whole number of years".into())
}

fn fraction(text: &str) -> Result<f64, String> {
    let fraction = text.parse().ok().filter(|fraction| (0.0..1.0).contains(fraction));
    fraction.ok_or_else(|| "must be at least 0 and below 1".into())
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ipcgan train                                        all three stages on synthetic faces
  ipcgan train --data faces --preset compact --run runs/faces
  ipcgan train --resume --stage aging --run runs/faces --set aging.steps=20000
  ipcgan train --resume --run runs/faces
  ipcgan train --data faces --preset paper --device cuda:0,cuda:1 --dry-run
  ipcgan train --data faces --preset mine.json        mine.json: {\"preset\": \"compact\", \"generator.width\": 24}

A data folder holds images and metadata.csv with the columns file_name, age (or group),
and, if known, identity and split. Ctrl-C stops the training with a checkpoint.

Settings (--set) cover, among others, the learning-rate schedule and warm-up, gradient accumulation
and gradient clipping (gradient_clip_norm), early stopping (patience), adversarial training with FGSM
(adversarial_epsilon), data augmentation, the exponential moving average (EMA) of the generator
(aging.ema_decay), batch-norm recalibration (aging.recalibration_batches) and mixed precision
(precision=bfloat16). config.json in the run folder lists all settings with their values.")]
pub(crate) struct TrainArguments {
    /// Train only this stage: identity, age or aging. Default: all three in order.
    #[arg(long)]
    pub(crate) stage: Option<Stage>,
    /// Prepared folder of faces, or Parquet shards. Default: the data that an existing run was started with;
    /// synthetic faces for a new run.
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// Run folder: config, logs, checkpoints, weights, samples and plots.
    #[arg(long, default_value = "run", value_name = "DIR")]
    pub(crate) run: PathBuf,
    /// Network sizes and recipe: paper, natural (experimental), compact or tiny, or a settings file of your own (JSON, as
    /// config.json) [default: tiny]. An existing run keeps its own.
    #[arg(long, value_name = "NAME|FILE")]
    pub(crate) preset: Option<PathBuf>,
    /// Resume from the newest checkpoints with the saved settings, except those that --set changes. (Ctrl-C, SIGTERM
    /// and SIGHUP stop a training with a checkpoint.)
    #[arg(long)]
    pub(crate) resume: bool,
    /// Random seed of weight initialization, split and data order; short for `--set seed=NUMBER`.
    #[arg(long, value_name = "NUMBER")]
    pub(crate) seed: Option<u64>,
    /// Run a few steps of each stage, print the estimated time and memory, and write nothing. Large batches are
    /// extrapolated from small ones.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Override a setting of config.json, such as aging.steps=5000; can be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) settings: Vec<String>,
    /// Print progress as plain lines instead of the interactive dashboard.
    #[arg(long)]
    pub(crate) plain: bool,
    /// Devices to train on, as for the other commands. Several devices (cuda:0,cuda:1 or remote:ws://host:7171,cpu)
    /// each process a part of every batch (data parallelism); the first one holds the networks.
    #[arg(long, default_value = "auto", value_name = "DEVICES", value_delimiter = ',')]
    pub(crate) device: Vec<DeviceChoice>,
    #[command(flatten)]
    pub(crate) kernels: KernelsArgument,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ipcgan worker --device cuda                              on the machine with the GPU
  ssh -N -L 7171:localhost:7171 gpu-machine                on yours: a tunnel through an untrusted network
  ipcgan train --data faces --device remote:ws://localhost:7171

Both programs must be built from the same version with `--features remote`. There is no authentication
and no encryption: listen on other addresses than localhost only in a trusted network.")]
pub(crate) struct WorkerArguments {
    #[command(flatten)]
    pub(crate) listen: ListenArguments,
    #[command(flatten)]
    pub(crate) device: DeviceArgument,
}

#[derive(Debug, Args)]
pub(crate) struct ListenArguments {
    /// Host name or address to listen on, optionally with a port: localhost, 0.0.0.0 (all interfaces),
    /// 192.168.0.7:9000.
    #[arg(long, visible_alias = "listen", value_name = "HOST", default_value = "127.0.0.1")]
    pub(crate) host: ListenHost,
    /// Port to listen on, 0 for any free port [default: 8080 for `serve`, 7171 for `worker`].
    #[arg(long)]
    pub(crate) port: Option<u16>,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ipcgan devices                   list and test all devices
  ipcgan devices cuda:1 cpu        test only these
  ipcgan devices --timeout 300     for drivers that compile slowly

A test ages a face on the device and on the CPU, compares the results, and measures the throughput for
two seconds; the time to the first face includes kernel compilation. Each test runs in its own process,
so a driver that crashes or hangs is reported and the next device is tested. The exit code is 1 if a
device named on the command line fails.")]
pub(crate) struct DevicesArguments {
    /// Devices to test, such as cpu, wgpu:software or cuda:1. Default: all that are found.
    #[arg(value_name = "DEVICE")]
    pub(crate) devices: Vec<DeviceChoice>,
    /// Seconds after which the test of a device is aborted.
    #[arg(long, default_value_t = 60, value_name = "SECONDS", value_parser = value_parser!(u16).range(1..=3600))]
    pub(crate) timeout: u16,
    /// Test one device in this process and print only its result.
    #[arg(long, hide = true)]
    pub(crate) in_process: bool,
}

#[derive(Debug, Args)]
pub(crate) struct DeviceArgument {
    /// Device to compute on: auto, cpu, cuda, rocm, wgpu, vulkan, metal (a GPU by number as cuda:1), or
    /// remote:ws://HOST:PORT for a machine that runs `ipcgan worker`; `ipcgan devices` lists what works.
    #[arg(long, default_value = "auto", value_name = "DEVICE")]
    pub(crate) device: DeviceChoice,
    #[command(flatten)]
    pub(crate) kernels: KernelsArgument,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ipcgan evaluate --data faces                             the weights that ship with the program
  ipcgan evaluate runs/faces --data faces --out runs/faces/report

Uses the test split, or the validation split if there is none. Writes metrics.json and a
self-contained report, index.html: mean age error and accuracy by an independent age estimator
(with a confusion matrix), verification rate (true accept rate at a fixed false accept rate), kernel
and Fréchet distances (the estimators of KID and FID), and a classifier two-sample test.")]
pub(crate) struct EvaluateArguments {
    /// Run folder (its final weights, else its best checkpoint), checkpoint (RUN/checkpoints/aging/000500) or
    /// generator weights file. Default: the weights that ship with the program.
    #[arg(value_name = "RUN|CHECKPOINT|WEIGHTS")]
    pub(crate) weights: Option<PathBuf>,
    /// Prepared folder of faces, or Parquet shards.
    #[arg(long, value_name = "DIR")]
    pub(crate) data: PathBuf,
    /// Output folder for the report; created if it does not exist.
    #[arg(long, value_name = "DIR", default_value = "report")]
    pub(crate) out: PathBuf,
    /// Maximum number of faces, balanced over the age groups.
    #[arg(long, value_name = "COUNT", default_value_t = 500)]
    pub(crate) max_faces: usize,
    /// AlexNet weights file to evaluate as well: the identity network and age classifier that the generator was
    /// trained with. Default: that of the run folder, if one is given.
    #[arg(long, value_name = "FILE")]
    pub(crate) alexnet: Option<PathBuf>,
    /// Folder with the evaluation networks recogniser.safetensors and age_estimator.safetensors, as in assets/judges
    /// of the source code. Default: $IPCGAN_JUDGES, `judges` beside the program, or assets/judges of the clone.
    #[arg(long, value_name = "DIR")]
    pub(crate) judges: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) device: DeviceArgument,
}

#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  ipcgan convert runs/faces/weights/generator.safetensors small.safetensors --half
  ipcgan convert generator.safetensors generator.pth      for PyTorch; swap the two to convert back
  ipcgan convert generator.safetensors generator.onnx     for ONNX Runtime and other tools
  ipcgan convert runs/faces/checkpoints/aging best.safetensors        the best checkpoint
  ipcgan convert runs/faces/checkpoints/aging/000500 at-500.safetensors
  ipcgan convert theirs.pth ours.safetensors --metadata-from generator.safetensors")]
pub(crate) struct ConvertArguments {
    /// Weights file of a generator, a discriminator or an AlexNet in safetensors, PyTorch or Burn format (detected
    /// from its contents); or a run folder or checkpoint, whose generator is converted.
    #[arg(value_name = "WEIGHTS|RUN|CHECKPOINT")]
    pub(crate) from: PathBuf,
    /// Output file; its extension selects the format: .pth or .pt for PyTorch, .bpk for Burn, .onnx (generators
    /// only), else safetensors. An existing file is overwritten.
    #[arg(value_name = "FILE")]
    pub(crate) to: PathBuf,
    /// Take the metadata that WEIGHTS lacks (kind of network, config and age groups) from this weights file of ours;
    /// for files written by other programs.
    #[arg(long, value_name = "WEIGHTS")]
    pub(crate) metadata_from: Option<PathBuf>,
    /// Store weights in half precision (float16), half the size; pixels differ by at most about one level of 255.
    /// Default: float32.
    #[arg(long)]
    pub(crate) half: bool,
    /// Scale the residual that the generator adds by this factor, from 0 to 3.
    #[arg(long, value_name = "TIMES", value_parser = strength)]
    pub(crate) strength: Option<f32>,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ipcgan serve                               then open http://127.0.0.1:8080
  ipcgan serve --host 0.0.0.0 --port 9000    also reachable from other computers
  curl -F photo=@photo.jpg 'http://127.0.0.1:8080/api/age?age=60' -o older.png
The HTTP API is described at /api/openapi.json. Nothing is written to disk.")]
pub(crate) struct ServeArguments {
    #[command(flatten)]
    pub(crate) listen: ListenArguments,
    /// Also accept requests to this host name, such as that of a reverse proxy; can be repeated. Without it, a server
    /// on localhost accepts only the names of this computer.
    #[arg(long, value_name = "NAME")]
    pub(crate) allow_host: Vec<String>,
    /// Number of photos processed at the same time; other requests are queued.
    #[arg(long, default_value_t = 2, value_name = "COUNT", value_parser = value_parser!(u16).range(1..=1024))]
    pub(crate) concurrency: u16,
    /// Maximum size of an uploaded photo in megabytes.
    #[arg(long, default_value_t = 32, value_name = "MEGABYTES", value_parser = value_parser!(u16).range(1..=4096))]
    pub(crate) max_upload_mb: u16,
    /// Seconds within which an upload must complete.
    #[arg(long, default_value_t = 30, value_name = "SECONDS", value_parser = value_parser!(u16).range(1..=3600))]
    pub(crate) timeout: u16,
    /// Generator weights: a weights file, a run folder (its final weights, else its best checkpoint) or a checkpoint
    /// (RUN/checkpoints/aging/000500). Default: the weights that ship with the program.
    #[arg(long, value_name = "WEIGHTS|RUN|CHECKPOINT")]
    pub(crate) weights: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) device: DeviceArgument,
}

#[derive(Debug, Args)]
pub(crate) struct KernelsArgument {
    /// CPU kernels: fast (ours), direct (ours without the Winograd algorithm) or burn (those of Burn), for
    /// comparison.
    #[arg(long, default_value_t = CpuKernels::Fast, value_name = "KERNELS")]
    pub(crate) cpu_kernels: CpuKernels,
}
