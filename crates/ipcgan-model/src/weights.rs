//! Weights files: safetensors in PyTorch's names and layout, which say in their metadata what they
//! are for.
//!
//! | metadata | holds |
//! |---|---|
//! | `network` | the kind: `generator`, `discriminator` or `alexnet` |
//! | `config` | its configuration as JSON |
//! | `age_groups` | first age of each group, in years, as JSON |

use std::fs;
use std::path::Path;

use burn::module::Module;
use burn::store::{
    BurnToPyTorchAdapter, FloatCastAdapter, ModuleAdapter, ModuleSnapshot, PyTorchToBurnAdapter, SafetensorsStore,
};
use burn::tensor::{DType, Device};
use safetensors::SafeTensors;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{
    AgeGroups, AlexNet, AlexNetConfig, Discriminator, DiscriminatorConfig, Generator, GeneratorConfig, ModelError,
    write_whole,
};

/// A network that weights files can hold.
pub trait Network: Module {
    /// Its configuration.
    type Config: Serialize + DeserializeOwned;

    /// Its kind, as the metadata call it.
    const KIND: &'static str;

    /// The published configuration: what a file does not name is as here.
    fn published() -> Self::Config;

    /// The network with weights that are about to be replaced.
    ///
    /// # Errors
    /// A size that no network has; what is wrong, in words.
    fn of_config(config: &Self::Config, groups: &AgeGroups, device: &Device) -> Result<Self, String>;
}

/// What a weights file holds.
#[derive(Debug)]
pub struct Weights<N: Network> {
    /// The network with its weights.
    pub network: N,
    /// The configuration that it was trained with.
    pub config: N::Config,
    /// The age groups that it was trained for.
    pub age_groups: AgeGroups,
}

/// Writes `network` to `path`, whole or not at all; a file that stands there is replaced.
///
/// # Errors
/// The file cannot be written.
pub fn save<N: Network>(
    network: &N,
    config: &N::Config,
    age_groups: &AgeGroups,
    path: &Path,
) -> Result<(), ModelError> {
    save_as(network, config, age_groups, DType::F32, path)
}

/// As [`save`], in half precision: half the size, and each number to three digits.
///
/// # Errors
/// The file cannot be written.
pub fn save_half<N: Network>(
    network: &N,
    config: &N::Config,
    age_groups: &AgeGroups,
    path: &Path,
) -> Result<(), ModelError> {
    save_as(network, config, age_groups, DType::F16, path)
}

fn save_as<N: Network>(
    network: &N,
    config: &N::Config,
    age_groups: &AgeGroups,
    numbers: DType,
    path: &Path,
) -> Result<(), ModelError> {
    let json = |value: serde_json::Result<String>| value.expect("plain data turn into JSON");
    let mut store = SafetensorsStore::from_bytes(None)
        .with_to_adapter(BurnToPyTorchAdapter.chain(FloatCastAdapter::to(numbers)))
        .metadata("network", N::KIND)
        .metadata("config", json(serde_json::to_string(config)))
        .metadata("age_groups", json(serde_json::to_string(age_groups)));
    network
        .save_into(&mut store)
        .and_then(|()| store.get_bytes())
        .map_err(|error| std::io::Error::other(error.to_string()))
        .and_then(|bytes| write_whole(path, &bytes))
        .map_err(|source| ModelError::Access { path: path.into(), source })
}

/// The kind of network in the weights file `path`, as [`Network::KIND`].
///
/// # Errors
/// The file cannot be read, or is no weights file of ours.
pub fn kind(path: &Path) -> Result<String, ModelError> {
    let bytes = fs::read(path).map_err(|source| ModelError::Access { path: path.into(), source })?;
    Ok(Metadata::read(&bytes, path)?.entry("network")?.into())
}

/// Reads the network in the weights file `path` onto `device`.
///
/// Half-precision weights are widened; statistics that only PyTorch keeps are ignored.
///
/// # Errors
/// The file cannot be read, is damaged, or holds another kind of network.
pub fn load<N: Network>(path: &Path, device: &Device) -> Result<Weights<N>, ModelError> {
    let bytes = fs::read(path).map_err(|source| ModelError::Access { path: path.into(), source })?;
    from_bytes(bytes, path, device)
}

/// Reads a network from the bytes of a weights file; `origin` names them in errors.
///
/// # Errors
/// The bytes are damaged, or hold another kind of network.
pub fn from_bytes<N: Network>(bytes: Vec<u8>, origin: &Path, device: &Device) -> Result<Weights<N>, ModelError> {
    let metadata = Metadata::read(&bytes, origin)?;
    metadata.check_kind(N::KIND)?;
    let config: N::Config = metadata.config(&N::published())?;
    let age_groups: AgeGroups = metadata.json("age_groups")?;
    let mut network = N::of_config(&config, &age_groups, device).map_err(|reason| metadata.error("config", reason))?;

    let mut store = SafetensorsStore::from_bytes(Some(bytes))
        .with_from_adapter(PyTorchToBurnAdapter.chain(FloatCastAdapter::to(DType::F32)));
    network
        .load_from(&mut store)
        .map_err(|error| ModelError::Mismatch { path: origin.into(), reason: one_line(&error) })?;
    Ok(Weights { network, config, age_groups })
}

