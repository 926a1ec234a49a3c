//! What can be said to the command.

use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand, value_parser};
use ipcgan::DeviceChoice;
use ipcgan::data::source::SOURCES;
use ipcgan::model::{CpuKernels, Preset};
use ipcgan::train::Stage;

use crate::age::{FaceSelection, OutputFormat, strength};
use crate::listen::ListenHost;
use crate::output::Verbosity;

/// Shows a face at other ages, with a network that you can train yourself.
#[derive(Debug, Parser)]
#[command(name = "ipcgan", version, max_term_width = 100, after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
    /// Say errors and warnings alone, beside results.
    #[arg(long, short, global = true, conflicts_with = "verbose", help_heading = "How much is said")]
    quiet: bool,
    /// Say what is done when, too.
    #[arg(long, short, global = true, help_heading = "How much is said")]
    verbose: bool,
}

impl Arguments {
    /// Those of the command line.
    ///
    /// # Errors
    /// They make no sense, or ask for help.
    pub(crate) fn of_command_line() -> Result<Self, clap::Error> {
        let mut command = with_negative_values(Self::command());
        let matches = command.try_get_matches_from_mut(std::env::args_os())?;
        Self::from_arg_matches(&matches).map_err(|error| error.format(&mut command))
    }

    /// How much is to be said.
    pub(crate) fn verbosity(&self) -> Verbosity {
        match (self.quiet, self.verbose) {
            (true, _) => Verbosity::Quiet,
            (_, true) => Verbosity::Verbose,
            _ => Verbosity::Normal,
        }
    }
}

/// `command` with negative numbers as values of its options, which say in their own words what they take: without it, `-1` is
/// an unknown option.
fn with_negative_values(command: clap::Command) -> clap::Command {
    let command = command.mut_args(|argument| {
        let takes_value = argument.get_long().is_some() && argument.get_action().takes_values();
        if takes_value { argument.allow_negative_numbers(true) } else { argument }
    });
    command.mut_subcommands(with_negative_values)
}

const EXAMPLES: &str = "\
Examples:
  ipcgan age photo.jpg --out aged          the face at every age group, and a strip of all
  ipcgan train                             train on drawn faces, a few minutes
  ipcgan prepare UTKFace --out faces       make a data set ready: faces found, aligned, split
  ipcgan train --data faces --preset compact --run runs/faces
  ipcgan train --resume                    go on with a run that was stopped
  ipcgan evaluate runs/faces --data faces  how well it ages people it has not seen
  ipcgan devices                           what can compute here";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show the face in a photo at other ages.
    Age(AgeArguments),
    /// Make a data set ready for training, as it was downloaded.
    Prepare(PrepareArguments),
    /// Train the identity net, the age classifier and the ageing networks.
    Train(TrainArguments),
    /// Measure how well weights age faces that are held out, beside simpler ways.
    Evaluate(EvaluateArguments),
    /// Write weights in another form.
    Convert(ConvertArguments),
    /// Open a web page on this computer on which photos are aged.
    Serve(ServeArguments),
    /// List the devices that this program was built for, and which of them work here.
    Devices(DevicesArguments),
    /// Write the completions of a shell to standard output.
    #[command(after_help = "\
Examples:
  ipcgan completions bash > ~/.local/share/bash-completion/completions/ipcgan
  ipcgan completions zsh > \"${fpath[1]}/_ipcgan\"
  ipcgan completions fish > ~/.config/fish/completions/ipcgan.fish")]
    Completions {
        /// Which shell.
        shell: clap_complete::Shell,
    },
    /// Write the manual pages of all commands to a folder.
    #[command(after_help = "\
Example:
  ipcgan manual ~/.local/share/man/man1 && man ipcgan-age")]
    Manual {
        /// The folder; made if it is not there.
        folder: PathBuf,
    },
    /// Compute for other machines: they name this one remote:ws://HOST:PORT.
    Worker(WorkerArguments),
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ipcgan age photo.jpg                          the photo at every age group, and a strip of the face
  ipcgan age party.jpg --to 51+ --face largest  one of the people, in the whole photo
  ipcgan age photo.jpg --to 35,45 --strength 1.3
  ipcgan age photo.jpg --animate                a GIF that grows old and young again
  ipcgan age holidays --out older --to 51+      all photos of a folder; again, only the new ones
  ipcgan age frames --video --to 51+            frames of a video, without trembling (ffmpeg -i clip.mp4 frames/%05d.png)
  ipcgan age - --to 60 --out aged < photo.jpg   a photo on standard input
  ipcgan age photo.jpg --json                   where the faces are and what was written, for programs
  ipcgan age face.png --aligned --weights run/weights/generator.safetensors")]
