//! Arguments of `ipcgan evaluate`.

use std::path::PathBuf;

use clap::Args;
use ipcgan::train::evaluation::DEFAULT_MAX_FACES;

use super::device::DeviceArgument;
use crate::evaluate::EvaluateRequest;

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
    weights: Option<PathBuf>,
    /// Prepared folder of faces, or Parquet shards.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Output folder for the report; created if it does not exist.
    #[arg(long, value_name = "DIR", default_value = "report")]
    out: PathBuf,
    /// Maximum number of faces, balanced over the age groups.
    #[arg(long, value_name = "COUNT", default_value_t = DEFAULT_MAX_FACES)]
    max_faces: usize,
    /// AlexNet weights file to evaluate as well: the identity network and age classifier that the generator was
    /// trained with. Default: that of the run folder, if one is given.
    #[arg(long, value_name = "FILE")]
    alexnet: Option<PathBuf>,
    /// Folder with the evaluation networks faceres.safetensors and age_estimator.safetensors, as in assets/judges
    /// of the source code. Default: $IPCGAN_JUDGES, `judges` beside the program, or assets/judges of the clone.
    #[arg(long, value_name = "DIR")]
    judges: Option<PathBuf>,
    #[command(flatten)]
    device: DeviceArgument,
}

impl EvaluateArguments {
    pub(crate) fn request(self) -> EvaluateRequest {
        let Self { weights, data, out, max_faces, alexnet, judges, device } = self;
        EvaluateRequest { weights, data, out, max_faces, alexnet, judges, device: device.choice() }
    }
}
