//! `ipcgan convert`: converts weights between file formats.

use std::path::Path;

use anyhow::{Context, Result, bail};
use ipcgan::Device;
use ipcgan::model::weights::{self, FloatWidth, Network, Weights, WeightsFormat};
use ipcgan::model::{AlexNet, Discriminator, Generator, onnx};
use ipcgan::system::write_atomic;
use ipcgan::train::GeneratorSource;

use crate::arguments::ConvertArguments;
use crate::exit_reason::usage_error;
use crate::print_path;
use crate::weights::{notices, source};

pub(crate) fn run(arguments: &ConvertArguments) -> Result<()> {
    let source = source(&arguments.from)?;
    let arguments = &ConvertArguments { from: source.file(), ..arguments.clone() };
    let kind = match (&source, &arguments.metadata_from) {
        (GeneratorSource::Checkpoint(_), Some(_)) => {
            return Err(usage_error("--metadata-from is not used with a checkpoint, whose run has its metadata"));
        }
        (GeneratorSource::Checkpoint(_), None) => Generator::KIND.into(),
        (GeneratorSource::File(_), metadata_from) => weights::kind(metadata_from.as_ref().unwrap_or(&arguments.from))?,
    };
    match kind.as_str() {
        Generator::KIND => {
            let mut found = match &source {
                GeneratorSource::Checkpoint(_) => source.load(&Device::flex(), &notices())?,
                GeneratorSource::File(_) => load::<Generator>(arguments)?,
            };
            if let Some(strength) = arguments.strength {
                let Some(stronger) = found.network.with_strength(strength.into()) else {
                    bail!(
                        "{}: this generator has direct output and no residual, so --strength does not apply",
                        arguments.from.display()
                    );
                };
                found.network = stronger;
            }
            match is_onnx(&arguments.to) {
                true => save_onnx(&found, arguments)?,
                false => save(&found, arguments)?,
            }
        }
        kind if is_onnx(&arguments.to) => {
            Err(usage_error(format!("only a generator can be written as ONNX, and this is {kind}")))?
        }
        kind if arguments.strength.is_some() => {
            Err(usage_error(format!("--strength applies only to a generator, and this is {kind}")))?
        }
        Discriminator::KIND => save(&load::<Discriminator>(arguments)?, arguments)?,
        AlexNet::KIND => save(&load::<AlexNet>(arguments)?, arguments)?,
        other => bail!("{}: contains an unknown network `{other}`", arguments.from.display()),
    }
    print_path(&arguments.to);
    Ok(())
}

fn load<N: Network>(arguments: &ConvertArguments) -> Result<Weights<N>> {
    let device = Device::flex();
    Ok(match &arguments.metadata_from {
        Some(metadata_from) => weights::load_like(&arguments.from, metadata_from, &device)?,
        None => weights::load(&arguments.from, &device)?,
    })
}

fn save<N: Network>(weights: &Weights<N>, arguments: &ConvertArguments) -> Result<()> {
    let numbers = if arguments.half { FloatWidth::Float16 } else { FloatWidth::Float32 };
    Ok(weights.write(WeightsFormat::from_path(&arguments.to), numbers, &arguments.to)?)
}

fn is_onnx(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("onnx"))
}

fn save_onnx(weights: &Weights<Generator>, arguments: &ConvertArguments) -> Result<()> {
    if arguments.half {
        return Err(usage_error("ONNX files are always float32; leave out --half"));
    }
    let bytes = onnx::generator(&weights.network, &weights.config, &weights.age_groups);
    write_atomic(&arguments.to, &bytes).with_context(|| format!("cannot write {}", arguments.to.display()))
}