pub(crate) struct AgeArguments {
    /// Photos (JPEG, PNG, WebP or BMP), folders of photos, or `-` for a photo on standard input.
    #[arg(required = true, value_name = "PHOTO|FOLDER|-")]
    pub(crate) photos: Vec<PathBuf>,
    /// Ages to show, with commas between: `all` groups, groups by name (31-40, 51+), or years (45), from the first age of the
    /// youngest group to 120.
    #[arg(long, default_value = "all", value_name = "AGES", value_delimiter = ',')]
    pub(crate) to: Vec<String>,
    /// Whose face: `all`, the `largest`, or one by number from left to right.
    #[arg(long, default_value = "all", value_name = "WHICH")]
    pub(crate) face: FaceSelection,
    /// How strong the change is: 0 is none, 1 is what the network learned.
    #[arg(long, default_value_t = 1.0, value_name = "TIMES", value_parser = strength)]
    pub(crate) strength: f32,
    /// Folder for the results; made if it is not there. No file in it is replaced but results of the same photo.
    #[arg(long, default_value = "aged", value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// File format of the results: `same` as the photo (png where that cannot be written), or png (keeps what is not changed
    /// bit for bit), webp (so too, in 8 bits) or jpg (smaller, with a slight loss everywhere).
    #[arg(long, default_value_t = OutputFormat::Same, value_name = "FORMAT", value_parser = OutputFormat::from_str)]
    pub(crate) format: OutputFormat,
    /// Write the faces alone, as large as the network makes them, and not the photo with them.
    #[arg(long)]
    pub(crate) crops: bool,
    /// Write an animation (GIF) through all ages and back, too.
    #[arg(long)]
    pub(crate) animate: bool,
    /// The photos are frames of a video, in natural order of their names (f2 before f10): people are followed and smoothed
    /// over time.
    #[arg(long, conflicts_with_all = ["aligned", "reprocess", "animate", "crops", "json"])]
    pub(crate) video: bool,
    /// Say what was found and written as JSON, a line for each photo, and a summary if there are several.
    #[arg(long)]
    pub(crate) json: bool,
    /// Do photos of a folder once more that were aged before.
    #[arg(long)]
    pub(crate) reprocess: bool,
    /// The photo is an aligned face crop of any size: eyes at 0.30 and 0.68 of the width and 0.30 of the height, mouth at
    /// 0.70. A photo with a small face is refused.
    #[arg(long)]
    pub(crate) aligned: bool,
    /// A generator's weights file, a run folder (its weights, else its best checkpoint) or a checkpoint
    /// (RUN/checkpoints/aging/000500), instead of the weights that come with the program.
    #[arg(long, value_name = "WEIGHTS|RUN|CHECKPOINT")]
    pub(crate) weights: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) device: DeviceArgument,
}