/// Metadata of a weights file.
struct Metadata<'a> {
    origin: &'a Path,
    entries: std::collections::HashMap<String, String>,
}

impl<'a> Metadata<'a> {
    fn read(bytes: &[u8], origin: &'a Path) -> Result<Self, ModelError> {
        let damaged = |error: safetensors::SafeTensorError| ModelError::NotSafetensors {
            path: origin.into(),
            reason: one_line(&error),
        };
        // Checks that the tensors fill the file, so a truncated one is found here.
        SafeTensors::deserialize(bytes).map_err(damaged)?;
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(damaged)?;
        Ok(Self { origin, entries: header.metadata().clone().unwrap_or_default() })
    }

    fn error(&self, key: &'static str, reason: String) -> ModelError {
        ModelError::Metadata { path: self.origin.into(), key, reason }
    }

    fn entry(&self, key: &'static str) -> Result<&str, ModelError> {
        let entry = self.entries.get(key).map(String::as_str);
        entry.ok_or_else(|| self.error(key, "is missing, so these are not weights of ours".into()))
    }

    fn check_kind(&self, expected: &'static str) -> Result<(), ModelError> {
        match self.entry("network")? {
            found if found == expected => Ok(()),
            found => Err(ModelError::OtherNetwork { path: self.origin.into(), expected, found: found.into() }),
        }
    }

    /// The configuration in the file laid over `published`.
    fn config<T: Serialize + DeserializeOwned>(&self, published: &T) -> Result<T, ModelError> {
        let mut config = serde_json::to_value(published).expect("plain data turn into JSON");
        let named: serde_json::Map<String, serde_json::Value> = self.json("config")?;
        for (name, value) in named {
            config[name] = value;
        }
        serde_json::from_value(config).map_err(|error| self.error("config", format!("cannot be read: {error}")))
    }

    fn json<T: DeserializeOwned>(&self, key: &'static str) -> Result<T, ModelError> {
        serde_json::from_str(self.entry(key)?).map_err(|error| self.error(key, format!("cannot be read: {error}")))
    }
}

/// The error's text without the line breaks that lists of tensors bring.
pub(crate) fn one_line(error: &impl std::fmt::Display) -> String {
    error.to_string().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A file may name any number: sizes beyond these would fill the memory before the tensors are seen.
fn check_sizes(sizes: &[(&str, usize, usize)]) -> Result<(), String> {
    for (name, size, most) in sizes {
        if *size == 0 || size > most {
            return Err(format!("has {name} {size}; it must be between 1 and {most}"));
        }
    }
    Ok(())
}

impl Network for Generator {
    type Config = GeneratorConfig;
    const KIND: &'static str = "generator";

    fn published() -> GeneratorConfig {
        GeneratorConfig::new()
    }

    fn of_config(config: &GeneratorConfig, groups: &AgeGroups, device: &Device) -> Result<Self, String> {
        check_sizes(&[
            ("image_size", config.image_size, 4096),
            ("width", config.width, 512),
            ("residual_blocks", config.residual_blocks, 64),
        ])?;
        if !config.image_size.is_multiple_of(4) {
            return Err(format!("has image_size {}, not a multiple of 4", config.image_size));
        }
        Ok(config.init(groups, 0, device))
    }
}

impl Network for Discriminator {
    type Config = DiscriminatorConfig;
    const KIND: &'static str = "discriminator";

    fn published() -> DiscriminatorConfig {
        DiscriminatorConfig::new()
    }

    fn of_config(config: &DiscriminatorConfig, groups: &AgeGroups, device: &Device) -> Result<Self, String> {
        check_sizes(&[("width", config.width, 512)])?;
        Ok(config.init(groups, 0, device))
    }
}

impl Network for AlexNet {
    type Config = AlexNetConfig;
    const KIND: &'static str = "alexnet";

    fn published() -> AlexNetConfig {
        AlexNetConfig::new(1)
    }

    fn of_config(config: &AlexNetConfig, groups: &AgeGroups, device: &Device) -> Result<Self, String> {
        check_sizes(&[
            ("identities", config.identities, 1_000_000),
            ("input_size", config.input_size, 1024),
            ("width", config.width, 128),
            ("hidden", config.hidden, 8192),
            ("embedding", config.embedding, 4096),
        ])?;
        if config.input_size < 67 {
            return Err(format!("has input_size {}, below 67", config.input_size));
        }
        Ok(config.init(groups, 0, device))
    }
}
