//! Arguments of `ipcgan convert`.

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args;

use crate::age::strength;
use crate::convert::{ConvertRequest, OutputContent};
use crate::exit_reason::usage_error;

#[derive(Debug, Args)]
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
    from: PathBuf,
    /// Output file; its extension selects the format: .pth or .pt for PyTorch, .bpk for Burn, .onnx (generators
    /// only), else safetensors. An existing file is overwritten.
    #[arg(value_name = "FILE")]
    to: PathBuf,
    /// Take the metadata that WEIGHTS lacks (kind of network, config and age groups) from this weights file of ours;
    /// for files written by other programs.
    #[arg(long, value_name = "WEIGHTS")]
    metadata_from: Option<PathBuf>,
    /// Store weights in half precision (float16), half the size; pixels differ by at most about one level of 255.
    /// Default: float32.
    #[arg(long)]
    half: bool,
    /// Scale the residual that the generator adds by this factor, from 0 to 3.
    #[arg(long, value_name = "TIMES", value_parser = strength)]
    strength: Option<f32>,
}

impl ConvertArguments {
    /// # Errors
    /// The options do not apply to the format.
    pub(crate) fn request(self) -> Result<ConvertRequest> {
        let content = match (is_onnx(&self.to), self.half) {
            (true, true) => return Err(usage_error("ONNX files are always float32; leave out --half")),
            (true, false) => OutputContent::Onnx,
            (false, true) => OutputContent::Float16,
            (false, false) => OutputContent::Float32,
        };
        let Self { from, to, metadata_from, strength, .. } = self;
        Ok(ConvertRequest { from, to, content, metadata_from, strength })
    }
}

fn is_onnx(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("onnx"))
}
