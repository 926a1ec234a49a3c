//! The argument `--weights`.

use std::path::PathBuf;

use clap::Args;

#[derive(Debug, Args)]
pub(super) struct WeightsArgument {
    /// Generator weights: a weights file, a run folder (its final weights, else its best checkpoint) or a checkpoint
    /// (RUN/checkpoints/aging/000500). Default: the weights that ship with the program.
    #[arg(long, value_name = "WEIGHTS|RUN|CHECKPOINT")]
    pub(super) weights: Option<PathBuf>,
}