#[derive(Debug, Args)]
#[command(after_help = prepare_help())]
pub(crate) struct PrepareArguments {
    /// Folder into which the data set was unpacked; none for `--source synthetic`.
    #[arg(value_name = "FOLDER")]
    pub(crate) folder: Option<PathBuf>,
    /// Folder for the prepared faces; made if it is not there. The same command goes on with a
    /// run that was stopped, and does only what is missing.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// Kind of data set; without it, it is recognised, and refused if there is doubt.
    #[arg(long, value_name = "NAME", value_parser = source)]
    pub(crate) source: Option<String>,
    /// Identities of synthetic faces, with `--source synthetic` [default: 300].
    #[arg(long, value_name = "COUNT", value_parser = value_parser!(u32).range(1..=1_000_000))]
    pub(crate) identities: Option<u32>,
    /// Table with labels: CSV, TSV or other text for csv, celebrity2000_meta.mat for cacd, imdb.mat or wiki.mat for
    /// imdb-wiki, ffhq_aging_labels.csv for ffhq. Without --source, its contents say which.
    #[arg(long, value_name = "FILE")]
    pub(crate) table: Option<PathBuf>,
    /// What the table calls a column of ours (file_name, age, group, identity, split), as
    /// age=Years; may be given many times.
    #[arg(long = "column", value_name = "OURS=THEIRS")]
    pub(crate) columns: Vec<String>,
    /// Which split each face is in: `source` (as the data set says, the others by seed), `seeded`, or a table
    /// with the columns file_name or identity, and split.
    #[arg(long, value_name = "HOW", default_value = "source")]
    pub(crate) split: PathBuf,
    /// Go on where the ages of most pictures are unknown: such faces serve the identity stage alone.
    #[arg(long)]
    pub(crate) allow_unknown_ages: bool,
    /// Width and height of a prepared face in pixels.
    #[arg(long, value_name = "PIXELS", default_value_t = 128, value_parser = clap::value_parser!(u32).range(16..=1024))]
    pub(crate) size: u32,
    /// The pictures are faces already, aligned as ours, so none is looked for: eyes at 0.30 and 0.68
    /// of the width and 0.30 of the height, mouth at 0.70.
    #[arg(long)]
    pub(crate) aligned: bool,
    /// Leave out faces that have fewer pixels than this in their picture, in width and height [default: 64].
    #[arg(long, value_name = "PIXELS", conflicts_with = "aligned")]
    pub(crate) min_face: Option<u32>,
    /// First ages of the age groups.
    #[arg(long, value_name = "YEARS", value_delimiter = ',', value_parser = years, default_value = "11,21,31,41,51")]
    pub(crate) age_groups: Vec<u32>,
    /// Decides which identities are held out, and how synthetic faces look.
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u64,
    /// Share of the identities held out for validation.
    #[arg(long, value_name = "SHARE", default_value_t = 0.1, value_parser = fraction)]
    pub(crate) valid_fraction: f64,
    /// Share of the identities held out for the test.
    #[arg(long, value_name = "SHARE", default_value_t = 0.1, value_parser = fraction)]
    pub(crate) test_fraction: f64,
    /// Pictures to work on at a time, up to 1024; without it, as many as there are processors.
    #[arg(long, value_name = "COUNT", value_parser = value_parser!(u16).range(1..=1024))]
    pub(crate) threads: Option<u16>,
    #[command(flatten)]
    pub(crate) device: DeviceArgument,
}

/// The source that is generated and not read.
pub(crate) const SYNTHETIC: &str = "synthetic";

/// Examples, and the data sets that are known.
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
        help += &format!("  {:<13} {}\n", source.name(), source.about());
    }
    help += &format!("  {SYNTHETIC:<13} synthetic faces, with identity and age as parameters\n");
    help + "
The prepared folder holds pictures/, metadata.csv, report.html, left-out.csv (each picture that is
not used, and why), same-picture.csv, fingerprints.csv and prepare.json."
}

fn source(name: &str) -> Result<String, String> {
    let known: Vec<&str> = SOURCES.iter().map(|source| source.name()).chain([SYNTHETIC]).collect();
    if known.contains(&name) { Ok(name.into()) } else { Err(format!("known are {}", known.join(", "))) }
}

fn years(text: &str) -> Result<u32, String> {
    text.trim().parse().map_err(|_| "an age is a whole number of years".into())
}

