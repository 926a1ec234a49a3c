//! Arguments of `ipcgan train`.

use std::path::PathBuf;

use clap::Args;
use ipcgan::DeviceChoice;
use ipcgan::train::{Preset, Stage};

use crate::train::{ProgressDisplay, TrainRequest};

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
    stage: Option<Stage>,
    /// Prepared folder of faces, or Parquet shards. Default: the data that an existing run was started with;
    /// synthetic faces for a new run.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Run folder: config, logs, checkpoints, weights, samples and plots.
    #[arg(long, default_value = "run", value_name = "DIR")]
    run: PathBuf,
    #[arg(long, value_name = "NAME|FILE", help = preset_help())]
    preset: Option<PathBuf>,
    /// Resume from the newest checkpoints with the saved settings, except those that --set changes. (Ctrl-C, SIGTERM
    /// and SIGHUP stop a training with a checkpoint.)
    #[arg(long)]
    resume: bool,
    /// Random seed of weight initialization, split and data order; short for `--set seed=NUMBER`.
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u64>,
    /// Run a few steps of each stage, print the estimated time and memory, and write nothing. Large batches are
    /// extrapolated from small ones.
    #[arg(long)]
    dry_run: bool,
    /// Override a setting of config.json, such as aging.steps=5000; can be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    settings: Vec<String>,
    /// Print progress as plain lines instead of the interactive dashboard.
    #[arg(long)]
    plain: bool,
    /// Devices to train on, as for the other commands. Several devices (cuda:0,cuda:1 or remote:ws://host:7171,cpu)
    /// each process a part of every batch (data parallelism); the first one holds the networks.
    #[arg(long, default_values_t = [DeviceChoice::default()], value_name = "DEVICES", value_delimiter = ',')]
    device: Vec<DeviceChoice>,
    /// Weights of the face recogniser, whose feature maps the projected discriminator scores (discriminator.projected, as
    /// in preset natural). Default: $IPCGAN_RECOGNISER, recogniser.safetensors beside the program, or
    /// assets/recogniser/recogniser.safetensors of the clone.
    #[arg(long, value_name = "FILE")]
    recogniser: Option<PathBuf>,
}

/// The presets, which the library lists.
fn preset_help() -> String {
    let presets = Preset::ALL.map(Preset::name).join(", ");
    format!(
        "Network sizes and recipe: {presets} (natural is that of the embedded weights), or a settings file of your own \
         (JSON, as config.json) [default: {}]. An existing run keeps its own",
        Preset::default()
    )
}

impl TrainArguments {
    pub(crate) fn request(self) -> TrainRequest {
        let seed = self.seed.map(|seed| format!("seed={seed}"));
        TrainRequest {
            stages: self.stage.map_or(Stage::ALL.to_vec(), |stage| vec![stage]),
            data: self.data,
            run: self.run,
            preset: self.preset,
            resume: self.resume,
            dry_run: self.dry_run,
            overrides: seed.into_iter().chain(self.settings).collect(),
            progress_display: if self.plain { ProgressDisplay::Lines } else { ProgressDisplay::DashboardIfPossible },
            devices: self.device,
            recogniser: self.recogniser,
        }
    }
}
