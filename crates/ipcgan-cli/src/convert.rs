//! `ipcgan convert`: converts weights between file formats.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use ipcgan::Device;
use ipcgan::model::weights::{FloatWidth, Network, Weights, WeightsFile, WeightsFormat};
use ipcgan::model::{AlexNet, Discriminator, Generator, onnx};
use ipcgan::system::write_atomic;
use ipcgan::train::GeneratorSource;
use serde::Serialize;

use crate::exit_reason::usage_error;
use crate::output::print_path;
use crate::request::{optional_path, path};
use crate::weights::{notices, source};

/// What `ipcgan convert` does.
#[derive(Debug, Serialize)]
pub(crate) struct ConvertRequest {
    /// Weights file, run folder or checkpoint.
    #[serde(serialize_with = "path")]
    pub(crate) from: PathBuf,
    /// Output file; its extension names the file format.
    #[serde(serialize_with = "path")]
    pub(crate) to: PathBuf,
    pub(crate) content: OutputContent,
    /// Weights file with the metadata that `from` lacks.
    #[serde(serialize_with = "optional_path")]
    pub(crate) metadata_from: Option<PathBuf>,
    /// Factor of the residual that the generator adds.
    pub(crate) strength: Option<f32>,
}

/// What the output file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum OutputContent {
    /// Weights in single precision.
    Float32,
    /// Weights in half precision.
    Float16,
    /// An ONNX graph.
    Onnx,
}

pub(crate) fn run(request: &ConvertRequest) -> Result<()> {
    let source = source(&request.from)?;
    let from = source.file();
    let device = Device::flex();
    match (&source, &request.metadata_from) {
        (GeneratorSource::Checkpoint(_), Some(_)) => {
            return Err(usage_error("--metadata-from is not used with a checkpoint, whose run has its metadata"));
        }
        (GeneratorSource::Checkpoint(_), None) => {
            convert_generator(source.load(&device, &notices())?, &from, request)?;
        }
        (GeneratorSource::File(_), None) => convert_file(WeightsFile::read(&from)?, &from, request)?,
        (GeneratorSource::File(_), Some(like)) => {
            let file = WeightsFile::read(&from)?.with_metadata_of(WeightsFile::read(like)?);
            convert_file(file, &from, request)?;
        }
    }
    print_path(&request.to);
    Ok(())
}

/// Writes the network in `file`, which was read from `from`.
fn convert_file(file: WeightsFile, from: &Path, request: &ConvertRequest) -> Result<()> {
    let device = Device::flex();
    match file.kind()? {
        Generator::KIND => convert_generator(file.load(&device)?, from, request),
        kind if request.content == OutputContent::Onnx => {
            Err(usage_error(format!("only a generator can be written as ONNX, and this is {kind}")))
        }
        kind if request.strength.is_some() => {
            Err(usage_error(format!("--strength applies only to a generator, and this is {kind}")))
        }
        Discriminator::KIND => save(&file.load::<Discriminator>(&device)?, request),
        AlexNet::KIND => save(&file.load::<AlexNet>(&device)?, request),
        other => bail!("{}: contains an unknown network `{other}`", from.display()),
    }
}

/// Writes the generator `found` in the file `from`.
fn convert_generator(mut found: Weights<Generator>, from: &Path, request: &ConvertRequest) -> Result<()> {
    if let Some(strength) = request.strength {
        let Some(stronger) = found.network.with_strength(strength.into()) else {
            bail!("{}: this generator has direct output and no residual, so --strength does not apply", from.display());
        };
        found.network = stronger;
    }
    match request.content {
        OutputContent::Onnx => save_onnx(&found, &request.to),
        _ => save(&found, request),
    }
}

fn save<N: Network>(weights: &Weights<N>, request: &ConvertRequest) -> Result<()> {
    let floats = if request.content == OutputContent::Float16 { FloatWidth::Float16 } else { FloatWidth::Float32 };
    Ok(weights.write(WeightsFormat::from_path(&request.to), floats, &request.to)?)
}

fn save_onnx(weights: &Weights<Generator>, to: &Path) -> Result<()> {
    let bytes = onnx::generator(&weights.network, &weights.config, &weights.age_groups);
    write_atomic(to, &bytes).with_context(|| format!("cannot write {}", to.display()))
}