fn fraction(text: &str) -> Result<f64, String> {
    let share = text.parse().ok().filter(|share| (0.0..1.0).contains(share));
    share.ok_or_else(|| "a share is a number from 0 to below 1".into())
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ipcgan train                                        all three stages on drawn faces
  ipcgan train --data faces --preset compact --run runs/faces
  ipcgan train --resume --stage aging --run runs/faces --set aging.steps=20000
  ipcgan train --resume --run runs/faces
  ipcgan train --data faces --preset paper --device cuda:0,cuda:1 --dry-run

A data folder holds pictures and metadata.csv with the columns file_name, age (or group),
and, if known, identity and split. Press Ctrl-C to stop with a checkpoint.")]
pub(crate) struct TrainArguments {
    /// Only this stage: identity, age or aging. Without it, all three in order.
    #[arg(long)]
    pub(crate) stage: Option<Stage>,
    /// Prepared folder of faces, or Parquet shards of them; without it, the data that the run in the folder began with, and for
    /// a new run synthetic faces.
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// Folder for everything that the run makes.
    #[arg(long, default_value = "run", value_name = "DIR")]
    pub(crate) run: PathBuf,
    /// Sizes and lengths: paper, compact or tiny (as without it); a run that is there keeps its own.
    #[arg(long, value_name = "NAME")]
    pub(crate) preset: Option<Preset>,
    /// Go on from the newest checkpoints of the run, with the settings it began with; --set changes
    /// those that it names. (Ctrl-C, SIGTERM and SIGHUP stop a training with a checkpoint.)
    #[arg(long)]
    pub(crate) resume: bool,
    /// Decides the initial weights, the split and the order of faces: `--set seed=NUMBER` in short.
    #[arg(long, value_name = "NUMBER")]
    pub(crate) seed: Option<u64>,
    /// Run a few steps of each stage, say what the whole would take in time and memory, and write
    /// nothing. Large batches are estimated from small ones.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Change a setting of config.json, as aging.steps=5000; may be given many times.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) settings: Vec<String>,
    /// Plain lines of progress even where the dashboard could be shown.
    #[arg(long)]
    pub(crate) plain: bool,
    /// Where to learn, as for the other commands; several, as cuda:0,cuda:1 or
    /// remote:ws://host:7171,cpu, share each batch, and the first one keeps the networks.
    #[arg(long, default_value = "auto", value_name = "DEVICES", value_delimiter = ',')]
    pub(crate) device: Vec<DeviceChoice>,
    #[command(flatten)]
    pub(crate) kernels: KernelsArgument,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ipcgan worker --device cuda                                on the machine with the GPU
  ssh -N -L 7171:localhost:7171 gpu-machine                on yours, if the network is not trusted
  ipcgan train --data faces --device remote:ws://localhost:7171

Both programs are built with `--features remote`, from the same version. Whoever can connect is
trusted, and nothing is encrypted: listen to other machines only in a network of your own.")]
pub(crate) struct WorkerArguments {
    #[command(flatten)]
    pub(crate) listen: ListenArguments,
    #[command(flatten)]
    pub(crate) device: DeviceArgument,
}

#[derive(Debug, Args)]
pub(crate) struct ListenArguments {
    /// Name or address to listen on, with or without a port: localhost, 0.0.0.0 for all networks of
    /// this computer, 192.168.0.7:9000.
    #[arg(long, visible_alias = "listen", value_name = "HOST", default_value = "127.0.0.1")]
    pub(crate) host: ListenHost,
    /// Port to listen on, 0 for any that is free; without it, 8080 for `serve` and 7171 for `worker`.
    #[arg(long)]
    pub(crate) port: Option<u16>,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ipcgan devices                   every device that this program can see, each tested
  ipcgan devices cuda:1 cpu        these alone
  ipcgan devices --timeout 300     for drivers that compile slowly

A test ages a face on the device and on the CPU, compares the two, and measures the speed for two
seconds. The first face includes what the driver compiles. Each test is a process of its own, so that
a driver that crashes or hangs is reported and the next device is tested. The exit code is 1 if a
device named here does not work.")]
pub(crate) struct DevicesArguments {
    /// Devices to test, as cpu, wgpu:software or cuda:1; without any, all that this program can see.
    #[arg(value_name = "DEVICE")]
    pub(crate) devices: Vec<DeviceChoice>,
    /// Seconds after which the test of a device is ended.
    #[arg(long, default_value_t = 60, value_name = "SECONDS", value_parser = value_parser!(u16).range(1..=3600))]
    pub(crate) timeout: u16,
    /// Test the one device in this process and print its state alone.
    #[arg(long, hide = true)]
    pub(crate) in_process: bool,
}

#[derive(Debug, Args)]
pub(crate) struct DeviceArgument {
    /// Where to compute: auto, cpu, cuda, rocm, wgpu, vulkan, metal, each GPU also by number as in
    /// cuda:1, or remote:ws://HOST:PORT, a machine that runs `ipcgan worker`; `ipcgan devices` lists
    /// what works here.
    #[arg(long, default_value = "auto", value_name = "DEVICE")]
    pub(crate) device: DeviceChoice,
    #[command(flatten)]
    pub(crate) kernels: KernelsArgument,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ipcgan evaluate --data faces                             the weights that come with the program
  ipcgan evaluate runs/faces --data faces --out runs/faces/report

Only faces whose split is test are used; where there are none, those of valid. The report is
index.html, which needs nothing else, and metrics.json.")]
pub(crate) struct EvaluateArguments {
    /// A run folder (its weights, else its best checkpoint), a checkpoint (RUN/checkpoints/aging/000500) or a generator's
    /// weights file; without it, the weights that come with the program.
    #[arg(value_name = "RUN|CHECKPOINT|WEIGHTS")]
    pub(crate) weights: Option<PathBuf>,
    /// Prepared folder of faces, or Parquet shards of them.
    #[arg(long, value_name = "DIR")]
    pub(crate) data: PathBuf,
    /// Folder for the report; made if it is not there.
    #[arg(long, value_name = "DIR", default_value = "report")]
    pub(crate) out: PathBuf,
    /// Faces at most, as many of each age group.
    #[arg(long, value_name = "COUNT", default_value_t = 500)]
    pub(crate) max_faces: usize,
    /// Weights file of the AlexNet that the generator learned from, to measure it as well; without it, that of the run
    /// folder, if one is given.
    #[arg(long, value_name = "FILE")]
    pub(crate) alexnet: Option<PathBuf>,
    /// Folder with the networks that judge: recogniser.safetensors and age_estimator.safetensors, as in assets/judges of
    /// the source code. Without it: the folder in IPCGAN_JUDGES, `judges` beside the program, or assets/judges of the clone.
    #[arg(long, value_name = "DIR")]
    pub(crate) judges: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) device: DeviceArgument,
}

#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  ipcgan convert runs/faces/weights/generator.safetensors small.safetensors --half
  ipcgan convert generator.safetensors generator.pth      for PyTorch; and back by exchanging the two
  ipcgan convert generator.safetensors generator.onnx     for ONNX Runtime and others
  ipcgan convert runs/faces/checkpoints/aging best.safetensors        the best checkpoint that was kept
  ipcgan convert runs/faces/checkpoints/aging/000500 at-500.safetensors
  ipcgan convert theirs.pth ours.safetensors --metadata-from generator.safetensors")]
pub(crate) struct ConvertArguments {
    /// Weights file of a generator, a discriminator or an AlexNet: safetensors, PyTorch's or Burn's (seen from its bytes);
    /// or the generator of a run (its weights, else its best checkpoint) or of a checkpoint.
    #[arg(value_name = "WEIGHTS|RUN|CHECKPOINT")]
    pub(crate) from: PathBuf,
    /// File to write, in the form that its name ends with: .pth or .pt for PyTorch, .bpk for Burn, .onnx (a generator alone),
    /// else safetensors; one that stands there is replaced.
    #[arg(value_name = "FILE")]
    pub(crate) to: PathBuf,
    /// Weights of ours that say what WEIGHTS does not say of itself, as files of other programs: kind of network,
    /// configuration and age groups.
    #[arg(long, value_name = "WEIGHTS")]
    pub(crate) metadata_from: Option<PathBuf>,
    /// In half precision, half the size: faces differ by a level of 255 here and there. Without it, in float32.
    #[arg(long)]
    pub(crate) half: bool,
    /// Make the change that a generator makes so many times as strong, from 0 to 3.
    #[arg(long, value_name = "TIMES", value_parser = strength)]
    pub(crate) strength: Option<f32>,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ipcgan serve                               then open http://127.0.0.1:8080
  ipcgan serve --host 0.0.0.0 --port 9000    for other computers too
  curl -F photo=@photo.jpg 'http://127.0.0.1:8080/api/age?age=60' -o older.png
What programs can ask is described at /api/openapi.json. Nothing is written to disk.")]
pub(crate) struct ServeArguments {
    #[command(flatten)]
    pub(crate) listen: ListenArguments,
    /// Serve requests to this host name too, such as that of a reverse proxy; may be given many
    /// times. Without it, requests on localhost are served under the names of this computer alone.
    #[arg(long, value_name = "NAME")]
    pub(crate) allow_host: Vec<String>,
    /// Photos that are worked on at the same time; others wait.
    #[arg(long, default_value_t = 2, value_name = "COUNT", value_parser = value_parser!(u16).range(1..=1024))]
    pub(crate) concurrency: u16,
    /// The largest photo that is taken, in megabytes.
    #[arg(long, default_value_t = 32, value_name = "MEGABYTES", value_parser = value_parser!(u16).range(1..=4096))]
    pub(crate) max_upload_mb: u16,
    /// Seconds within which a photo must arrive.
    #[arg(long, default_value_t = 30, value_name = "SECONDS", value_parser = value_parser!(u16).range(1..=3600))]
    pub(crate) timeout: u16,
    /// A generator's weights file, a run folder (its weights, else its best checkpoint) or a checkpoint
    /// (RUN/checkpoints/aging/000500), instead of the weights that come with the program.
    #[arg(long, value_name = "WEIGHTS|RUN|CHECKPOINT")]
    pub(crate) weights: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) device: DeviceArgument,
}

#[derive(Debug, Args)]
pub(crate) struct KernelsArgument {
    /// What computes on the CPU: fast (our kernels), direct (ours without Winograd's algorithm) or
    /// burn (Burn's own), to compare them.
    #[arg(long, default_value_t = CpuKernels::Fast, value_name = "KERNELS")]
    pub(crate) cpu_kernels: CpuKernels,
}
